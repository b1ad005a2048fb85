/* A batch: calls of one function that nobody has a future of, queued as one task.
 *
 * Its task is never started: whoever has taken it from a queue takes calls off it, one after the other, and
 * puts it back for others before each. It is gone with its last call. The task counts for as many in its
 * executor's gate and its place's figures as it has calls left. */
#ifndef AL_CORE_BATCH_H
#define AL_CORE_BATCH_H

#include "core/task.h"

#define AL_BATCH_CALLS 1024 /* in one, at most: its arguments stay until all have run */

typedef struct al_batch_arguments al_batch_arguments; /* of all calls, shared by the parts of a batch */

/* In the payload of a batch's task. */
typedef struct al_batch {
    al_batch_arguments *arguments; /* a reference; NULL: the calls have none */
    void *holder;                  /* who took it apart last, for the place; NULL: nobody yet */
    uint32_t begin, end;           /* the calls that nobody has taken */
} al_batch;
_Static_assert(sizeof(al_batch) <= AL_TASK_INLINE, "a batch lies in its task");

static inline bool al_batch_is(const al_task *task)
{
    return atomic_load_explicit(&((al_task *)task)->future.word, memory_order_relaxed) & AL_FUTURE_BATCH;
}

static inline al_batch *al_batch_of(al_task *task)
{
    return (al_batch *)(void *)task->payload;
}

/* How many tasks this one stands for. */
static inline size_t al_task_calls(al_task *task)
{
    return al_batch_is(task) ? al_batch_of(task)->end - al_batch_of(task)->begin : 1;
}

/* A call that was taken off a batch. As long as it runs its task stands for it in al_task_here. */
typedef struct al_batch_call {
    al_task shell;
    size_t in_size;
    const void *in;
    al_batch_arguments *held; /* while it runs; NULL: its argument lies in the shell */
} al_batch_call;

/* A batch of at least one call and at most AL_BATCH_CALLS; `in` is copied. NULL when memory is out. */
al_task *al_batch_create(al_gate *gate, allot_function function, const void *in, size_t in_size,
                         size_t count);

/* Makes a batch of its own of the later half of the calls; NULL: there are fewer than two, or memory is out.
 */
al_task *al_batch_halve(al_task *task);

/* Takes the first call off; true if there are more, else the task is gone. */
bool al_batch_take(al_task *task, al_batch_call *call);

/* Runs it in this thread. */
allot_status al_batch_run(al_batch_call *call, al_failure *failure);

/* It has run and is counted: lets go of its argument, reports a failure to the log and empties it, leaves the
 * gate. */
void al_batch_end(al_batch_call *call, allot_status status, al_failure *failure);

/* For the task's end: what is behind a batch's payload. */
void al_batch_fini(al_task *task);

#endif
