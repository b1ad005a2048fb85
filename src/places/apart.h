/* One function in a process of its own, which is killed if it is not through in time: for code that may crash
 * or hang, before this process calls it. The process place's way of starting processes is behind it
 * (places/process/apart.c). */
#ifndef AL_PLACES_APART_H
#define AL_PLACES_APART_H

#include "core/failure.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AL_APART_BYTES 16384

/* Works on memory that it shares with the parent: all that it reads and answers, aligned to 64 bytes. What it
 * wrote before a crash is there as well. */
typedef void (*al_apart_function)(void *bytes);

typedef struct al_apart al_apart; /* one that was started */

typedef enum al_apart_end {
    AL_APART_DONE,   /* the function has returned */
    AL_APART_DIED,   /* the process has ended before that */
    AL_APART_LATE,   /* it was killed: its time was up */
    AL_APART_UNBEGUN /* the function was not reached: that says nothing about it */
} al_apart_end;

/* Says whether this program can start such processes and, if not, why. */
bool al_apart_allowed(char *why, size_t why_size);

/* Starts it, with a copy of at most AL_APART_BYTES. Whoever started it must wait for it, in the same thread:
 * it dies with that. NULL with the failure set. */
al_apart *al_apart_start(al_apart_function function, const void *bytes, size_t size, al_failure *failure);

/* Waits until it is over, or the moment (of al_clock_now_ns()) has come. `bytes` receives what the function
 * made of them: any bytes at all, after a crash. `how`: in words how it ended, "it was killed by SIGSEGV".
 * Frees it. */
al_apart_end al_apart_wait(al_apart *apart, int64_t until_ns, void *bytes, char *how, size_t how_size);

#endif
