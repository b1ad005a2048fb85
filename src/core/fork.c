/* After a fork the child has this library's memory but none of its threads: a flag makes its calls fail
 * instead of hang. */
#include "core/failure.h"
#include <pthread.h>
#include <stdatomic.h>

_Atomic bool al_fork_seen;

static void in_child(void)
{
    atomic_store_explicit(&al_fork_seen, true, memory_order_relaxed);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, in_child);
}
