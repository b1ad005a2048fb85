/* A batch: calls of one function that nobody has a future of, queued as one task.
 *
 * Its task is never started. Whoever finds it in a queue takes calls off it, one after the other, each by one
 * compare-and-swap, and leaves it where others find it and do the same meanwhile: so no call waits behind
 * another one. The task counts for as many in its executor's gate and its place's figures as it had calls. */
#ifndef AL_CORE_BATCH_H
#define AL_CORE_BATCH_H

#include "core/call.h"
#include "core/task.h"

#define AL_BATCH_CALLS 1024 /* in one, at most: its arguments stay until all have run */

typedef struct al_batch_arguments al_batch_arguments; /* of all calls, shared by the parts of a batch */

/* In the payload of a batch's task. */
typedef struct al_batch {
    al_batch_arguments *arguments; /* a reference; NULL: the calls have none */
    void *_Atomic holder;          /* who takes calls off it, for the place; NULL: nobody yet */
    _Atomic uint64_t calls; /* that nobody has taken: the first in the lower half, the end in the upper */
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

/* How many calls it has left. */
static inline size_t al_batch_left(al_task *task)
{
    uint64_t calls = atomic_load_explicit(&al_batch_of(task)->calls, memory_order_relaxed);
    return (size_t)((calls >> 32) - (calls & UINT32_MAX));
}

/* A batch of at least one call and at most AL_BATCH_CALLS; `in` is copied. NULL when memory is out. */
al_task *al_batch_create(al_gate *gate, allot_function function, const void *in, size_t in_size,
                         size_t count);

/* Makes a batch of its own of the later half of the calls; NULL: there are fewer than two, or memory is out.
 */
al_task *al_batch_halve(al_task *task);

/* Takes all calls off, as cancelled; how many those were. */
size_t al_batch_cancel(al_task *task);

/* For the task's end: what is behind its payload. */
void al_batch_fini(al_task *task);

/* One who runs calls of a batch, which he holds: one after the other. */
typedef struct al_batch_runner {
    al_task *task;
    al_batch_arguments *arguments;
    al_task shell; /* stands for a call in al_task_here while it runs */
    allot_call call;
    const void *in;
} al_batch_runner;

void al_batch_begin(al_batch_runner *self, al_task *task);

/* Takes the next call off; false: there is none. */
bool al_batch_take(al_batch_runner *self);

/* Runs it in this thread. */
allot_status al_batch_run(al_batch_runner *self);

/* It has run and is counted: reports a failure to the log, leaves the gate. */
void al_batch_end(al_batch_runner *self, allot_status status);

#endif
