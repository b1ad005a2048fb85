/* Blocks of 128 bytes for tasks, from caches that threads have to themselves.
 *
 * A thread takes blocks from chunks of its own and gives them back there without an atomic operation; blocks
 * that another thread gives go by the dozen onto a list of their owner's, without a lock, and the owner
 * collects them when it runs dry. Chunks that are empty go to a pool of the process, which keeps at most
 * AL_SLAB_POOL_BYTES of touched memory; beside it each thread keeps at most AL_SLAB_OWN_CHUNKS empty ones.
 * Memory for blocks outlives every executor: it is the process's. Of its own blocks a thread keeps those that
 * it gave last, AL_SLAB_SPARES at most, at hand: they are warm. */
#ifndef AL_BASE_SLAB_H
#define AL_BASE_SLAB_H

#include "base/lane.h"

#define AL_SLAB_BLOCK      128
#define AL_SLAB_CHUNK      65536
#define AL_SLAB_OWN_CHUNKS 4
#define AL_SLAB_POOL_BYTES (256u << 20)
#define AL_SLAB_SPARES     16

/* A block, aligned to 128, of undefined content; NULL when memory is out. Any thread. */
void *al_slab_take_new(void);
void al_slab_give_back(void *block);

static inline void *al_slab_take(void)
{
    al_lane *lane = al_lane_mine;
    void *spare = lane ? lane->spare : NULL;
    if (__builtin_expect(!spare, false))
        return al_slab_take_new();
    lane->spare = *(void **)spare;
    lane->spares--;
    return spare;
}

/* Any thread. */
static inline void al_slab_give(void *block)
{
    al_lane *lane = al_lane_mine;
    /* A chunk begins with whose it is. No lane has a slab where blocks are malloc's. */
    if (__builtin_expect(lane && lane->slab && lane->spares < AL_SLAB_SPARES &&
                             *(void **)((uintptr_t)block & ~(uintptr_t)(AL_SLAB_CHUNK - 1)) == lane->slab,
                         true)) {
        *(void **)block = lane->spare;
        lane->spare = block;
        lane->spares++;
    } else
        al_slab_give_back(block);
}

/* Sends blocks of other threads' that this one has gathered to their owners. Blocks travel by the dozen:
 * before it sleeps a thread that frees others' blocks should say so. */
void al_slab_flush(void);

/* Returns what the pool and the calling thread keep unused to the system; how many bytes that was. What other
 * threads keep is theirs. */
size_t al_slab_trim(void);

#endif
