#include "executor/control.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/batch.h"
#include "executor/executor.h"
#include "executor/map.h"
#include "executor/arm.h"
#include "executor/retry.h"
#include <stddef.h>

/* ---- Cancel ---- */

/* Frees the queue's slot of a task that ended there; if the place does not have it any more, it will drop it
 * by itself. */
static void withdraw(al_task *task)
{
    al_place *place = atomic_load_explicit(&task->place, memory_order_acquire);
    if (!place || !place->ops->withdraw(place, task))
        return;
    al_place_count(place, AL_CANCELLED, 1);
    al_task_drop(task);
}

bool allot_cancel(allot_future *future)
{
    if (!future || al_forked())
        return false;
    al_task *task = al_task_from(future);
    allot_executor *executor = al_executor_pin(task);
    bool cancelled = executor && al_task_cancel(task);
    if (cancelled && al_map_of(task))
        al_map_cancel(al_map_of(task));
    else if (cancelled)
        withdraw(task);
    if (executor)
        al_executor_unpin(executor);
    return cancelled || allot_cancelled(future);
}

/* True if it had not started. */
static bool end_pending(al_task *task, bool by_force)
{
    return by_force
               ? al_task_end_pending(task, ALLOT_SHUTDOWN, "the executor was shut down before it started")
               : al_task_cancel(task);
}

/* Each place gives back what is queued; what waits for dependencies is on the executor's own list. It leaves
 * that list here, not when its dependencies are met, so that nobody has to pass by it again. */
static bool end_one_arming(allot_executor *executor, bool by_force)
{
    pthread_mutex_lock(&executor->lock);
    al_terms *terms = executor->arming;
    allot_future *future = terms ? allot_hold(&terms->task->future) : NULL;
    if (terms)
        al_arm_unlist(terms);
    pthread_mutex_unlock(&executor->lock);
    if (!future)
        return false;
    end_pending(al_task_from(future), by_force);
    allot_release(future);
    return true;
}

/* One that was moved here when another place failed has started, though it waits: it goes back. */
static void end_queued(al_place *place, bool by_force)
{
    al_task *moved = NULL;
    for (al_task *task; (task = place->ops->withdraw(place, NULL));) {
        if (al_batch_is(task)) {
            al_place_count(place, AL_CANCELLED, al_batch_cancel(task));
            al_task_drop(task);
            continue;
        }
        if (task->more && task->more->moved_to) {
            task->next = moved;
            moved = task;
            continue;
        }
        if (task->more && task->more->retried) {
            al_retry_give_up(task, by_force);
            continue;
        }
        end_pending(task, by_force);
        al_place_drop(place, task);
    }
    while (moved) {
        al_task *next = moved->next;
        place->ops->enqueue(place, moved);
        moved = next;
    }
}

void al_control_end_pending(allot_executor *executor, bool by_force)
{
    while (end_one_arming(executor, by_force)) {
    }
    size_t count = atomic_load_explicit(&executor->place_count, memory_order_acquire);
    for (size_t i = 0; i < count; i++)
        if (atomic_load(&executor->places[i]->state) == ALLOT_PLACE_READY)
            end_queued(executor->places[i], by_force);
    al_retry_give_up_all(executor, by_force);
}

void al_control_kill(allot_executor *executor)
{
    size_t count = atomic_load_explicit(&executor->place_count, memory_order_acquire);
    for (size_t i = 0; i < count; i++)
        if (atomic_load(&executor->places[i]->state) == ALLOT_PLACE_READY)
            executor->places[i]->ops->stop(executor->places[i], NULL, 0);
}

/* ---- Stop ---- */

static void end_running(al_task *task, int reason, int64_t grace_ns)
{
    uint32_t none = AL_STOP_NONE;
    atomic_compare_exchange_strong(&task->future.stop, &none, (uint32_t)reason);
    al_place *place = atomic_load_explicit(&task->place, memory_order_acquire);
    if (place && task->more)
        al_retry_stop(task);
    if (place)
        place->ops->stop(place, task, grace_ns);
}

void al_control_stop(al_task *task, int reason, int64_t grace_ns)
{
    allot_executor *executor = al_executor_pin(task);
    if (!executor)
        return; /* done */
    if (al_map_of(task)) {
        end_running(task, reason, grace_ns); /* it is over when its chunks are */
        al_map_stop(al_map_of(task), reason, grace_ns);
    } else if (al_task_end_pending(task, reason == AL_STOP_ASKED ? ALLOT_STOPPED : ALLOT_DEADLINE,
                                   reason == AL_STOP_ASKED ? "stopped before it started"
                                                           : "its deadline passed before it started"))
        withdraw(task);
    else if (!allot_done(&task->future))
        end_running(task, reason, grace_ns);
    al_executor_unpin(executor);
}

allot_status allot_stop(allot_future *future, int64_t grace_ns)
{
    if (!future)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    al_control_stop(al_task_from(future), AL_STOP_ASKED, grace_ns > 0 ? grace_ns : 0);
    return ALLOT_OK;
}

/* ---- Deadlines ---- */

static void go_off(al_job *job)
{
    al_terms *terms = (al_terms *)((char *)job - offsetof(al_terms, timer));
    al_task *task = terms->task;
    al_control_stop(task, AL_STOP_DEADLINE, terms->grace_ns);
    allot_release(&task->future);
}

void al_control_arm_deadline(al_terms *terms)
{
    al_service *timers = &al_task_executor(terms->task)->timers;
    if (al_task_now_ns(terms->task) >= terms->deadline_ns) {
        al_control_stop(terms->task, AL_STOP_DEADLINE, terms->grace_ns);
        return;
    }
    if (!al_service_start(timers)) {
        al_log(AL_LOG_ERROR, "%s: its deadline cannot be watched: no thread to be had",
               al_task_name(terms->task));
        return;
    }
    terms->timer = (al_job){ NULL, terms->deadline_ns, go_off };
    terms->timer_set = true;
    allot_hold(&terms->task->future);
    al_service_add(timers, &terms->timer);
}

void al_control_disarm(al_terms *terms)
{
    if (terms->timer_set && al_service_remove(&al_task_executor(terms->task)->timers, &terms->timer))
        allot_release(&terms->task->future);
}
