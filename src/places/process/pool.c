#include "places/process/pool.h"
#include "base/clock.h"
#include "core/chunk.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Calls are put behind one that runs only where calls have been short and many wait: a task in a slot counts
 * as started, and one that waited there for a long one could be neither cancelled nor run elsewhere. */
#define SHORT_NS 20000
#define DEEP     16

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

/* ---- Jobs ---- */

static al_job *job_create(al_process *place, al_task *task)
{
    al_job *job = place->spare;
    if (job)
        place->spare = job->next;
    else if (!(job = malloc(sizeof *job)))
        return NULL;
    /* One that is tried again has started already. */
    al_job_state state = task->more->retried ? AL_JOB_WAITING : AL_JOB_QUEUED;
    *job = (al_job){ .task = task, .state = state, .parcel = -1 };
    task->more->slot = job;
    return job;
}

void al_job_discard(al_process *place, al_job *job)
{
    job->task = NULL;
    job->next = place->spare;
    place->spare = job;
}

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

/* ---- Giving ---- */

static bool is_awake(const al_worker *worker)
{
    return !atomic_load_explicit(&worker->page->worker_sleeps, memory_order_relaxed);
}

al_worker *al_process_free_worker(al_process *place)
{
    al_worker *found = NULL;
    for (al_worker *worker = place->workers; worker; worker = worker->next) {
        if (worker->state != AL_WORKER_READY || worker->held || worker->head != worker->tail)
            continue;
        found = worker;
        if (is_awake(worker))
            break;
    }
    return found;
}

static bool knows(const al_worker *worker, uint32_t module)
{
    return worker->modules[module / 64] >> (module % 64) & 1;
}

/* True if any thread can give this job to the worker, with no message to send before. */
static bool is_simple(const al_worker *worker, const al_job *job)
{
    const al_task *task = job->task;
    return task->function && !al_task_launch(task) && knows(worker, job->symbol.module) &&
           al_slot_holds(task->in_size, task->out_size);
}

static void write_call(const al_job *job, al_slot *slot, al_slot_body *body)
{
    const al_task *task = job->task;
    slot->kind = task->function == al_chunk_call ? AL_SLOT_CHUNK : AL_SLOT_CALL;
    slot->in_size = task->in_size;
    slot->out_size = task->out_size;
    slot->in_parcel = job->parcel >= 0;
    if (task->in_size && job->parcel < 0)
        memcpy(body->bytes, al_task_in(task), task->in_size);
}

_Atomic uint32_t *al_process_give(al_process *place, al_worker *worker, al_job *job)
{
    uint64_t turn = worker->head++;
    al_slot *slot = al_page_slot(worker->page, turn);
    slot->module = job->symbol.module;
    slot->offset = job->symbol.offset;
    if (job->split)
        al_split_write(job, worker, slot, al_page_body(worker->page, turn));
    else
        write_call(job, slot, al_page_body(worker->page, turn));
    atomic_store_explicit(&slot->stopping, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->notify, al_keeper_wants_notice(place), memory_order_relaxed);
    job->state = AL_JOB_GIVEN;
    job->worker = worker;
    job->turn = turn;
    worker->jobs[turn % AL_SLOTS] = job;
    atomic_fetch_add_explicit(&place->given, 1, memory_order_relaxed);
    atomic_store(&slot->word, al_slot_word(turn, AL_SLOT_QUEUED));
    return al_page_ring(worker->page);
}

static bool is_short(const al_worker *worker)
{
    return worker->typical_ns && worker->typical_ns < SHORT_NS;
}

_Atomic uint32_t *al_process_feed(al_process *place, al_worker *worker)
{
    _Atomic uint32_t *bell = NULL;
    if (worker->state != AL_WORKER_READY || worker->held)
        return NULL;
    for (;;) {
        al_job *job = place->queue.first;
        uint64_t waiting = worker->head - worker->tail;
        bool deep = is_short(worker) && place->queue.count >= DEEP;
        if (!job || job->split || waiting >= (deep ? AL_SLOTS : 1) || !is_simple(worker, job))
            return bell;
        al_job_queue_remove(&place->queue, job);
        if (job->state == AL_JOB_QUEUED && !al_place_start(&place->base, job->task)) {
            al_job_discard(place, job);
            continue;
        }
        _Atomic uint32_t *rung = al_process_give(place, worker, job);
        bell = rung ? rung : bell;
    }
}

void al_worker_pass_over(al_worker *worker)
{
    while (worker->tail != worker->head && !worker->jobs[worker->tail % AL_SLOTS])
        worker->tail++;
}

bool al_process_take_back(al_process *place, al_job *job)
{
    al_slot *slot = al_page_slot(job->worker->page, job->turn);
    if (!al_slot_change(slot, job->turn, AL_SLOT_QUEUED, AL_SLOT_DROPPED))
        return false;
    job->worker->jobs[job->turn % AL_SLOTS] = NULL; /* the turn is passed over by both sides */
    al_worker_pass_over(job->worker);
    job->worker = NULL;
    job->state = AL_JOB_WAITING;
    atomic_fetch_sub_explicit(&place->given, 1, memory_order_relaxed);
    return true;
}

_Atomic uint32_t *al_process_steal(al_process *place, al_worker *worker)
{
    for (al_worker *other = place->workers; other; other = other->next) {
        al_job *job = other->head - other->tail < 2 ? NULL : other->jobs[(other->head - 1) % AL_SLOTS];
        if (job && !job->split && is_simple(worker, job) && al_process_take_back(place, job))
            return al_process_give(place, worker, job);
    }
    return NULL;
}

void al_process_attend(al_process *place)
{
    atomic_store(&place->attention, true); /* seq_cst: pairs with the keeper's falling asleep */
    if (atomic_load(&place->asleep) && atomic_exchange(&place->asleep, false)) {
        uint64_t one = 1;
        while (write(place->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
            continue;
    }
}

/* Waking one costs more than a short call: while another is awake and at short ones, and somebody watches
 * over the queue, the next answer will take the job along. */
static bool need_not_wake(al_process *place, const al_worker *worker)
{
    if (is_awake(worker) || place->queue.count >= DEEP || al_keeper_wants_notice(place))
        return false;
    for (const al_worker *other = place->workers; other; other = other->next)
        if (other->head != other->tail && is_short(other) && is_awake(other))
            return true;
    return false;
}

/* With the lock held. True: the keeper must look. */
static bool queue_job(al_process *place, al_job *job, _Atomic uint32_t **bell)
{
    al_job_queue_append(&place->queue, job);
    al_job *first = place->queue.first;
    al_worker *worker = first == job || place->queue.count >= DEEP ? al_process_free_worker(place) : NULL;
    if (worker && is_simple(worker, first)) {
        if (!need_not_wake(place, worker))
            *bell = al_process_feed(place, worker);
        return false;
    }
    /* Without a free worker the next answer takes it along, unless a worker is to be added. */
    return worker || (place->worker_count < (size_t)place->limit && !place->starting);
}

void al_process_enqueue(al_process *place, al_task *task)
{
    al_failure failure = { 0 };
    al_symbol symbol = { 0 };
    al_code code = al_task_launch(task) ? (al_code)al_task_launch(task)->kernel->desc.cpu
                                        : (al_code)al_chunk_function(task->function, al_task_in(task));
    bool found = al_symbols_find(&place->symbols, code, &symbol, &failure);
    _Atomic uint32_t *bell = NULL;
    bool attend = false;
    pthread_mutex_lock(&place->lock);
    al_job *job = found ? job_create(place, task) : NULL;
    if (job) {
        job->symbol = symbol;
        attend = queue_job(place, job, &bell);
    }
    pthread_mutex_unlock(&place->lock);
    al_page_wake(bell);
    if (attend)
        al_process_attend(place);
    if (!job && al_place_start(&place->base, task))
        al_place_complete(&place->base, task, found ? ALLOT_NO_MEMORY : ALLOT_INVALID, &failure, 0);
    al_failure_fini(&failure);
}

al_task *al_process_withdraw(al_process *place, al_task *which)
{
    pthread_mutex_lock(&place->lock);
    al_job *job = which ? which->more->slot : place->queue.last;
    if (which && job && job->task != which)
        job = NULL; /* its task was dropped, and the job serves another now */
    while (!which && job && job->state != AL_JOB_QUEUED)
        job = job->previous;
    al_task *task = job && job->state == AL_JOB_QUEUED ? job->task : NULL;
    if (task) {
        al_job_queue_remove(&place->queue, job);
        task->more->slot = NULL;
        al_job_discard(place, job);
    }
    pthread_mutex_unlock(&place->lock);
    return task;
}
