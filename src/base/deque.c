#include "base/deque.h"
#include "base/fence.h"
#include <stdlib.h>

#define FIRST_SLOTS 256
#define GROWTH      8

#define RELAXED AL_DEQUE_RELAXED
#define ACQUIRE AL_DEQUE_ACQUIRE
#define RELEASE AL_DEQUE_RELEASE

static inline void fence(void)
{
#ifndef __SANITIZE_THREAD__
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

void al_deque_fini(al_deque *deque)
{
    al_deque_ring *ring = atomic_load_explicit(&deque->ring, RELAXED);
    for (al_deque_ring *next; ring; ring = next) {
        next = ring->outgrown;
        free(ring);
    }
    atomic_store_explicit(&deque->ring, NULL, RELAXED);
}

static inline void *get(al_deque_ring *ring, int64_t index)
{
    return atomic_load_explicit(&ring->slots[index & ring->mask], RELAXED);
}

static inline void put(al_deque_ring *ring, int64_t index, void *item)
{
    atomic_store_explicit(&ring->slots[index & ring->mask], item, RELAXED);
}

static al_deque_ring *grow(al_deque *deque, al_deque_ring *old, int64_t top, int64_t bottom)
{
    /* By leaps: what is never touched is no memory, but what was outgrown is. */
    int64_t slots = old ? (old->mask + 1) * GROWTH : FIRST_SLOTS;
    al_deque_ring *ring = malloc(sizeof *ring + (size_t)slots * sizeof ring->slots[0]);
    if (!ring)
        return NULL;
    ring->outgrown = old;
    ring->mask = slots - 1;
    for (int64_t i = top; i < bottom; i++)
        put(ring, i, get(old, i));
    atomic_store_explicit(&deque->ring, ring, RELEASE); /* with steal's acquire: the slots come first */
    return ring;
}

bool al_deque_push_with_room(al_deque *deque, void *item)
{
    int64_t bottom = atomic_load_explicit(&deque->bottom, RELAXED);
    al_deque_ring *ring = atomic_load_explicit(&deque->ring, RELAXED);
    deque->top_seen = atomic_load_explicit(&deque->top, ACQUIRE);
    if ((!ring || bottom - deque->top_seen > ring->mask) &&
        !(ring = grow(deque, ring, deque->top_seen, bottom)))
        return false;
    put(ring, bottom, item);
    atomic_store_explicit(&deque->bottom, bottom + 1, RELEASE); /* as push's */
    return true;
}

bool al_deque_push_many(al_deque *deque, void *const *items, size_t count)
{
    int64_t bottom = atomic_load_explicit(&deque->bottom, RELAXED), end = bottom + (int64_t)count;
    al_deque_ring *ring = atomic_load_explicit(&deque->ring, RELAXED);
    deque->top_seen = atomic_load_explicit(&deque->top, ACQUIRE);
    while (!ring || end - deque->top_seen > ring->mask + 1)
        if (!(ring = grow(deque, ring, deque->top_seen, bottom)))
            return false;
    for (int64_t i = bottom; i < end; i++)
        put(ring, i, items[i - bottom]);
    atomic_store_explicit(&deque->bottom, end, RELEASE); /* as push's */
    return true;
}

void *al_deque_take(al_deque *deque)
{
    int64_t bottom = atomic_load_explicit(&deque->bottom, RELAXED) - 1;
    al_deque_ring *ring = atomic_load_explicit(&deque->ring, RELAXED);
    if (!ring || bottom < deque->top_seen) /* top only grows: it is empty without asking the thieves */
        return NULL;
    atomic_store_explicit(&deque->bottom, bottom, RELAXED);
    fence(); /* with steal's: of the two who want the last one, at least one sees the other */
    int64_t top = atomic_load_explicit(&deque->top, RELAXED);
    void *item = NULL;
    deque->top_seen = top;
    if (top <= bottom) {
        item = get(ring, bottom);
        if (top < bottom)
            return item;
        if (!atomic_compare_exchange_strong_explicit(&deque->top, &top, top + 1, memory_order_seq_cst,
                                                     RELAXED))
            item = NULL; /* the last one went to a thief */
    }
    atomic_store_explicit(&deque->bottom, bottom + 1, RELAXED);
    return item;
}

/* ---- Thieves ---- */

void *al_deque_steal(al_deque *deque)
{
    int64_t top = atomic_load_explicit(&deque->top, ACQUIRE);
    fence();
    int64_t bottom = atomic_load_explicit(&deque->bottom, ACQUIRE);
    if (top >= bottom)
        return NULL;
    void *item = get(atomic_load_explicit(&deque->ring, ACQUIRE), top);
    if (!atomic_compare_exchange_strong_explicit(&deque->top, &top, top + 1, memory_order_seq_cst, RELAXED))
        return NULL;
    return item;
}

size_t al_deque_steal_some(al_deque *deque, void **items, size_t capacity)
{
    int64_t top = atomic_load_explicit(&deque->top, ACQUIRE);
    int64_t bottom = atomic_load_explicit(&deque->bottom, ACQUIRE); /* only grows: its owner never takes */
    if (top >= bottom)
        return 0;
    int64_t count = (bottom - top + 1) / 2;
    if (count > (int64_t)capacity)
        count = (int64_t)capacity;
    al_deque_ring *ring = atomic_load_explicit(&deque->ring, ACQUIRE);
    for (int64_t i = 0; i < count; i++)
        items[i] = get(ring, top + i);
    /* If this succeeds nobody moved top meanwhile, so no slot that was read has been used again. */
    if (!atomic_compare_exchange_strong_explicit(&deque->top, &top, top + count, memory_order_seq_cst,
                                                 RELAXED))
        return 0;
    return (size_t)count;
}
