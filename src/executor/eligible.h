/* Who could run a task: what the hints, the place's state and the place itself say; and what is wrong if
 * nobody can. */
#ifndef AL_EXECUTOR_ELIGIBLE_H
#define AL_EXECUTOR_ELIGIBLE_H

#include "executor/executor.h"

#define AL_REASON_MAX 160

/* NULL if the place could run the task, else why not: static text, or written to `room`. */
const char *al_eligible_not(const al_place *place, const al_task *task, char room[AL_REASON_MAX]);

/* True if the hints ask for devices by kind or name. */
bool al_eligible_names_device(const al_terms *terms);

/* Nobody can: the failure says why, place by place. */
allot_status al_eligible_nobody(allot_executor *executor, const al_task *task, al_failure *failure);

#endif
