/* Ending tasks early: cancel, stop, deadlines. */
#ifndef AL_EXECUTOR_CONTROL_H
#define AL_EXECUTOR_CONTROL_H

#include "executor/terms.h"

/* Sets the deadline's timer; without one (no thread to be had) the task goes without its deadline, and the
 * log says so. */
void al_control_arm_deadline(al_terms *terms);

/* Takes the timer back, unless it is going off. */
void al_control_disarm(al_terms *terms);

/* Ends a task for that reason (AL_STOP_*): at once if it has not started, else as allot_stop() says. */
void al_control_stop(al_task *task, int reason, int64_t grace_ns);

/* Ends every task that has not started, as cancelled, or by force with ALLOT_SHUTDOWN. For a shutdown. */
void al_control_end_pending(allot_executor *executor, bool by_force);

/* Ends what runs where the place can do so, with ALLOT_SHUTDOWN. */
void al_control_kill(allot_executor *executor);

#endif
