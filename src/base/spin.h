/* A lock for a few dozen instructions: figures that are read often and written briefly. */
#ifndef AL_BASE_SPIN_H
#define AL_BASE_SPIN_H

#include "base/futex.h"
#include <sched.h>

/* Zeroed is open. */
typedef struct al_spin {
    _Atomic bool taken;
} al_spin;

static inline void al_spin_lock(al_spin *spin)
{
    for (unsigned turns = 1; atomic_exchange_explicit(&spin->taken, true, memory_order_acquire); turns++) {
        if (turns % 64 == 0) /* its holder may have been put aside */
            sched_yield();
        else
            al_pause();
    }
}

/* False: somebody has it. */
static inline bool al_spin_try(al_spin *spin)
{
    return !atomic_load_explicit(&spin->taken, memory_order_relaxed) &&
           !atomic_exchange_explicit(&spin->taken, true, memory_order_acquire);
}

static inline void al_spin_unlock(al_spin *spin)
{
    atomic_store_explicit(&spin->taken, false, memory_order_release); /* pairs with the next lock */
}

#endif
