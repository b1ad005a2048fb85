/* Ending what runs before its time: a worker, a task, everything. */
#include "base/clock.h"
#include "places/process/pool.h"
#include <signal.h>

#define LOST_NS                                                                                              \
    INT64_C(200000000) /* from the end of a worker's socket to its own, if it does not die by itself */

/* ---- A worker ---- */

void al_worker_kill(al_process *place, al_worker *worker)
{
    pthread_mutex_lock(&place->lock);
    if (worker->state != AL_WORKER_STARTING) /* else its death is still one at the start */
        worker->state = AL_WORKER_ENDING;
    worker->kill_ns = INT64_MAX;
    worker->doomed = true;
    pthread_mutex_unlock(&place->lock);
    al_spawned_signal(&worker->child, SIGKILL);
}

/* A worker that dies loses its socket a moment before: only one that lives on without it is killed, after a
 * while. */
void al_worker_lost(al_process *place, al_worker *worker)
{
    pthread_mutex_lock(&place->lock);
    if (worker->state != AL_WORKER_STARTING)
        worker->state = AL_WORKER_ENDING;
    int64_t due_ns = al_clock_now_ns() + LOST_NS;
    if (due_ns < worker->kill_ns)
        worker->kill_ns = due_ns;
    pthread_mutex_unlock(&place->lock);
}

/* ---- What it runs ---- */

/* With the lock held: the running call's worker gets SIGTERM now, and SIGKILL when the grace is over. The
 * slot's change comes first: if the call is done already, no signal is sent that could hit the next one. */
static void end_given(al_process *place, al_job *job, int64_t grace_ns)
{
    al_worker *worker = job->worker;
    al_slot *slot = al_page_slot(worker->page, job->turn);
    atomic_store_explicit(&slot->stopping, 1, memory_order_relaxed);
    if (!al_slot_kill(slot, job->turn))
        return;
    int64_t due_ns = al_clock_deadline_ns(grace_ns);
    if (worker->state == AL_WORKER_STARTING)
        place->starting--;
    worker->state = AL_WORKER_ENDING;
    if (due_ns < worker->kill_ns)
        worker->kill_ns = due_ns;
    al_spawned_signal(&worker->child, grace_ns > 0 ? SIGTERM : SIGKILL);
}

/* With the lock held. */
static al_ended stop_job(al_process *place, al_job *job, int64_t grace_ns)
{
    al_failure failure = { 0 };
    bool back = job->state == AL_JOB_GIVEN && al_process_take_back(place, job);
    if (!back && job->state == AL_JOB_WAITING)
        al_job_queue_remove(&place->queue, job);
    else if (!back && job->state == AL_JOB_GIVEN)
        end_given(place, job, grace_ns);
    if (!back && job->state != AL_JOB_WAITING)
        return (al_ended){ .parcel = -1 };
    job->state = AL_JOB_HELD;
    return al_job_end(place, job, al_task_stop_status(job->task), &failure);
}

/* With the lock held: everything that it was given ends with it. */
static void end_worker(al_process *place, al_worker *worker)
{
    for (uint64_t turn = worker->tail; turn != worker->head; turn++) {
        al_job *job = worker->jobs[turn % AL_SLOTS];
        uint32_t none = AL_STOP_NONE;
        if (!job)
            continue;
        atomic_compare_exchange_strong(&job->task->future.stop, &none, AL_STOP_SHUTDOWN);
        end_given(place, job, 0);
    }
    if (worker->state == AL_WORKER_READY) /* else it would be given more */
        worker->state = AL_WORKER_ENDING;
    if (worker->state != AL_WORKER_STARTING)
        al_spawned_signal(&worker->child, SIGKILL);
}

/* What is queued, or in the keeper's hands, the keeper ends. */
static void stop_all(al_process *place)
{
    pthread_mutex_lock(&place->lock);
    place->killing = true;
    for (al_worker *worker = place->workers; worker; worker = worker->next)
        end_worker(place, worker);
    pthread_mutex_unlock(&place->lock);
    al_process_attend(place);
}

void al_process_stop(al_process *place, al_task *task, int64_t grace_ns)
{
    if (!task) {
        stop_all(place);
        return;
    }
    al_ended last = { .parcel = -1 };
    pthread_mutex_lock(&place->lock);
    al_job *job = al_job_of(place, task);
    if (job && job->state == AL_JOB_SPREAD) {
        al_split *split = job->split;
        for (size_t i = 0; i < split->parts && !last.task; i++)
            last = stop_job(place, &split->jobs[i], grace_ns);
    } else if (job) {
        last = stop_job(place, job, grace_ns);
    }
    pthread_mutex_unlock(&place->lock);
    al_process_attend(place); /* for the timer */
    al_ended_complete(place, &last);
}
