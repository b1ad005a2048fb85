/* A future: one atomic state word with a futex under it, a stack of continuations, an outcome.
 *
 * The state changes PENDING → RUNNING → SUCCEEDED | FAILED, or PENDING → CANCELLED, each by one
 * compare-and-swap, so that whoever makes the change owns the next step. The outcome is written before the
 * last change and only read after it. */
#ifndef AL_CORE_FUTURE_H
#define AL_CORE_FUTURE_H

#include "core/failure.h"
#include "core/wait.h"
#include <allot/future.h>
#include <stdatomic.h>

/* Something to run once when a future is done: by the thread that ends it, with no lock held, in the order in
 * which they were added; or at once if it is done. Must not block and must not run user code. */
typedef struct al_continuation al_continuation;
struct al_continuation {
    al_continuation *next;
    void (*run)(al_continuation *self, allot_future *future);
};

struct allot_future {
    _Atomic uint32_t
        state; /* allot_state | AL_FUTURE_* flags; release when it becomes done, acquire when read */
    _Atomic uint32_t references;
    _Atomic(al_continuation *) continuations; /* newest first; AL_FUTURE_CLOSED once they have been taken */
    allot_status status;                      /* valid once done */
    al_failure *failure; /* valid once done; NULL: no message; freed with the future unless static */
    const void *result;  /* points into the same object */
    size_t result_size;
};

#define AL_FUTURE_STATE_MASK 0xffu
#define AL_FUTURE_WAITED     0x100u /* somebody sleeps on the word */
#define AL_FUTURE_WATCHED    0x200u /* somebody sleeps on the epoch and looks at this future among others */
#define AL_FUTURE_NO_SPIN    0x400u /* whoever spins for it takes a core from what it waits for */

/* Acquire: who sees a state sees what was written before the change to it. */
static inline allot_state al_future_state_of(const allot_future *future)
{
    return (allot_state)(atomic_load_explicit(&future->state, memory_order_acquire) & AL_FUTURE_STATE_MASK);
}

static inline bool al_future_state_is_done(allot_state state)
{
    return state != ALLOT_STATE_PENDING && state != ALLOT_STATE_RUNNING;
}

/* Sets a new future to PENDING with one reference. */
void al_future_init(allot_future *future, const void *result, size_t result_size);

/* Tries one change of state; true for the one caller who made it. */
bool al_future_change(allot_future *future, allot_state from, allot_state to);

/* Ends it: stores the outcome, changes the state (the caller must own that change: RUNNING → done), wakes,
 * runs the continuations. Takes over `failure` (may be NULL). */
void al_future_finish(allot_future *future, allot_state end, allot_status status, al_failure *failure);

/* Ends a pending one as cancelled; false if it was not pending. */
bool al_future_drop(allot_future *future);

/* Adds a continuation; false if the future is done already (then the continuation was not run). */
bool al_future_add(allot_future *future, al_continuation *continuation);

/* Lets waiters sleep at once. Costs them a wake, and the driver of a device on the CPU, which wakes threads
 * of its own, nothing. */
void al_future_no_spin(allot_future *future);

/* Sets one of the flags above on a future that is not done; false if it is done. */
bool al_future_flag(allot_future *future, uint32_t flag);

/* Marks a pending or running future so that its end bumps the epoch (core/wait.h); false if it is done. */
bool al_future_watch(allot_future *future);

#endif
