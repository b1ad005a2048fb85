/* A double-ended queue of pointers with one owner and many thieves: the owner pushes and takes at one end,
 * thieves steal at the other, without locks.
 *
 * D. Chase, Y. Lev, "Dynamic circular work-stealing deque", SPAA 2005, with the C11 orders of N. M. Le, A.
 * Pop, A. Cohen, F. Zappa Nardelli, "Correct and efficient work-stealing for weak memory models", PPoPP 2013
 * (figure 1), checked by tests/model/deque.pml. Under ThreadSanitizer, which does not model fences, the same
 * accesses are sequentially consistent.
 *
 * Its storage grows eightfold; what it outgrew, at most a seventh of it, is kept until fini, since a thief
 * may still look there. */
#ifndef AL_BASE_DEQUE_H
#define AL_BASE_DEQUE_H

#include "base/fence.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __SANITIZE_THREAD__
#define AL_DEQUE_RELAXED memory_order_seq_cst
#define AL_DEQUE_ACQUIRE memory_order_seq_cst
#define AL_DEQUE_RELEASE memory_order_seq_cst
#else
#define AL_DEQUE_RELAXED memory_order_relaxed
#define AL_DEQUE_ACQUIRE memory_order_acquire
#define AL_DEQUE_RELEASE memory_order_release
#endif

typedef struct al_deque_ring {
    struct al_deque_ring *outgrown;
    int64_t mask;
    _Atomic(void *) slots[];
} al_deque_ring;

typedef struct al_deque {
    _Alignas(64) _Atomic int64_t top;    /* the oldest; thieves move it */
    _Alignas(64) _Atomic int64_t bottom; /* one past the newest; the owner moves it */
    _Atomic(al_deque_ring *) ring;
    int64_t top_seen; /* the owner's: top was at least here, so that it need not read it to see that there is
                         room */
} al_deque;

/* Zeroed memory is a deque with no storage yet. */
void al_deque_fini(al_deque *deque);

/* For push, when it may have run out of room. */
bool al_deque_push_with_room(al_deque *deque, void *item);

/* The owner. False: memory is out, nothing was pushed. */
static inline bool al_deque_push(al_deque *deque, void *item)
{
    int64_t bottom = atomic_load_explicit(&deque->bottom, AL_DEQUE_RELAXED);
    al_deque_ring *ring = atomic_load_explicit(&deque->ring, AL_DEQUE_RELAXED);
    if (__builtin_expect(!ring || bottom - deque->top_seen > ring->mask, false))
        return al_deque_push_with_room(deque, item);
    atomic_store_explicit(&ring->slots[bottom & ring->mask], item, AL_DEQUE_RELAXED);
    /* release, where the paper has a fence and a relaxed store: the item comes before the new bottom. */
    atomic_store_explicit(&deque->bottom, bottom + 1, AL_DEQUE_RELEASE);
    return true;
}

/* The same for several, which are seen all at once; the last is the newest. */
bool al_deque_push_many(al_deque *deque, void *const *items, size_t count);

/* The owner: the newest; NULL: empty. */
void *al_deque_take(al_deque *deque);

/* The owner takes back an item that he holds anyhow and, between the two steps, lays claim to by a locked
 * operation of its own: that is then the fence as well. begin: false if it is not the newest; else undo, if
 * there was nothing left to lay claim to, or end: false if a thief has it, too. */
static inline bool al_deque_reclaim_begin(al_deque *deque, const void *item)
{
    int64_t bottom = atomic_load_explicit(&deque->bottom, AL_DEQUE_RELAXED) - 1;
    al_deque_ring *ring = atomic_load_explicit(&deque->ring, AL_DEQUE_RELAXED);
    if (!ring || bottom < deque->top_seen ||
        atomic_load_explicit(&ring->slots[bottom & ring->mask], AL_DEQUE_RELAXED) != item)
        return false;
    atomic_store_explicit(&deque->bottom, bottom, AL_DEQUE_RELAXED);
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

static inline void al_deque_reclaim_undo(al_deque *deque)
{
    int64_t bottom = atomic_load_explicit(&deque->bottom, AL_DEQUE_RELAXED);
    atomic_store_explicit(&deque->bottom, bottom + 1, AL_DEQUE_RELEASE);
}

static inline bool al_deque_reclaim_end(al_deque *deque)
{
    al_fence_after_locked(); /* as take's */
    int64_t bottom = atomic_load_explicit(&deque->bottom, AL_DEQUE_RELAXED);
    int64_t top = atomic_load_explicit(&deque->top, AL_DEQUE_RELAXED);
    deque->top_seen = top;
    if (__builtin_expect(top < bottom, true))
        return true;
    bool mine = top == bottom && atomic_compare_exchange_strong_explicit(
                                     &deque->top, &top, top + 1, memory_order_seq_cst, AL_DEQUE_RELAXED);
    atomic_store_explicit(&deque->bottom, bottom + 1, AL_DEQUE_RELAXED);
    return mine;
}

/* Any thread: the oldest; NULL: empty, or somebody else got it. */
void *al_deque_steal(al_deque *deque);

/* Any thread, of a deque whose owner never takes: up to `capacity` of the oldest, but not more than half
 * (rounded up), in order. 0: empty, or somebody else got them; `items` may have been written to all the same.
 */
size_t al_deque_steal_some(al_deque *deque, void **items, size_t capacity);

/* The owner: is this the newest, unless a thief has it? */
static inline bool al_deque_is_newest(const al_deque *deque, const void *item)
{
    int64_t bottom = atomic_load_explicit((_Atomic int64_t *)&deque->bottom, memory_order_relaxed);
    const al_deque_ring *ring =
        atomic_load_explicit((al_deque_ring * _Atomic *)&deque->ring, memory_order_relaxed);
    return ring && atomic_load_explicit((_Atomic(void *) *)&ring->slots[(bottom - 1) & ring->mask],
                                        memory_order_relaxed) == item;
}

/* How many there are, or were a moment ago. Any thread. */
static inline size_t al_deque_length(const al_deque *deque)
{
    int64_t top = atomic_load_explicit((_Atomic int64_t *)&deque->top, memory_order_relaxed);
    int64_t bottom = atomic_load_explicit((_Atomic int64_t *)&deque->bottom, memory_order_relaxed);
    return bottom > top ? (size_t)(bottom - top) : 0;
}

#endif
