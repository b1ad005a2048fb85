#include "executor/arm.h"
#include "executor/choose.h"
#include "executor/control.h"
#include "executor/learn.h"
#include "executor/map.h"
#include "executor/price.h"
#include "executor/retry.h"
#include <stdio.h>

/* ---- The end ---- */

/* What a launch that did not succeed should have written must not be read as if it had. Not before the
 * launches that were submitted before it are over: they may read it still, and what they write does not make
 * it usable. */
static void poison_outputs(al_task *task)
{
    char cause[1024];
    const char *error = allot_future_error(&task->future);
    if (allot_future_status(&task->future) == ALLOT_DEPENDENCY)
        snprintf(cause, sizeof cause, "%s", error); /* it leads to the root already */
    else
        snprintf(cause, sizeof cause, "%s did not succeed: %s", al_task_name(task), error);
    for (size_t i = 0; i < al_task_launch(task)->arg_count; i++) {
        const al_argument *argument = &al_task_launch(task)->args[i];
        if (al_argument_is_array(argument) && argument->access & ALLOT_WRITE)
            al_array_poison(argument->view.array, argument->begin, argument->end, cause);
    }
}

static void retire(al_terms *terms)
{
    al_task *task = terms->task;
    al_control_disarm(terms);
    al_retry_fini(terms);
    bool ordered = terms->node.access_count != 0; /* one that was refused has no turn, and spoils nothing */
    if (ordered && allot_future_status(&task->future) != ALLOT_OK)
        poison_outputs(task);
    al_graph_release(&terms->node);
    al_learn(task->gate->executor, task);
    if (al_task_launch(task))
        al_launch_release_arrays(al_task_launch(task));
}

/* One of the things that a task's retirement waits for is over; the executor is not to be touched after
 * the last. */
static void settle(al_terms *terms)
{
    al_gate *gate = terms->task->gate;
    /* acq_rel: the later of both sees what the earlier did. */
    if (atomic_fetch_sub_explicit(&terms->more.open, 1, memory_order_acq_rel) != 1)
        return;
    retire(terms);
    al_gate_leave(gate);
}

static void settle_task(al_task *task)
{
    settle(al_terms_of(task));
}

static void ended(al_continuation *self, allot_future *future)
{
    (void)self;
    settle(al_terms_of(al_task_from(future)));
}

/* ---- To a place ---- */

void al_arm_fail(al_task *task, allot_status status, al_failure *failure)
{
    if (al_task_start(task)) {
        al_task_complete(task, status, failure);
        return;
    }
    al_failure_fini(failure);
    al_task_drop(task);
}

static allot_status check_after(const al_terms *terms, al_failure *failure)
{
    for (size_t i = 0; i < terms->after_count; i++) {
        allot_future *future = terms->after[i].future;
        allot_status status = allot_future_status(future);
        if (status == ALLOT_OK)
            continue;
        const char *error = allot_future_error(future);
        if (status == ALLOT_DEPENDENCY) /* it leads to the root already */
            return al_failure_set(failure, ALLOT_DEPENDENCY, "%s", error);
        return al_failure_set(failure, ALLOT_DEPENDENCY, "%s did not succeed: %s",
                              al_task_name(al_task_from(future)), error);
    }
    return ALLOT_OK;
}

static void release_after(al_terms *terms)
{
    for (size_t i = 0; i < terms->after_count; i++)
        allot_release(terms->after[i].future);
}

void al_arm_unlist(al_terms *terms)
{
    if (terms->previous)
        terms->previous->next = terms->next;
    else
        terms->task->gate->executor->arming = terms->next;
    if (terms->next)
        terms->next->previous = terms->previous;
    terms->listed = false;
}

static void unlink_arming(al_terms *terms)
{
    allot_executor *executor = terms->task->gate->executor;
    if (terms->at_once)
        return;
    pthread_mutex_lock(&executor->lock);
    if (terms->listed)
        al_arm_unlist(terms);
    pthread_mutex_unlock(&executor->lock);
}

/* Where time is virtual, what a choice really costs shows nowhere else. */
static al_place *choose(al_task *task, allot_status *status, al_failure *failure)
{
    allot_executor *executor = task->gate->executor;
    if (!task->gate->clock)
        return al_choose(executor, task, status, failure);
    int64_t began_ns = al_clock_now_ns();
    al_place *place = al_choose(executor, task, status, failure);
    atomic_fetch_add_explicit(&executor->deciding_ns, (uint64_t)(al_clock_now_ns() - began_ns),
                              memory_order_relaxed);
    return place;
}

/* Settled only after the place has the task, since the executor may go away with the last settlement. The
 * task may be over by then: arming's reference is let go last. */
static void place_task(al_terms *terms)
{
    al_task *task = terms->task;
    allot_future *future = &task->future;
    al_failure failure = { 0 };
    allot_status status = check_after(terms, &failure);
    release_after(terms);
    al_map *map = al_map_of(task); /* its chunks were its dependencies: there is nothing left to run */
    if (map)
        status = al_map_outcome(map, &failure);
    al_place *place = status == ALLOT_OK && !map ? choose(task, &status, &failure) : NULL;
    if (place)
        al_arm_dispatch(task, place);
    else
        al_arm_fail(task, status, &failure);
    if (atomic_load(&task->gate->executor
                         ->cancelling)) /* on its way while what waits and what is queued were cancelled */
        allot_cancel(future);
    settle(terms);
    allot_release(future);
}

void al_arm_go(al_terms *terms)
{
    al_task *task = terms->task;
    bool ended_early = allot_done(&task->future);
    if (!ended_early && al_choose_needs_devices(task->gate->executor, task) &&
        al_devices_await(task->gate->executor, terms))
        return; /* comes back when the search is over */
    unlink_arming(terms);
    if (!ended_early) {
        place_task(terms);
        return;
    }
    release_after(terms);
    settle(terms);
    al_task_drop(task);
    al_task_drop(task); /* arming's */
}

/* ---- Arming ---- */

static void ready(al_node *node)
{
    al_arm_go((al_terms *)((char *)node - offsetof(al_terms, node)));
}

static void after_done(al_continuation *self, allot_future *future)
{
    (void)future;
    al_after *after = (al_after *)self;
    al_rank_unfollow(&after->follow);
    al_node_arrive(&after->terms->node);
}

/* The node of the one that is waited for, if it has a rank too. */
static al_node *ranked(const al_terms *terms, allot_future *future)
{
    const al_task *task = al_task_from(future);
    bool ours = task->gate && task->gate == terms->task->gate && task->more;
    return ours && al_terms_of(task)->node.rank.wanted ? &al_terms_of(task)->node : NULL;
}

static void wait_for(al_terms *terms, al_after *after, allot_future *future)
{
    after->terms = terms;
    after->continuation.run = after_done;
    after->future = allot_hold(future);
    atomic_fetch_add_explicit(&terms->node.waiting, 1, memory_order_relaxed);
    al_node *before = terms->node.rank.wanted ? ranked(terms, future) : NULL;
    if (before)
        al_rank_follow(before, &after->follow, &terms->node);
    if (!al_future_add(future, &after->continuation))
        after_done(&after->continuation, future);
}

static bool link_arming(al_terms *terms)
{
    allot_executor *executor = terms->task->gate->executor;
    pthread_mutex_lock(&executor->lock);
    bool cancelling = executor->cancelling;
    terms->next = executor->arming;
    if (terms->next)
        terms->next->previous = terms;
    executor->arming = terms;
    terms->listed = true;
    pthread_mutex_unlock(&executor->lock);
    return cancelling;
}

/* It waits for nobody, and nobody else will let it go: what cancels everything finds it at its place, or is
 * seen by who takes it there. */
static bool goes_at_once(al_terms *terms)
{
    return !terms->after_count && atomic_load_explicit(&terms->node.waiting, memory_order_relaxed) == 1 &&
           al_devices_known(terms->task->gate->executor);
}

static void want_rank(al_terms *terms)
{
    const al_task *task = terms->task;
    allot_executor *executor = task->gate->executor;
    if (!(al_policy_needs(executor->policy) & ALLOT_POLICY_RANK))
        return;
    terms->node.rank.wanted = true;
    terms->node.rank.weight_s = al_task_launch(task) ? al_price_least_s(executor, task) : 0;
}

void al_arm(al_terms *terms, const allot_hints *hints)
{
    al_task *task = terms->task;
    terms->more.settle = settle_task;
    terms->end.run = ended;
    al_future_follow_new(&terms->task->future, &terms->end); /* the reference is arming's */
    terms->node.ready = ready;
    terms->node.priority = terms->more.priority;
    want_rank(terms);
    if (!al_graph_add(&terms->node)) {
        terms->node.access_count = 0; /* nothing to take out at the end */
        terms->node.rank.wanted = false;
        al_task_start(task);
        settle(terms);
        al_task_complete(task, ALLOT_NO_MEMORY, NULL);
        al_task_drop(task);
        return;
    }
    terms->at_once = goes_at_once(terms);
    bool cancelling = !terms->at_once && link_arming(terms);
    for (size_t i = 0; i < terms->after_count; i++)
        wait_for(terms, &terms->after[i], hints->after[i]);
    if (terms->deadline_ns != INT64_MAX)
        al_control_arm_deadline(terms);
    if (cancelling)
        al_future_drop(&task->future);
    al_node_arrive(&terms->node);
}
