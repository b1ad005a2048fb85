/* The published rules of two other systems, as baselines: what they know and what they ignore is theirs.
 *
 * dmda: StarPU (Augonnet, Clet-Ortega, Thibault and Namyst, "Data-Aware Task Scheduling on Multi-Accelerator
 * based Platforms", ICPADS 2010). A history of each kernel and size on each kind of place: until there are 10
 * samples everywhere it calibrates, spreading the runs over what is not calibrated; afterwards their mean is
 * frozen, and the least (ready + mean + transfer to the place) wins. No spread, no compilation, no reading
 * back. Samples that differ from the mean by more than a half are dropped, and the history is begun anew when
 * more have been dropped than kept.
 *
 * auto_tune: oneDPL's dynamic selection. Each kernel and size is tried once on each place; then the one whose
 * time in whole milliseconds was least, the first of equals, is used for ever. While a trial is under way its
 * place has no time yet. */
#include "placement/policies.h"

enum {
    CALIBRATED = 10 /* samples */
};

static double calibration(const allot_candidate *candidate)
{
    bool calibrated = candidate->history_samples >= CALIBRATED;
    return calibrated ? INFINITY : candidate->ready_s;
}

static double model_cost(const allot_candidate *candidate)
{
    return candidate->ready_s + candidate->history_s + candidate->transfer_s;
}

void al_policy_dmda(const allot_snapshot *snapshot, void *user, allot_choice *choice)
{
    (void)user;
    int waiting = al_least(snapshot, calibration);
    if (waiting >= 0 && snapshot->candidates[waiting].history_samples < CALIBRATED) {
        choice->chosen = waiting;
        choice->why = "dmda calibrates: fewer than 10 samples of this size there";
        return;
    }
    choice->chosen = al_least(snapshot, model_cost);
    choice->why = "dmda: least ready + mean of 10 + transfer";
}

static double tried(const allot_candidate *candidate)
{
    return candidate->history_tries ? INFINITY : 0;
}

static double milliseconds(const allot_candidate *candidate)
{
    return candidate->history_ms >= 0 ? candidate->history_ms : INFINITY;
}

void al_policy_auto_tune(const allot_snapshot *snapshot, void *user, allot_choice *choice)
{
    (void)user;
    int untried = al_least(snapshot, tried);
    if (untried >= 0 && !snapshot->candidates[untried].history_tries) {
        choice->chosen = untried;
        choice->why = "auto_tune tries each place once with this size";
        return;
    }
    choice->chosen = al_least(snapshot, milliseconds);
    choice->why = "auto_tune: the winner in whole milliseconds";
}
