/* Load: what is predicted to be queued or running on one resource, a device or the CPUs, which several places
 * share; and, of many places that are alike, which is free first.
 *
 * A launch is charged when it is decided and discharged when it is over. In between the resource is thought
 * to work off what it was charged, several launches at once where they leave each other workers; each end
 * puts the thought right. */
#ifndef AL_PLACES_LOAD_H
#define AL_PLACES_LOAD_H

#include "base/spin.h"
#include <stddef.h>
#include <stdint.h>

typedef struct al_ready al_ready;

typedef struct al_load {
    int width;               /* workers that launches share; 1: one launch after the other */
    _Atomic int busy;        /* workers that the launches charged would keep busy at once */
    _Atomic int64_t area_ns; /* predicted time of the launches charged, times the workers that each takes */
    _Atomic int64_t free_at_ns; /* when all of it is expected to be over */
    _Atomic int64_t running_ns; /* of it, the launch that began last */
    _Atomic uint32_t begun;     /* launches so far */
    al_spin lock;    /* guards all above but width; read without it where a moment's error does no harm */
    al_ready *ready; /* NULL, or where this one competes with others like it */
    size_t slot;     /* there */
} al_load;

/* Charges a launch that is expected to keep `workers` of the resource busy for predicted_ns. */
void al_load_charge(al_load *load, int64_t predicted_ns, int workers, int64_t now_ns);
/* Returns how many have begun before it. */
uint32_t al_load_begin(al_load *load, int64_t predicted_ns, int workers);
void al_load_discharge(al_load *load, int64_t predicted_ns, int workers, int64_t now_ns);

/* How long a launch that wants so many workers is expected to wait. One that is late does not hide those
 * behind it. */
static inline int64_t al_load_wait_ns(const al_load *load, int workers, int64_t now_ns)
{
    al_load *own = (al_load *)load; /* to read atomics of */
    int busy = atomic_load_explicit(&own->busy, memory_order_relaxed);
    if (busy + (workers > 0 ? workers : 1) <= load->width) /* what only waits needs one to begin it */
        return 0;
    int64_t wait_ns = atomic_load_explicit(&own->free_at_ns, memory_order_relaxed) - now_ns;
    int64_t behind_ns = atomic_load_explicit(&own->area_ns, memory_order_relaxed) -
                        atomic_load_explicit(&own->running_ns, memory_order_relaxed);
    if (wait_ns >= behind_ns) /* mostly; dividing takes a while */
        return wait_ns > 0 ? wait_ns : 0;
    behind_ns /= load->width;
    return wait_ns > behind_ns ? wait_ns : behind_ns > 0 ? behind_ns : 0;
}

/* ---- Which of many is free first ----
 * A tournament: each change costs the logarithm of their number, the winner is at hand. */

struct al_ready {
    al_spin lock; /* guards all below */
    size_t count, capacity;
    int64_t *free_at_ns; /* by slot; INT64_MAX: out of the race */
    size_t *winners;     /* of the subtrees: the root is winners[1], slot s is leaf capacity + s */
};

/* Lets a load compete; false when memory is out. Loads are added by one thread at a time. */
bool al_ready_add(al_ready *ready, al_load *load);
void al_ready_withdraw(al_ready *ready, const al_load *load);
void al_ready_return(al_ready *ready, const al_load *load);
/* The slot of the one that is free first, of equals the first. Of none: 0. */
size_t al_ready_first(al_ready *ready);
void al_ready_fini(al_ready *ready);

#endif
