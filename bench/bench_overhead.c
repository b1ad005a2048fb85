/* What does Allot add to a task or a launch, beside what the hardware allows? */
#include "limits.h"
#include "overhead.h"

#define HAND_OVERS  1000000
#define ROUND_TRIPS 20000
#define WAKES       5000

static size_t some(const bench_round *round, size_t count)
{
    return bench_quick(round) ? count / 10 : count;
}

static void ring_threads(bench_round *round)
{
    limits_ring(round, LIMITS_THREADS, some(round, HAND_OVERS));
}

static void ring_processes(bench_round *round)
{
    limits_ring(round, LIMITS_PROCESSES, some(round, HAND_OVERS));
}

static void line_threads(bench_round *round)
{
    limits_line(round, LIMITS_THREADS, some(round, ROUND_TRIPS));
}

static void line_processes(bench_round *round)
{
    limits_line(round, LIMITS_PROCESSES, some(round, ROUND_TRIPS));
}

static void futex_threads(bench_round *round)
{
    limits_futex(round, LIMITS_THREADS, some(round, WAKES));
}

static void futex_processes(bench_round *round)
{
    limits_futex(round, LIMITS_PROCESSES, some(round, WAKES));
}

/* Cases of one question stand together. */
static const bench_case cases[] = {
    { "submit_get_throughput", "allot", overhead_submit_get },
    { "submit_get_throughput", "limit", ring_threads },
    { "submit_get_throughput_first", "allot", overhead_submit_get_first, .fresh = true },
    { "submit_get_latency_warm", "allot", overhead_submit_latency },
    { "submit_get_latency_warm", "limit", line_threads },
    { "submit_get_latency_warm", "futex", futex_threads },
    { "process_throughput", "allot", overhead_process_throughput },
    { "process_throughput", "limit", ring_processes },
    { "process_latency", "allot", overhead_process_latency },
    { "process_latency", "limit", line_processes },
    { "process_latency", "futex", futex_processes },
    { "opencl_launch", "allot", overhead_opencl_launch },
    { "opencl_launch", "opencl-raw", overhead_opencl_launch_raw },
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
