/* Asks several systems the same question in turn, round after round, and prints the spread.
 *
 * A benchmark program is a table of cases and `return bench_main(...)`. Taking turns means that a slow moment
 * of the machine hits all systems alike: ratios within one run count, absolute times do not. */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One round of one case while it runs: what it found goes in here. */
typedef struct bench_round bench_round;

/* One question asked of one system. */
typedef struct bench_case {
    const char *question; /* the row's name; see bench_unit() */
    const char *system;   /* "allot", a limit or a peer */
    void (*run)(bench_round *round);
    bool fresh; /* each round in a new process of this program, so that nothing is warm */
} bench_case;

/* Prints what the options ask for; returns what main should. */
int bench_main(int argc, char **argv, const bench_case *cases, size_t count);

/* ---- For a case's function ---- */

/* True if a tenth of the usual work is enough. */
bool bench_quick(const bench_round *round);

/* A figure of this round, for the row named question + suffix. Per operation where the unit says so. */
void bench_record(bench_round *round, const char *suffix, double value);

/* Records the middle of the given latencies (sorts them) and, with suffix _p99, their 99th percentile. */
void bench_record_latencies(bench_round *round, int64_t *latencies_ns, size_t count);

/* The middle one; sorts them. */
int64_t bench_middle(int64_t *times_ns, size_t count);

/* A wrong result: the case ends, its rows are not printed, and the program fails. printf-like. */
void bench_fail(bench_round *round, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The system is not on this machine: its rows are left out. printf-like. */
void bench_skip(bench_round *round, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Nanoseconds on the monotonic clock. */
int64_t bench_now_ns(void);

/* A block from malloc whose pages have been touched; ends the program when memory is out. */
void *bench_allocate(size_t count, size_t size);

#endif
