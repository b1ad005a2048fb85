/* The thread place: the table over the pool. */
#include "places/thread/pool.h"
#include "core/launch.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void describe(const al_place *place, allot_place_info *info)
{
    snprintf(info->name, sizeof info->name, "thread pool");
    int live = atomic_load((_Atomic int *)&al_pool_from(place)->live);
    info->workers = live ? live : atomic_load((_Atomic int *)&al_pool_from(place)->min);
    info->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    info->max_array_bytes = info->memory_bytes;
    info->has_f64 = true;
}

static allot_status open_place(al_place *place, al_failure *failure)
{
    return al_crew_start(al_pool_from(place), failure);
}

static void enqueue(al_place *place, al_task *task)
{
    al_pool_push(al_pool_from(place), task);
}

static al_task *withdraw(al_place *place, al_task *which)
{
    return which ? NULL
                 : al_find_withdraw(
                       al_pool_from(place)); /* one that was ended is dropped when its turn comes */
}

static void stop(al_place *place, al_task *task, int64_t grace_ns)
{
    (void)place, (void)task, (void)grace_ns; /* the flag is all that a thread can be told */
}

static void close_place(al_place *place)
{
    al_pool *pool = al_pool_from(place);
    al_crew_stop(pool);
    al_park_fini(pool);
    al_inject_fini(&pool->inject);
    free(pool);
}

static allot_status resize(al_place *place, int min, int max, al_failure *failure)
{
    return al_crew_resize(al_pool_from(place), min, max, failure);
}

static const al_place_ops ops = { describe, al_place_runs_c, open_place, enqueue, withdraw,
                                  stop,     close_place,     resize };

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
    pool->base.shares_cpus = pool->base.runs_all_c = true;
    pool->base.width = config->threads;
    pool->caps_libraries = config->caps_libraries;
    pool->binds = config->bind_threads;
    al_crew_init(pool, config->threads, config->threads_max, config->idle_ns);
    al_park_init(pool);
    al_inject_init(&pool->inject);
    places[0] = &pool->base;
    return 1;
}

const al_place_kind al_thread_kind = { ALLOT_THREAD, false, discover };
