/* Fork-join: two calls, of which another worker may take one. The task for that lies on the caller's stack.
 */
#ifndef AL_PLACES_THREAD_FORK_H
#define AL_PLACES_THREAD_FORK_H

#include "core/failure.h"
#include <allot/parallel.h>

struct al_pool;
struct al_worker;

/* `worker` is the calling thread's, NULL: it is no worker of the pool. A pool of NULL: one after the other
 * here. */
allot_status al_fork_join(struct al_pool *pool, struct al_worker *worker, const allot_branch *first,
                          const allot_branch *second, al_failure *failure);

#endif
