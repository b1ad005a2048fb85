/* The answers of bench_overhead itself: ours, and what the hardware and the kernel allow. */
#ifndef BENCH_OVERHEAD_H
#define BENCH_OVERHEAD_H

#include "round.h"
#include <allot/allot.h>

/* The executor of this process, with as many threads and worker processes as are asked for; NULL, and the
 * round fails, if it cannot be opened. */
allot_executor *overhead_executor(bench_round *round);

/* The first place of this kind that takes tasks; NULL, and the round is left out, if there is none. */
const allot_place_info *overhead_place(bench_round *round, allot_kind kind);

/* overhead_tasks.c: the questions of questions.h, on the thread place. */
void overhead_tasks(bench_round *round);

/* overhead_processes.c: on the process place. */
void overhead_process_throughput(bench_round *round); /* submit all, wait for all, get and release each */
void overhead_process_latency(bench_round *round);    /* one at a time */

/* overhead_opencl.c, or overhead_no_opencl.c: an empty kernel, launched and waited for, one at a time, by
 * both on the same device. */
void overhead_opencl_launch(bench_round *round);
void overhead_opencl_launch_raw(bench_round *round);

/* overhead_limits.c */
void overhead_limits(bench_round *round);

#endif
