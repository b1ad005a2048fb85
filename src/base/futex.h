/* Sleeping on a 32-bit word. */
#ifndef AL_BASE_FUTEX_H
#define AL_BASE_FUTEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum al_futex_scope {
    AL_FUTEX_PRIVATE, /* the word is used by this process alone */
    AL_FUTEX_SHARED   /* the word lies in memory shared with other processes */
} al_futex_scope;

/* Sleeps while *word == expected, until a wake, a signal or the deadline. May return early: look at the word
 * again. */
void al_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns, al_futex_scope scope);

/* The same with two words, a private one and a shared one: sleeps while both are as expected. False: the
 * kernel cannot (Linux can since 5.16). */
bool al_futex_wait_either(_Atomic uint32_t *own, uint32_t own_expected, _Atomic uint32_t *shared,
                          uint32_t shared_expected, int64_t deadline_ns);

/* Wakes up to `count` sleepers. */
void al_futex_wake(_Atomic uint32_t *word, int count, al_futex_scope scope);

/* Tells the processor that this is a spin loop. */
static inline void al_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

#endif
