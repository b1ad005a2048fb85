/* A lock whose word says who holds it: a process, by its party. Which thread of that process is its own
 * affair and kept in its own memory.
 *
 * The maker's process frees the word of a dead party and leaves AL_MUTEX_DIED in it; a thread that ends
 * does the same for what it holds. */
#ifndef AL_SYNC_MUTEX_H
#define AL_SYNC_MUTEX_H

#include "sync/object.h"

#define AL_MUTEX_PARTY 0xffffu             /* who holds it; 0: nobody */
#define AL_MUTEX_WAITS (UINT32_C(1) << 30) /* somebody may sleep on the word */
#define AL_MUTEX_DIED  (UINT32_C(1) << 31) /* a holder died; until somebody has made up for it */

struct allot_mutex {
    al_sync_object base;                    /* first */
    _Atomic uintptr_t holder;               /* the thread of this process that holds it; 0: none */
    allot_mutex *next_held, *previous_held; /* of what that thread holds */
};

/* True if this thread holds it. */
bool al_mutex_is_mine(const allot_mutex *mutex);

/* Takes a mutex that this thread does not hold, at whatever stop: ALLOT_OK, ALLOT_OWNER_DIED; ALLOT_INVALID:
 * it is gone. */
allot_status al_mutex_relock(allot_mutex *mutex);

#endif
