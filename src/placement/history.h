/* What runs of one very size took: the memory of the published rules, dmda's and auto_tune's. eft has the
 * model instead. */
#ifndef AL_PLACEMENT_HISTORY_H
#define AL_PLACEMENT_HISTORY_H

#include <allot/policy.h>

typedef struct al_history al_history;

/* NULL when memory is out. Any threads may use it at once. */
al_history *al_history_create(void);
void al_history_destroy(al_history *history);

/* Fills the candidate's history_* for the snapshot's task. */
void al_history_recall(al_history *history, const allot_snapshot *snapshot, allot_candidate *candidate);

/* The candidate was chosen. Without memory nothing is noted. */
void al_history_begin(al_history *history, const allot_snapshot *snapshot, const allot_candidate *candidate);

/* What it took; what is not finite or negative teaches nothing. */
void al_history_end(al_history *history, const allot_snapshot *snapshot, const allot_candidate *candidate,
                    double run_s, double whole_s);

#endif
