/* The calls that submit: what they check, and what they make of it. */
#ifndef AL_EXECUTOR_SUBMIT_H
#define AL_EXECUTOR_SUBMIT_H

#include "executor/executor.h"

/* ---- For maps ---- */

/* What every submission checks first; reads the caller's hints into *hints. */
allot_status al_submit_check(allot_executor *executor, const allot_hints *given, allot_hints *hints,
                             al_failure *failure);

/* The future of a submission that is refused before it entered the gate. */
allot_future *al_submit_refuse(allot_executor *executor, allot_status status, al_failure *failure);

/* Accepts a task that runs nowhere but is over when its node (task->terms->node) was told `parts` times that
 * one of its parts has arrived; `hints` have no dependencies. The gate has been entered. NULL as the task, or
 * no memory for its terms: a refused future comes back instead of the task's. */
allot_future *al_submit_gathering(allot_executor *executor, al_task *task, const allot_hints *hints,
                                  size_t parts);

#endif
