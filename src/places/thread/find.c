/* Where a worker looks for work: its own deque first, newest first, since that is warm; then what came from
 * outside, oldest first; then the others' deques, the nearest first, oldest first, since that is large. High
 * priority goes before all of it and low after; now and then the other way round, so that nothing starves. */
#include "places/thread/batch.h"
#include "places/thread/gang.h"
#include "places/thread/pool.h"

#define BATCH       16 /* tasks that a worker takes from a submitter's queue at once */
#define LOW_TURN    64 /* one look in so many begins with low priority and with what comes from outside */
#define NORMAL_TURN 16 /* and one in so many leaves high priority out */

/* ---- Running ---- */

/* The task that a task waits for is most often the one that it queued last. That it waits for it holds it, so
 * that starting it may be what lays claim to it. */
static inline bool lay_claim(al_worker *worker, al_task *task)
{
    if (!al_deque_reclaim_begin(&worker->deque, task))
        return false;
    if (__builtin_expect(atomic_load_explicit(&task->place, memory_order_relaxed) != &worker->pool->base ||
                             !al_task_reclaim(task),
                         false)) {
        al_deque_reclaim_undo(&worker->deque);
        return false;
    }
    if (__builtin_expect(!al_deque_reclaim_end(&worker->deque), false))
        allot_hold(&task->future); /* a thief has it, and will drop the reference that came with it */
    return true;
}

bool al_find_reclaim(al_worker *worker, al_task *task)
{
    al_place *place = &worker->pool->base;
    bool small = al_task_is_small(task);
    if ((!small && (task->more || !task->function)) || !lay_claim(worker, task))
        return false;
    unsigned lane = al_lane_here()->number;
    al_place_count_at(place, lane, AL_STARTED, 1);
    allot_call call;
    allot_status status = al_task_call_under(task, &call);
    al_place_count_at(place, lane, status == ALLOT_OK ? AL_SUCCEEDED : AL_FAILED, 1);
    if (small)
        al_task_complete_small(task, lane, status, &call.failure);
    else
        al_task_complete(task, status, &call.failure);
    return true;
}

/* A task that waits goes on when its own is over, and looks no further: it must not count as a searcher. */
static void run(al_worker *worker, al_task *task, bool waits)
{
    al_pool *pool = worker->pool;
    al_failure failure = { 0 };
    if (al_batch_is(task)) {
        al_batch_work(worker, task, waits);
        return;
    }
    if (!al_place_start(&pool->base, task))
        return;
    if (al_task_launch(task)) {
        al_gang_begin(pool, task);
        return;
    }
    bool waits_outside = __builtin_expect(task->more && task->more->io_bound, false);
    if (waits_outside)
        al_crew_blocking(worker, true);
    allot_status status = al_task_call(task, &failure);
    if (waits_outside)
        al_crew_blocking(worker, false);
    if (!waits)
        al_park_before_end(worker);
    al_place_complete(&pool->base, task, status, &failure, 0);
}

/* ---- Taking ---- */

/* Several at once, so that workers and the submitter meet less often; all but the first can be stolen again.
 */
static al_task *take_injected(al_worker *worker)
{
    al_task *tasks[BATCH];
    size_t count = al_inject_take(&worker->pool->inject, AL_BAND_NORMAL, worker->turn, tasks, BATCH);
    if (!count)
        return NULL;
    for (size_t i = count; --i > 0;) { /* the deque gives the newest: so they run in their order */
        __builtin_prefetch(tasks[i], 1);
        if (!al_deque_push(&worker->deque, tasks[i]))
            al_inject_mail(&worker->pool->inject, worker->node, tasks[i]);
    }
    if (count > 1) /* for a moment they were in nobody's queue: who looked then went to sleep */
        al_park_announce(worker->pool);
    return tasks[0];
}

static al_task *steal_from(al_pool *pool, const al_worker *worker, int index)
{
    al_worker *victim = atomic_load_explicit(&pool->workers[index], memory_order_acquire);
    return victim && victim != worker ? al_deque_steal(&victim->deque) : NULL;
}

static al_task *steal(al_worker *worker)
{
    al_pool *pool = worker->pool;
    int slots = atomic_load_explicit(&pool->slots, memory_order_acquire);
    int known = worker->order ? pool->layout->workers : 0;
    al_task *task = NULL;
    for (int i = 0; i < known - 1 && !task; i++)
        if (worker->order[i] < slots)
            task = steal_from(pool, worker, worker->order[i]);
    for (int i = 0; i < slots && !task; i++) {
        int index = (int)((worker->first_victim + (unsigned)i) % (unsigned)slots);
        if (index >= known)
            task = steal_from(pool, worker, index);
    }
    worker->first_victim++;
    return task;
}

static al_task *take_one(al_worker *worker, al_band band)
{
    al_task *task;
    return al_inject_take(&worker->pool->inject, band, worker->turn, &task, 1) ? task : NULL;
}

/* One of what else would wait longest. */
static al_task *take_in_other_order(al_worker *worker)
{
    bool low = worker->turn % LOW_TURN == 0;
    al_task *task = low ? take_one(worker, AL_BAND_LOW) : NULL;
    if (low && !task)
        task = al_deque_steal(&worker->deque);
    return task ? task : take_one(worker, AL_BAND_NORMAL);
}

/* A task that waits runs what it has queued itself before anything else: that is what it waits for, most
 * likely, and what lies at the other end would only pile up on its stack. */
static al_task *take(al_worker *worker, bool waits)
{
    al_inject *inject = &worker->pool->inject;
    al_task *task = waits ? al_deque_take(&worker->deque) : NULL;
    if (!waits && ++worker->turn % NORMAL_TURN == 0)
        task = take_in_other_order(worker);
    if (!task)
        task = take_one(worker, AL_BAND_HIGH);
    if (!task && !waits)
        task = al_deque_take(&worker->deque);
    if (!task)
        task = al_inject_take_mail(inject, worker->node);
    if (!task)
        task = take_injected(worker);
    if (!task)
        task = steal(worker);
    if (!task)
        task = al_inject_take_mail(inject, -1);
    if (!task)
        task = take_one(worker, AL_BAND_LOW);
    return task;
}

bool al_find_and_run(al_worker *worker, bool waits)
{
    al_team *team = al_team_any(&worker->pool->teams) ? al_team_join(&worker->pool->teams) : NULL;
    al_task *task = team ? NULL : take(worker, waits);
    if (!team && !task)
        return false;
    al_park_found(worker);
    worker->after_team = team != NULL;
    if (task) {
        run(worker, task, waits);
        return true;
    }
    team->work(team, worker->index);
    if (!waits)
        al_park_before_end(worker);
    al_team_leave(team);
    return true;
}

/* ---- For others ---- */

bool al_find_any(const al_pool *pool)
{
    if (al_team_any(&pool->teams))
        return true;
    for (al_band band = 0; band < AL_BANDS; band++)
        if (al_inject_has(&pool->inject, band))
            return true;
    int slots = atomic_load_explicit((_Atomic int *)&pool->slots, memory_order_acquire);
    for (int i = 0; i < slots; i++) {
        al_worker *worker =
            atomic_load_explicit((al_worker * _Atomic *)&pool->workers[i], memory_order_acquire);
        if (worker && al_deque_length(&worker->deque))
            return true;
    }
    return false;
}

al_task *al_find_withdraw(al_pool *pool)
{
    al_task *task = NULL;
    /* A steal may fail because somebody else was quicker: then there may be more. */
    while (!task && al_find_any(pool)) {
        for (al_band band = AL_BANDS; band-- > 0 && !task;)
            if (!al_inject_take(&pool->inject, band, 0, &task, 1))
                task = NULL;
        if (!task)
            task = al_inject_take_mail(&pool->inject, -1);
        int slots = atomic_load_explicit(&pool->slots, memory_order_acquire);
        for (int i = 0; i < slots && !task; i++)
            task = steal_from(pool, NULL, i);
        if (!task && al_team_any(&pool->teams))
            break; /* what is there has begun */
    }
    return task;
}

void al_pool_push(al_pool *pool, al_task *task)
{
    al_worker *worker = al_worker_of(pool);
    al_band band = al_band_of(task);
    if (task->more && task->more->node >= 0)
        al_inject_mail(&pool->inject, task->more->node, task);
    else if (!worker || band != AL_BAND_NORMAL || !al_deque_push(&worker->deque, task))
        al_inject_push(&pool->inject, band, task);
    al_park_announce(pool);
}

void al_pool_push_many(al_pool *pool, al_task *const *tasks, size_t count)
{
    al_worker *worker = al_worker_of(pool);
    if (!worker || !al_deque_push_many(&worker->deque, (void *const *)tasks, count))
        al_inject_push_many(&pool->inject, AL_BAND_NORMAL, tasks, count);
    al_park_announce(pool);
}
