/* Jobs: what the place keeps of a call while a worker, the keeper or the queue has it. */
#include "core/chunk.h"
#include "places/process/pool.h"
#include <stdlib.h>

/* ---- The queue ---- */

void al_job_queue_append(al_job_queue *queue, al_job *job)
{
    job->next = NULL;
    job->previous = queue->last;
    *(queue->last ? &queue->last->next : &queue->first) = job;
    queue->last = job;
    queue->count++;
}

void al_job_queue_prepend(al_job_queue *queue, al_job *job)
{
    job->previous = NULL;
    job->next = queue->first;
    *(queue->first ? &queue->first->previous : &queue->last) = job;
    queue->first = job;
    queue->count++;
}

void al_job_queue_remove(al_job_queue *queue, al_job *job)
{
    *(job->previous ? &job->previous->next : &queue->first) = job->next;
    *(job->next ? &job->next->previous : &queue->last) = job->previous;
    queue->count--;
}

/* ---- Life ---- */

static al_code code_of(const al_task *task)
{
    const al_launch *launch = al_task_launch(task);
    return launch ? (al_code)launch->kernel->desc.cpu
                  : (al_code)al_chunk_function(task->function, al_task_in(task));
}

al_job *al_job_create(al_process *place, al_task *task)
{
    al_job *job = place->spare;
    if (job)
        place->spare = job->next;
    else if (!(job = malloc(sizeof *job)))
        return NULL;
    /* One that is tried again has started already. */
    al_job_state state = task->more && task->more->retried ? AL_JOB_WAITING : AL_JOB_QUEUED;
    *job = (al_job){ .task = task, .state = state, .parcel = -1 };
    if (!al_symbols_find(&place->symbols, code_of(task), &job->symbol, NULL))
        job->symbol.module = AL_MODULES_MAX; /* the keeper will say what is wrong with it */
    if (task->more)
        task->more->slot = job;
    return job;
}

bool al_job_resolve(al_process *place, al_job *job, al_failure *failure)
{
    return job->symbol.module != AL_MODULES_MAX ||
           al_symbols_find(&place->symbols, code_of(job->task), &job->symbol, failure);
}

void al_job_discard(al_process *place, al_job *job)
{
    job->task = NULL;
    job->next = place->spare;
    place->spare = job;
}

static al_job *find_given(const al_process *place, const al_task *task)
{
    for (const al_worker *worker = place->workers; worker; worker = worker->next)
        for (uint64_t turn = worker->tail; turn != worker->head; turn++) {
            al_job *job = worker->jobs[turn % AL_SLOTS];
            if (job && job->task == task)
                return job;
        }
    return NULL;
}

al_job *al_job_of(const al_process *place, const al_task *task)
{
    if (task->more)
        return task->more->slot;
    al_job *job = find_given(place, task);
    for (al_job *each = place->queue.first; each && !job; each = each->next)
        job = each->task == task ? each : NULL;
    return job;
}

/* ---- The end ---- */

/* The parts of a launch that has failed and that no worker has begun need not run. */
static void skip_parts(al_process *place, al_split *split)
{
    for (size_t i = 0; i < split->parts; i++) {
        if (split->jobs[i].state != AL_JOB_WAITING)
            continue;
        al_job_queue_remove(&place->queue, &split->jobs[i]);
        split->jobs[i].state = AL_JOB_HELD;
        split->unfinished--;
    }
}

static al_ended part_end(al_process *place, al_job *job, allot_status status, al_failure *failure)
{
    al_split *split = job->split;
    job->state = AL_JOB_HELD;
    split->unfinished--;
    if (status != ALLOT_OK && split->status == ALLOT_OK) {
        split->status = status;
        split->failure = *failure;
        *failure = (al_failure){ 0 };
        skip_parts(place, split);
    }
    al_failure_fini(failure);
    if (split->unfinished)
        return (al_ended){ .parcel = -1 };
    al_task *task = split->launch->task;
    task->more->slot = NULL;
    al_job_discard(place, split->launch);
    al_failure whole = split->failure;
    split->failure = (al_failure){ 0 };
    return (al_ended){ task, split, split->status, whole, 0, -1 };
}

al_ended al_job_end(al_process *place, al_job *job, allot_status status, al_failure *failure)
{
    if (job->split && job->state != AL_JOB_SPREAD)
        return part_end(place, job, status, failure);
    al_ended ended = { job->task, NULL, status, *failure, 0, job->parcel };
    *failure = (al_failure){ 0 };
    if (job->task->more)
        job->task->more->slot = NULL;
    al_job_discard(place, job);
    return ended;
}

void al_job_refuse(al_process *place, al_job *job, allot_status status, al_failure *failure)
{
    al_ended ended = { .parcel = -1 };
    bool started = job->state != AL_JOB_TAKEN || al_place_start(&place->base, job->task);
    pthread_mutex_lock(&place->lock);
    if (started)
        ended = al_job_end(place, job, status, failure);
    else
        al_job_discard(place, job);
    pthread_mutex_unlock(&place->lock);
    al_failure_fini(failure);
    al_ended_complete(place, &ended);
}
