/* The inline place: one thread that runs one task after the other, in order, each launch in one part
 * unless it is to be deterministic. What the other places are compared with. */
#include "base/clock.h"
#include "base/thread.h"
#include "core/launch.h"
#include "places/place.h"
#include "places/queue.h"
#include "topology/citizen.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct inline_place {
    al_place base;
    bool caps_libraries;
    pthread_mutex_t lock; /* guards `queue` and `closing` */
    pthread_cond_t changed;
    al_queue queue;
    bool closing, started;
    pthread_t thread;
} inline_place;

static inline_place *inline_from(al_place *place)
{
    return place->kind == ALLOT_INLINE ? (inline_place *)place : NULL;
}

static allot_status run_launch(al_place *place, al_task *task, al_failure *failure)
{
    al_launch *launch = al_task_launch(task);
    allot_value values[AL_PARAMS_MAX];
    allot_status status = al_launch_acquire(launch, NULL, NULL, failure);
    size_t parts = al_launch_parts(launch, 1);
    if (status == ALLOT_OK)
        status = al_launch_accumulate(launch, parts, AL_ACCUMULATOR_ALIGN, false, failure);
    if (status != ALLOT_OK)
        return status;
    al_launch_host_values(launch, values);
    allot_call call = al_place_call(place, task);
    int64_t start_ns = al_clock_now_ns();
    al_task_here = task;
    for (size_t i = 0; i < parts && status == ALLOT_OK; i++)
        status = al_launch_run(launch, &call, values, parts, i);
    al_task_here = NULL;
    launch->ran_ns = al_clock_now_ns() - start_ns;
    *failure = call.failure;
    if (status == ALLOT_OK)
        al_launch_publish(launch, NULL);
    return status;
}

static void run(al_place *place, al_task *task)
{
    if (!al_place_start(place, task))
        return;
    al_failure failure = { 0 };
    int64_t start_ns = al_clock_now_ns();
    allot_status status = ALLOT_OK;
    if (!al_task_launch(task))
        status = al_task_call(task, &failure);
    else if (al_task_launch(task)->items)
        status = run_launch(place, task, &failure);
    else
        status = al_launch_run_empty(al_task_launch(task), &failure);
    al_place_complete(place, task, status, &failure, al_clock_now_ns() - start_ns);
}

static al_task *next_task(inline_place *self)
{
    pthread_mutex_lock(&self->lock);
    while (!self->queue.first && !self->closing)
        pthread_cond_wait(&self->changed, &self->lock);
    al_task *task = al_queue_pop(&self->queue);
    pthread_mutex_unlock(&self->lock);
    return task;
}

static void *serve(void *of)
{
    inline_place *self = of;
    if (self->caps_libraries)
        al_citizen_enter_worker();
    for (al_task *task; (task = next_task(self));)
        run(&self->base, task);
    return NULL;
}

/* ---- The table ---- */

static void describe(const al_place *place, allot_place_info *info)
{
    (void)place;
    snprintf(info->name, sizeof info->name, "one thread, in order");
    info->workers = 1;
    info->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    info->max_array_bytes = info->memory_bytes;
    info->has_f64 = true;
}

static allot_status open_place(al_place *place, al_failure *failure)
{
    inline_place *self = inline_from(place);
    int error = al_thread_start(&self->thread, "allot-inline", serve, self);
    if (error)
        return al_failure_set(failure, ALLOT_SYSTEM, "cannot start a thread: %s", strerror(error));
    self->started = true;
    atomic_store(&place->workers, 1);
    return ALLOT_OK;
}

static void enqueue(al_place *place, al_task *task)
{
    inline_place *self = inline_from(place);
    pthread_mutex_lock(&self->lock);
    al_queue_push(&self->queue, task);
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static al_task *withdraw(al_place *place, al_task *which)
{
    inline_place *self = inline_from(place);
    pthread_mutex_lock(&self->lock);
    al_task *task = which ? which : self->queue.last;
    if (task && al_queue_has(&self->queue, task))
        al_queue_remove(&self->queue, task);
    else
        task = NULL;
    pthread_mutex_unlock(&self->lock);
    return task;
}

static void stop(al_place *place, al_task *task, int64_t grace_ns)
{
    (void)place, (void)task, (void)grace_ns; /* the flag is all that a thread can be told */
}

static void close_place(al_place *place)
{
    inline_place *self = inline_from(place);
    pthread_mutex_lock(&self->lock);
    self->closing = true;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
    if (self->started)
        pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static const al_place_ops ops = {
    describe, al_place_runs_c, open_place, enqueue, withdraw, stop, close_place
};

static size_t discover(const al_place_config *config, al_place **places, size_t capacity, char *message,
                       size_t message_size)
{
    inline_place *self = capacity ? al_place_allocate(sizeof *self) : NULL;
    if (!self) {
        snprintf(message, message_size, "out of memory");
        return 0;
    }
    self->caps_libraries = config->caps_libraries;
    self->base.ops = &ops;
    self->base.kind = ALLOT_INLINE;
    self->base.id = al_intern("inline");
    self->base.shares_cpus = self->base.runs_all_c = true;
    self->base.width = 1;
    self->base.only_by_name = true;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    places[0] = &self->base;
    return 1;
}

const al_place_kind al_inline_kind = { ALLOT_INLINE, false, discover };
