#include "core/batch.h"
#include "core/call.h"
#include <stdlib.h>

struct al_batch_arguments {
    _Atomic size_t references; /* of parts, and of calls that run */
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

static al_task *create_part(al_gate *gate, allot_function function, const al_batch *calls)
{
    al_task *task = al_task_create(function, NULL, 0, 0, 1);
    if (!task)
        return NULL;
    atomic_init(&task->future.word, AL_FUTURE_REFERENCE | AL_FUTURE_BATCH | AL_FUTURE_SPAWNED |
                                        ALLOT_STATE_PENDING);
    task->gate = gate;
    *al_batch_of(task) = *calls;
    return task;
}

al_task *al_batch_create(al_gate *gate, allot_function function, const void *in, size_t in_size, size_t count)
{
    al_batch calls = { in_size ? create_arguments(in, in_size, count) : NULL, NULL, 0, (uint32_t)count };
    if (in_size && !calls.arguments)
        return NULL;
    al_task *task = create_part(gate, function, &calls);
    if (!task)
        release(calls.arguments);
    return task;
}

al_task *al_batch_halve(al_task *task)
{
    al_batch *self = al_batch_of(task), later = *self;
    if (self->end - self->begin < 2)
        return NULL;
    later.begin += (self->end - self->begin + 1) / 2;
    al_task *half = create_part(task->gate, task->function, &later);
    if (!half)
        return NULL;
    hold(self->arguments);
    self->end = later.begin;
    half->place_id = task->place_id;
    atomic_init(&half->place, atomic_load_explicit(&task->place, memory_order_relaxed));
    return half;
}

void al_batch_fini(al_task *task)
{
    release(al_batch_of(task)->arguments);
}

/* ---- Calls ---- */

static void set_argument(al_batch_call *call, al_batch_arguments *arguments, size_t index)
{
    call->in = NULL;
    call->in_size = 0;
    call->held = NULL;
    if (!arguments)
        return;
    const unsigned char *in = arguments->bytes + index * arguments->stride;
    call->in_size = arguments->in_size;
    if (call->in_size <= AL_TASK_INLINE) {
        al_copy_small(call->shell.payload, in, call->in_size);
        call->in = call->shell.payload;
    } else {
        hold(call->held = arguments);
        call->in = in;
    }
}

bool al_batch_take(al_task *task, al_batch_call *call)
{
    al_batch *self = al_batch_of(task);
    al_future_init(&call->shell.future, 1);
    atomic_init(&call->shell.place, NULL);
    call->shell.place_id = task->place_id;
    call->shell.gate = task->gate;
    call->shell.function = task->function;
    call->shell.more = NULL;
    set_argument(call, self->arguments, self->begin++);
    if (self->begin < self->end)
        return true;
    al_task_drop(task);
    return false;
}

allot_status al_batch_run(al_batch_call *self, al_failure *failure)
{
    allot_call call = { &self->shell.future.stop, self->shell.place_id, self->in_size, 0, { 0 } };
    al_task *outer = al_task_here; /* a task that waits may run others meanwhile */
    al_task_here = &self->shell;
    allot_status status = self->shell.function(&call, self->in, NULL);
    al_task_here = outer;
    *failure = call.failure;
    return status;
}

void al_batch_end(al_batch_call *self, allot_status status, al_failure *failure)
{
    release(self->held);
    if (__builtin_expect(status != ALLOT_OK, false))
        al_task_log_spawned(&self->shell, status, failure);
    if (__builtin_expect(failure->message || failure->payload, false))
        al_failure_fini(failure);
    al_gate_leave(self->shell.gate);
}
