/* What does Allot add to an OpenCL device, beside the raw calls, and what do others need there? */
#include "harness.h"
#include "opencl.h"
#include <string.h>

static const bench_answerer answerers[] = {
    { "allot", NULL, "" },
    { "opencl-raw", NULL, "" },
    { "starpu", "peer_starpu_opencl", "libstarpu-dev, built with OpenCL" },
    { NULL, NULL, NULL },
};

#define BOTH "allot opencl-raw"
#define PAIR "allot+opencl-raw"
static const bench_asked questions[] = {
    { "opencl_launch", "", BOTH, 2, 1, false },
    { "opencl_batch", "", BOTH, 2, 1, false },
    { "opencl_task", "", "allot opencl-raw starpu", 2, 1, false },
    { "opencl_bandwidth_in", "", PAIR, 2, 1, false },
    { "opencl_bandwidth_out", "", PAIR, 2, 1, false },
    { "opencl_bandwidth_map", "", PAIR, 2, 1, false },
    { "opencl_map_latency", "", PAIR, 2, 1, false },
    { "opencl_overlap", "", PAIR, 2, 1, false },
    { "opencl_first", "", BOTH, 2, 1, true },
    { "opencl_first_cold", "", BOTH, 2, 1, true },
    { NULL, NULL, NULL, 0, 0, false },
};

/* What this program itself answers. */
static const struct {
    const char *question;
    bench_ask ours, raw;
} answers[] = {
    { "opencl_launch", opencl_launch, opencl_launch_raw },
    { "opencl_batch", opencl_batch, opencl_batch_raw },
    { "opencl_task", opencl_task, opencl_task_raw },
    { "opencl_bandwidth_in", opencl_bandwidth, opencl_bandwidth_raw },
    { "opencl_bandwidth_out", opencl_bandwidth, opencl_bandwidth_raw },
    { "opencl_bandwidth_map", opencl_bandwidth, opencl_bandwidth_raw },
    { "opencl_map_latency", opencl_bandwidth, opencl_bandwidth_raw },
    { "opencl_overlap", opencl_overlap, opencl_overlap_raw },
    { "opencl_first", opencl_first, opencl_first_raw },
    { "opencl_first_cold", opencl_first, opencl_first_raw },
};

static void ask(bench_round *round)
{
    bool raw = !strcmp(bench_system(round), "opencl-raw");
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (!strcmp(answers[i].question, bench_question(round))) {
            (raw ? answers[i].raw : answers[i].ours)(round);
            return;
        }
    bench_skip(round, "it has no answer to %s", bench_question(round));
}

int main(int argc, char **argv)
{
    const bench_plan plan = { .answerers = answerers, .questions = questions, .ask = ask };
    return bench_main(argc, argv, &plan);
}
