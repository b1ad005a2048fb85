/* On the thread place. Systems:
 *     allot       tasks with futures, or without where the question says so; loops with the static schedule
 *     allot-fork  joins by allot_fork_join()
 *     allot-auto  loops with the default schedule */
#include "overhead.h"

#include "questions.h"

/* ---- How we do each step ---- */

static allot_executor *executor;
static int threads;

static bool open_executor(bench_round *round)
{
    threads = bench_workers(round);
    executor = ours_executor(round);
    return executor != NULL;
}

static allot_status empty(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    bench_tally();
    return ALLOT_OK;
}

static allot_status pass_gate(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    bench_gate_pass();
    return ALLOT_OK;
}

static void *submit(void)
{
    return allot_submit(executor, empty, NULL, 0, 0, NULL);
}

static void wait_all(void *const *futures, size_t count)
{
    allot_wait_all((allot_future *const *)futures, count, ALLOT_FOREVER);
}

static bool finish(void *future)
{
    bool succeeded = allot_get(future, NULL, 0, ALLOT_FOREVER) == ALLOT_OK;
    allot_release(future);
    return succeeded;
}

static bool once(void)
{
    return finish(submit());
}

/* What is refused does not run, and is missed in the count. */
static void hold(void)
{
    allot_spawn(executor, pass_gate, NULL, 0, NULL);
}

static void spawn(void)
{
    allot_spawn(executor, empty, NULL, 0, NULL);
}

static void spawn_batch(void)
{
    allot_spawn_many(executor, empty, NULL, 0, BENCH_BATCH, NULL, NULL);
}

/* ---- Joins ---- */

/* One future for the half that is spawned; the other is called. */
static allot_status fib(allot_call *call, const void *in, void *out)
{
    unsigned n = *(const unsigned *)in, half = n - 1, rest = n - 2;
    uint64_t left = 0, right = 0;
    if (n < 2) {
        *(uint64_t *)out = n;
        return ALLOT_OK;
    }
    allot_future *future = allot_submit(executor, fib, &half, sizeof half, sizeof left, NULL);
    allot_status status = fib(call, &rest, &right);
    allot_status joined = allot_get(future, &left, sizeof left, ALLOT_FOREVER);
    allot_release(future);
    *(uint64_t *)out = left + right;
    return joined == ALLOT_OK ? status : joined;
}

/* The same with the pair's argument and result on the stack, and no future. */
static allot_status fib_forking(allot_call *call, const void *in, void *out)
{
    unsigned n = *(const unsigned *)in, half = n - 1, rest = n - 2;
    uint64_t left = 0, right = 0;
    (void)call;
    if (n < 2) {
        *(uint64_t *)out = n;
        return ALLOT_OK;
    }
    const allot_branch first = { fib_forking, &half, &left, sizeof half, sizeof left };
    const allot_branch second = { fib_forking, &rest, &right, sizeof rest, sizeof right };
    allot_status status = allot_fork_join(executor, &first, &second);
    *(uint64_t *)out = left + right;
    return status;
}

static uint64_t run_fib(allot_function function, unsigned n)
{
    uint64_t value = 0;
    allot_future *future = allot_submit(executor, function, &n, sizeof n, sizeof value, NULL);
    allot_get(future, &value, sizeof value, ALLOT_FOREVER); /* left 0, which is wrong, if it failed */
    allot_release(future);
    return value;
}

static uint64_t fib_with_futures(unsigned n)
{
    return run_fib(fib, n);
}

static uint64_t fib_with_forks(unsigned n)
{
    return run_fib(fib_forking, n);
}

/* ---- Loops: the caller takes part, so that these are so many threads in all as there are workers ---- */

static allot_status run_part(allot_call *call, const allot_block *block, void *part)
{
    (void)call;
    (*(const loops_part *)part)(block->begin[0], block->end[0]);
    return ALLOT_OK;
}

static void loop_static(loops_part part, size_t count)
{
    allot_parallel_for(executor, allot_range(count), run_part, &part,
                       ALLOT_LOOP(.schedule = ALLOT_STATIC, .workers = threads));
}

static void loop_auto(loops_part part, size_t count)
{
    allot_parallel_for(executor, allot_range(count), run_part, &part, ALLOT_LOOP(.workers = threads));
}

/* ---- The systems ---- */

static const bench_ops ops = { .open = open_executor,
                               .submit = submit,
                               .wait_all = wait_all,
                               .finish = finish,
                               .once = once,
                               .hold = hold,
                               .spawn = spawn,
                               .spawn_batch = spawn_batch,
                               .fib = fib_with_futures,
                               .loop = loop_static };
static const bench_ops forking = { .open = open_executor, .fib = fib_with_forks };
static const bench_ops splitting = { .open = open_executor, .loop = loop_auto };
BENCH_ASK(ask, ops)
BENCH_ASK(ask_forking, forking)
BENCH_ASK(ask_splitting, splitting)

void overhead_tasks(bench_round *round)
{
    const char *system = bench_system(round);
    if (!strcmp(system, "allot-fork"))
        ask_forking(round);
    else if (!strcmp(system, "allot-auto"))
        ask_splitting(round);
    else
        ask(round);
}
