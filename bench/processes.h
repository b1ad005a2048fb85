/* The answers of bench_processes itself: ours, and what the hardware and the kernel allow.
 *
 * - process_throughput: 100,000 empty tasks with a future each: submitted, all waited for, each fetched and
 *   released; ns a task
 * - process_latency: one at a time, back to back, submit to result; ns. _idle: with 1 ms of sleep before
 * each, and with _cpu the CPU time of the submitting process as a share of wall
 * - process_start: from opening the executor until one result from each worker has come: the tasks wait for
 *   each other, so that no worker runs two; in a fresh process; ns
 * - process_array: 64 MiB go to a worker, which copies them into 64 MiB that come back: wall time less the
 *   copying itself, as the worker measures it; ns. So all systems are asked. _first: the first time with
 * these arrays, as against the copying of later times. _spread: to all workers at once, less an equal share
 * of the copying for each, so that a worker that waits for the last part, or for a CPU that another program
 * has, counts as more than the work
 * - process_crash: 1,000 tasks of 1 ms, of which every tenth kills its worker: ns a task. _without: the same
 *   with no kills; _share: throughput with as a share of without; _lost: of the tasks that do not kill, how
 *   many did not give their number back
 *
 * Tasks hand a number back, and each is checked. */
#ifndef BENCH_PROCESSES_H
#define BENCH_PROCESSES_H

#include "ours.h"

#define PROCESSES_PAUSES   300
#define PROCESSES_PAUSE_NS 1000000

/* processes_tasks.c. Systems: allot; allot-many: submitted by allot_submit_many(); allot-map: by allot_map().
 */
void processes_throughput(bench_round *round);
void processes_latency(bench_round *round, long pause_ns);
void processes_start(bench_round *round);

/* processes_faults.c */
void processes_array(bench_round *round);
void processes_crash(bench_round *round);

/* processes_limits.c: what two processes that spin (limit) or sleep (futex) allow, and what starting two
 * does.
 */
void processes_limits(bench_round *round);
/* main of `--greet FD`: what is started there. */
int processes_greet(int descriptor);

/* ---- Tasks that meet: each says that it runs, and waits until as many do ---- */

#define MEETING_PATH 64

/* An empty file for one meeting; false, with the round failed, if it cannot be made. */
bool meeting_call(bench_round *round, char path[MEETING_PATH]);
void meeting_end(const char *path);
/* Has as many tasks meet as there are workers: true if each ran in a process of its own. */
bool meeting_hold(bench_round *round, allot_executor *executor);

#endif
