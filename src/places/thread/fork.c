#include "places/thread/fork.h"
#include "base/futex.h"
#include "places/thread/pool.h"
#include <sched.h>
#include <stdlib.h>

static inline allot_status call_branch(const allot_branch *branch, const char *place, al_failure *failure)
{
    allot_call call = { .stopping = al_task_here ? &al_task_here->future.stop : NULL,
                        .place = place,
                        .in_size = branch->in_size,
                        .out_size = branch->out_size };
    allot_status status = branch->function(&call, branch->in, branch->out);
    if (__builtin_expect(status == ALLOT_OK, true))
        al_failure_clear(&call.failure);
    else
        *failure = call.failure;
    return status;
}

/* What another worker needs to take a branch: it works for the task that forked. */
typedef struct taken {
    const allot_branch *branch;
    al_task *task;
} taken;

static allot_status run_branch(allot_call *call, const void *in, void *out)
{
    const taken *what = in;
    al_task *own = al_task_here;
    (void)out;
    al_place_count(&al_worker_mine->pool->base, AL_ENQUEUED, 1); /* only who takes one pays for the figures */
    al_task_here = what->task;
    allot_status status = call_branch(what->branch, call->place, &call->failure);
    al_task_here = own;
    return status;
}

static inline void init_task(al_task *task, const allot_branch *branch, al_pool *pool)
{
    al_future_init(&task->future, 2);
    atomic_init(&task->place, NULL);
    task->place_id = pool->base.id;
    task->gate = NULL;
    task->function = run_branch;
    task->more = NULL;
    task->in_size = sizeof(taken);
    task->out_size = 0;
    *(taken *)(void *)task->payload = (taken){ branch, al_task_here };
}

/* Somebody else has it: waits until he has let go of the stack that it lies on. A shutdown that cancels what
 * is queued may have been he: then it runs here, since it is a part of what runs. */
static allot_status join_taken(al_task *task, const allot_branch *branch, const char *place,
                               al_failure *failure)
{
    allot_wait(&task->future, ALLOT_FOREVER);
    for (int i = 1; atomic_load_explicit(&task->future.word, memory_order_acquire) >> 32 != 1; i++)
        i % 64 ? al_pause() : (void)sched_yield();
    if (allot_cancelled(&task->future))
        return call_branch(branch, place, failure);
    if (task->future.failure) {
        *failure = *task->future.failure;
        free(task->future.failure);
    }
    return task->future.status;
}

static allot_status first_error(allot_status first, al_failure *first_failure, allot_status second,
                                al_failure *second_failure, al_failure *failure)
{
    al_failure *kept = first != ALLOT_OK ? first_failure : second_failure;
    *failure = *kept;
    *kept = (al_failure){ 0 };
    al_failure_fini(first_failure);
    al_failure_fini(second_failure);
    return first != ALLOT_OK ? first : second;
}

allot_status al_fork_join(al_pool *pool, al_worker *worker, const allot_branch *first,
                          const allot_branch *second, al_failure *failure)
{
    al_failure failures[2] = { { 0 } };
    allot_status statuses[2];
    al_task task;
    bool forked = pool != NULL;
    if (forked) {
        init_task(&task, second, pool);
        if (!worker)
            al_inject_push(&pool->inject, AL_BAND_NORMAL, &task);
        else
            forked = al_deque_push(&worker->deque, &task);
    }
    if (forked)
        al_park_announce(pool);
    statuses[0] = call_branch(first, pool ? pool->base.id : "", &failures[0]);
    al_task *back = forked && worker ? al_deque_take(&worker->deque) : NULL;
    if (!forked || back == &task) {
        statuses[1] = call_branch(second, pool ? pool->base.id : "", &failures[1]);
    } else {
        if (back && !al_deque_push(&worker->deque,
                                   back)) /* what `first` left there; ours lies below it, or is taken */
            al_inject_mail(&pool->inject, worker->node, back);
        statuses[1] = join_taken(&task, second, pool->base.id, &failures[1]);
    }
    if (__builtin_expect((statuses[0] | statuses[1]) == ALLOT_OK, true))
        return ALLOT_OK;
    return first_error(statuses[0], &failures[0], statuses[1], &failures[1], failure);
}
