/* What the hardware and the kernel allow, for each question that has such a limit. Systems:
 *     limit  with both sides spinning: a ring, a cache line there and back, a spin barrier; a plain call
 *     futex  with both sides asleep */
#include "overhead.h"

#include "limits.h"
#include "pair.h"
#include "questions.h"

#define HAND_OVERS  1000000
#define ROUND_TRIPS 20000
#define WAKES       5000

static void ring_threads(bench_round *round)
{
    limits_ring(round, LIMITS_THREADS, bench_count(round, HAND_OVERS));
}

static void line_threads(bench_round *round)
{
    limits_line(round, LIMITS_THREADS, bench_count(round, ROUND_TRIPS));
}

static void futex_threads(bench_round *round)
{
    limits_futex(round, LIMITS_THREADS, bench_count(round, WAKES), 0);
}

static void futex_idle(bench_round *round)
{
    limits_futex(round, LIMITS_THREADS, bench_count(round, BENCH_PAUSES), BENCH_PAUSE);
}

/* ---- Joins and loops ---- */

static bool open_pair(bench_round *round)
{
    if (pair_open())
        return true;
    bench_fail(round, "no thread to be had");
    return false;
}

static bool open_nothing(bench_round *round)
{
    (void)round;
    return true;
}

/* Kept a call: unrolled and folded, it would be no limit of anything. */
static __attribute__((noinline, optimize("no-optimize-sibling-calls"))) uint64_t fib(unsigned n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static const bench_ops calls = { .open = open_nothing, .fib = fib };
static const bench_ops pair = { .open = open_pair, .loop = pair_loop };
BENCH_ASK(ask_calls, calls)
BENCH_ASK(ask_pair, pair)

void overhead_limits(bench_round *round)
{
    static const struct {
        const char *question, *system;
        bench_ask ask;
    } limits[] = {
        { "submit_get_throughput", "limit", ring_threads },
        { "spawn_throughput", "limit", ring_threads },
        { "spawn_throughput_batched", "limit", ring_threads },
        { "submit_get_latency_warm", "limit", line_threads },
        { "submit_get_latency_warm", "futex", futex_threads },
        { "submit_get_latency_idle", "futex", futex_idle },
        { "spawn_join", "limit", ask_calls },
        { "parallel_for_small", "limit", ask_pair },
        { "parallel_for_saxpy", "limit", ask_pair },
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (!strcmp(limits[i].question, bench_question(round)) &&
            !strcmp(limits[i].system, bench_system(round))) {
            limits[i].ask(round);
            return;
        }
    bench_skip(round, "no such limit");
}
