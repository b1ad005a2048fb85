#include "places/thread/gang.h"
#include "base/clock.h"
#include "places/thread/pool.h"
#include <stdlib.h>

static void finish(al_gang *gang)
{
    al_task *task = gang->task;
    al_launch *launch = task->launch;
    allot_status status = (allot_status)atomic_load_explicit(&gang->status, memory_order_acquire);
    launch->ran_ns = al_clock_now_ns() - gang->start_ns;
    if (status == ALLOT_OK)
        al_launch_publish(launch, NULL);
    al_place *place = &gang->pool->base;
    al_failure failure = gang->failure;
    free(gang);
    al_place_complete(place, task, status, &failure, 0);
}

static allot_status call_variant(al_gang *gang, size_t part, al_failure *failure)
{
    allot_call call = al_place_call(&gang->pool->base, gang->task);
    al_task *outer = al_task_here;
    al_task_here = gang->task;
    allot_status status = al_launch_run(gang->task->launch, &call, gang->values, gang->parts, part);
    al_task_here = outer;
    *failure = call.failure;
    return status;
}

static void run_part(al_gang *gang, size_t part)
{
    int none = ALLOT_OK;
    al_failure failure = { 0 };
    allot_status status = call_variant(gang, part, &failure);
    if (status != ALLOT_OK && atomic_compare_exchange_strong(&gang->status, &none, (int)status))
        gang->failure = failure; /* read by finish(), after `unfinished` has been counted down */
    else
        al_failure_fini(&failure);
}

void al_gang_run(al_gang *gang, size_t part)
{
    if (atomic_load_explicit(&gang->status, memory_order_relaxed) == ALLOT_OK)
        run_part(gang, part);
    /* acq_rel: what every part wrote happens before finish(). */
    if (atomic_fetch_sub_explicit(&gang->unfinished, 1, memory_order_acq_rel) == 1)
        finish(gang);
}

static allot_status prepare(al_gang *gang, al_failure *failure)
{
    allot_status status = al_launch_acquire(gang->task->launch, NULL, NULL, failure);
    if (status == ALLOT_OK)
        status = al_launch_accumulate(gang->task->launch, gang->parts, AL_ACCUMULATOR_ALIGN, false, failure);
    al_launch_host_values(gang->task->launch, gang->values);
    gang->start_ns = al_clock_now_ns();
    return status;
}

static al_gang *create(al_pool *pool, al_task *task)
{
    al_launch *launch = task->launch;
    al_gang *gang = calloc(1, sizeof *gang + launch->arg_count * sizeof gang->values[0]);
    if (!gang)
        return NULL;
    gang->pool = pool;
    gang->task = task;
    gang->parts = al_launch_parts(launch, (size_t)pool->worker_count);
    gang->given = 1; /* the first part is this worker's */
    atomic_init(&gang->unfinished, gang->parts);
    return gang;
}

void al_gang_begin(al_pool *pool, al_task *task)
{
    al_failure failure = { 0 };
    if (task->launch->items == 0) {
        allot_status status = al_launch_run_empty(task->launch, &failure);
        al_place_complete(&pool->base, task, status, &failure, 0);
        return;
    }
    al_gang *gang = create(pool, task);
    allot_status status = gang ? prepare(gang, &failure) : ALLOT_NO_MEMORY;
    if (status != ALLOT_OK) {
        free(gang);
        al_place_complete(&pool->base, task, status, &failure, 0);
        return;
    }
    if (gang->parts > 1)
        al_pool_push_gang(pool, gang);
    al_gang_run(gang, 0);
}
