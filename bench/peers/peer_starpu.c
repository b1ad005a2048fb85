/* Asks StarPU with its scheduler `eager` and CPU workers alone. A task's future is the task, which is not
 * detached and so waited for one by one; without futures tasks are detached and all are waited for at once.
 * Its tasks cannot wait for each other: no spawn_join. It takes microseconds a task, so it is given fewer. */
#include "../questions.h"
#include <starpu.h>

static void run_empty(void *buffers[], void *arguments)
{
    (void)buffers, (void)arguments;
    bench_tally();
}

static void run_hold(void *buffers[], void *arguments)
{
    (void)buffers, (void)arguments;
    bench_gate_pass();
}

static struct starpu_codelet empty_codelet = { .cpu_funcs = { run_empty }, .nbuffers = 0, .name = "empty" };
static struct starpu_codelet hold_codelet = { .cpu_funcs = { run_hold }, .nbuffers = 0, .name = "hold" };

static bool open_starpu(bench_round *round)
{
    static bool opened;
    struct starpu_conf conf;
    if (opened)
        return true;
    setenv("STARPU_SILENT", "1", 1);
    setenv("STARPU_BUS_CALIBRATE", "0", 1);
    starpu_conf_init(&conf);
    conf.ncpus = bench_workers(round);
    conf.ncuda = conf.nopencl = 0;
    conf.sched_policy_name = "eager";
    int error = starpu_init(&conf);
    opened = error == 0 && (int)starpu_cpu_worker_get_count() == bench_workers(round);
    if (!opened)
        bench_fail(round, "starpu_init answered %d, with %u workers", error,
                   error ? 0 : starpu_cpu_worker_get_count());
    return opened;
}

static struct starpu_task *start(struct starpu_codelet *codelet, bool detached)
{
    struct starpu_task *task = starpu_task_create();
    if (!task)
        return NULL;
    task->cl = codelet;
    task->detach = detached;
    if (starpu_task_submit(task) == 0)
        return task;
    starpu_task_destroy(task);
    return NULL;
}

static void *submit(void)
{
    return start(&empty_codelet, false);
}

static bool finish(void *future)
{
    return future && starpu_task_wait(future) == 0; /* destroys it too */
}

static bool once(void)
{
    return finish(submit());
}

static void hold(void)
{
    start(&hold_codelet, true);
}

static void spawn(void)
{
    start(&empty_codelet, true);
}

static void drain(void)
{
    starpu_task_wait_for_all();
}

static const bench_ops ops = { .open = open_starpu,
                               .tasks = BENCH_TASKS / 5,
                               .submit = submit,
                               .finish = finish,
                               .once = once,
                               .hold = hold,
                               .spawn = spawn,
                               .drain = drain };
BENCH_ASK(ask, ops)

int main(int argc, char **argv)
{
    return bench_answer(argc, argv, ask);
}
