#include "base/futex.h"
#include "base/clock.h"
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

void al_futex_wake(_Atomic uint32_t *word, int count, al_futex_scope scope)
{
    int flag = scope == AL_FUTEX_PRIVATE ? FUTEX_PRIVATE_FLAG : 0;
    syscall(SYS_futex, word, FUTEX_WAKE | flag, count, NULL, NULL, 0);
}
