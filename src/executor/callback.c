#include "executor/callback.h"
#include "executor/executor.h"
#include <stdlib.h>

typedef struct callback {
    al_job job; /* first */
    al_continuation continuation;
    allot_executor *executor; /* its gate counts this callback */
    allot_future *future;     /* held */
    allot_callback function;
    void *user;
} callback;

static _Thread_local allot_executor *calling;

const allot_executor *al_callback_executor(void)
{
    return calling;
}

static void call(al_job *job)
{
    callback *self = (callback *)job;
    allot_executor *executor = self->executor;
    calling = executor;
    self->function(self->future, self->user);
    calling = NULL;
    allot_release(self->future);
    free(self);
    al_gate_leave(executor->gate);
}

static void queue(al_continuation *continuation, allot_future *future)
{
    callback *self = (callback *)((char *)continuation - offsetof(callback, continuation));
    (void)future;
    al_service_add(&self->executor->callbacks, &self->job);
}

/* ALLOT_OK: it will be called later. ALLOT_TIMEOUT: the future is done, nothing was added. */
static allot_status add_later(allot_executor *executor, allot_future *future, allot_callback function,
                              void *user)
{
    if (!al_service_start(&executor->callbacks))
        return ALLOT_SYSTEM;
    callback *self = calloc(1, sizeof *self);
    if (!self)
        return ALLOT_NO_MEMORY;
    *self = (callback){ { NULL, 0, call }, { NULL, queue }, executor, allot_hold(future), function, user };
    al_gate_enter(executor->gate, true);
    if (al_future_add(future, &self->continuation))
        return ALLOT_OK;
    allot_release(future);
    free(self);
    al_gate_leave(executor->gate);
    return ALLOT_TIMEOUT;
}

allot_status allot_on_done(allot_future *future, allot_callback function, void *user)
{
    if (!future || !function)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    allot_executor *executor = al_executor_pin(al_task_from(future));
    allot_status status = executor ? add_later(executor, future, function, user) : ALLOT_TIMEOUT;
    if (executor)
        al_executor_unpin(executor);
    if (status != ALLOT_TIMEOUT)
        return status;
    allot_executor *outer = calling;
    calling = al_task_executor(al_task_from(future)); /* compared, never used: it may be closed by now */
    function(future, user);
    calling = outer;
    return ALLOT_OK;
}
