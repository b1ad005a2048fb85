/* An event between two threads: a waiter that sleeps on a futex, the cheapest way to sleep there is, or that
 * spins; and the count of tasks that ran, a cache line a thread. What peers without futures wait with and are
 * checked by. Usable from C++. */
#ifndef BENCH_EVENT_H
#define BENCH_EVENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zero bytes: not set. */
typedef struct bench_event {
    uint32_t word;
} bench_event;

void bench_event_reset(bench_event *event);
/* What was written before is seen after the wait. */
void bench_event_set(bench_event *event);
void bench_event_wait(bench_event *event);
void bench_event_spin(bench_event *event);

/* Where this thread counts; NULL before its first. */
extern __thread uint64_t *bench_tally_mine;
uint64_t *bench_tally_first(void);

/* Counts one task of this thread: 1 to 2 ns. */
static inline void bench_tally(void)
{
    uint64_t *mine = bench_tally_mine ? bench_tally_mine : bench_tally_first();
    __atomic_store_n(mine, __atomic_load_n(mine, __ATOMIC_RELAXED) + 1, __ATOMIC_RELEASE);
}

/* How many ran in all threads so far. */
uint64_t bench_tally_sum(void);
/* Until that many have run, looking every 20 microseconds: for systems without a wait of their own. */
void bench_tally_wait(uint64_t sum);

/* A gate that tasks wait before: what keeps workers busy while others pile up. */
void bench_gate_pass(void);            /* a task's whole work */
void bench_gate_wait(uint64_t before); /* until so many wait there, since the start */
void bench_gate_open(void);            /* for those who wait */
void bench_gate_shut(void);

#ifdef __cplusplus
}
#endif
#endif
