/* What does a task in another process cost, beside what two processes allow and what others need for it? */
#include "harness.h"
#include "limits.h"
#include "processes.h"
#include <stdlib.h>
#include <string.h>

static const bench_answerer answerers[] = {
    { "allot", NULL, "" },
    { "allot-many", NULL, "" },
    { "allot-map", NULL, "" },
    { "limit", NULL, "" },
    { "futex", NULL, "" },
    { "cpython", "peer_cpython.py", "/usr/bin/python3" },
    { "cpython-map", "peer_cpython.py", "/usr/bin/python3" },
    { "cpython-forkserver", "peer_cpython.py", "/usr/bin/python3" },
    { "loky", "peer_loky.py", "python3-joblib" },
    { NULL, NULL, NULL },
};

/* With two workers, and where a row ends in _w1 with one. */
#define THROUGHPUT "allot allot-many allot-map limit cpython cpython-map loky"
static const bench_asked questions[] = {
    { "process_throughput", "", THROUGHPUT, 2, 1, false },
    { "process_throughput", "_w1", THROUGHPUT, 1, 1, false },
    { "process_latency", "", "allot limit futex cpython loky", 2, 1, false },
    { "process_latency", "_w1", "allot limit futex cpython loky", 1, 1, false },
    { "process_latency_idle", "", "allot futex cpython loky", 2, 1, false },
    { "process_start", "", "allot limit cpython cpython-forkserver loky", 2, 1, true },
    { "process_array", "", "allot cpython loky", 2, 1, false },
    { "process_crash", "", "allot cpython loky", 2, 1, false },
    { NULL, NULL, NULL, 0, 0, false },
};

/* What this program itself answers. */
static void ask(bench_round *round)
{
    const char *question = bench_question(round), *system = bench_system(round);
    if (!strcmp(system, "limit") || !strcmp(system, "futex"))
        processes_limits(round);
    else if (!strcmp(question, "process_throughput"))
        processes_throughput(round);
    else if (!strcmp(question, "process_latency"))
        processes_latency(round, 0);
    else if (!strcmp(question, "process_latency_idle"))
        processes_latency(round, PROCESSES_PAUSE_NS);
    else if (!strcmp(question, "process_start"))
        processes_start(round);
    else if (!strcmp(question, "process_array"))
        processes_array(round);
    else if (!strcmp(question, "process_crash"))
        processes_crash(round);
    else
        bench_skip(round, "it has no answer to %s", question);
}

int main(int argc, char **argv)
{
    const bench_plan plan = { .answerers = answerers, .questions = questions, .ask = ask };
    if (argc == 3 && !strcmp(argv[1], "--partner"))
        return limits_partner(atoi(argv[2]));
    if (argc == 3 && !strcmp(argv[1], "--greet"))
        return processes_greet(atoi(argv[2]));
    return bench_main(argc, argv, &plan);
}
