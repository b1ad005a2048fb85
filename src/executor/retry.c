#include "executor/retry.h"
#include "base/clock.h"
#include "base/log.h"
#include <stddef.h>
#include <string.h>

#define DELAY_MAX_NS INT64_C(3600000000000) /* doubling ends here */

static int64_t delay_ns(const al_terms *terms)
{
    int64_t delay_ns = terms->retry_delay_ns;
    for (int i = 1; i < terms->attempts && delay_ns < DELAY_MAX_NS; i++)
        delay_ns *= 2;
    return delay_ns < DELAY_MAX_NS || terms->retry_delay_ns > DELAY_MAX_NS ? delay_ns : DELAY_MAX_NS;
}

static al_terms *terms_from(al_job *job)
{
    return (al_terms *)((char *)job - offsetof(al_terms, retry));
}

/* In the timers' thread: the next attempt begins, unless there is to be none any more. */
static void again(al_job *job)
{
    al_task *task = terms_from(job)->task;
    if (atomic_load(&al_task_executor(task)->cancelling) || al_task_stop_status(task) != ALLOT_OK) {
        al_retry_give_up(task, false);
        return;
    }
    al_place *place = atomic_load_explicit(&task->place, memory_order_acquire);
    place->ops->enqueue(place, task);
}

/* The result of the attempt that failed must not be seen by the next one. */
static void forget_attempt(al_terms *terms, allot_status status, al_failure *failure)
{
    al_task *task = terms->task;
    if (task->out_size)
        memset(al_task_out(task), 0, task->out_size);
    al_failure_fini(&terms->last);
    terms->last = *failure;
    terms->last_status = status;
    *failure = (al_failure){ 0 };
}

/* The last attempt's message says that it was not the first. */
static void say_how_often(const al_terms *terms, allot_status status, al_failure *failure)
{
    char *message = failure->message;
    failure->message = NULL;
    al_failure_set(failure, status, "%s (attempt %d)", message ? message : allot_status_text(status),
                   terms->attempts + 1);
    al_failure_fini(&(al_failure){ .message = message });
}

bool al_retry(al_place *place, al_task *task, allot_status status, al_failure *failure)
{
    al_terms *terms = al_terms_of(task);
    if (!terms->retries)
        return false;
    allot_executor *executor = al_task_executor(task);
    if (terms->attempts == terms->retries || al_task_stop_status(task) != ALLOT_OK ||
        atomic_load(&executor->cancelling) || !al_service_start(&executor->timers)) {
        say_how_often(terms, status, failure);
        return false;
    }
    forget_attempt(terms, status, failure);
    al_log(AL_LOG_INFO, "%s is tried again on %s: %s", al_task_name(task), place->id,
           terms->last.message ? terms->last.message : allot_status_text(status));
    task->more->retried = true;
    terms->attempts++;
    terms->retry = (al_job){ NULL, al_clock_deadline_from(al_task_now_ns(task), delay_ns(terms)), again };
    atomic_fetch_add_explicit(&executor->retries, 1, memory_order_relaxed);
    allot_future *future = allot_hold(&task->future); /* it may be over as soon as the timers have it */
    al_service_add(&executor->timers, &terms->retry);
    if (al_task_stop_status(task) != ALLOT_OK) /* who asked may have looked before it was there */
        al_retry_stop(task);
    allot_release(future);
    return true;
}

void al_retry_give_up(al_task *task, bool by_force)
{
    al_terms *terms = al_terms_of(task);
    uint32_t none = AL_STOP_NONE;
    if (by_force)
        atomic_compare_exchange_strong(&task->future.stop, &none, AL_STOP_SHUTDOWN);
    al_failure failure = terms->last;
    terms->last = (al_failure){ 0 };
    terms->attempts--; /* the next one was none */
    al_place *place = atomic_load_explicit(&task->place, memory_order_acquire);
    al_place_complete(place, task, terms->last_status, &failure, 0);
}

/* A task with terms, since only these are tried again. The timers' list decides who has it. */
void al_retry_stop(al_task *task)
{
    al_terms *terms = al_terms_of(task);
    if (task->more && terms->retries && al_service_remove(&al_task_executor(task)->timers, &terms->retry))
        al_retry_give_up(task, false);
}

void al_retry_give_up_all(allot_executor *executor, bool by_force)
{
    for (al_job *job; (job = al_service_take(&executor->timers, again));)
        al_retry_give_up(terms_from(job)->task, by_force);
}

void al_retry_fini(al_terms *terms)
{
    al_failure_fini(&terms->last);
}
