/* Learning from launches that are over: what they took goes to the model and to the policy's history, and
 * time spent on trials to their account. */
#ifndef AL_EXECUTOR_LEARN_H
#define AL_EXECUTOR_LEARN_H

#include "executor/executor.h"

/* A task that was decided, or not, is over; also one that never ran. */
void al_learn(allot_executor *executor, al_task *task);

/* So much time goes to a trial of that candidate. */
void al_learn_explored(allot_executor *executor, int64_t ns, const allot_candidate *chosen);

/* A transfer between the host and a place is over. */
void al_learn_transfer(al_place *place, bool to_place, uint64_t bytes, int64_t ns);

#endif
