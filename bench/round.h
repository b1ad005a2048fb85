/* One round of one question, asked of one system: what a system's code sees.
 *
 * Each system answers in a process of its own, which the harness stops while others are asked: a peer whose
 * idle threads spin costs nobody but itself. The process is a program whose main is `return
 * bench_answer(argc, argv, ask)`. It is asked a round at a time through its standard input, and says what it
 * found on its standard output:
 *
 *     started as   PROGRAM --answer QUESTION SYSTEM WORKERS PRODUCERS full|quick
 *     reads        a line a round: "round SYSTEM", one and the same but where systems share a process
 *     says         "value NUMBER [SUFFIX]" for each figure, "skip WHY" or "fail WHY", then "end"
 *
 * A peer in another language speaks the same. Usable from C++. */
#ifndef BENCH_ROUND_H
#define BENCH_ROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_round bench_round;

/* What to do when asked: bench_record() what was found, or bench_fail() or bench_skip(). */
typedef void (*bench_ask)(bench_round *round);

/* Answers until standard input ends; returns what main should. */
int bench_answer(int argc, char **argv, bench_ask ask);

/* What is asked, of whom, with how many worker threads (or processes) and submitting threads. */
const char *bench_question(const bench_round *round);
const char *bench_system(const bench_round *round);
int bench_workers(const bench_round *round);
int bench_producers(const bench_round *round);
/* True if a tenth of the usual work is enough. */
bool bench_quick(const bench_round *round);
/* `full` of the work, or a tenth. */
size_t bench_count(const bench_round *round, size_t full);

/* A figure of this round, for the row named question + suffix. Per operation where the unit says so. */
void bench_record(bench_round *round, const char *suffix, double value);

/* Records the middle of the given latencies (sorts them) and, with suffix _p99, their 99th percentile. */
void bench_record_latencies(bench_round *round, int64_t *latencies_ns, size_t count);

/* The middle one; sorts them. */
int64_t bench_middle(int64_t *times_ns, size_t count);

/* A wrong result: the case ends, its rows are not printed, and the benchmark fails. printf-like. */
void bench_fail(bench_round *round, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The system cannot answer here: its rows are left out. printf-like. */
void bench_skip(bench_round *round, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True until one of these two was called. */
bool bench_fine(const bench_round *round);

/* ---- Measures ---- */

/* Nanoseconds on the monotonic clock. */
int64_t bench_now_ns(void);
/* Nanoseconds of CPU that all threads of this process have used. */
int64_t bench_cpu_ns(void);
/* This process's memory that no file stands behind, in bytes: anonymous and shared pages that are resident.
 */
int64_t bench_resident_bytes(void);

/* A block from malloc whose pages have been touched; ends the program when memory is out. */
void *bench_allocate(size_t count, size_t size);

#ifdef __cplusplus
}
#endif
#endif
