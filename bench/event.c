#include "event.h"
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define UNSET      0
#define SET        1
#define SLEEPING   2 /* not set, and somebody sleeps */
#define LINE       64
#define TALLIES    1024
#define LOOKING_NS 20000
#define SPINS      16384 /* then the other side, which may want this CPU, is let through */

/* ---- Events ---- */

void bench_event_reset(bench_event *event)
{
    __atomic_store_n(&event->word, UNSET, __ATOMIC_RELAXED);
}

void bench_event_set(bench_event *event)
{
    if (__atomic_exchange_n(&event->word, SET, __ATOMIC_RELEASE) == SLEEPING)
        syscall(SYS_futex, &event->word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void bench_event_wait(bench_event *event)
{
    for (uint32_t seen; (seen = __atomic_load_n(&event->word, __ATOMIC_ACQUIRE)) != SET;) {
        if (seen == UNSET && !__atomic_compare_exchange_n(&event->word, &seen, SLEEPING, 0, __ATOMIC_RELAXED,
                                                          __ATOMIC_RELAXED))
            continue;
        syscall(SYS_futex, &event->word, FUTEX_WAIT_PRIVATE, SLEEPING, NULL, NULL, 0);
    }
}

void bench_event_spin(bench_event *event)
{
    for (uint32_t turns = 1; __atomic_load_n(&event->word, __ATOMIC_ACQUIRE) != SET; turns++)
        if (turns % SPINS == 0)
            sched_yield();
}

/* ---- Tallies ---- */

typedef struct tally {
    _Alignas(LINE) uint64_t count;
} tally;

static tally tallies[TALLIES];
__thread uint64_t *bench_tally_mine;

uint64_t *bench_tally_first(void)
{
    static size_t used;
    size_t index = __atomic_fetch_add(&used, 1, __ATOMIC_RELAXED);
    if (index >= TALLIES)
        abort(); /* counts would be lost */
    return bench_tally_mine = &tallies[index].count;
}

uint64_t bench_tally_sum(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < TALLIES; i++)
        sum += __atomic_load_n(&tallies[i].count, __ATOMIC_ACQUIRE);
    return sum;
}

void bench_tally_wait(uint64_t sum)
{
    const struct timespec pause = { 0, LOOKING_NS };
    while (bench_tally_sum() < sum)
        nanosleep(&pause, NULL);
}

/* ---- The gate ---- */

static bench_event gate;
static uint64_t arrived;

void bench_gate_pass(void)
{
    __atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
    bench_event_wait(&gate);
}

void bench_gate_wait(uint64_t before)
{
    const struct timespec pause = { 0, LOOKING_NS };
    while (__atomic_load_n(&arrived, __ATOMIC_RELAXED) < before)
        nanosleep(&pause, NULL);
}

void bench_gate_open(void)
{
    bench_event_set(&gate);
}

void bench_gate_shut(void)
{
    bench_event_reset(&gate);
}
