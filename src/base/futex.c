#include "base/futex.h"
#include "base/clock.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

void al_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns, al_futex_scope scope)
{
    int flag = scope == AL_FUTEX_PRIVATE ? FUTEX_PRIVATE_FLAG : 0;
    struct timespec until = al_clock_timespec(deadline_ns);
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET | flag, expected, deadline_ns == INT64_MAX ? NULL : &until,
            NULL, FUTEX_BITSET_MATCH_ANY);
}

#ifdef SYS_futex_waitv
static struct futex_waitv entry(_Atomic uint32_t *word, uint32_t expected, uint32_t flags)
{
    return (struct futex_waitv){ .val = expected, .uaddr = (uintptr_t)word, .flags = FUTEX_32 | flags };
}

bool al_futex_wait_either(_Atomic uint32_t *own, uint32_t own_expected, _Atomic uint32_t *shared,
                          uint32_t shared_expected, int64_t deadline_ns)
{
    struct futex_waitv words[] = { entry(own, own_expected, FUTEX_PRIVATE_FLAG),
                                   entry(shared, shared_expected, 0) };
    struct timespec until = al_clock_timespec(deadline_ns);
    long result =
        syscall(SYS_futex_waitv, words, 2, 0, deadline_ns == INT64_MAX ? NULL : &until, CLOCK_MONOTONIC);
    return result >= 0 || (errno != ENOSYS && errno != EPERM);
}
#else
bool al_futex_wait_either(_Atomic uint32_t *own, uint32_t own_expected, _Atomic uint32_t *shared,
                          uint32_t shared_expected, int64_t deadline_ns)
{
    (void)own, (void)own_expected, (void)shared, (void)shared_expected, (void)deadline_ns;
    return false;
}
#endif

void al_futex_wake(_Atomic uint32_t *word, int count, al_futex_scope scope)
{
    int flag = scope == AL_FUTEX_PRIVATE ? FUTEX_PRIVATE_FLAG : 0;
    syscall(SYS_futex, word, FUTEX_WAKE | flag, count, NULL, NULL, 0);
}
