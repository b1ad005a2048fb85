/* Which worker gets what, and when: by whoever holds the lock and sees that there is room.
 *
 * A worker that is at short calls is given several at once, so that it need not come back for each, and one
 * wake serves them all. What that adds to a call's latency is bounded: a worker gets ahead at most what it is
 * expected to run in AHEAD_NS. Should it take longer over one of them, those behind are taken back: within
 * two looks of the keeper's, which come every 400 microseconds at most, and at any rate before OVERTAKEN
 * calls (and what their workers were given ahead) that were given out later have run; at once, if another
 * worker ends its last call and nothing is queued.
 *
 * Parts of one launch are given ahead however long they take: what comes later waits for them anyway, and
 * workers that have them need nobody in between. */
#include "core/chunk.h"
#include "places/process/pool.h"
#include <string.h>

#define AHEAD_NS    100000 /* what a worker is given ahead, at most, by what its calls took lately */
#define WAKE_NS     50000  /* what queues for a worker that is awake before another is woken for it */
#define PARTS_AHEAD 4      /* parts of a launch that a worker has at once, at least */
#define OVERTAKEN   (4 * AL_SLOTS)
#define TAKEN       16 /* tasks taken from a submitter's queue at once */
#define NORMAL_DUE  16 /* of so many tasks one is of normal priority though there are high ones */
#define LOW_DUE     64 /* and one of low */

/* ---- What is queued ---- */

size_t al_process_queued(const al_process *place)
{
    return place->queue.count + al_inject_length(&place->inject);
}

/* The oldest of one submitter, high priority first, low last; now and then one that would else wait for
 * ever. */
static size_t take_tasks(al_process *place, al_task **tasks, size_t capacity)
{
    al_inject *inject = &place->inject;
    size_t count = 0;
    if (place->taken >= place->low_due) {
        place->low_due = place->taken + LOW_DUE;
        count = al_inject_take(inject, AL_BAND_LOW, place->turn, tasks, 1);
    }
    if (!count && place->taken >= place->normal_due) {
        place->normal_due = place->taken + NORMAL_DUE;
        count = al_inject_take(inject, AL_BAND_NORMAL, place->turn, tasks, 1);
    }
    capacity = capacity < TAKEN ? capacity : TAKEN;
    for (al_band band = AL_BAND_HIGH; band < AL_BANDS && !count; band++) {
        count = al_inject_take(inject, band, place->turn, tasks, capacity);
        if (!count && band == AL_BAND_NORMAL && (tasks[0] = al_inject_take_mail(inject, -1)))
            count = 1;
    }
    place->taken += count;
    place->turn++;
    return count;
}

al_task *al_process_take_any(al_process *place)
{
    al_task *task = NULL;
    for (al_band band = AL_BANDS; band-- > 0 && !task;)
        if (!al_inject_take(&place->inject, band, 0, &task, 1))
            task = NULL;
    return task ? task : al_inject_take_mail(&place->inject, -1);
}

al_task *al_process_fetch(al_process *place)
{
    al_task *task = NULL;
    if (place->queue.first || !take_tasks(place, &task, 1))
        return NULL;
    al_symbols_refresh(&place->symbols);
    al_job *job = al_job_create(place, task);
    if (!job)
        return task;
    al_job_queue_append(&place->queue, job);
    return NULL;
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
    return module < AL_MODULES_MAX && worker->modules[module / 64] >> (module % 64) & 1;
}

/* True if any thread can give this job to the worker, with no message to send before. */
static bool is_simple(const al_worker *worker, const al_job *job)
{
    const al_task *task = job->task;
    if (!knows(worker, job->symbol.module))
        return false;
    if (job->split)
        return al_worker_has_arrays(worker, job->split);
    return task->function && !al_task_launch(task) && al_slot_holds(task->in_size, task->out_size);
}

static void write_call(const al_job *job, al_worker *worker, uint64_t turn, al_slot *slot)
{
    const al_task *task = job->task;
    slot->kind = task->function == al_chunk_call ? AL_SLOT_CHUNK : AL_SLOT_CALL;
    slot->in_parcel = !al_slot_holds(task->in_size, task->out_size);
    if (slot->in_parcel) {
        const al_slot_parcel sizes = { task->in_size, task->out_size };
        memcpy(al_page_body(worker->page, turn)->bytes, &sizes, sizeof sizes);
        return;
    }
    slot->in_size = (uint16_t)task->in_size;
    slot->out_size = (uint16_t)task->out_size;
    if (task->in_size)
        al_copy_small(al_page_bytes(worker->page, turn, task->in_size, task->out_size), al_task_in(task),
                      task->in_size);
}

/* The call that it is at, or comes to next; NULL: none. */
static const al_job *current(const al_worker *worker)
{
    return worker->tail == worker->head ? NULL : worker->jobs[worker->tail % AL_SLOTS];
}

/* A call that is given ahead must not stay there, should the one before it never end. */
static void have_watched(al_process *place, const al_worker *worker, const al_job *job)
{
    const al_job *at = current(worker);
    if (place->watched || worker->head == worker->tail || (at && at->split && at->split == job->split))
        return;
    place->watched = true;
    al_process_attend(place);
}

_Atomic uint32_t *al_process_give(al_process *place, al_worker *worker, al_job *job)
{
    have_watched(place, worker, job);
    uint64_t turn = worker->head++;
    al_slot *slot = al_page_slot(worker->page, turn);
    __builtin_prefetch(al_page_slot(worker->page, turn + 1), 1); /* many are given in a row, mostly */
    slot->module = (uint16_t)job->symbol.module;
    slot->offset = job->symbol.offset;
    job->turn = turn;
    if (job->split)
        al_split_write(job, worker, slot, al_page_body(worker->page, turn));
    else
        write_call(job, worker, turn, slot);
    atomic_store_explicit(&slot->stopping, 0, memory_order_relaxed);
    if (!worker->armed && al_keeper_wants_notice(place))
        al_worker_arm(worker, true);
    job->state = AL_JOB_GIVEN;
    job->worker = worker;
    job->sequence = place->sequence++;
    worker->jobs[turn % AL_SLOTS] = job;
    atomic_fetch_add_explicit(&place->given, 1, memory_order_relaxed);
    atomic_store(&slot->word, al_slot_word(turn, AL_SLOT_QUEUED));
    _Atomic uint32_t *bell = al_page_ring(worker->page);
    if (bell)
        al_worker_note_rung(place, worker, true);
    if (turn >= worker->last_turn)
        al_worker_retire(place, worker);
    return bell;
}

/* How many more it may be given now. */
static size_t room_of(const al_worker *worker)
{
    if (worker->state != AL_WORKER_READY || worker->held)
        return 0;
    uint64_t typical_ns = (uint64_t)al_worker_typical_ns(worker);
    uint64_t depth = typical_ns ? AHEAD_NS / typical_ns : 1;
    depth = depth < 1 ? 1 : depth > AL_SLOTS ? AL_SLOTS : depth;
    uint64_t waiting = worker->head - worker->tail, left = worker->last_turn - worker->head;
    uint64_t room = waiting < depth ? depth - waiting : 0;
    return (size_t)(room <= left ? room : left + 1);
}

/* ---- Taking back ---- */

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

/* Moves up to `count` calls that have not begun, from that turn on. Returns how many. */
static size_t move(al_process *place, const al_worker *from, uint64_t turn, al_worker *to, size_t count,
                   al_bells *bells)
{
    size_t moved = 0;
    for (; turn < from->head && moved < count; turn++) {
        al_job *job = turn < from->tail ? NULL : from->jobs[turn % AL_SLOTS];
        if (!job || !is_simple(to, job) || !al_process_take_back(place, job))
            continue;
        al_bells_add(bells, al_process_give(place, to, job));
        moved++;
    }
    return moved;
}

/* The turn from which on lies the later half of what a worker has not begun; its head if that is nothing.
 * Turns that were taken back are empty. */
static uint64_t later_half(const al_worker *worker)
{
    size_t waiting = 0, passed = 0;
    uint64_t turn = worker->head;
    for (uint64_t each = worker->tail + 1; each < worker->head; each++)
        waiting += worker->jobs[each % AL_SLOTS] != NULL;
    while (passed < (waiting + 1) / 2)
        passed += worker->jobs[--turn % AL_SLOTS] != NULL;
    return turn;
}

/* The later half of what another has not begun. */
static void steal(al_process *place, al_worker *worker, al_bells *bells)
{
    for (const al_worker *other = place->workers; other; other = other->next)
        if (other != worker && move(place, other, later_half(other), worker, room_of(worker), bells))
            return;
}

/* The oldest that has not begun; NULL: none. */
static const al_job *first_waiting(const al_worker *worker)
{
    const al_job *job = NULL;
    for (uint64_t turn = worker->tail + 1; turn < worker->head && !job; turn++)
        job = worker->jobs[turn % AL_SLOTS];
    return job;
}

/* Takes over from workers that have been at one call for long what was given to them OVERTAKEN calls ago.
 * Returns how many. */
static size_t take_over(al_process *place, al_worker *worker, size_t room, al_bells *bells)
{
    if (place->sequence < place->overtaken_due)
        return 0;
    for (const al_worker *other = place->workers; other; other = other->next) {
        const al_job *job = other == worker ? NULL : first_waiting(other);
        if (!job || place->sequence - job->sequence < OVERTAKEN)
            continue;
        size_t moved = move(place, other, job->turn, worker, room, bells);
        if (moved)
            return moved;
    }
    place->overtaken_due = place->sequence + AL_SLOTS;
    return 0;
}

/* Puts all that it has not begun back at the head of the queue. */
static void take_back_all(al_process *place, al_worker *worker)
{
    for (uint64_t turn = worker->head; turn-- > worker->tail + 1;) {
        al_job *job = worker->jobs[turn % AL_SLOTS];
        if (job && al_process_take_back(place, job))
            al_job_queue_prepend(&place->queue, job);
    }
}

/* ---- Feeding ---- */

/* What was queued as a job, started or not. False: the first is for the keeper, and nothing passes it. */
static bool feed_jobs(al_process *place, al_worker *worker, size_t *room, al_bells *bells)
{
    while (place->queue.first && *room) {
        al_job *job = place->queue.first;
        if (!is_simple(worker, job))
            return false;
        al_job_queue_remove(&place->queue, job);
        if (job->state == AL_JOB_QUEUED && !al_place_start(&place->base, job->task)) {
            al_job_discard(place, job);
            continue;
        }
        al_bells_add(bells, al_process_give(place, worker, job));
        --*room;
    }
    return true;
}

static void feed_task(al_process *place, al_worker *worker, al_task *task, al_bells *bells)
{
    al_job *job = al_job_create(place, task);
    if (!job) { /* the keeper will find it there, and refuse it */
        al_inject_mail(&place->inject, 0, task);
        bells->attend = true;
    } else if (place->queue.first || !is_simple(worker, job)) {
        al_job_queue_append(&place->queue, job);
    } else if (!al_place_start(&place->base, task)) {
        al_job_discard(place, job);
    } else {
        al_bells_add(bells, al_process_give(place, worker, job));
    }
}

static void feed(al_process *place, al_worker *worker, al_bells *bells)
{
    al_task *tasks[TAKEN];
    size_t room = room_of(worker), count;
    if (room)
        room -= take_over(place, worker, room, bells);
    while (feed_jobs(place, worker, &room, bells) && room && !bells->attend &&
           (count = take_tasks(place, tasks, room)) > 0) {
        al_symbols_refresh(&place->symbols);
        for (size_t i = 0; i < count; i++)
            feed_task(place, worker, tasks[i], bells);
        room -= count;
    }
}

void al_process_feed(al_process *place, al_worker *worker, al_bells *bells)
{
    feed(place, worker, bells);
    if (worker->head == worker->tail && !place->queue.first && room_of(worker)) {
        steal(place, worker, bells);
        bells->attend |= worker->head == worker->tail && al_process_gave_early(place);
    }
}

/* Waking one costs more than a short call: while another is awake and at short ones, somebody watches over
 * the queue, and it is not long, the next answers will take it along. */
static bool need_not_wake(al_process *place, const al_worker *worker)
{
    if (is_awake(worker) || al_keeper_wants_notice(place))
        return false;
    for (const al_worker *other = place->workers; other; other = other->next)
        if (other->head != other->tail && al_worker_typical_ns(other) && is_awake(other))
            return (int64_t)al_process_queued(place) * al_worker_typical_ns(other) < WAKE_NS;
    return false;
}

/* True if the keeper has something to do: a job that is not simple, or a worker to be added. */
static bool keeper_is_needed(al_process *place, const al_worker *free_worker)
{
    if (!al_process_queued(place))
        return false;
    if (free_worker)
        return place->queue.first && !is_simple(free_worker, place->queue.first);
    return place->worker_count < (size_t)place->limit && !al_process_vacant(place);
}

/* Feeds those that are free. Returns one that is free still. */
static al_worker *spread(al_process *place, al_bells *bells, bool wakes)
{
    al_worker *worker;
    while ((worker = al_process_free_worker(place)) && al_process_queued(place) && !bells->attend &&
           (wakes || !need_not_wake(place, worker))) {
        size_t before = al_process_queued(place);
        feed(place, worker, bells);
        /* What was cancelled meanwhile takes room, and leaves the worker free. */
        if (worker->head == worker->tail && al_process_queued(place) >= before)
            break; /* the first is not simple */
    }
    return worker;
}

/* Parts of a launch that a worker has at once: the rest is for the others, once they are free. */
static size_t share_of(const al_process *place, const al_split *split)
{
    size_t share = split->parts / (size_t)place->limit, most = AL_SLOTS / 2;
    return share < PARTS_AHEAD ? PARTS_AHEAD : share < most ? share : most;
}

/* With no worker free: gives each that is at a part of the launch that is queued first one more of it. False:
 * there was nobody to give one to. */
static bool give_parts_ahead(al_process *place, al_bells *bells)
{
    bool given = false;
    for (al_worker *worker = place->workers; worker; worker = worker->next) {
        al_job *job = place->queue.first;
        const al_job *at = current(worker);
        bool serves = worker->state == AL_WORKER_READY && !worker->held;
        if (!job || !job->split || !serves || !at || at->split != job->split ||
            worker->head - worker->tail >= share_of(place, job->split) || !is_simple(worker, job))
            continue;
        al_job_queue_remove(&place->queue, job);
        al_bells_add(bells, al_process_give(place, worker, job));
        given = true;
    }
    return given;
}

static void distribute(al_process *place, al_bells *bells, bool wakes)
{
    for (;;) {
        al_worker *worker = spread(place, bells, wakes);
        while (!worker && give_parts_ahead(place, bells))
            continue;
        bool wanted = worker || (place->worker_count < (size_t)place->limit && !al_process_vacant(place));
        bool before = atomic_exchange(&place->wanted, wanted); /* seq_cst: pairs with al_process_enqueue() */
        bells->attend |= keeper_is_needed(place, worker);
        if (!wanted || before || bells->attend || !al_process_queued(place))
            return; /* submitters will see that they are wanted, or nothing came before they could */
    }
}

void al_process_distribute(al_process *place, al_bells *bells)
{
    distribute(place, bells, false);
}

/* ---- Relief ---- */

bool al_process_relieve(al_process *place, al_bells *bells)
{
    bool ahead = false;
    for (al_worker *worker = place->workers; worker; worker = worker->next) {
        const al_job *waiting = first_waiting(worker), *at = current(worker);
        if (!waiting || (at && at->split && at->split == waiting->split))
            continue;
        if (worker->seen_tail == worker->tail)
            take_back_all(place, worker);
        worker->seen_tail = worker->tail;
        ahead |= first_waiting(worker) != NULL;
    }
    place->watched = ahead;
    if (al_process_queued(place))
        distribute(place, bells, true);
    return ahead;
}
