/* The answers about an OpenCL device: ours, and those of the raw calls on the same device.
 *
 *     opencl_launch        an empty kernel, launched and waited for, one at a time; ns
 *     opencl_batch         1,000 launches of it, then a wait for all: a future each, against an event each;
 *                          ns a launch
 *     opencl_task          the same of a kernel that adds 1 to the task's own number (opencl_task.h): the
 *                          numbers are checked; ns a task
 *     opencl_bandwidth_in  64 MiB of memory that the device cannot share go to it for a kernel that looks at
 *                          both ends, which are checked; GB/s
 *     opencl_bandwidth_out the way back, after a kernel that wrote both ends; GB/s
 *     opencl_bandwidth_map the same of memory that the driver, or the library, may share with the device: a
 *                          kernel wrote all of it, it is mapped, read whole by one thread, which adds it up,
 *                          and unmapped; GB/s
 *     opencl_map_latency   of such memory, of which a kernel wrote both ends: it is mapped, both ends are
 *                          read, it is unmapped; ns
 *     opencl_overlap       16 tiles go to the device, through a kernel and back, one step after the other and
 *                          then all at once: how many times faster that is. _serial, _piped: ns a tile
 *     opencl_first         from nothing to the end of the first kernel, in a fresh process, what drivers and
 *                          libraries keep on disk being there; ns. _cold: with none of it
 *
 * Both sides of a bandwidth, of the latency of a map and of the overlap take turns, move by move, in one
 * process; _paired: how many times as fast ours is, the median of moves side by side. */
#ifndef BENCH_OPENCL_H
#define BENCH_OPENCL_H

#include "ours.h"

/* opencl_launches.c */
void opencl_launch(bench_round *round);
void opencl_launch_raw(bench_round *round);
void opencl_batch(bench_round *round);
void opencl_batch_raw(bench_round *round);
void opencl_task(bench_round *round);
void opencl_task_raw(bench_round *round);

/* opencl_moves.c: _in, _out and _map; and opencl_map_latency */
void opencl_bandwidth(bench_round *round);
void opencl_bandwidth_raw(bench_round *round);

/* opencl_overlap.c */
void opencl_overlap(bench_round *round);
void opencl_overlap_raw(bench_round *round);

/* opencl_first.c: and _cold */
void opencl_first(bench_round *round);
void opencl_first_raw(bench_round *round);

#endif
