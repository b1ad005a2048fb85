/* The contract of a place, against a simulated processor: the facts that hold where time passes only while
 * somebody waits. Those below hold jobs at gates, poll for a job to run, a callback or their own deadline to
 * come, or ask for other places than one processor, and so need a place that goes on by itself. (Deadlines of
 * simulated tasks: test_sim.c.) */
#include "place_contract.h"
#include "places/sim/machine.h"

static const char *const others[] = {
    "B2 no more tasks",
    "C1 only the",
    "C2 C3 C4 done,",
    "C6 a running",
    "C10 C11 C18",
    "C12 C13 a blocked",
    "C16 done shows",
    "C18 huge timeouts",
    "E2 E3 wait-any",
    "E4 the first",
    "E7 a wait that",
    "E15 one wait",
    "F1 the results",
    "F7 what has",
    "F7 a stop ends",
    "F7 a deadline",
    "F10 items can",
    "G5 a cancelling",
    "D1 D2 D3 a callback",
    "D6 callbacks",
    "D7 D8 callbacks",
    "D5 a callback",
    "after: a task",
    "stop: a running",
    "deadline: a pending",
    "deadline: a running",
    "G5 a shutdown",
    "G6 a second",
    NULL,
};

int main(int argc, char **argv)
{
    if (!*al_sim_reader_version())
        return test_skip("this build cannot read machine files");
    return contract_main_simulated(argc, argv, TEST_DATA "/machines/mirage.json", "cpu:0", others);
}
