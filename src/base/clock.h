/* The monotonic clock, and deadlines on it. */
#ifndef AL_BASE_CLOCK_H
#define AL_BASE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Nanoseconds since some fixed moment; steps of the wall clock do not touch it. */
int64_t al_clock_now_ns(void);

/* The same on an executor's own clock: virtual time, which lies where the pointer says; NULL: the real one.
 */
static inline int64_t al_clock_of(const _Atomic int64_t *virtual_ns)
{
    return virtual_ns ? atomic_load_explicit((_Atomic int64_t *)virtual_ns, memory_order_relaxed)
                      : al_clock_now_ns();
}

/* The moment that a timeout from now ends, without overflow; ALLOT_FOREVER stays INT64_MAX, what is negative
 * means now. */
int64_t al_clock_deadline_ns(int64_t timeout_ns);

/* The same of a clock that shows now_ns. */
int64_t al_clock_deadline_from(int64_t now_ns, int64_t timeout_ns);

/* True once the moment has come; never for INT64_MAX. */
bool al_clock_passed(int64_t deadline_ns);

/* The same moment for system calls that take an absolute CLOCK_MONOTONIC time. */
struct timespec al_clock_timespec(int64_t moment_ns);

#endif
