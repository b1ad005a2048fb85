/* What the keeper does when it is asked to look: starts launches, prepares and gives what is not simple,
 * hires workers, and ends what cannot run. */
#include "base/clock.h"
#include "places/process/pool.h"
#include <stdlib.h>

#define RETRY_NS INT64_C(100000000) /* after a worker could not be started, while others work */

static al_job *take_first(al_process *place)
{
    al_job *job = place->queue.first;
    al_job_queue_remove(&place->queue, job);
    if (job->state == AL_JOB_QUEUED)
        job->state = AL_JOB_TAKEN;
    return job;
}

static void refuse_without_memory(al_process *place, al_task *task)
{
    if (al_place_start(&place->base, task))
        al_place_complete(&place->base, task, ALLOT_NO_MEMORY, NULL, 0);
}

void al_keeper_give_up(al_process *place, allot_status status, const char *why)
{
    for (;;) {
        al_failure failure = { 0 };
        pthread_mutex_lock(&place->lock);
        al_task *refused = al_process_fetch(place);
        al_job *job = place->queue.first ? take_first(place) : NULL;
        pthread_mutex_unlock(&place->lock);
        if (refused)
            refuse_without_memory(place, refused);
        if (!job && !refused)
            return;
        al_failure_set(&failure, status, "%s", why);
        if (job)
            al_job_refuse(place, job, status, &failure);
        al_failure_fini(&failure);
    }
}

/* Puts the parts of a launch, in place of the launch itself, at the queue's head; unless a stop came
 * meanwhile, which did not find them there. */
static void queue_parts(al_process *place, al_job *job, al_split *split)
{
    al_ended ended = { .parcel = -1 };
    al_failure none = { 0 };
    pthread_mutex_lock(&place->lock);
    allot_status status = al_task_stop_status(job->task);
    if (status != ALLOT_OK) {
        ended = al_job_end(place, job, status, &none);
        free(split);
    } else {
        job->split = split;
        job->state = AL_JOB_SPREAD;
        for (size_t i = split->parts; i-- > 0;)
            al_job_queue_prepend(&place->queue, &split->jobs[i]);
    }
    pthread_mutex_unlock(&place->lock);
    al_ended_complete(place, &ended);
}

/* A launch that has started: nothing to do, or cut into parts. */
static void spread(al_process *place, al_job *job)
{
    allot_status status = ALLOT_OK;
    al_failure failure = { 0 };
    al_split *split = NULL;
    if (al_task_launch(job->task)->items == 0)
        status = al_launch_run_empty(al_task_launch(job->task), &failure);
    else
        split = al_split_create(place, job, &status, &failure);
    if (split)
        queue_parts(place, job, split);
    else
        al_job_refuse(place, job, status, &failure);
}

/* With the lock held, after a job was prepared. */
static al_ended settle_prepared(al_process *place, al_worker *worker, al_job *job, allot_status status,
                                al_failure *failure, _Atomic uint32_t **bell)
{
    if (status == ALLOT_OK) /* a stop that came meanwhile found it in no slot */
        status = place->killing ? ALLOT_SHUTDOWN : al_task_stop_status(job->task);
    bool skip = job->split && job->split->status != ALLOT_OK; /* another part has failed */
    if (status != ALLOT_OK || skip)
        return al_job_end(place, job, status, failure);
    *bell = al_process_give(place, worker, job);
    return (al_ended){ .parcel = -1 };
}

/* With the lock held: a job that was in the keeper's hands goes back to the queue, unless a stop came
 * meanwhile, which did not find it there. */
static al_ended put_back(al_process *place, al_job *job)
{
    al_failure none = { 0 };
    allot_status status = al_task_stop_status(job->task);
    if (status != ALLOT_OK)
        return al_job_end(place, job, status, &none);
    job->state = AL_JOB_WAITING;
    al_job_queue_prepend(&place->queue, job);
    return (al_ended){ .parcel = -1 };
}

/* Tells the worker what it needs and gives it the job, which is held. */
static void serve(al_process *place, al_worker *worker, al_job *job)
{
    allot_status status;
    al_failure failure = { 0 };
    al_ended ended = { .parcel = -1 };
    _Atomic uint32_t *bell = NULL;
    bool listens = al_prepare(place, worker, job, &status, &failure);
    if (!listens)
        al_worker_kill(place, worker);
    pthread_mutex_lock(&place->lock);
    worker->held = false;
    if (listens)
        ended = settle_prepared(place, worker, job, status, &failure, &bell);
    else
        ended = put_back(place, job);
    pthread_mutex_unlock(&place->lock);
    al_page_wake(bell);
    al_failure_fini(&failure);
    al_ended_complete(place, &ended);
}

/* True if no worker can call its function. */
static bool refuse_unknown(al_process *place, al_job *job)
{
    al_failure failure = { 0 };
    pthread_mutex_lock(&place->lock);
    bool known = al_job_resolve(place, job, &failure);
    pthread_mutex_unlock(&place->lock);
    if (!known)
        al_job_refuse(place, job, ALLOT_INVALID, &failure);
    al_failure_fini(&failure);
    return !known;
}

/* Starts a task that was first in the queue and goes on with it. Not with the lock held: a cancelled launch
 * may be freed here, and its arrays with it. */
static void start(al_process *place, al_job *job)
{
    al_task *task = job->task;
    al_ended ended = { .parcel = -1 };
    bool started = job->state == AL_JOB_WAITING || al_place_start(&place->base, task);
    pthread_mutex_lock(&place->lock);
    job->state = AL_JOB_HELD;
    pthread_mutex_unlock(&place->lock);
    if (started && al_task_launch(task)) {
        spread(place, job);
        return;
    }
    pthread_mutex_lock(&place->lock);
    if (started)
        ended = put_back(place, job);
    else
        al_job_discard(place, job);
    pthread_mutex_unlock(&place->lock);
    al_ended_complete(place, &ended);
}

typedef enum step {
    STEP_NONE,
    STEP_REFUSE,
    STEP_SERVE,
    STEP_START,
    STEP_HIRE,
    STEP_GIVE_UP
} step;

/* With the lock held: a worker is to be started, for a job that waits or in the place of one that died. */
static bool wants_worker(al_process *place)
{
    bool paused = place->retry_ns > al_clock_now_ns();
    if (place->worker_count >= (size_t)place->limit)
        return false;
    if (place->queue.first && al_process_vacant(place) < al_process_queued(place))
        return !paused || !place->worker_count;
    return !paused && place->worker_count < place->staff;
}

/* With the lock held: what to do next, with which worker and job (both held then). */
static step next_step(al_process *place, al_worker **worker, al_job **job, al_task **refused)
{
    *refused = al_process_fetch(place);
    if (*refused)
        return STEP_REFUSE;
    if (place->broken || place->killing)
        return place->queue.first ? STEP_GIVE_UP : STEP_NONE;
    al_process_take_back_early(place);
    *worker = place->queue.first ? al_process_free_worker(place) : NULL;
    if (!*worker && wants_worker(place))
        return STEP_HIRE;
    if (!*worker && !(*worker = al_process_early_worker(place)))
        return STEP_NONE;
    *job = take_first(place);
    if ((*job)->state == AL_JOB_TAKEN || (al_task_launch((*job)->task) && !(*job)->split) ||
        (*job)->symbol.module == AL_MODULES_MAX)
        return STEP_START;
    (*job)->state = AL_JOB_HELD;
    (*worker)->held = true;
    return STEP_SERVE;
}

/* False: no worker was started. */
static bool hire(al_process *place)
{
    al_failure failure = { 0 };
    allot_status status = al_worker_start(place, &failure);
    if (status == ALLOT_OK)
        return true;
    pthread_mutex_lock(&place->lock);
    al_job *job = place->worker_count || !place->queue.first ? NULL : take_first(place);
    place->staff = place->worker_count; /* until a job needs more */
    pthread_mutex_unlock(&place->lock);
    if (job) {
        al_job_refuse(place, job, status, &failure);
        return true; /* the next one gets a try of its own */
    }
    al_failure_fini(&failure);
    place->retry_ns = al_clock_now_ns() + RETRY_NS;
    return false;
}

/* Whatever was enqueued before it was known that nothing will run. */
static void give_up_all(al_process *place)
{
    if (place->broken)
        al_keeper_give_up(place, ALLOT_NO_PLACE, place->base.message);
    else
        al_keeper_give_up(place, ALLOT_SHUTDOWN, "the executor was shut down by force");
}

void al_keeper_tend(al_process *place)
{
    for (bool more = true; more;) {
        al_worker *worker = NULL;
        al_job *job = NULL;
        al_task *refused = NULL;
        pthread_mutex_lock(&place->lock);
        al_bells bells = { .count = 0 };
        step next = place->closing ? STEP_NONE : next_step(place, &worker, &job, &refused);
        if (next == STEP_NONE && !place->closing)
            al_process_distribute(place, &bells); /* so that submitters know how it stands */
        bool stale = place->arrays_stale;
        pthread_mutex_unlock(&place->lock);
        bool again = bells.attend && place->retry_ns <= al_clock_now_ns();
        bells.attend = false;
        al_bells_ring(place, &bells);
        if (stale)
            al_forget_stale(place);
        if (next == STEP_REFUSE)
            refuse_without_memory(place, refused);
        else if (next == STEP_SERVE)
            serve(place, worker, job);
        else if (next == STEP_START && !refuse_unknown(place, job))
            start(place, job);
        else if (next == STEP_GIVE_UP)
            give_up_all(place);
        more = again || (next != STEP_NONE && (next != STEP_HIRE || hire(place)));
    }
}
