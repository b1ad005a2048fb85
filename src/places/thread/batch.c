#include "places/thread/batch.h"
#include "places/thread/pool.h"

#define STRETCH 16 /* calls, and the worker looks round for what else there is */

static void leave(al_worker *worker, al_task *task)
{
    if (!al_deque_push(&worker->deque, task))
        al_inject_mail(&worker->pool->inject, worker->node, task);
}

static void run_one(al_pool *pool, al_batch_runner *runner)
{
    al_place *place = &pool->base;
    al_place_count(place, AL_STARTED, 1);
    allot_status status = al_batch_run(runner);
    al_place_count(place, status == ALLOT_OK ? AL_SUCCEEDED : AL_FAILED, 1);
    al_batch_end(runner, status);
}

/* Something that goes before the next call: what the last one left in the deque or did not end, high
 * priority, a team. */
static bool is_interrupted(const al_worker *worker, const al_task *task)
{
    const al_pool *pool = worker->pool;
    return !al_deque_is_newest(&worker->deque, task) || worker->blocking || al_team_any(&pool->teams) ||
           al_inject_has(&pool->inject, AL_BAND_HIGH);
}

/* Who found it where another one left it, who may be at it still, takes half of it from him. Both stay where
 * they can be found. */
static al_task *part_of(al_worker *worker, al_task *task)
{
    void *nobody = NULL;
    if (atomic_load_explicit(&al_batch_of(task)->holder, memory_order_relaxed) == worker ||
        atomic_compare_exchange_strong_explicit(&al_batch_of(task)->holder, &nobody, worker,
                                                memory_order_relaxed, memory_order_relaxed))
        return task;
    al_task *half = al_batch_halve(task);
    if (!half)
        return task;
    atomic_init(&al_batch_of(half)->holder, worker);
    leave(worker, task);
    return half;
}

void al_batch_work(al_worker *worker, al_task *task, bool waits)
{
    al_batch_runner runner;
    if (!al_batch_left(task)) { /* it stayed where it was while the last ran */
        al_task_drop(task);
        return;
    }
    task = part_of(worker, task);
    allot_hold(&task->future); /* the other reference stays with it in the deque */
    leave(worker, task);
    al_park_announce(worker->pool); /* for a moment it was in nobody's queue: who looked then went to sleep */
    al_batch_begin(&runner, task);
    bool goes_on = true;
    for (int ran = 0; goes_on && ran < STRETCH && al_batch_take(&runner); ran++) {
        run_one(worker->pool, &runner);
        goes_on = !waits && !is_interrupted(worker, task);
    }
    al_task_drop(task);
}
