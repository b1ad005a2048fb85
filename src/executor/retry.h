/* Trying again: an attempt that failed goes back to its place after a while, if its hints say that it may.
 * The task stays running meanwhile, so that nothing but its end is ever seen of it. */
#ifndef AL_EXECUTOR_RETRY_H
#define AL_EXECUTOR_RETRY_H

#include "executor/executor.h"

/* al_place.retry: takes over a task whose attempt has failed, with its failure; false: it is to end so. */
bool al_retry(al_place *place, al_task *task, allot_status status, al_failure *failure);

/* The task is to stop, and says so already: ends it if it waits for its next attempt. */
void al_retry_stop(al_task *task);

/* Ends a task that was to be tried again with what its last attempt came to, or by force with ALLOT_SHUTDOWN.
 * Its caller has it from the timers or from a place's queue. */
void al_retry_give_up(al_task *task, bool by_force);

/* The executor cancels what does not run: ends all that wait for their next attempt. */
void al_retry_give_up_all(allot_executor *executor, bool by_force);

/* Frees what is kept of the last attempt. */
void al_retry_fini(al_terms *terms);

#endif
