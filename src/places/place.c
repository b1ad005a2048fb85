#include "places/place.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/launch.h"
#include "observe/trace.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *al_place_allocate(size_t size)
{
    size_t alignment = _Alignof(al_place), padded = (size + alignment - 1) / alignment * alignment;
    void *place = aligned_alloc(alignment, padded);
    return place ? memset(place, 0, padded) : NULL;
}

uint64_t al_place_counted(const al_place *place, al_count which)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < AL_LANES; i++)
        sum += atomic_load_explicit((_Atomic uint64_t *)&place->counts[i].of[which], memory_order_relaxed);
    return sum;
}

void al_place_drop(al_place *place, al_task *task)
{
    if (!al_task_reclaimed(task))
        al_place_count(place, AL_CANCELLED, 1);
    al_task_drop(task);
}

/* It has been counted, and counts as running until its last attempt is over. */
static bool start_again(al_place *place, al_task *task)
{
    al_failure none = { 0 };
    if (al_task_stop_status(task) == ALLOT_OK)
        return true;
    al_place_complete(place, task, al_task_stop_status(task), &none, 0);
    return false;
}

static void begin(al_load *load, al_more *more)
{
    more->overtaken = al_load_begin(load, more->charged_ns, more->charged_workers) != more->begun_before;
}

bool al_place_start(al_place *place, al_task *task)
{
    if (task->more && task->more->retried)
        return start_again(place, task);
    if (!al_task_start(task)) {
        al_place_drop(place, task);
        return false;
    }
    al_place_count(place, AL_STARTED, 1);
    if (task->more && (atomic_load_explicit(&task->more->decision, memory_order_relaxed) ||
                       atomic_load_explicit(&al_trace_on, memory_order_relaxed)))
        task->more->started_ns = al_task_now_ns(task);
    if (task->more && atomic_load_explicit(&task->more->charged_ns, memory_order_relaxed))
        begin(place->load, task->more);
    return true;
}

static void trace(const al_place *place, const al_task *task, allot_status status)
{
    int64_t submitted_ns = task->more->submitted_ns ? task->more->submitted_ns : task->more->started_ns;
    al_trace_task(al_task_name(task), place->id, submitted_ns, task->more->started_ns, al_task_now_ns(task),
                  status);
}

bool al_place_runs_c(const al_place *place, const al_task *task, char *why, size_t why_size)
{
    (void)place;
    const al_launch *launch = al_task_launch(task);
    if (launch && !launch->kernel->desc.cpu)
        snprintf(why, why_size, "the kernel has no C variant");
    else if (launch && al_launch_has_offset(launch))
        snprintf(why, why_size, "the range has an offset, which only devices count from");
    else
        return true;
    return false;
}

void al_place_charge(al_place *place, al_task *task, int64_t predicted_ns, int workers, int64_t now_ns)
{
    predicted_ns = predicted_ns > 0 ? predicted_ns : 1; /* 0 says that nothing is charged */
    task->more->charged_workers = workers;
    task->more->begun_before = atomic_load_explicit(&place->load->begun, memory_order_relaxed);
    atomic_store_explicit(&task->more->charged_ns, predicted_ns, memory_order_relaxed);
    al_load_charge(place->load, predicted_ns, workers, now_ns);
}

void al_place_discharge(al_place *place, al_task *task)
{
    if (!task->more)
        return;
    int64_t charged_ns = atomic_load_explicit(&task->more->charged_ns, memory_order_relaxed);
    if (charged_ns && atomic_compare_exchange_strong(&task->more->charged_ns, &charged_ns, 0))
        al_load_discharge(place->load, charged_ns, task->more->charged_workers,
                          task->more->ended_ns ? task->more->ended_ns : al_task_now_ns(task));
}

void al_place_complete(al_place *place, al_task *task, allot_status status, al_failure *failure,
                       int64_t busy_ns)
{
    if (status != ALLOT_OK && place->retry && task->more && place->retry(place, task, status, failure)) {
        al_place_count(place, AL_BUSY_NS, (uint64_t)busy_ns);
        return;
    }
    al_place_discharge(place, task); /* before it is seen to be done: the next decision should not count it */
    al_place_count(place, status == ALLOT_OK ? AL_SUCCEEDED : AL_FAILED, 1);
    if (busy_ns)
        al_place_count(place, AL_BUSY_NS, (uint64_t)busy_ns);
    if (atomic_load_explicit(&al_trace_on, memory_order_relaxed) && task->more && task->more->started_ns)
        trace(place, task, status);
    al_task_complete(task, status, failure);
}

void al_place_fail(al_place *place, al_task *task, allot_status status, al_failure *failure, int64_t busy_ns)
{
    al_place_discharge(place, task);
    if (!place->elsewhere || !place->elsewhere(place, task, status, failure)) {
        al_place_complete(place, task, status, failure, busy_ns);
        return;
    }
    al_place_count(place, AL_FAILED, 1);
    al_failure_fini(failure);
}

allot_call al_place_call(const al_place *place, al_task *task)
{
    return (allot_call){ .stopping = &task->future.stop,
                         .in_size = task->in_size,
                         .place = place->id,
                         .out_size = task->out_size };
}

static pthread_mutex_t message_lock = PTHREAD_MUTEX_INITIALIZER; /* guards every place's message */

void al_place_set_aside(al_place *place, const char *reason)
{
    pthread_mutex_lock(&message_lock);
    bool first = atomic_load(&place->state) != ALLOT_PLACE_ASIDE;
    if (first) {
        snprintf(place->message, sizeof place->message, "%s", reason);
        atomic_store(&place->state, ALLOT_PLACE_ASIDE);
    }
    pthread_mutex_unlock(&message_lock);
    if (first && place->own_load.ready)
        al_ready_withdraw(place->own_load.ready, &place->own_load);
    if (first)
        al_log(AL_LOG_WARNING, "place %s is set aside: %s", place->id, reason);
}

void al_place_restore(al_place *place)
{
    int aside = ALLOT_PLACE_ASIDE;
    if (!atomic_compare_exchange_strong(&place->state, &aside, ALLOT_PLACE_READY))
        return;
    if (place->own_load.ready)
        al_ready_return(place->own_load.ready, &place->own_load);
    al_log(AL_LOG_INFO, "place %s works again", place->id);
}

void al_place_message(const al_place *place, char *message, size_t size)
{
    pthread_mutex_lock(&message_lock);
    snprintf(message, size, "%s", place->message);
    pthread_mutex_unlock(&message_lock);
}

void al_place_describe(const al_place *place, allot_place_info *info)
{
    allot_place_info whole = { .kind = place->kind,
                               .shares_cpus = place->shares_cpus,
                               .numa_node = -1,
                               .device_types = place->device_types };
    snprintf(whole.id, sizeof whole.id, "%s", place->id);
    whole.shares_memory = place->memory == NULL;
    place->ops->describe(place, &whole);
    int state = atomic_load((_Atomic int *)&place->state);
    whole.state =
        state < 0 ? ALLOT_PLACE_COLD : (allot_place_state)state; /* below 0: it is being brought up */
    if (whole.state == ALLOT_PLACE_ASIDE)
        al_place_message(place, whole.message, sizeof whole.message);
    whole.size = info->size < sizeof whole ? info->size : sizeof whole;
    memcpy(info, &whole, whole.size);
}
