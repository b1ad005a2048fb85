#include "places/process/pool.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 16 /* answers taken under one hold of the lock */

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
    *job = (al_job){ .task = task, .state = AL_JOB_QUEUED, .parcel = -1 };
    task->slot = job;
    return job;
}

void al_job_discard(al_process *place, al_job *job)
{
    job->task = NULL;
    job->next = place->spare;
    place->spare = job;
}

allot_status al_stop_status(const al_task *task)
{
    switch (atomic_load_explicit(&task->stop, memory_order_acquire)) {
    case AL_STOP_ASKED:
        return ALLOT_STOPPED;
    case AL_STOP_DEADLINE:
        return ALLOT_DEADLINE;
    default:
        return ALLOT_OK;
    }
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
    task->slot = NULL;
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
    job->task->slot = NULL;
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

/* Reads a result that did not fit the slot. */
static bool read_parcel(al_task *task, int parcel)
{
    size_t done = 0, offset = al_slot_out_offset(task->in_size);
    while (done < task->out_size) {
        ssize_t got = pread(parcel, (char *)task->out + done, task->out_size - done, (off_t)(offset + done));
        if (got > 0)
            done += (size_t)got;
        else if (got == 0 || errno != EINTR)
            return false;
    }
    return true;
}

static void complete_launch(al_process *place, al_ended *ended)
{
    al_launch *launch = ended->task->launch;
    launch->ran_ns = al_clock_now_ns() - ended->split->start_ns;
    ended->busy_ns = launch->ran_ns;
    if (ended->status == ALLOT_OK)
        al_launch_publish(launch, place->base.memory);
    free(ended->split);
}

void al_ended_complete(al_process *place, al_ended *ended)
{
    if (!ended->task)
        return;
    if (ended->parcel >= 0) {
        if (ended->status == ALLOT_OK && !read_parcel(ended->task, ended->parcel))
            ended->status = al_failure_set(&ended->failure, ALLOT_SYSTEM, "cannot read the result back: %s",
                                           strerror(errno));
        close(ended->parcel);
    }
    if (ended->split)
        complete_launch(place, ended);
    al_place_complete(&place->base, ended->task, ended->status, &ended->failure, ended->busy_ns);
}

/* ---- Giving ---- */

al_worker *al_process_free_worker(al_process *place)
{
    for (al_worker *worker = place->workers; worker; worker = worker->next)
        if (worker->state == AL_WORKER_READY && !worker->held && worker->head == worker->tail)
            return worker;
    return NULL;
}

static bool knows(const al_worker *worker, uint32_t module)
{
    return worker->modules[module / 64] >> (module % 64) & 1;
}

/* True if any thread can give this job to the worker, with no message to send before. */
static bool is_simple(const al_worker *worker, const al_job *job)
{
    const al_task *task = job->task;
    return task->function && !task->launch && knows(worker, job->symbol.module) &&
           al_slot_holds(task->in_size, task->out_size);
}

static void write_call(const al_job *job, al_slot *slot, al_slot_body *body)
{
    const al_task *task = job->task;
    slot->kind = AL_SLOT_CALL;
    slot->in_size = task->in_size;
    slot->out_size = task->out_size;
    slot->in_parcel = job->parcel >= 0;
    if (task->in_size && job->parcel < 0)
        memcpy(body->bytes, task->in, task->in_size);
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

/* Gives simple jobs from the queue's head to this worker as far as it has room for them. */
static _Atomic uint32_t *feed(al_process *place, al_worker *worker)
{
    _Atomic uint32_t *bell = NULL;
    if (worker->state != AL_WORKER_READY || worker->held)
        return NULL;
    for (;;) {
        al_job *job = place->queue.first;
        uint64_t waiting = worker->head - worker->tail;
        bool deep = worker->typical_ns && worker->typical_ns < SHORT_NS && place->queue.count >= DEEP;
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

/* Turns whose jobs were taken back are over once they are the oldest. */
static void pass_over(al_worker *worker)
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
    pass_over(job->worker);
    job->worker = NULL;
    job->state = AL_JOB_WAITING;
    atomic_fetch_sub_explicit(&place->given, 1, memory_order_relaxed);
    return true;
}

/* Lets an idle worker run what another has in its slots and has not begun. */
static _Atomic uint32_t *steal(al_process *place, al_worker *worker)
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

/* With the lock held. True: the keeper must look. */
static bool queue_job(al_process *place, al_job *job, int64_t now_ns, _Atomic uint32_t **bell)
{
    bool first = !place->queue.first;
    al_job_queue_append(&place->queue, job);
    al_worker *worker = first ? al_process_free_worker(place) : NULL;
    if (worker && is_simple(worker, job)) {
        worker->given_ns = now_ns;
        *bell = feed(place, worker);
        return false;
    }
    /* Without a free worker the next answer takes it along, unless a worker is to be added. */
    return worker || (place->worker_count < (size_t)place->limit && !place->starting);
}

void al_process_enqueue(al_process *place, al_task *task)
{
    al_failure failure = { 0 };
    al_symbol symbol = { 0 };
    al_code code = task->launch ? (al_code)task->launch->kernel->desc.cpu : (al_code)task->function;
    bool found = al_symbols_find(&place->symbols, code, &symbol, &failure);
    _Atomic uint32_t *bell = NULL;
    bool attend = false;
    pthread_mutex_lock(&place->lock);
    al_job *job = found ? job_create(place, task) : NULL;
    if (job) {
        job->symbol = symbol;
        attend = queue_job(place, job, al_clock_now_ns(), &bell);
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
    al_job *job = which ? which->slot : place->queue.last;
    if (which && job && job->task != which)
        job = NULL; /* its task was dropped, and the job serves another now */
    while (!which && job && job->state != AL_JOB_QUEUED)
        job = job->previous;
    al_task *task = job && job->state == AL_JOB_QUEUED ? job->task : NULL;
    if (task) {
        al_job_queue_remove(&place->queue, job);
        task->slot = NULL;
        al_job_discard(place, job);
    }
    pthread_mutex_unlock(&place->lock);
    return task;
}

/* ---- Collecting ---- */

static void note_time(al_worker *worker, int64_t now_ns, al_ended *ended)
{
    int64_t took_ns = now_ns > worker->given_ns ? now_ns - worker->given_ns : 1;
    worker->given_ns = now_ns;
    worker->typical_ns = worker->typical_ns ? (7 * worker->typical_ns + took_ns) / 8 : took_ns;
    ended->busy_ns = took_ns;
}

static void copy_result(const al_worker *worker, const al_job *job, uint64_t turn)
{
    const al_task *task = job->task;
    if (!job->split && job->parcel < 0 && task->out_size)
        memcpy(task->out, al_page_body(worker->page, turn)->bytes + al_slot_out_offset(task->in_size),
               task->out_size);
}

bool al_worker_answered(al_process *place, al_worker *worker, int64_t now_ns, al_ended *ended)
{
    uint64_t turn = worker->tail;
    if (turn == worker->head)
        return false;
    const al_slot *slot = al_page_slot(worker->page, turn);
    if (atomic_load(&slot->word) != al_slot_word(turn, AL_SLOT_DONE))
        return false;
    al_job *job = worker->jobs[turn % AL_SLOTS];
    al_failure failure = { 0 };
    allot_status status = al_slot_answer(worker->page, turn, &failure);
    if (status == ALLOT_OK)
        copy_result(worker, job, turn);
    worker->jobs[turn % AL_SLOTS] = NULL;
    pass_over(worker);
    atomic_fetch_sub_explicit(&place->given, 1, memory_order_relaxed);
    *ended = al_job_end(place, job, status, &failure);
    note_time(worker, now_ns, ended);
    return true;
}

/* With the lock held: takes up to BATCH answers and gives the workers what is next. */
static size_t take_answers(al_process *place, al_ended *ended, _Atomic uint32_t **bell, bool *attend)
{
    size_t count = 0;
    int64_t now_ns = 0;
    for (al_worker *worker = place->workers; worker && count < BATCH; worker = worker->next) {
        size_t before = count;
        if (worker->head == worker->tail)
            continue;
        now_ns = now_ns ? now_ns : al_clock_now_ns();
        while (count < BATCH && al_worker_answered(place, worker, now_ns, &ended[count]))
            count++;
        if (count == before)
            continue;
        _Atomic uint32_t *rung = feed(place, worker);
        if (worker->head == worker->tail && !place->queue.first && worker->state == AL_WORKER_READY &&
            !worker->held)
            rung = steal(place, worker);
        if (rung && *bell) /* two sleepers at once are rare */
            al_page_wake(rung);
        else if (rung)
            *bell = rung;
        *attend |= worker->head == worker->tail && place->queue.first;
    }
    return count;
}

/* With the lock, which is released. */
static bool collect_and_unlock(al_process *place)
{
    al_ended ended[BATCH];
    _Atomic uint32_t *bell = NULL;
    bool attend = false;
    size_t count = take_answers(place, ended, &bell, &attend);
    pthread_mutex_unlock(&place->lock);
    al_page_wake(bell);
    if (attend)
        al_process_attend(place);
    for (size_t i = 0; i < count; i++)
        al_ended_complete(place, &ended[i]);
    return count > 0;
}

bool al_process_collect(al_process *place)
{
    if (!atomic_load_explicit(&place->given, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&place->lock);
    return collect_and_unlock(place);
}

/* ---- Collecting by threads that wait ---- */

static al_process *place_of(al_collector *collector)
{
    return (al_process *)((char *)collector - offsetof(al_process, collector));
}

static bool wanted(al_collector *collector)
{
    return atomic_load_explicit(&place_of(collector)->given, memory_order_relaxed) != 0;
}

static void rearm(al_process *place)
{
    pthread_mutex_lock(&place->lock);
    al_keeper_arm(place);
    pthread_mutex_unlock(&place->lock);
}

static void begin(al_collector *collector)
{
    al_process *place = place_of(collector);
    if (atomic_fetch_add(&place->collectors, 1) == 0)
        rearm(place);
}

static void collect(al_collector *collector)
{
    al_process *place = place_of(collector);
    if (atomic_load_explicit(&place->given, memory_order_relaxed) && pthread_mutex_trylock(&place->lock) == 0)
        collect_and_unlock(place);
}

static void end(al_collector *collector)
{
    al_process *place = place_of(collector);
    if (atomic_fetch_sub(&place->collectors, 1) != 1 || !atomic_load(&place->given))
        return;
    rearm(place); /* the keeper's turn again; what came in between nobody was told of */
    al_process_collect(place);
}

void al_process_collector_init(al_collector *collector)
{
    *collector = (al_collector){ NULL, 0, wanted, begin, collect, end };
}
