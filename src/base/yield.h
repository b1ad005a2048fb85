/* Letting others run while spinning: who spins may be all that keeps what it waits for from this CPU. The
 * kernel moves one of two that want the same CPU elsewhere, but not one of two that wake each other by turns.
 *
 * Where something else wants the CPU a yield may cost a whole slice of time: then it is not tried again for
 * long. */
#ifndef AL_BASE_YIELD_H
#define AL_BASE_YIELD_H

#include <stdint.h>

/* Yields, unless the last one was dear; `now_ns` is the time. Returns the time after it. */
int64_t al_yield(int64_t now_ns);

#endif
