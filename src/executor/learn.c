#include "executor/learn.h"
#include "executor/classes.h"
#include "executor/journal.h"
#include <allot/policy.h>
#include <math.h>

static double seconds(int64_t ns)
{
    return (double)ns * 1e-9;
}

/* What it took beside the variant's own time, transfers and compilation. Only one that found its place idle
 * shows that, and that nothing more urgent was let in before it came to run; below 0: it did not. */
static double launch_s(const al_task *task)
{
    const al_launch *launch = al_task_launch(task);
    int64_t whole_ns =
        task->more->ended_ns - task->more->decided_ns - (int64_t)launch->moved.ns - launch->compiled_ns;
    if (!al_terms_of(task)->alone || task->more->overtaken)
        return -1;
    return whole_ns > launch->ran_ns ? seconds(whole_ns - launch->ran_ns) : 0;
}

/* Each by itself, whoever wanted it: a launch, or the host that maps an array. */
void al_learn_transfer(al_place *place, bool to_place, uint64_t bytes, int64_t ns)
{
    al_class_learn_link(place->alike, to_place ? AL_TO_PLACE : AL_FROM_PLACE, bytes, 1, seconds(ns));
}

void al_learn_explored(allot_executor *executor, int64_t ns, const allot_candidate *chosen)
{
    atomic_fetch_add_explicit(&executor->explored_ns, ns, memory_order_relaxed);
    if (chosen->samples)
        atomic_fetch_add_explicit(&executor->retried_ns, ns, memory_order_relaxed);
}

/* Of launches that take no longer than learning from them does, one in so many is enough, once they are
 * known, unless one took much longer than was thought. Virtual time is exact, and learns from each. */
#define SHORT_NS  20000
#define KNOWN     64
#define ONE_IN    8
#define MUCH_MORE 2

static bool is_old_news(const al_task *task, const allot_decision *decision)
{
    static _Thread_local unsigned passed __attribute__((tls_model("initial-exec")));
    const al_launch *launch = al_task_launch(task);
    const allot_candidate *chosen = &decision->candidates[decision->chosen];
    if (launch->ran_ns > SHORT_NS || launch->compiled_ns || launch->moved.bytes || task->gate->clock)
        return false;
    return chosen->samples >= KNOWN && seconds(launch->ran_ns) < MUCH_MORE * chosen->run_s &&
           ++passed % ONE_IN != 0;
}

static void learn_run(allot_executor *executor, const al_task *task)
{
    const al_terms *terms = al_terms_of(task);
    const al_launch *launch = al_task_launch(task);
    const allot_decision *decision = atomic_load_explicit(&task->more->decision, memory_order_relaxed);
    al_run run = { seconds(launch->ran_ns), seconds(launch->compiled_ns), launch_s(task) };
    if (terms->entry && !is_old_news(task, decision)) {
        al_size size = al_size_of(launch->work);
        al_entry_learn(terms->entry, &size, &run);
    }
    double whole_s = run.run_s + run.compile_s + seconds((int64_t)launch->moved.ns);
    allot_policy_learn(executor->policy, decision->snapshot, decision->chosen, run.run_s, whole_s);
    int64_t spent_ns = launch->ran_ns + launch->compiled_ns + (int64_t)(1e9 * fmax(run.launch_s, 0));
    atomic_fetch_add_explicit(&executor->busy_ns, spent_ns, memory_order_relaxed);
    if (terms->explores) /* what it was thought to take has been counted */
        al_learn_explored(executor, spent_ns - terms->predicted_ns, &decision->candidates[decision->chosen]);
}

void al_learn(allot_executor *executor, al_task *task)
{
    al_terms *terms = al_terms_of(task);
    if (executor->journal)
        al_journal_add(executor->journal, task);
    if (!terms->decided)
        return;
    al_place_discharge(terms->decided, task); /* one that never ran */
    if (allot_future_status(&task->future) == ALLOT_OK && al_task_launch(task)->items)
        learn_run(executor, task);
}
