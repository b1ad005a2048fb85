/* Waiting: for one future or for any of several things, and being of use meanwhile.
 *
 * Who waits outside the pools spins a little and then sleeps on the future's own word. Who belongs to a pool,
 * or waits for one of several things, looks at them all and sleeps on one count for the whole program, the
 * epoch. */
#ifndef AL_CORE_WAIT_H
#define AL_CORE_WAIT_H

#include <allot/future.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- The epoch: for whoever waits for one of several things ----
 * Read it, look at all things (marking futures WATCHED), then sleep: any such thing that happens in between
 * bumps it. */
uint32_t al_epoch_read(void);
void al_epoch_wait(uint32_t seen, int64_t deadline_ns);
void al_epoch_bump(void);

/* A thread that belongs to a pool sets this so that its waits run other tasks instead of sleeping. */
typedef struct al_helper {
    bool (*help)(struct al_helper *self); /* runs one task if there is one */
    /* Runs the very task that this thread is about to wait for, if it is the one that the thread queued last
     * and nobody has begun it. */
    bool (*reclaim)(struct al_helper *self, allot_future *future);
    bool (*any)(struct al_helper *self); /* true if there is one. NULL: only help() can tell */
    void (*idle)(struct al_helper *self,
                 bool idle); /* told before and after it sleeps on the epoch: new work must bump it */
} al_helper;
extern _Thread_local al_helper *al_helper_here __attribute__((tls_model("initial-exec")));

/* What all waiting threads run when they have nothing of their own to run: simulated machines, whose time
 * passes only while somebody waits. NULL: there is none. */
extern al_helper *_Atomic al_helper_of_all;

/* Waits until ready(of) says true or the deadline passes; helps where this thread can. What makes it true
 * must bump the epoch. Returns ready's last answer. */
bool al_wait_until(bool (*ready)(void *of), void *of, int64_t deadline_ns);

#endif
