/* Who could run a task: what the hints, the place's state and the place itself say; and what is wrong if
 * nobody can. */
#ifndef AL_EXECUTOR_ELIGIBLE_H
#define AL_EXECUTOR_ELIGIBLE_H

#include "executor/executor.h"
#include "executor/terms.h"

#define AL_REASON_MAX 160

/* NULL if the place could run the task, else why not: static text, or written to `room`. */
const char *al_eligible_not(const al_place *place, const al_task *task, char room[AL_REASON_MAX]);

/* What a launch lacks that could speak against a place, found out once. */
typedef struct al_eligible_launch {
    bool leaves_all; /* neither its hints nor what it is narrow the places */
    bool runs_c;     /* al_place_runs_c() */
} al_eligible_launch;

al_eligible_launch al_eligible_begin(const al_task *task);

/* The same as al_eligible_not() at a glance, as most are: true if nothing is against it; else ask that. */
static inline bool al_eligible_plainly(const al_eligible_launch *launch, const al_place *place,
                                       const al_task *task, char room[AL_REASON_MAX])
{
    return launch->leaves_all && !place->only_by_name &&
           atomic_load_explicit(&((al_place *)place)->state, memory_order_acquire) != ALLOT_PLACE_ASIDE &&
           (place->runs_all_c ? launch->runs_c : place->ops->can_run(place, task, room, AL_REASON_MAX));
}

/* Why the hints leave only places of one kind, or one: "the hints ask for ..."; NULL: they ask for none. As
 * long-lived as the task. */
const char *al_eligible_asks_for(const al_terms *terms);

/* True if the hints ask for devices, which are to be waited for then: no place that is listed is what they
 * name. */
bool al_eligible_names_device(const allot_executor *executor, const al_terms *terms);

/* Nobody can: the failure says why, place by place. */
allot_status al_eligible_nobody(allot_executor *executor, const al_task *task, al_failure *failure);

#endif
