/* Asks the naive pool. Its workers cannot wait for each other: no spawn_join. */
#include "../questions.h"
#include "naive.h"

static char empties; /* what an empty task is given, and gives back */

static bool open_pool(bench_round *round)
{
    static bool opened;
    if (!opened)
        opened = naive_open(bench_workers(round));
    if (!opened)
        bench_fail(round, "no thread to be had");
    return opened;
}

static void *empty(void *argument)
{
    bench_tally();
    return argument;
}

static void *pass_gate(void *argument)
{
    bench_gate_pass();
    return argument;
}

static void *submit(void)
{
    return naive_submit(empty, &empties);
}

static bool finish(void *future)
{
    return future && naive_finish(future) == &empties;
}

static bool once(void)
{
    return finish(submit());
}

static void hold(void)
{
    naive_spawn(pass_gate, NULL, 1);
}

static void spawn(void)
{
    naive_spawn(empty, NULL, 1);
}

static void spawn_batch(void)
{
    naive_spawn(empty, NULL, BENCH_BATCH);
}

static const bench_ops ops = { .open = open_pool,
                               .submit = submit,
                               .finish = finish,
                               .once = once,
                               .hold = hold,
                               .spawn = spawn,
                               .spawn_batch = spawn_batch };
BENCH_ASK(ask, ops)

int main(int argc, char **argv)
{
    return bench_answer(argc, argv, ask);
}
