/* Cells and how placement does in them: a cell is one kernel at one size, a bed a machine with its cells. */
#ifndef BENCH_PLACEMENT_H
#define BENCH_PLACEMENT_H

#include "round.h"
#include <allot/allot.h>

#define PLACEMENT_PLACES_MAX 8

/* One kernel at one size, with arrays of its own. */
typedef struct placement_work placement_work;

/* A machine and the cells that are asked there. */
typedef struct placement_bed {
    size_t cells;
    size_t
        least_wins; /* of each place: how many cells it must be the best in for the question to make sense */
    /* A place that lost by far in a cell, and takes longer than this for a task, is not asked there again.
     * INFINITY: none is left out. */
    double patience_s;
    /* An executor whose model is kept nowhere; NULL, with the round failed. `policy` may be NULL. */
    allot_executor *(*open)(bench_round *round, const char *policy);
    /* NULL, with the round failed. */
    placement_work *(*prepare)(bench_round *round, allot_executor *executor, size_t cell);
    allot_future *(*launch)(placement_work *work, allot_executor *executor, const allot_hints *hints);
    /* Whether the launches' results are what they should be. */
    bool (*right)(placement_work *work);
    void (*finish)(placement_work *work);
    const char *(*name)(size_t cell);
} placement_bed;

/* placement_real.c: the sample kernels on the places of this machine. placement_simulated.c: six kernels on
 * bench/data/machines/three.json. */
extern const placement_bed placement_real, placement_simulated;

/* The machine file of placement_simulated, from the next open on; NULL: its own again. Must outlive that. */
void placement_simulated_machine(const char *path);

/* After 20 tasks that the policy placed, what a task takes against the best fixed place's, the two in turn. A
 * place that is 5 times slower than another, or more, is only asked in turn where that takes no time (see
 * patience_s): else what it took at first, two tasks at least, stands for it. Its results are checked all the
 * same. Records the geometric mean over the cells, _worst, and _places, how many places there were. */
void placement_regret(bench_round *round, const placement_bed *bed);
/* The same cells' time all together, against that of the best of the policies that always take one place. */
void placement_mix(bench_round *round, const placement_bed *bed);
/* The first 20 tasks of a kernel never seen, all together, against the best fixed place's first 20; one that
 * has taken longer for fewer is not waited for. Records the geometric mean over the cells, and _worst. */
void placement_cold(bench_round *round, const placement_bed *bed);
/* Tasks until for good nine of ten go to a place within 5 % of the best, on average over cells; 60 in one
 * where they never do. */
void placement_tasks_to_best(bench_round *round, const placement_bed *bed);
/* placement_drift.c: tasks after the best place became 5 times slower until nine of ten go to one within 10 %
 * of the new best, on average over cells, and _worst; 100 in one where they never do. moment_tasks: tasks
 * after it was so for a moment, 12 tasks long, until they go where they went before; moment_tasks_next: tasks
 * of the kernel's next size, which has not run, until they go to the best place there. */
void placement_drift(bench_round *round);

/* placement_graphs.c: the cost of one decision, and whole graphs by `allot simulate`. */
void placement_decision(bench_round *round);
void placement_makespan(bench_round *round);

#endif
