/* The answers of bench_overhead itself: ours, and what the hardware and the kernel allow. */
#ifndef BENCH_OVERHEAD_H
#define BENCH_OVERHEAD_H

#include "opencl.h"
#include "ours.h"

/* overhead_tasks.c: the questions of questions.h, on the thread place. */
void overhead_tasks(bench_round *round);

/* overhead_limits.c */
void overhead_limits(bench_round *round);

#endif
