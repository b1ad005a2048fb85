#include "executor/fallback.h"
#include "base/log.h"
#include "executor/arm.h"
#include "executor/choose.h"
#include <stdio.h>

/* One device may not take what the next one takes: so a program that was not built may move again. */
static bool may_move(const al_task *task, bool unbuilt)
{
    const al_launch *launch = al_task_launch(task);
    return launch && task->gate && (unbuilt || (launch->kernel->desc.cpu && !task->more->moved_to)) &&
           al_task_stop_status(task) == ALLOT_OK && al_launch_intact(launch);
}

/* Before the task is seen to be done, as all of its outcome. Why is that of the place that was chosen. */
static void note(al_task *task, const al_place *to, const char *message)
{
    allot_decision *decision = atomic_load_explicit(&task->more->decision, memory_order_acquire);
    if (!decision)
        return;
    snprintf(decision->retried_on, sizeof decision->retried_on, "%s", to->id);
    if (!decision->retried_why[0])
        snprintf(decision->retried_why, sizeof decision->retried_why, "%s", message);
}

bool al_fallback(al_place *from, al_task *task, allot_status status, const al_failure *failure)
{
    const char *message = failure && failure->message ? failure->message : "for an unknown reason";
    bool unbuilt = status == ALLOT_BUILD || status == ALLOT_UNSUPPORTED;
    if (!may_move(task, unbuilt))
        return false;
    al_gate *gate = task->gate;
    al_place *to = al_choose_fallback(gate->executor, task, unbuilt);
    if (!to)
        return false;
    /* That one device of several takes no program is nothing to worry about: the decision says it. */
    al_log(to->kind == ALLOT_OPENCL ? AL_LOG_INFO : AL_LOG_WARNING,
           "%s is run once more, on %s, since %s failed: %s", al_task_name(task), to->id, from->id, message);
    note(task, to, message);
    al_terms_of(task)->decided = NULL; /* what it costs now says nothing of the place that was chosen */
    task->more->retried = true;
    atomic_store_explicit(&task->more->moved_to, to->id, memory_order_relaxed);
    al_gate_enter(gate, true); /* the task may be over, and the executor closed, before dispatching is */
    al_arm_dispatch_again(task, to);
    al_gate_leave(gate);
    return true;
}
