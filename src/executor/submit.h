/* From submission to a place, and from a task's end to its retirement. */
#ifndef AL_EXECUTOR_SUBMIT_H
#define AL_EXECUTOR_SUBMIT_H

#include "executor/executor.h"

/* All that a task waited for has come (or it ended early): gives it to a place. */
void al_submit_go(al_terms *terms);

/* Takes a task out of its executor's list of arming tasks, with the executor's lock held. */
void al_submit_unlist(al_terms *terms);

#endif
