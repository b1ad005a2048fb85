/* What can be asked of a future beyond its status: its result with a wait, its decision. */
#include "core/task.h"
#include "placement/decision.h"
#include <stdio.h>
#include <string.h>

allot_status allot_get(allot_future *future, void *out, size_t size, int64_t timeout_ns)
{
    if (!future)
        return ALLOT_INVALID;
    allot_status status = ALLOT_OK;
    if (__builtin_expect(!al_future_done_here(future, timeout_ns), false) &&
        (status = allot_wait(future, timeout_ns)) != ALLOT_OK)
        return status;
    if (__builtin_expect(al_future_state_of(future) != ALLOT_STATE_SUCCEEDED, false))
        status = allot_future_status(future);
    if (status != ALLOT_OK || (!out && !size))
        return status;
    if (!out || size != allot_future_size(future))
        return ALLOT_INVALID;
    al_copy_small(out, al_task_out(al_task_from(future)), size);
    return ALLOT_OK;
}

const allot_decision *allot_future_decision(const allot_future *future)
{
    if (!future)
        return NULL;
    const al_task *task = (const al_task *)future;
    if (!task->more)
        return NULL;
    if (!allot_done(future))
        return atomic_load_explicit(&task->place, memory_order_acquire) ? task->more->decision : NULL;
    const allot_decision *decision = atomic_load_explicit(&task->more->decision, memory_order_acquire);
    return decision && decision->done ? decision : NULL; /* else it was ended while it was decided */
}

allot_status allot_future_times(const allot_future *future, allot_times *times)
{
    if (!future || !times || !times->size)
        return ALLOT_INVALID;
    if (!allot_done(future))
        return ALLOT_TIMEOUT;
    const al_task *task = (const al_task *)future;
    if (!al_task_launch(task))
        return ALLOT_UNSUPPORTED;
    const al_more *more = task->more;
    allot_times now = { .submitted = more->submitted_ns, .placed = more->decided_ns };
    if (al_future_state_of(future) != ALLOT_STATE_CANCELLED && allot_future_decision(future)) {
        now.started =
            more->started_ns; /* of one that was ended while it was decided, nobody else writes them */
        now.ended = more->ended_ns;
    }
    now.size = times->size < sizeof now ? times->size : sizeof now;
    memcpy(times, &now, now.size);
    return ALLOT_OK;
}

/* While the task runs its outcome may be written at any moment: then only what came before is looked at. */
static void print(const allot_decision *decision, bool done, FILE *stream)
{
    allot_decision shown = { 0 };
    memcpy(&shown, decision, done ? sizeof shown : offsetof(allot_decision, done));
    shown.left_out = decision->left_out;
    shown.left_out_why = decision->left_out_why;
    al_decision_print(&shown, stream);
}

allot_status allot_explain(const allot_future *future, FILE *stream)
{
    if (!future || !stream)
        return ALLOT_INVALID;
    bool done = allot_done(future);
    const allot_decision *decision = allot_future_decision(future);
    const char *place = allot_future_place(future);
    if (decision)
        print(decision, done, stream);
    else if (*place && !al_task_launch((const al_task *)future))
        fprintf(stream, "nothing to decide: a plain function went to %s\n", place);
    else
        fprintf(stream, "no place was chosen%s%s\n", allot_done(future) ? ": " : " yet",
                allot_future_error(future));
    return ALLOT_OK;
}
