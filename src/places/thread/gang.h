/* A launch that several workers run together, as a team: each takes parts until none is left, and the last
 * one completes the task. */
#ifndef AL_PLACES_THREAD_GANG_H
#define AL_PLACES_THREAD_GANG_H

#include "core/task.h"

struct al_pool;

/* Starts a launch that this worker took from a queue, and runs at least one part of it. */
void al_gang_begin(struct al_pool *pool, al_task *task);

#endif
