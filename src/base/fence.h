/* Fences between a frequent side and a rare one.
 *
 * "I write, then look whether you sleep; you write that you sleep, then look whether I wrote": both need a
 * full fence between their write and their look. Where Linux offers membarrier(2) the rare side pays for
 * both: it makes every running thread of the process pass a full fence, and the frequent side only keeps the
 * compiler in order. Elsewhere (old kernels, seccomp, Valgrind, ThreadSanitizer) both sides pay. */
#ifndef AL_BASE_FENCE_H
#define AL_BASE_FENCE_H

#include <stdatomic.h>
#include <stdbool.h>

extern bool al_fence_asymmetric; /* set before main, never changed: membarrier works here */

/* The rare side: after it, each light fence of another thread came before, or sees what was written before.
 */
void al_fence_heavy(void);

/* The frequent side. */
static inline void al_fence_light(void)
{
    if (__builtin_expect(al_fence_asymmetric, true))
        atomic_signal_fence(memory_order_seq_cst);
    else
        atomic_thread_fence(memory_order_seq_cst);
}

/* After a locked read-modify-write, where what was written before it and what is read after it must not
 * change places either: on x86 the operation itself sees to that. */
static inline void al_fence_after_locked(void)
{
#if defined(__x86_64__) || defined(__i386__)
    atomic_signal_fence(memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

#endif
