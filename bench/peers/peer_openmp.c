/* Asks the compiler's OpenMP. Its tasks live inside a parallel region and have no futures, and the thread
 * that makes them runs some itself: there are the workers and that one. A producer that is 64 tasks a thread
 * ahead runs the next at once (libgomp), so that they never pile up. */
#include "../questions.h"

static int workers;

static bool open_region(bench_round *round)
{
    workers = bench_workers(round);
    return true;
}

static void inside(void (*body)(void *), void *user)
{
#pragma omp parallel num_threads(workers + 1)
#pragma omp single
    body(user);
}

static void spawn(void)
{
#pragma omp task
    bench_tally();
}

static void drain(void)
{
#pragma omp taskwait
}

static uint64_t fib(unsigned n)
{
    if (n < 2)
        return n;
    uint64_t left, right;
#pragma omp task shared(left)
    left = fib(n - 1);
    right = fib(n - 2);
#pragma omp taskwait
    return left + right;
}

static uint64_t fib_inside(unsigned n)
{
    uint64_t value = 0;
#pragma omp parallel num_threads(workers)
#pragma omp single
    value = fib(n);
    return value;
}

/* A part a thread, as schedule(static) would cut it. */
static void loop(loops_part part, size_t count)
{
    size_t threads = (size_t)workers;
#pragma omp parallel for num_threads(workers) schedule(static)
    for (size_t i = 0; i < threads; i++)
        part(count * i / threads, count * (i + 1) / threads);
}

static const bench_ops ops = {
    .open = open_region, .spawn = spawn, .drain = drain, .inside = inside, .fib = fib_inside, .loop = loop
};
BENCH_ASK(ask, ops)

int main(int argc, char **argv)
{
    return bench_answer(argc, argv, ask);
}
