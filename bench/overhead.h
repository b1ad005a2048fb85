/* The cases of bench_overhead: what each system does for each question. */
#ifndef BENCH_OVERHEAD_H
#define BENCH_OVERHEAD_H

#include "harness.h"
#include <allot/allot.h>

/* The executor that all cases of a run share, with the default places; NULL, and the round fails, if it
 * cannot be opened. */
allot_executor *overhead_executor(bench_round *round);

/* The first place of this kind that takes tasks; NULL, and the round is left out, if there is none. */
const allot_place_info *overhead_place(bench_round *round, allot_kind kind);

/* overhead_tasks.c: on the thread place. */
void overhead_submit_get(bench_round *round); /* submit all, wait for all, get and release each */
void overhead_submit_get_first(
    bench_round *round); /* the same, once, in a process that has not done it before */
void overhead_submit_latency(bench_round *round); /* one at a time */

/* overhead_processes.c: on the process place. */
void overhead_process_throughput(bench_round *round);
void overhead_process_latency(bench_round *round);

/* overhead_opencl.c, or overhead_no_opencl.c: an empty kernel, launched and waited for, one at a time, by
 * both on the same device. */
void overhead_opencl_launch(bench_round *round);
void overhead_opencl_launch_raw(bench_round *round);

#endif
