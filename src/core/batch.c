#include "core/batch.h"
#include <stdlib.h>

struct al_batch_arguments {
    _Atomic size_t references; /* one for each part of the batch */
    size_t in_size, stride;    /* the latter keeps each as aligned as a task's argument */
    _Alignas(16) unsigned char bytes[];
};

/* ---- Arguments ---- */

static al_batch_arguments *create_arguments(const unsigned char *in, size_t in_size, size_t count)
{
    if (in_size > PTRDIFF_MAX / 4 / count)
        return NULL;
    size_t stride = al_task_padded(in_size);
    al_batch_arguments *self = aligned_alloc(16, sizeof *self + stride * count);
    if (!self)
        return NULL;
    atomic_init(&self->references, 1);
    self->in_size = in_size;
    self->stride = stride;
    for (size_t i = 0; i < count; i++)
        al_copy_small(self->bytes + i * stride, in + i * in_size, in_size);
    return self;
}

static void hold(al_batch_arguments *self)
{
    if (self)
        atomic_fetch_add_explicit(&self->references, 1, memory_order_relaxed);
}

static void release(al_batch_arguments *self)
{
    /* acq_rel: whoever lets go last frees what all have read. */
    if (self && atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel) == 1)
        free(self);
}

/* ---- Batches ---- */

static uint64_t pack(uint64_t begin, uint64_t end)
{
    return begin | end << 32;
}

static al_task *create_part(al_gate *gate, allot_function function, al_batch_arguments *arguments,
                            uint64_t calls)
{
    al_task *task = al_task_create(function, NULL, 0, 0, 1);
    if (!task)
        return NULL;
    atomic_init(&task->future.word,
                AL_FUTURE_REFERENCE | AL_FUTURE_BATCH | AL_FUTURE_SPAWNED | ALLOT_STATE_PENDING);
    task->gate = gate;
    al_batch *self = al_batch_of(task);
    self->arguments = arguments;
    atomic_init(&self->holder, NULL);
    atomic_init(&self->calls, calls);
    return task;
}

al_task *al_batch_create(al_gate *gate, allot_function function, const void *in, size_t in_size, size_t count)
{
    al_batch_arguments *arguments = in_size ? create_arguments(in, in_size, count) : NULL;
    if (in_size && !arguments)
        return NULL;
    al_task *task = create_part(gate, function, arguments, pack(0, count));
    if (!task)
        release(arguments);
    return task;
}

/* The part is made before its calls are taken off: then nothing can fail any more. */
al_task *al_batch_halve(al_task *task)
{
    al_batch *self = al_batch_of(task);
    if (al_batch_left(task) < 2)
        return NULL;
    al_task *half = create_part(task->gate, task->function, self->arguments, 0);
    if (!half)
        return NULL;
    hold(self->arguments);
    half->place_id = task->place_id;
    atomic_init(&half->place, atomic_load_explicit(&task->place, memory_order_relaxed));
    uint64_t calls = atomic_load_explicit(&self->calls, memory_order_relaxed), begin, end, middle;
    do {
        begin = calls & UINT32_MAX;
        end = calls >> 32;
        middle = begin + (end - begin + 1) / 2;
        if (end - begin < 2) {
            al_task_drop(half);
            return NULL;
        }
    } while (!atomic_compare_exchange_weak_explicit(&self->calls, &calls, pack(begin, middle),
                                                    memory_order_relaxed, memory_order_relaxed));
    atomic_init(&al_batch_of(half)->calls, pack(middle, end));
    return half;
}

size_t al_batch_cancel(al_task *task)
{
    uint64_t calls = atomic_exchange_explicit(&al_batch_of(task)->calls, 0, memory_order_relaxed);
    size_t count = (size_t)((calls >> 32) - (calls & UINT32_MAX));
    if (count)
        al_gate_leave_many(task->gate, count);
    return count;
}

void al_batch_fini(al_task *task)
{
    release(al_batch_of(task)->arguments);
}

/* ---- Calls ---- */

void al_batch_begin(al_batch_runner *self, al_task *task)
{
    self->task = task;
    self->arguments = al_batch_of(task)->arguments;
    al_future_init(&self->shell.future, 1);
    atomic_init(&self->shell.place, NULL);
    self->shell.place_id = task->place_id;
    self->shell.gate = task->gate;
    self->shell.function = task->function;
    self->shell.more = NULL;
    self->shell.in_size = self->shell.out_size = 0;
    self->call = (allot_call){ .stopping = &self->shell.future.stop,
                               .place = task->place_id,
                               .in_size = self->arguments ? self->arguments->in_size : 0 };
    self->in = NULL;
}

bool al_batch_take(al_batch_runner *self)
{
    _Atomic uint64_t *calls = &al_batch_of(self->task)->calls;
    uint64_t left = atomic_load_explicit(calls, memory_order_relaxed);
    do {
        if ((left & UINT32_MAX) == left >> 32)
            return false;
        /* Relaxed: whoever holds the task got it from a queue, and so knows what it holds. */
    } while (!atomic_compare_exchange_weak_explicit(calls, &left, left + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    if (self->arguments)
        self->in = self->arguments->bytes + (left & UINT32_MAX) * self->arguments->stride;
    return true;
}

allot_status al_batch_run(al_batch_runner *self)
{
    al_task *outer = al_task_here; /* a task that waits may run others meanwhile */
    al_task_here = &self->shell;
    allot_status status = self->shell.function(&self->call, self->in, NULL);
    al_task_here = outer;
    return status;
}

void al_batch_end(al_batch_runner *self, allot_status status)
{
    al_failure *failure = &self->call.failure;
    if (__builtin_expect(status != ALLOT_OK, false))
        al_task_log_spawned(&self->shell, status, failure);
    if (__builtin_expect(failure->message || failure->payload, false))
        al_failure_fini(failure);
    al_gate_leave(self->shell.gate);
}
