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

static void *serve(void *unused)
{
    for (uint32_t loop = 1;; loop++) {
        spin_for(&board.started, loop);
        board.part(board.count / 2, board.count);
        atomic_store_explicit(&board.ended, loop, memory_order_release);
    }
    return unused;
}

bool pair_open(void)
{
    static bool opened;
    pthread_t thread;
    if (!opened)
        opened = pthread_create(&thread, NULL, serve, NULL) == 0 && pthread_detach(thread) == 0;
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
