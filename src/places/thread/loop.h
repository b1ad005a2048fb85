/* Loops over an index range, run by a team of workers with the caller as its first member, who returns when
 * all is done. */
#ifndef AL_PLACES_THREAD_LOOP_H
#define AL_PLACES_THREAD_LOOP_H

#include "core/failure.h"
#include <allot/parallel.h>

struct al_pool;

/* What to do; the functions are never called by two threads for overlapping items. */
typedef struct al_loop_job {
    allot_ndrange range;
    allot_schedule schedule;
    size_t grain; /* 0: the schedule's default */
    int workers;  /* with the caller; 0: the pool's */
    bool by_part; /* the items are parts, each of which knows its place: never split, numbered by begin[0] */
    /* `member` tells those apart who run at once: 0 to workers - 1. */
    allot_status (*run)(allot_call *call, const allot_block *block, unsigned member, void *of);
    void *of;
    uintptr_t body, user; /* the host's function and what goes with it: by these a loop is known again */
} al_loop_job;

/* How many members it may have at most. */
unsigned al_loop_members(const struct al_pool *pool, int workers);

/* Runs it; the first error, with its message. A pool of NULL: in this thread alone. */
allot_status al_loop_run(struct al_pool *pool, const al_loop_job *job, al_failure *failure);

#endif
