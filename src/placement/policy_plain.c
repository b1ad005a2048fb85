/* The policies that look at no cost of the run: for measuring against, for tests, and for who knows better.
 */
#include "placement/policies.h"
#include <string.h>

static int nth_possible(const allot_snapshot *snapshot, uint64_t n)
{
    for (size_t i = 0; i < snapshot->candidate_count; i++)
        if (snapshot->candidates[i].possible && n-- == 0)
            return (int)i;
    return -1;
}

static uint64_t count_possible(const allot_snapshot *snapshot)
{
    uint64_t count = 0;
    for (size_t i = 0; i < snapshot->candidate_count; i++)
        count += snapshot->candidates[i].possible;
    return count;
}

void al_policy_fixed(const allot_snapshot *snapshot, void *user, allot_choice *choice)
{
    (void)user;
    for (size_t i = 0; i < snapshot->candidate_count; i++) {
        const allot_candidate *candidate = &snapshot->candidates[i];
        if (candidate->possible && strcmp(candidate->place, snapshot->argument) == 0) {
            choice->chosen = (int)i;
            choice->why = "fixed: the place that the policy names";
            return;
        }
    }
    choice->chosen = nth_possible(snapshot, 0);
    choice->why = snapshot->argument[0]
                      ? "fixed: the place that the policy names cannot run it; the first that can"
                      : "fixed: the first place that can run it";
}

void al_policy_round_robin(const allot_snapshot *snapshot, void *user, allot_choice *choice)
{
    (void)user;
    uint64_t count = count_possible(snapshot);
    choice->chosen = count ? nth_possible(snapshot, snapshot->number % count) : -1;
    choice->why = "in turn";
}

static double waiting(const allot_candidate *candidate)
{
    return candidate->ready_s;
}

void al_policy_least_loaded(const allot_snapshot *snapshot, void *user, allot_choice *choice)
{
    (void)user;
    choice->chosen = al_least(snapshot, waiting);
    choice->why = "free first";
}

/* splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): the n-th
 * number of a seed without those before it. */
static uint64_t random_number(uint64_t seed, uint64_t n)
{
    uint64_t z = seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void al_policy_random(const allot_snapshot *snapshot, void *user, allot_choice *choice)
{
    (void)user;
    uint64_t count = count_possible(snapshot);
    choice->chosen =
        count ? nth_possible(snapshot, random_number(snapshot->seed, snapshot->number) % count) : -1;
    choice->why = "at random";
}
