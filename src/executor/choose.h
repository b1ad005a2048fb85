/* Choosing the place of a task: who could run it (eligible.h), what it would cost there (price.h), the
 * policy's choice over that snapshot (placement/policy.h), kept as a record (record.h). */
#ifndef AL_EXECUTOR_CHOOSE_H
#define AL_EXECUTOR_CHOOSE_H

#include "executor/executor.h"

/* True if the task's place cannot be chosen before devices have been looked for. */
bool al_choose_needs_devices(const allot_executor *executor, const al_task *task);

/* The place for a task whose dependencies are met: open, or NULL with *status and the failure set. */
al_place *al_choose(allot_executor *executor, al_task *task, allot_status *status, al_failure *failure);

/* Where a launch goes that a device could not carry out: the first place on the CPU that the hints leave and
 * that can run it, else with `devices` the cheapest device that is not known not to build it; NULL: none. */
al_place *al_choose_fallback(allot_executor *executor, const al_task *task, bool devices);

#endif
