/* The policies that look beyond the one task.
 *
 * heft: Topcuoglu, Hariri and Wu, "Performance-effective and low-complexity task scheduling for heterogeneous
 * computing" (TPDS 2002). Tasks are taken by falling upward rank, and each goes where it is finished
 * earliest. The graph grows while it runs here, so the rank counts the successors that were submitted when it
 * was asked for, tasks that become ready together are decided by falling rank, and no earlier gap in a
 * place's schedule is looked for: where places sort what waits, the rank is the order there.
 *
 * heteroprio: Agullo, Bramas, Coulaud, Darve, Messner and Takahashi (2016), Beaumont, Eyraud-Dubois and
 * Kumar, "Approximation proofs of a fast and efficient list scheduling algorithm for task-based runtime
 * systems on multicores and GPUs" (IPDPS 2017). Published as pull: an idle device takes the ready task with
 * the greatest acceleration ratio, an idle CPU the least; and an idle place takes over what another one has
 * begun if it ends it sooner. Tasks are pushed here as they become ready: a task goes to the place that is
 * free first of the class that runs it fastest, by its time without waiting; but a place of another class
 * that is idle takes it if it ends it before that one would. Among what waits at a place the ratio is the
 * order. */
#include "placement/policies.h"
#include <string.h>

void al_policy_heft(const allot_snapshot *snapshot, void *user, allot_choice *choice)
{
    al_policy_eft(snapshot, user, choice);
    choice->urgency = isfinite(snapshot->rank_s) ? snapshot->rank_s : 0;
}

/* ---- heteroprio ---- */

static double without_waiting(const allot_candidate *candidate)
{
    return candidate->transfer_s + candidate->compile_s + candidate->run_s + candidate->return_s;
}

static bool alike(const allot_candidate *one, const allot_candidate *other)
{
    return one->alike == other->alike ||
           (one->alike && other->alike && strcmp(one->alike, other->alike) == 0);
}

/* The cheapest to finish of the class of `of`, or among the others' idle places; `of` itself if there is
 * none. */
static int earliest(const allot_snapshot *snapshot, int of, bool same_class)
{
    int best = -1;
    for (size_t i = 0; i < snapshot->candidate_count; i++) {
        const allot_candidate *candidate = &snapshot->candidates[i];
        bool fits = candidate->possible && alike(candidate, &snapshot->candidates[of]) == same_class &&
                    (same_class || candidate->ready_s <= 0);
        if (fits && (best < 0 || al_cost(candidate->total_s) < al_cost(snapshot->candidates[best].total_s)))
            best = (int)i;
    }
    return best < 0 ? of : best;
}

/* How many times faster than on any other class. */
static double acceleration(const allot_snapshot *snapshot, int fastest)
{
    const allot_candidate *own = &snapshot->candidates[fastest];
    double other_s = INFINITY;
    for (size_t i = 0; i < snapshot->candidate_count; i++)
        if (snapshot->candidates[i].possible && !alike(&snapshot->candidates[i], own))
            other_s = fmin(other_s, al_cost(without_waiting(&snapshot->candidates[i])));
    double ratio = other_s / without_waiting(own);
    return isfinite(ratio) && ratio > 0 ? ratio : 0;
}

void al_policy_heteroprio(const allot_snapshot *snapshot, void *user, allot_choice *choice)
{
    (void)user;
    int fastest = al_least(snapshot, without_waiting);
    if (fastest < 0)
        return;
    int own = earliest(snapshot, fastest, true), idle = earliest(snapshot, fastest, false);
    double ratio = acceleration(snapshot, fastest);
    const allot_candidate *candidates = snapshot->candidates;
    bool taken_over = idle != fastest && candidates[own].ready_s > 0 &&
                      al_cost(candidates[idle].total_s) < al_cost(candidates[own].total_s);
    choice->chosen = taken_over ? idle : own;
    choice->urgency = taken_over ? (ratio > 0 ? 1 / ratio : 0) : ratio;
    choice->why = taken_over ? "heteroprio: idle, and done before the faster kind would be"
                             : "heteroprio: free first of the kind that runs it fastest";
}
