#include "placement/policy.h"
#include <math.h>

enum measure {
    EXPECTED, /* the total */
    AT_BEST   /* the total with the optimistic run */
};

enum which {
    ANY,
    TRIED,
    UNTRIED
};

/* What is not a number would win every comparison or none. */
static double number(double seconds)
{
    return isnan(seconds) ? INFINITY : seconds;
}

static double cost(const allot_candidate *candidate, enum measure measure)
{
    if (measure == EXPECTED)
        return number(candidate->total_s);
    return number(candidate->ready_s + candidate->transfer_s + candidate->compile_s + candidate->low_s);
}

/* The cheapest possible candidate of those; the first of equals; -1: there is none. */
static int cheapest(const al_snapshot *snapshot, enum which which, enum measure measure)
{
    int best = -1;
    for (size_t i = 0; i < snapshot->count; i++) {
        const allot_candidate *candidate = &snapshot->candidates[i];
        if (!candidate->possible || (which == TRIED && candidate->samples == 0) ||
            (which == UNTRIED && candidate->samples > 0))
            continue;
        if (best < 0 || cost(candidate, measure) < cost(&snapshot->candidates[best], measure))
            best = (int)i;
    }
    return best;
}

static size_t count_possible(const al_snapshot *snapshot)
{
    size_t count = 0;
    for (size_t i = 0; i < snapshot->count; i++)
        count += snapshot->candidates[i].possible;
    return count;
}

static bool fits_budget(const al_snapshot *snapshot, const allot_candidate *candidate)
{
    return cost(candidate, EXPECTED) <= AL_EXPLORE_SHARE * snapshot->busy_s - snapshot->explored_s;
}

static al_choice choice(int chosen, bool explores, const char *why)
{
    al_choice made = { .chosen = chosen, .explores = explores };
    snprintf(made.why, sizeof made.why, "%s", why);
    return made;
}

/* Where nothing has run, the least expected total is safe also against compilers: a place is chosen only if
 * its compiling and running together are expected to take less than the others need. */
static al_choice choose_cheapest(const al_snapshot *snapshot)
{
    int chosen = cheapest(snapshot, ANY, EXPECTED);
    if (count_possible(snapshot) == 1)
        return choice(chosen, false, "the only one");
    if (snapshot->candidates[chosen].samples == 0)
        return choice(chosen, false, "lowest predicted cost, by a guess: no run like it there yet");
    return choice(chosen, false, "lowest predicted cost");
}

al_choice al_policy_choose(const al_snapshot *snapshot)
{
    int best = cheapest(snapshot, ANY, EXPECTED);
    if (best < 0)
        return choice(-1, false, "no place can run it");
    int known = cheapest(snapshot, TRIED, EXPECTED);
    int hopeful = cheapest(snapshot, UNTRIED, AT_BEST), modest = cheapest(snapshot, UNTRIED, EXPECTED);
    if (known < 0 || hopeful < 0)
        return choose_cheapest(snapshot);
    const allot_candidate *candidates = snapshot->candidates;
    if (cost(&candidates[hopeful], AT_BEST) < cost(&candidates[known], EXPECTED)) {
        if (hopeful == best)
            return choose_cheapest(snapshot);
        return choice(hopeful, true, "explored: untried, and at best cheaper than what is known");
    }
    if (modest != best && fits_budget(snapshot, &candidates[modest]))
        return choice(modest, true, "explored: untried, and within the share of time kept for trying");
    return choose_cheapest(snapshot);
}
