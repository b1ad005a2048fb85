/* What does Allot add to a task, a loop or a launch, beside what the hardware allows and what others add? */
#include "harness.h"
#include "limits.h"
#include "overhead.h"
#include <stdlib.h>
#include <string.h>

static const bench_answerer answerers[] = {
    { "allot", NULL, "" },
    { "allot-fork", NULL, "" },
    { "allot-auto", NULL, "" },
    { "limit", NULL, "" },
    { "futex", NULL, "" },
    { "opencl-raw", NULL, "" },
    { "onetbb", "peer_onetbb", "libtbb-dev and a C++ compiler" },
    { "onetbb-spin", "peer_onetbb", "libtbb-dev and a C++ compiler" },
    { "onetbb-promise", "peer_onetbb", "libtbb-dev and a C++ compiler" },
    { "onetbb-auto", "peer_onetbb", "libtbb-dev and a C++ compiler" },
    { "openmp", "peer_openmp", "a compiler with OpenMP" },
    { "starpu", "peer_starpu", "libstarpu-dev" },
    { "naive", "peer_naive", "" },
    { "cpython", "peer_cpython.py", "/usr/bin/python3" },
    { NULL, NULL, NULL },
};

/* With two workers, and where a row ends in _w1 with one. Two workers and a producer are three threads. */
#define SUBMIT "allot limit onetbb onetbb-promise naive starpu cpython"
#define WARM   "allot limit futex onetbb onetbb-spin onetbb-promise naive starpu cpython"
#define IDLE   "allot futex onetbb onetbb-promise naive starpu cpython"
#define SPAWN  "allot limit onetbb openmp naive starpu"
#define BATCH  "allot limit onetbb naive"
#define JOIN   "allot allot-fork limit onetbb openmp"
#define LOOP   "allot allot-auto limit onetbb onetbb-auto openmp"
static const bench_asked questions[] = {
    { "submit_get_throughput", "", SUBMIT, 2, 1, false },
    { "submit_get_throughput", "_w1", SUBMIT, 1, 1, false },
    { "submit_get_throughput_first", "", "allot onetbb naive", 2, 1, true },
    { "submit_get_throughput_first", "_w1", "allot onetbb naive", 1, 1, true },
    { "submit_get_throughput", "_p1", "allot onetbb naive", 2, 1, false },
    { "submit_get_throughput", "_p2", "allot onetbb naive", 2, 2, false },
    { "submit_get_throughput", "_p4", "allot onetbb naive", 2, 4, false },
    { "submit_get_throughput", "_p8", "allot onetbb naive", 2, 8, false },
    { "submit_get_latency_warm", "", WARM, 2, 1, false },
    { "submit_get_latency_warm", "_w1", WARM, 1, 1, false },
    { "submit_get_latency_idle", "", IDLE, 2, 1, false },
    { "submit_get_latency_idle", "_w1", IDLE, 1, 1, false },
    { "memory_per_task", "", "allot onetbb onetbb-promise naive starpu cpython", 2, 1, true },
    { "spawn_throughput", "", SPAWN, 2, 1, false },
    { "spawn_throughput", "_w1", SPAWN, 1, 1, false },
    { "spawn_throughput_batched", "", BATCH, 2, 1, false },
    { "spawn_throughput_batched", "_w1", BATCH, 1, 1, false },
    { "spawn_join", "", JOIN, 2, 1, false },
    { "spawn_join", "_w1", JOIN, 1, 1, false },
    { "parallel_for_small", "", LOOP, 2, 1, false },
    { "parallel_for_saxpy", "", LOOP, 2, 1, false },
    { "opencl_launch", "", "allot opencl-raw", 2, 1, false },
    { NULL, NULL, NULL, 0, 0, false },
};

/* What this program itself answers. */
static void ask(bench_round *round)
{
    const char *question = bench_question(round), *system = bench_system(round);
    if (!strcmp(system, "limit") || !strcmp(system, "futex"))
        overhead_limits(round);
    else if (!strcmp(system, "opencl-raw"))
        opencl_launch_raw(round);
    else if (!strcmp(question, "opencl_launch"))
        opencl_launch(round);
    else
        overhead_tasks(round);
}

int main(int argc, char **argv)
{
    const bench_plan plan = { .answerers = answerers, .questions = questions, .ask = ask };
    if (argc == 3 && !strcmp(argv[1], "--partner"))
        return limits_partner(atoi(argv[2]));
    return bench_main(argc, argv, &plan);
}
