/* Choosing the place of a task: candidates from its hints and the places, costs from the model, the choice
 * from the policy. */
#ifndef AL_EXECUTOR_CHOOSE_H
#define AL_EXECUTOR_CHOOSE_H

#include "executor/executor.h"

/* The place for a task, charged with its predicted cost; a launch gets its decision. NULL with status and
 * failure if none can run it. */
al_place *al_choose(allot_executor *executor, al_task *task, allot_status *status, al_failure *failure);

/* Where a launch goes that a device could not carry out: the first place on the CPU that the hints leave and
 * that can run it; NULL: none. */
al_place *al_choose_fallback(allot_executor *executor, const al_task *task);

/* True if only a device can take the task, whether any is known yet or not: because its hints name one, or
 * because no other place can run it. */
bool al_choose_needs_devices(const allot_executor *executor, const al_task *task);

/* The task is over: takes its charge off the place and teaches the model what it cost. */
void al_choose_learn(allot_executor *executor, al_task *task);

#endif
