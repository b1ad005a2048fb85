/* The built-in policies' functions, and what they have in common. */
#ifndef AL_PLACEMENT_POLICIES_H
#define AL_PLACEMENT_POLICIES_H

#include <allot/policy.h>
#include <math.h>

/* The most of the busy time that exploration may take. */
#define AL_EXPLORE_SHARE 0.05
/* And at most this, of it, where the kernel has run at that size: that is reckoned apart, for a compiler that
 * one trial waited for may have used up the share for minutes. */
#define AL_RETRY_SHARE 0.025

/* policy_eft.c */
void al_policy_eft(const allot_snapshot *snapshot, void *user, allot_choice *choice);
/* policy_graph.c: they look beyond the one task */
void al_policy_heft(const allot_snapshot *snapshot, void *user, allot_choice *choice);
void al_policy_heteroprio(const allot_snapshot *snapshot, void *user, allot_choice *choice);
/* policy_plain.c: they look at no cost of the run */
void al_policy_fixed(const allot_snapshot *snapshot, void *user, allot_choice *choice);
void al_policy_round_robin(const allot_snapshot *snapshot, void *user, allot_choice *choice);
void al_policy_least_loaded(const allot_snapshot *snapshot, void *user, allot_choice *choice);
void al_policy_random(const allot_snapshot *snapshot, void *user, allot_choice *choice);
/* policy_published.c: the rules of others, as baselines */
void al_policy_dmda(const allot_snapshot *snapshot, void *user, allot_choice *choice);
void al_policy_auto_tune(const allot_snapshot *snapshot, void *user, allot_choice *choice);

/* A cost to compare by: what is not a number would win every comparison or none. */
static inline double al_cost(double seconds)
{
    return isnan(seconds) ? INFINITY : seconds;
}

/* The index of the possible candidate with the least cost, the first of equals; -1: none is possible. What
 * costs INFINITY is taken only where all do. */
static inline int al_least(const allot_snapshot *snapshot, double (*cost)(const allot_candidate *candidate))
{
    int best = -1;
    double least = INFINITY;
    for (size_t i = 0; i < snapshot->candidate_count; i++) {
        const allot_candidate *candidate = &snapshot->candidates[i];
        double own = candidate->possible ? al_cost(cost(candidate)) : INFINITY;
        if (candidate->possible && (best < 0 || own < least)) {
            best = (int)i;
            least = own;
        }
    }
    return best;
}

#endif
