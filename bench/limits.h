/* What the hardware and the kernel allow: the least that a hand-over between two threads, or two processes,
 * can cost.
 *
 *     ring   a single producer hands numbers to a single consumer through a ring: throughput
 *     line   a cache line goes to a spinning partner and back: latency while spinning is allowed
 *     futex  the partner sleeps on a futex and is woken: latency asleep
 */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H

#include "round.h"

typedef enum limits_scope {
    LIMITS_THREADS,
    LIMITS_PROCESSES
} limits_scope;

/* Each records its figures, or fails the round when the partner's count is wrong or it does not answer. With
 * `pause_ns` there is so much sleep before each round trip. */
void limits_ring(bench_round *round, limits_scope scope, size_t count);
void limits_line(bench_round *round, limits_scope scope, size_t count);
void limits_futex(bench_round *round, limits_scope scope, size_t count, long pause_ns);

/* What the partner process does: main of `--partner FD`. */
int limits_partner(int descriptor);

#endif
