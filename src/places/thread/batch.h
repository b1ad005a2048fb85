/* How workers share a batch (core/batch.h): one works on it, and it stays in his deque meanwhile; who steals
 * it there makes a batch of his own of half of what is left. */
#ifndef AL_PLACES_THREAD_BATCH_H
#define AL_PLACES_THREAD_BATCH_H

#include "core/batch.h"

struct al_worker;

/* Runs some calls of a batch that this worker took from a queue. */
void al_batch_work(struct al_worker *worker, al_task *task, bool waits);

#endif
