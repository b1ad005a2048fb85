/* A lane: what a thread has to itself, so that it need not share counters and caches with others.
 *
 * Every thread that uses the library takes a lane when it first needs one and gives it back when it ends; the
 * next new thread goes on with it and with what it holds. The first lanes have a number of their own: a cell
 * of that number in any table is written by that thread alone. All others share the last number. */
#ifndef AL_BASE_LANE_H
#define AL_BASE_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AL_LANES       64
#define AL_LANE_SHARED (AL_LANES - 1) /* the number of all threads that have none of their own */

typedef struct al_lane al_lane;
struct al_lane {
    unsigned number;      /* below AL_LANE_SHARED: this thread's own */
    unsigned spares;      /* base/slab.h: how many */
    void *spare;          /* the same: blocks of this lane's that were given last */
    al_lane *next;        /* of the free ones */
    al_lane *older;       /* of all: they are never freed */
    void *slab;           /* base/slab.c: this lane's blocks */
    void *blocks;         /* base/blocks.c: the larger ones */
    int64_t announced_ns; /* places/thread/park.c: when it last gave work to a pool some of which slept */
    unsigned unheeded;    /* the same: how often since then it woke nobody */
};

/* For each thread; NULL until it needs one. Initial-exec: a load, not a call, on every path that is timed in
 * nanoseconds. */
extern _Thread_local al_lane *al_lane_mine __attribute__((tls_model("initial-exec")));

al_lane *al_lane_take(void);

/* This thread's lane; never NULL. When memory is out it is one that several threads use (number
 * AL_LANE_SHARED, slab NULL). */
static inline al_lane *al_lane_here(void)
{
    al_lane *lane = al_lane_mine;
    return __builtin_expect(lane != NULL, true) ? lane : al_lane_take();
}

/* Adds to a cell of this thread's lane's number: a plain store where nobody else writes it. Returns the new
 * value. Release: whoever reads the sum sees what came before. */
static inline uint64_t al_lane_add_at(unsigned number, _Atomic uint64_t *cell, uint64_t amount)
{
    if (__builtin_expect(number == AL_LANE_SHARED, false))
        return atomic_fetch_add_explicit(cell, amount, memory_order_release) + amount;
    uint64_t value = atomic_load_explicit(cell, memory_order_relaxed) + amount;
    atomic_store_explicit(cell, value, memory_order_release);
    return value;
}

static inline uint64_t al_lane_add(const al_lane *lane, _Atomic uint64_t *cell, uint64_t amount)
{
    return al_lane_add_at(lane->number, cell, amount);
}

#endif
