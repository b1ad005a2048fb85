#include "pair.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#define LINE  64
#define SPINS 16384 /* then whoever else wants this CPU is let through */

static struct {
    _Alignas(LINE) _Atomic uint32_t started; /* loops; released by the caller after `part` and `count` */
    loops_part part;
    size_t count;
    _Alignas(LINE) _Atomic uint32_t ended; /* released by the partner after its half */
} board;

static void spin_for(_Atomic uint32_t *word, uint32_t expected)
{
    for (uint32_t turns = 1; atomic_load_explicit(word, memory_order_acquire) != expected; turns++)
        if (turns % SPINS == 0)
            sched_yield();
}

/* Two that spin need a CPU each: this thread stays on its own, and the partner on any other. */
static void settle(int host_cpu, bool host)
{
    cpu_set_t chosen;
    if (host_cpu < 0 || sched_getaffinity(0, sizeof chosen, &chosen) != 0)
        return;
    if (host) {
        CPU_ZERO(&chosen);
        CPU_SET(host_cpu, &chosen);
    } else {
        CPU_CLR(host_cpu, &chosen);
    }
    if (CPU_COUNT(&chosen))
        sched_setaffinity(0, sizeof chosen, &chosen); /* if refused, the figure is a worse one */
}

static void *serve(void *host_cpu)
{
    settle(*(int *)host_cpu, false);
    for (uint32_t loop = 1;; loop++) {
        spin_for(&board.started, loop);
        board.part(board.count / 2, board.count);
        atomic_store_explicit(&board.ended, loop, memory_order_release);
    }
    return NULL;
}

bool pair_open(void)
{
    static bool opened;
    static int host_cpu;
    pthread_t thread;
    if (opened)
        return true;
    host_cpu = sched_getcpu();
    opened = pthread_create(&thread, NULL, serve, &host_cpu) == 0 && pthread_detach(thread) == 0;
    settle(host_cpu, true);
    return opened;
}

void pair_loop(loops_part part, size_t count)
{
    uint32_t loop = atomic_load_explicit(&board.started, memory_order_relaxed) + 1;
    board.part = part;
    board.count = count;
    atomic_store_explicit(&board.started, loop, memory_order_release);
    part(0, count / 2);
    spin_for(&board.ended, loop);
}
