/* How workers share a batch (core/batch.h): whoever gets one from elsewhere halves it, runs the first call and
 * leaves the rest in its deque meanwhile, where others find it. So no call waits behind another one. */
#ifndef AL_PLACES_THREAD_BATCH_H
#define AL_PLACES_THREAD_BATCH_H

#include "core/batch.h"

struct al_worker;

/* Runs one call of a batch that this worker took from a queue. */
void al_batch_step(struct al_worker *worker, al_task *task, bool waits);

#endif
