/* How far from the best place does placement go, how soon does it find it, and what does a decision cost?
 *
 * The real questions are asked on the places of this machine, with two PoCL devices of different drivers
 * where POCL_DEVICES says nothing else; the simulated ones on data/machines, where the clock is virtual and
 * each round has other noise. */
#include "harness.h"
#include "placement.h"
#include <stdlib.h>
#include <string.h>

static const bench_answerer answerers[] = {
    { "allot", NULL, "" },      { "oracle", NULL, "" },        { "dmda", NULL, "" },
    { "auto_tune", NULL, "" },  { "heteroprio", NULL, "" },    { "eft", NULL, "" },
    { "random", NULL, "" },     { "always_thread", NULL, "" }, { "always_opencl:0", NULL, "" },
    { "always_cpu", NULL, "" }, { "always_dsp", NULL, "" },    { "always_gpu", NULL, "" },
    { NULL, NULL, NULL },
};

/* The last number is how many tiles, places or nodes of nine places each, where a question ends in one. */
#define REAL      "allot oracle dmda auto_tune random always_thread always_opencl:0"
#define SIMULATED "allot oracle dmda auto_tune random always_cpu always_dsp always_gpu"
#define LEARNING  "allot dmda auto_tune"
#define GRAPHS    "allot eft heteroprio dmda"
static const bench_asked questions[] = {
    { "regret", "", REAL, 2, 1, false },
    { "regret_simulated", "", SIMULATED, 2, 1, false },
    { "mix_total", "", SIMULATED, 2, 1, false },
    { "cold_regret", "", LEARNING, 2, 1, false },
    { "cold_regret_simulated", "", LEARNING, 2, 1, false },
    { "tasks_to_best", "", LEARNING, 2, 1, false },
    { "drift_tasks", "", LEARNING, 2, 1, false },
    { "moment_tasks", "", LEARNING, 2, 1, false },
    { "moment_tasks_next", "", LEARNING, 2, 1, false },
    { "decision_ns", "_1", "allot", 2, 1, false },
    { "decision_ns", "_8", "allot dmda", 2, 8, false },
    { "decision_ns", "_64", "allot dmda", 2, 64, false },
    { "decision_ns", "_512", "allot", 2, 512, false },
    { "decision_ns", "_8192", "allot", 2, 8192, false },
    { "decision_ns_nodes", "_1", "allot", 2, 1, false },
    { "decision_ns_nodes", "_32", "allot", 2, 32, false },
    { "decision_ns_nodes", "_1024", "allot", 2, 1024, false },
    { "graph_makespan_mirage", "_8", GRAPHS, 2, 8, false },
    { "graph_makespan_mirage", "_16", GRAPHS, 2, 16, false },
    { "graph_makespan_mirage", "_32", GRAPHS, 2, 32, false },
    { "graph_makespan_sirocco", "_8", GRAPHS, 2, 8, false },
    { "graph_makespan_sirocco", "_16", GRAPHS, 2, 16, false },
    { "graph_makespan_sirocco", "_32", GRAPHS, 2, 32, false },
    { NULL, NULL, NULL, 0, 0, false },
};

static void ask(bench_round *round)
{
    const char *question = bench_question(round);
    setenv("POCL_DEVICES", "pthread basic", 0);
    if (!strcmp(question, "regret"))
        placement_regret(round, &placement_real);
    else if (!strcmp(question, "regret_simulated"))
        placement_regret(round, &placement_simulated);
    else if (!strcmp(question, "mix_total"))
        placement_mix(round, &placement_simulated);
    else if (!strcmp(question, "cold_regret"))
        placement_cold(round, &placement_real);
    else if (!strcmp(question, "cold_regret_simulated"))
        placement_cold(round, &placement_simulated);
    else if (!strcmp(question, "tasks_to_best"))
        placement_tasks_to_best(round, &placement_simulated);
    else if (!strcmp(question, "drift_tasks") || !strncmp(question, "moment_tasks", 12))
        placement_drift(round);
    else if (!strncmp(question, "graph_makespan", 14))
        placement_makespan(round);
    else
        placement_decision(round);
}

int main(int argc, char **argv)
{
    const bench_plan plan = { .answerers = answerers, .questions = questions, .ask = ask };
    return bench_main(argc, argv, &plan);
}
