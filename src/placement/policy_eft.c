/* eft: earliest finish time, aware of where the data is, with bounded trials.
 *
 * The lowest expected total wins. Beside it stands the optimistic total, the bound: a place whose bound is
 * below the best expectation may be the better one for all that is known, and is tried:
 *  - at once if it was never seen at this size and is expected to cost no more than a few times the best;
 *  - if it was never seen and some times what the runs of this size so far are expected to have saved there
 *    has come to the price of the trial, compiling and moving data counted: as one who rents skis buys them
 *    when the rent has come to their price, and so never pays much more than what was best. (Karlin, Manasse,
 *    Rudolph and Sleator, Competitive snoopy caching, Algorithmica 3, 1988.) It must fit no share, for then a
 *    compiler would be waited for twenty times as long as it takes; but it uses the share up.
 *  - else when its expected total fits what is left of the share of busy time that is kept for trying. All
 *    trials are counted against that.
 * A place never seen whose bound is somewhat above the best is tried within the share too, for a bound may
 * err; but one whose bound is far above is not worth it. A compiler's time is paid once: it is left out of
 * the bound there.
 *
 * Where the best place is wanted by others, that is, where the launch would wait there, what counts of a run
 * is weighed by comparative advantage: a launch that is slower on the other place by less than launches
 * usually are is the one to go there, and one that is slower by more had better stay away, for the time of
 * the fast place is worth more to it. (The idea of HeteroPrio's order by acceleration, Agullo, Bramas,
 * Coulaud, Darve, Messner and Takahashi, 2016, for tasks that are pushed and not pulled.)
 *
 * Of places that would end the task before its deadline and places that would not, only the former are looked
 * at, if there are any. Who prefers energy compares joules in the same way. */
#include "placement/policies.h"

#define FREE_TRIAL_MOST                                                                                      \
    2.0 /* times the best expectation: what a trial outside the share may be expected to cost */
#define TRIAL_CREDIT                                                                                         \
    8.0 /* times what it is expected to have saved so far: what a trial that is due may cost. Runs go on */
#define RETRY_EARNED                                                                                         \
    0.25 /* of what the best place took for the runs of this size: what one more trial of a place that has   \
            run it may cost, so that small sizes do not pay with what large ones have earned */
#define LOW_DEVIATIONS 1.645 /* between a run and the optimistic one */
#define TRIAL_BOUND_MOST                                                                                     \
    2.0 /* times the best expectation: a bound beyond that is no reason to try. The prior's optimism is in   \
           it */

/* By so much at most a run counts for more or less than it takes, and by the square root of what sets it
 * apart: predictions err, and the task itself wants to be over too. */
#define ADVANTAGE_MOST 1.7

enum measure {
    EXPECTED,   /* the total */
    AT_BEST,    /* the total with the optimistic run */
    ONCE_BUILT, /* the same, as if it were compiled */
    ONCE_THERE  /* the same, as if what it reads were there too */
};

static inline double seconds_of(const allot_candidate *candidate, enum measure measure)
{
    if (measure == EXPECTED)
        return candidate->total_s;
    double bound_s = candidate->ready_s + candidate->low_s + candidate->return_s;
    bound_s += measure != ONCE_THERE ? candidate->transfer_s : 0;
    return measure == AT_BEST ? bound_s + candidate->compile_s : bound_s;
}

/* What one pass over the candidates finds. */
typedef struct contest {
    bool late;   /* nothing meets the deadline, or there is none: all are looked at */
    int best;    /* by expectation */
    int fastest; /* of those that have run it, without waiting; -1: none has */
    int trial;   /* the one to try, with the least bound of those that may be: -1: none */
    int modest;  /* of those without samples the one with the least expectation */
    double best_cost;
    const char *why;     /* of the trial */
    double fastest_s;    /* the least expected run that is known; 0: runs count as they are */
    double least_weight; /* of a run */
    double most_spared;  /* what that leaves of it, where runs are weighed; else 0 */
    double share_left_s; /* of the time kept for trying */
    double retry_left_s; /* the same for places that have run it at that size */
} contest;

/* How many times its length a run counts. */
static double weight(const contest *field, const allot_candidate *candidate)
{
    if (!field->fastest_s || !candidate->samples || !(candidate->usual_ratio > 0))
        return 1;
    double apart = sqrt(candidate->run_s / (field->fastest_s * candidate->usual_ratio));
    return apart > ADVANTAGE_MOST        ? ADVANTAGE_MOST
           : apart > field->least_weight ? apart
                                         : field->least_weight;
}

/* In seconds, or in joules. */
static double cost(const allot_snapshot *snapshot, const contest *field, size_t index, enum measure measure)
{
    const allot_candidate *candidate = &snapshot->candidates[index];
    double seconds = seconds_of(candidate, measure), own_weight;
    if (snapshot->prefer == ALLOT_PREFER_ENERGY)
        seconds = (seconds - candidate->ready_s) * candidate->watts;
    else if (field->fastest_s != 0 && (own_weight = weight(field, candidate)) != 1)
        seconds += (own_weight - 1) * candidate->run_s;
    return al_cost(seconds);
}

/* Of seconds: false at a glance, for most, where it costs more than `most` even if its run counts for as
 * little as can be. */
static inline bool may_undercut(const contest *field, const allot_candidate *candidate, double seconds,
                                double most)
{
    return !(seconds - field->most_spared * candidate->run_s > most);
}

static bool meets(const allot_snapshot *snapshot, const allot_candidate *candidate)
{
    return candidate->possible && candidate->total_s <= snapshot->deadline_s;
}

static bool can_meet(const allot_snapshot *snapshot)
{
    bool any = false;
    for (size_t i = 0; i < snapshot->candidate_count && snapshot->deadline_s > 0; i++)
        any = any || meets(snapshot, &snapshot->candidates[i]);
    return any;
}

static inline bool counts(const allot_snapshot *snapshot, const contest *field,
                          const allot_candidate *candidate)
{
    return candidate->possible && (field->late || meets(snapshot, candidate));
}

/* The first of equals each, in one look at all: whose run is known to be shortest, and, by their whole time
 * as it is, who is the best. */
static void survey(const allot_snapshot *snapshot, contest *field)
{
    const allot_candidate *candidate = snapshot->candidates, *end = candidate + snapshot->candidate_count;
    const allot_candidate *fastest = NULL, *best = NULL;
    double best_s = INFINITY, fastest_s = INFINITY;
    for (; candidate < end; candidate++) {
        if (!counts(snapshot, field, candidate))
            continue;
        if (candidate->samples && (candidate->run_s < fastest_s || !fastest)) {
            fastest = candidate;
            fastest_s = candidate->run_s;
        }
        if (candidate->total_s < best_s || !best) {
            best = candidate;
            best_s = al_cost(candidate->total_s);
        }
    }
    field->fastest = fastest ? (int)(fastest - snapshot->candidates) : -1;
    field->best = best ? (int)(best - snapshot->candidates) : -1;
    field->best_cost = best_s;
}

/* The best as costs count, the first of equals: one that was the best as times are is looked at before the
 * others, so that few are left to be looked at closely. */
static void find_best(const allot_snapshot *snapshot, contest *field)
{
    const allot_candidate *candidate = snapshot->candidates, *end = candidate + snapshot->candidate_count;
    const allot_candidate *best = candidate + field->best;
    double best_cost = cost(snapshot, field, (size_t)field->best, EXPECTED);
    bool timed = snapshot->prefer != ALLOT_PREFER_ENERGY;
    for (; candidate < end; candidate++) {
        if ((timed && !may_undercut(field, candidate, candidate->total_s, best_cost)) ||
            !counts(snapshot, field, candidate))
            continue;
        double own = cost(snapshot, field, (size_t)(candidate - snapshot->candidates), EXPECTED);
        if (own < best_cost || (own == best_cost && candidate < best)) {
            best = candidate;
            best_cost = own;
        }
    }
    field->best = (int)(best - snapshot->candidates);
    field->best_cost = best_cost;
}

/* Runs are weighed if the place that is fastest is not free; none counts for less if the best one is. */
static void weigh(const allot_snapshot *snapshot, contest *field)
{
    const allot_candidate *fastest = field->fastest < 0 ? NULL : &snapshot->candidates[field->fastest];
    if (!fastest || !(fastest->ready_s > 0) || !(fastest->run_s > 0))
        return;
    field->fastest_s = fastest->run_s;
    field->least_weight = snapshot->candidates[field->best].ready_s > 0 ? 1 / ADVANTAGE_MOST : 1;
    field->most_spared = 1 - field->least_weight;
    find_best(snapshot, field);
}

static inline bool fits_share(const contest *field, const allot_candidate *candidate)
{
    return candidate->total_s <= (candidate->samples ? field->retry_left_s : field->share_left_s);
}

static bool is_cheap(const allot_snapshot *snapshot, const contest *field, size_t index)
{
    return snapshot->candidates[index].samples == 0 &&
           cost(snapshot, field, index, AT_BEST) < field->best_cost &&
           cost(snapshot, field, index, EXPECTED) <= FREE_TRIAL_MOST * field->best_cost;
}

static double normal_share(double deviations)
{
    return 0.5 * erfc(-deviations * 0.70710678118654752);
}

/* By how much a run there is expected to undercut what one may cost that is at least as good as the best: the
 * mean of what it saves where it does, and of nothing where it does not, over a lognormal distribution.
 * (Jones, Schonlau and Welch, Efficient global optimization of expensive black-box functions, 1998,
 * equation 15.) */
static double improvement(const allot_candidate *candidate, double may_take_s)
{
    double deviation = log(candidate->run_s / candidate->low_s) / LOW_DEVIATIONS;
    if (!(deviation > 0) || !(may_take_s > 0) || !isfinite(deviation))
        return fmax(may_take_s - candidate->run_s, 0);
    double z = log(may_take_s / candidate->run_s) / deviation;
    double mean_s = candidate->run_s * exp(0.5 * deviation * deviation);
    return fmax(may_take_s * normal_share(z) - mean_s * normal_share(z - deviation), 0);
}

/* Whether what the best place's samples are expected to have saved there, if one compiling and one transfer
 * were for all, has come to the price of the trial. */
static bool is_due(const allot_snapshot *snapshot, const contest *field, size_t index)
{
    const allot_candidate *candidate = &snapshot->candidates[index];
    double runs = TRIAL_CREDIT * (double)snapshot->candidates[field->best].samples;
    double price = cost(snapshot, field, index, EXPECTED);
    if (candidate->samples ||
        !(price <= runs * (field->best_cost - cost(snapshot, field, index, ONCE_THERE))))
        return false; /* not even if all were as good as can be */
    double watts = snapshot->prefer == ALLOT_PREFER_ENERGY ? candidate->watts : 1;
    double beside = cost(snapshot, field, index, ONCE_THERE) - watts * candidate->low_s;
    return price <= runs * watts * improvement(candidate, (field->best_cost - beside) / watts);
}

/* NULL: it is not to be tried. */
static const char *why_try(const allot_snapshot *snapshot, const contest *field, size_t index)
{
    if (is_cheap(snapshot, field, index))
        return "explored: untried, and at best cheaper than what is known";
    if (is_due(snapshot, field, index))
        return "explored: untried, and what it might have saved so far has come to what trying it costs";
    if (cost(snapshot, field, index, AT_BEST) < field->best_cost &&
        fits_share(field, &snapshot->candidates[index]))
        return "explored: at best cheaper, and within the share of time kept for trying";
    return NULL;
}

/* False at a glance: what costs no less than the best even if all were as good as can be is not tried, and
 * what has run here is tried within the share alone, and not for being modest. */
static inline bool may_be_tried(const allot_snapshot *snapshot, const contest *field,
                                const allot_candidate *candidate)
{
    if (candidate->samples == 0)
        return true;
    if (!fits_share(field, candidate))
        return false;
    double once_there_s = candidate->ready_s + candidate->low_s + candidate->return_s;
    if (snapshot->prefer != ALLOT_PREFER_ENERGY &&
        !may_undercut(field, candidate, once_there_s, field->best_cost))
        return false;
    return cost(snapshot, field, (size_t)(candidate - snapshot->candidates), ONCE_THERE) < field->best_cost;
}

/* The least costs found so far. */
typedef struct trials {
    double cost, modest_cost;
} trials;

static void look_at_trial(const allot_snapshot *snapshot, contest *field, size_t index, trials *least)
{
    double once_built = cost(snapshot, field, index, ONCE_BUILT);
    if (once_built > TRIAL_BOUND_MOST * field->best_cost &&
        !(cost(snapshot, field, index, ONCE_THERE) < field->best_cost))
        return;
    double expected = cost(snapshot, field, index, EXPECTED);
    const char *why = once_built < least->cost ? why_try(snapshot, field, index) : NULL;
    if (why) {
        field->trial = (int)index;
        field->why = why;
        least->cost = once_built;
    }
    if (snapshot->candidates[index].samples == 0 && expected < least->modest_cost &&
        once_built <= TRIAL_BOUND_MOST * field->best_cost) {
        field->modest = (int)index;
        least->modest_cost = expected;
    }
}

static void find_trials(const allot_snapshot *snapshot, contest *field)
{
    trials least = { INFINITY, INFINITY };
    for (size_t i = 0; i < snapshot->candidate_count; i++) {
        const allot_candidate *candidate = &snapshot->candidates[i];
        if (counts(snapshot, field, candidate) && (int)i != field->best &&
            may_be_tried(snapshot, field, candidate))
            look_at_trial(snapshot, field, i, &least);
    }
}

static void explore(allot_choice *choice, int chosen, const char *why)
{
    choice->chosen = chosen;
    choice->explores = true;
    choice->why = why;
}

/* Where nothing has run, the least expected total is safe also against compilers: a place is chosen only if
 * its compiling and running together are expected to take less than the others need. */
static void settle(const allot_snapshot *snapshot, const contest *field, allot_choice *choice)
{
    bool energy = snapshot->prefer == ALLOT_PREFER_ENERGY;
    choice->chosen = field->best;
    if (snapshot->candidates[field->best].samples == 0)
        choice->why = energy ? "lowest predicted energy, by a guess: no run like it there yet"
                             : "lowest predicted cost, by a guess: no run like it there yet";
    else if (snapshot->deadline_s > 0 && field->late)
        choice->why = "lowest predicted cost: no place is expected to meet its deadline";
    else
        choice->why = energy ? "lowest predicted energy" : "lowest predicted cost";
}

void al_policy_eft(const allot_snapshot *snapshot, void *user, allot_choice *choice)
{
    (void)user;
    contest field = { .late = !can_meet(snapshot), .best = -1, .fastest = -1, .trial = -1, .modest = -1 };
    survey(snapshot, &field);
    if (field.best < 0)
        return;
    if (snapshot->prefer == ALLOT_PREFER_ENERGY)
        find_best(snapshot, &field);
    weigh(snapshot, &field);
    settle(snapshot, &field, choice);
    if (field.fastest < 0) /* nothing is known to have run */
        return;
    field.share_left_s = AL_EXPLORE_SHARE * snapshot->busy_s - snapshot->explored_s;
    const allot_candidate *best = &snapshot->candidates[field.best];
    field.retry_left_s = fmin(AL_RETRY_SHARE * snapshot->busy_s - snapshot->retried_s,
                              RETRY_EARNED * (double)best->samples * best->total_s);
    find_trials(snapshot, &field);
    if (field.trial >= 0)
        explore(choice, field.trial, field.why);
    else if (field.modest >= 0 && fits_share(&field, &snapshot->candidates[field.modest]))
        explore(choice, field.modest, "explored: untried, and within the share of time kept for trying");
}
