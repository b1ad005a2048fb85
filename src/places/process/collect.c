/* Answers: taken from the slots under the lock, and their tasks completed without it, by whichever thread
 * looks first. */
#include "base/clock.h"
#include "places/process/pool.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH    32 /* answers taken under one hold of the lock */
#define SURPRISE 8  /* a call that took so many times as long as usual */

#define NEXT_DOOR_NS 30000  /* a worker that was woken on this CPU has answered a short call by then; */
#define FAR_NS       200000 /* and one that was woken on another */
#define TRY_AGAIN    16

/* This thread completes what it took: the tasks that follow are given out by the submission alone. */
static _Thread_local bool collecting __attribute__((tls_model("initial-exec")));

/* ---- Completing ---- */

/* Reads a result that did not fit the slot. */
static bool read_parcel(al_task *task, int parcel)
{
    size_t done = 0, offset = al_slot_out_offset(task->in_size);
    while (done < task->out_size) {
        ssize_t got =
            pread(parcel, (char *)al_task_out(task) + done, task->out_size - done, (off_t)(offset + done));
        if (got > 0)
            done += (size_t)got;
        else if (got == 0 || errno != EINTR)
            return false;
    }
    return true;
}

static void complete_launch(al_process *place, al_ended *ended)
{
    al_launch *launch = al_task_launch(ended->task);
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

/* ---- Taking ---- */

/* The mean of the last calls. One alone that took much longer, for it lost its CPU, counts as a little
 * longer; two in a row are the new measure. */
static void note_time(al_worker *worker, int64_t ran_ns)
{
    int64_t before_ns = al_worker_typical_ns(worker), now_ns;
    bool surprise = before_ns && ran_ns / SURPRISE > before_ns;
    if (!before_ns || (surprise && worker->surprised))
        now_ns = ran_ns + 1;
    else
        now_ns = (7 * before_ns + (surprise ? 2 * before_ns : ran_ns)) / 8 + (ran_ns != 0);
    atomic_store_explicit(&worker->typical_ns, now_ns, memory_order_relaxed);
    worker->surprised = surprise;
}

static void copy_result(const al_worker *worker, const al_job *job, uint64_t turn)
{
    const al_task *task = job->task;
    if (!job->split && task->out_size && al_slot_holds(task->in_size, task->out_size))
        al_copy_small(al_task_out(task),
                      al_page_bytes(worker->page, turn, task->in_size, task->out_size) +
                          al_slot_out_offset(task->in_size),
                      task->out_size);
}

bool al_worker_answered(al_process *place, al_worker *worker, al_ended *ended)
{
    uint64_t turn = worker->tail;
    if (turn == worker->head)
        return false;
    const al_slot *slot = al_page_slot(worker->page, turn);
    if (atomic_load(&slot->word) != al_slot_word(turn, AL_SLOT_DONE))
        return false;
    al_job *job = worker->jobs[turn % AL_SLOTS];
    al_failure failure = { 0 };
    int64_t ran_ns;
    allot_status status = al_slot_answer(worker->page, turn, &failure, &ran_ns);
    if (status == ALLOT_OK)
        copy_result(worker, job, turn);
    worker->jobs[turn % AL_SLOTS] = NULL;
    al_worker_note_rung(place, worker, false);
    al_worker_pass_over(worker);
    atomic_fetch_sub_explicit(&place->given, 1, memory_order_relaxed);
    *ended = al_job_end(place, job, status, &failure);
    ended->busy_ns = ran_ns;
    note_time(worker, ran_ns);
    return true;
}

/* With the lock held: takes up to BATCH answers and gives the workers what is next. */
static size_t take_answers(al_process *place, al_ended *ended, al_bells *bells)
{
    size_t count = 0;
    for (al_worker *worker = place->workers; worker && count < BATCH; worker = worker->next) {
        size_t before = count;
        while (count < BATCH && al_worker_answered(place, worker, &ended[count]))
            count++;
        if (count != before)
            al_process_feed(place, worker, bells);
    }
    if (count)
        al_process_distribute(place, bells);
    return count;
}

/* With the lock, which is released. */
static bool collect_and_unlock(al_process *place)
{
    al_ended ended[BATCH];
    al_bells bells = { .count = 0 };
    size_t count = take_answers(place, ended, &bells);
    pthread_mutex_unlock(&place->lock);
    al_bells_ring(place, &bells);
    bool outer = collecting;
    collecting = true;
    for (size_t i = 0; i < count; i++)
        al_ended_complete(place, &ended[i]);
    collecting = outer;
    return count > 0;
}

/* Without the lock, which submitting threads want. */
bool al_process_sees_answers(al_process *place)
{
    for (al_worker *worker = place->workers; worker; worker = worker->next) {
        uint64_t turn = atomic_load_explicit(&worker->tail, memory_order_relaxed);
        if (atomic_load(&al_page_slot(worker->page, turn)->word) == al_slot_word(turn, AL_SLOT_DONE))
            return true;
    }
    return false;
}

bool al_process_expects_answers(const al_process *place, int64_t within_ns)
{
    bool any = false;
    for (const al_worker *worker = place->workers; worker; worker = worker->next) {
        bool works = atomic_load_explicit(&worker->head, memory_order_relaxed) !=
                     atomic_load_explicit(&worker->tail, memory_order_relaxed);
        if (works && al_worker_typical_ns(worker) <= within_ns)
            return true;
        any |= works;
    }
    return !any;
}

bool al_process_collect(al_process *place)
{
    if (!atomic_load_explicit(&place->given, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&place->lock);
    return collect_and_unlock(place);
}

void al_process_pump(al_process *place)
{
    if (collecting || !atomic_load_explicit(&place->given, memory_order_relaxed) ||
        pthread_mutex_trylock(&place->lock) != 0)
        return;
    if (collect_and_unlock(place))
        atomic_fetch_add_explicit(&place->pumped, 1, memory_order_relaxed);
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

/* True if something waits in the queue. */
static bool rearm(al_process *place)
{
    pthread_mutex_lock(&place->lock);
    al_keeper_arm(place);
    bool waits = al_process_queued(place) != 0;
    pthread_mutex_unlock(&place->lock);
    return waits;
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
    if (atomic_load_explicit(&place->given, memory_order_relaxed) &&
        pthread_mutex_trylock(&place->lock) == 0 && collect_and_unlock(place))
        atomic_fetch_add_explicit(&place->pumped, 1, memory_order_relaxed);
}

/* A keeper that naps will look anyway. */
static void end(al_collector *collector)
{
    al_process *place = place_of(collector);
    if (atomic_fetch_sub(&place->collectors, 1) != 1 || !atomic_load(&place->given) ||
        (atomic_load(&place->asleep) && atomic_load(&place->napping)))
        return;
    if (rearm(place)) /* the keeper's turn again */
        al_process_attend(place);
    while (al_process_collect(place)) /* what came in between nobody was told of, be it more than one batch */
        continue;
}

/* With the lock held: the one worker that is at work, if it had to be woken for that; else NULL. */
static al_worker *only_rung(const al_process *place)
{
    al_worker *only = NULL;
    for (al_worker *worker = place->workers; worker; worker = worker->next) {
        if (worker->head == worker->tail)
            continue;
        if (only || !worker->rung)
            return NULL;
        only = worker;
    }
    return only;
}

/* Of this thread: so often it will not sleep for a worker that had to be woken. Two who wake each other by
 * turns across CPUs, each asleep by the time the other one is up, come to an end of it only if one stays
 * awake. */
static _Thread_local unsigned sulking __attribute__((tls_model("initial-exec")));

static void note_sleep(int64_t slept_ns)
{
    if (slept_ns > NEXT_DOOR_NS && slept_ns < FAR_NS)
        sulking = TRY_AGAIN;
}

static bool slow(al_collector *collector)
{
    if (!atomic_load_explicit(&place_of(collector)->rung, memory_order_relaxed))
        return false;
    if (!sulking)
        return true;
    sulking--;
    return false;
}

/* Waking it takes longer than the call, and longest if it must wake on another CPU: this one is free for it
 * now. Meanwhile the keeper sees to what else comes, as if nobody collected. */
static bool sleep_for_rung(al_collector *collector, _Atomic uint32_t *word, uint32_t expected,
                           int64_t deadline_ns)
{
    al_process *place = place_of(collector);
    pthread_mutex_lock(&place->lock);
    al_worker *worker = al_process_queued(place) ? NULL : only_rung(place);
    _Atomic uint32_t *notify = worker ? &worker->page->notify : NULL;
    uint32_t before = worker ? atomic_fetch_or(notify, AL_NOTIFY_WAITERS) : 0; /* seq_cst: see slot.h */
    bool done = worker && atomic_load(&al_page_slot(worker->page, worker->tail)->word) ==
                              al_slot_word(worker->tail, AL_SLOT_DONE);
    pthread_mutex_unlock(&place->lock);
    if (!worker || done)
        return worker != NULL;
    atomic_fetch_sub(&place->collectors, 1);
    int64_t start_ns = al_clock_now_ns();
    /* If it dies its page may be gone before we sleep: that is an error of the call, and no harm. */
    bool slept = al_futex_wait_either(word, expected, notify, before | AL_NOTIFY_WAITERS, deadline_ns);
    atomic_fetch_add(&place->collectors, 1);
    note_sleep(al_clock_now_ns() - start_ns);
    return slept;
}

void al_process_collector_init(al_collector *collector)
{
    *collector = (al_collector){ NULL, 0, wanted, begin, collect, end, slow, sleep_for_rung };
}
