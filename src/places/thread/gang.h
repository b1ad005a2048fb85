/* A launch that several workers run together, each taking parts until none is left. The one who ends the last
 * part completes the task. */
#ifndef AL_PLACES_THREAD_GANG_H
#define AL_PLACES_THREAD_GANG_H

#include "core/launch.h"
#include "places/place.h"

struct al_pool;

typedef struct al_gang {
    struct al_gang *next;
    struct al_pool *pool;
    al_task *task;
    size_t parts;
    size_t given; /* parts handed out; guarded by the pool's lock */
    _Atomic size_t unfinished;
    int64_t start_ns;
    _Atomic int status;   /* the first error; later parts are then skipped */
    al_failure failure;   /* written by the one who set `status` */
    allot_value values[]; /* one an argument */
} al_gang;

/* Starts a launch that this worker took from the queue, and runs at least one part of it. */
void al_gang_begin(struct al_pool *pool, al_task *task);

/* Runs one part that the pool gave to this worker. */
void al_gang_run(al_gang *gang, size_t part);

#endif
