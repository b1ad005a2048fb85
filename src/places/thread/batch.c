#include "places/thread/batch.h"
#include "places/thread/pool.h"

static void leave(al_worker *worker, al_task *task)
{
    if (!al_deque_push(&worker->deque, task))
        al_inject_mail(&worker->pool->inject, worker->node, task);
}

void al_batch_step(al_worker *worker, al_task *task, bool waits)
{
    al_pool *pool = worker->pool;
    al_place *place = &pool->base;
    al_batch *batch = al_batch_of(task);
    al_batch_call call;
    if (batch->holder != worker) {
        batch->holder = worker;
        al_task *half = al_batch_halve(task);
        if (half)
            leave(worker, half);
    }
    if (al_batch_take(task, &call)) {
        leave(worker, task);
        al_park_announce(pool); /* for a moment it was in nobody's queue: who looked then went to sleep */
    }
    al_failure failure = { 0 };
    al_place_count(place, AL_STARTED, 1);
    allot_status status = al_batch_run(&call, &failure);
    if (!waits)
        al_park_before_end(worker);
    al_place_count(place, status == ALLOT_OK ? AL_SUCCEEDED : AL_FAILED, 1);
    al_batch_end(&call, status, &failure);
}
