#include "places/process/pool.h"
#include <errno.h>
#include <unistd.h>

#define PUMP 16 /* one submission in so many collects answers, too, while they stream */

/* ---- Waking ---- */

void al_process_attend(al_process *place)
{
    atomic_store(&place->attention, true); /* seq_cst: pairs with the keeper's falling asleep */
    if (atomic_load(&place->asleep) && atomic_exchange(&place->asleep, false)) {
        uint64_t one = 1;
        while (write(place->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
            continue;
    }
}

void al_bells_add(al_bells *bells, _Atomic uint32_t *bell)
{
    if (!bell)
        return;
    if (bells->count ==
        AL_BELLS) { /* so many sleepers at once are rare: then it is rung with the lock held */
        al_page_wake(bell);
        return;
    }
    bells->of[bells->count++] = bell;
}

void al_bells_ring(al_process *place, const al_bells *bells)
{
    for (size_t i = 0; i < bells->count; i++)
        al_page_wake(bells->of[i]);
    if (bells->attend)
        al_process_attend(place);
}

/* ---- Submitting ---- */

static void distribute(al_process *place)
{
    al_bells bells = { .count = 0 };
    pthread_mutex_lock(&place->lock);
    al_process_distribute(place, &bells);
    pthread_mutex_unlock(&place->lock);
    al_bells_ring(place, &bells);
}

/* One that is tried again is running already, and not to be given back to anybody: it is a job from the
 * start. A stop that came before did not find it here. */
static void enqueue_again(al_process *place, al_task *task)
{
    al_bells bells = { .count = 0 };
    al_failure none = { 0 };
    al_ended ended = { .parcel = -1 };
    pthread_mutex_lock(&place->lock);
    al_job *job = al_job_create(place, task);
    allot_status status = al_task_stop_status(task);
    if (job && status != ALLOT_OK)
        ended = al_job_end(place, job, status, &none);
    else if (job)
        al_job_queue_append(&place->queue, job);
    al_process_distribute(place, &bells);
    pthread_mutex_unlock(&place->lock);
    al_bells_ring(place, &bells);
    al_ended_complete(place, &ended);
    if (!job)
        al_place_complete(&place->base, task, ALLOT_NO_MEMORY, NULL, 0);
}

void al_process_enqueue(al_process *place, al_task *task)
{
    static _Thread_local unsigned submissions __attribute__((tls_model("initial-exec")));
    if (task->more && task->more->retried) {
        enqueue_again(place, task);
        return;
    }
    al_inject_push(&place->inject, al_band_of(task), task);
    atomic_thread_fence(memory_order_seq_cst); /* with al_process_distribute(): it sees the task, or we see
                                                  that we are wanted */
    if (atomic_load_explicit(&place->wanted, memory_order_relaxed))
        distribute(place);
    else if (++submissions % PUMP == 0)
        al_process_pump(place);
}

al_task *al_process_withdraw(al_process *place, al_task *which)
{
    pthread_mutex_lock(&place->lock);
    al_task *task = which ? NULL : al_process_take_any(place);
    al_job *job = task ? NULL : which ? which->more ? which->more->slot : NULL : place->queue.last;
    if (which && job && job->task != which)
        job = NULL; /* its task was dropped, and the job serves another now */
    while (!which && job && job->state != AL_JOB_QUEUED)
        job = job->previous;
    if (job && job->state == AL_JOB_QUEUED) {
        task = job->task;
        al_job_queue_remove(&place->queue, job);
        if (task->more)
            task->more->slot = NULL;
        al_job_discard(place, job);
    }
    pthread_mutex_unlock(&place->lock);
    return task;
}
