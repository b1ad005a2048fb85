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

/* Why a running task should end; what allot_future.stop holds. The first reason stays. */
enum {
    AL_STOP_NONE,
    AL_STOP_ASKED, /* allot_stop */
    AL_STOP_DEADLINE,
    AL_STOP_SHUTDOWN /* allot_shutdown by force */
};

struct allot_future {
    /* References in the upper half; in the lower one, on which waiters sleep, allot_state | AL_FUTURE_*.
     * Release when it becomes done, acquire when read. One word, so that its end and the owner's farewell are
     * one step. */
    _Atomic uint64_t word;
    _Atomic(al_continuation *) continuations; /* newest first; AL_FUTURE_CLOSED once they have been taken */
    allot_status status;                      /* valid once done */
    _Atomic uint32_t stop; /* AL_STOP_*: read by the running code through allot_call_stopping() */
    al_failure *failure;   /* valid once done; NULL: no message; freed with the future */
};

#define AL_FUTURE_STATE_MASK UINT64_C(0xff)
#define AL_FUTURE_WAITED     UINT64_C(0x100) /* somebody sleeps on the word */
#define AL_FUTURE_WATCHED                                                                                    \
    UINT64_C(0x200) /* somebody sleeps on the epoch and looks at this future among others */
#define AL_FUTURE_NO_SPIN   UINT64_C(0x400)  /* whoever spins for it takes a core from what it waits for */
#define AL_FUTURE_CONTINUED UINT64_C(0x800)  /* it has continuations, or is about to */
#define AL_FUTURE_SPAWNED   UINT64_C(0x1000) /* nobody will ever ask how it went: a failure is logged */
#define AL_FUTURE_RECLAIMED                                                                                  \
    UINT64_C(0x2000) /* started by who waits for it: whoever finds it in a queue drops it uncounted */
#define AL_FUTURE_BATCH UINT64_C(0x4000) /* the task is a batch (core/batch.h) */
#define AL_FUTURE_SMALL                                                                                      \
    UINT64_C(0x8000) /* the task is a call that fits into its block, and owns no more but its failure */
#define AL_FUTURE_FLAGS     (AL_FUTURE_WAITED | AL_FUTURE_WATCHED | AL_FUTURE_NO_SPIN | AL_FUTURE_CONTINUED)
#define AL_FUTURE_REFERENCE (UINT64_C(1) << 32)

/* Acquire: who sees a state sees what was written before the change to it. */
static inline allot_state al_future_state_of(const allot_future *future)
{
    return (allot_state)(atomic_load_explicit((_Atomic uint64_t *)&future->word, memory_order_acquire) &
                         AL_FUTURE_STATE_MASK);
}

static inline bool al_future_state_is_done(allot_state state)
{
    return state > ALLOT_STATE_RUNNING;
}

/* True if it is done, or is by now, since it was this worker's own latest and nobody had begun it. */
static inline bool al_future_done_here(allot_future *future, int64_t timeout_ns)
{
    if (al_future_state_is_done(al_future_state_of(future)))
        return true;
    al_helper *helper = al_helper_here;
    return helper && timeout_ns > 0 && !al_forked() && helper->reclaim(helper, future);
}

/* The half of the word that waiters sleep on. */
static inline _Atomic uint32_t *al_future_futex(allot_future *future)
{
    const uint16_t one = 1;
    bool little = *(const unsigned char *)&one;
    return (_Atomic uint32_t *)&future->word + (little ? 0 : 1);
}

/* Of a future that nobody else has yet: one more reference, and its first continuation. */
static inline void al_future_follow_new(allot_future *future, al_continuation *first)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed);
    first->next = NULL;
    atomic_store_explicit(&future->continuations, first, memory_order_relaxed);
    atomic_store_explicit(&future->word, (word | AL_FUTURE_CONTINUED) + AL_FUTURE_REFERENCE,
                          memory_order_relaxed);
}

/* Sets a new future to PENDING with so many references. */
static inline void al_future_init(allot_future *future, uint32_t references)
{
    atomic_init(&future->word, references * AL_FUTURE_REFERENCE | ALLOT_STATE_PENDING);
    atomic_init(&future->continuations, NULL);
    future->status = ALLOT_OK;
    atomic_init(&future->stop, 0);
    future->failure = NULL;
}

/* Tries one change of state; true for the one caller who made it. `to` may have a flag beside it. */
static inline bool al_future_change(allot_future *future, allot_state from, uint64_t to)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed);
    do {
        if ((word & AL_FUTURE_STATE_MASK) != (uint64_t)from)
            return false;
        /* acq_rel: pairs with al_future_state_of(): what was written before a change is seen with it. */
    } while (!atomic_compare_exchange_weak_explicit(&future->word, &word, (word & ~AL_FUTURE_STATE_MASK) | to,
                                                    memory_order_acq_rel, memory_order_relaxed));
    return true;
}

/* Ends it: stores the outcome, changes the state (the caller must own that change: RUNNING → done), wakes,
 * runs the continuations. Takes over `failure` (may be NULL). Drops one reference, the owner's; true if that
 * was the last one. */
bool al_future_finish(allot_future *future, allot_state end, allot_status status, al_failure *failure);

/* The same for one that succeeded and that somebody holds beside the owner. False: there is somebody to be
 * told, and nothing was done. */
static inline bool al_future_finish_quietly(allot_future *future)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed);
    while (!(word & AL_FUTURE_FLAGS)) {
        uint64_t ended = (word & ~AL_FUTURE_STATE_MASK) - AL_FUTURE_REFERENCE + ALLOT_STATE_SUCCEEDED;
        if (atomic_compare_exchange_weak_explicit(&future->word, &word, ended, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return true;
    }
    return false;
}

/* Drops a reference; true if it was the last one. */
static inline bool al_future_unreference(allot_future *future)
{
    /* Alone with it: nobody else can take a reference any more. Acquire and acq_rel: what any holder did to
     * it happens before it is freed. */
    if (atomic_load_explicit(&future->word, memory_order_acquire) >> 32 == 1)
        return true;
    return atomic_fetch_sub_explicit(&future->word, AL_FUTURE_REFERENCE, memory_order_acq_rel) >> 32 == 1;
}

/* Ends a pending one as cancelled; false if it was not pending. */
bool al_future_drop(allot_future *future);

/* Adds a continuation; false if the future is done already (then the continuation was not run). */
bool al_future_add(allot_future *future, al_continuation *continuation);

/* Lets waiters sleep at once. Costs them a wake, and the driver of a device on the CPU, which wakes threads
 * of its own, nothing. */
void al_future_no_spin(allot_future *future);

/* Sets one of the flags above on a future that is not done; false if it is done. */
bool al_future_flag(allot_future *future, uint64_t flag);

/* Marks a pending or running future so that its end bumps the epoch (core/wait.h); false if it is done. */
bool al_future_watch(allot_future *future);

#endif
