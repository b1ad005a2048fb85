/* The thread place: the table over the pool. */
#include "places/thread/pool.h"
#include "core/launch.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static al_pool *pool_from(al_place *place)
{
    return place->kind == ALLOT_THREAD ? (al_pool *)place : NULL;
}

static void describe(const al_place *place, allot_place_info *info)
{
    snprintf(info->name, sizeof info->name, "thread pool");
    info->workers = ((const al_pool *)place)->worker_count;
    info->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    info->max_array_bytes = info->memory_bytes;
    info->has_f64 = true;
}

static allot_status open_place(al_place *place, al_failure *failure)
{
    return al_pool_start(pool_from(place), failure);
}

static void enqueue(al_place *place, al_task *task)
{
    al_pool_push(pool_from(place), task);
}

static al_task *withdraw(al_place *place, al_task *which)
{
    return al_pool_withdraw(pool_from(place), which);
}

static void stop(al_place *place, al_task *task, int64_t grace_ns)
{
    (void)place, (void)task, (void)grace_ns; /* the flag is all that a thread can be told */
}

static void close_place(al_place *place)
{
    al_pool *pool = pool_from(place);
    al_pool_stop(pool);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static const al_place_ops ops = {
    describe, al_place_runs_c, open_place, enqueue, withdraw, stop, close_place
};

static size_t discover(const al_place_config *config, al_place **places, size_t capacity, char *message,
                       size_t message_size)
{
    al_pool *pool = capacity ? al_place_allocate(sizeof *pool) : NULL;
    if (!pool) {
        snprintf(message, message_size, "out of memory");
        return 0;
    }
    pool->base.ops = &ops;
    pool->base.kind = ALLOT_THREAD;
    pool->base.id = al_intern("thread");
    pool->base.shares_cpus = true;
    pool->base.width = config->threads;
    pool->worker_count = config->threads;
    pool->caps_libraries = config->caps_libraries;
    pthread_mutexattr_t attributes; /* held for some tens of instructions: spinning for it beats sleeping */
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&pool->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    pthread_cond_init(&pool->changed, NULL);
    places[0] = &pool->base;
    return 1;
}

const al_place_kind al_thread_kind = { ALLOT_THREAD, false, discover };
