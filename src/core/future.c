#include "core/future.h"
#include "base/futex.h"
#include <limits.h>

static al_continuation closed; /* what `continuations` holds once they have been taken */

void al_future_init(allot_future *future, const void *result, size_t result_size)
{
    atomic_init(&future->state, ALLOT_STATE_PENDING);
    atomic_init(&future->references, 1);
    atomic_init(&future->continuations, NULL);
    future->status = ALLOT_OK;
    future->failure = NULL;
    future->result = result;
    future->result_size = result_size;
}

/* ---- Changes ---- */

/* The change keeps the flags; *flags receives them. */
static bool change(allot_future *future, allot_state from, allot_state to, uint32_t *flags)
{
    uint32_t word = atomic_load_explicit(&future->state, memory_order_relaxed);
    do {
        if ((word & AL_FUTURE_STATE_MASK) != (uint32_t)from)
            return false;
        *flags = word & ~AL_FUTURE_STATE_MASK;
        /* acq_rel: pairs with al_future_state_of(): what was written before a change is seen with it. */
    } while (!atomic_compare_exchange_weak_explicit(&future->state, &word, *flags | (uint32_t)to,
                                                    memory_order_acq_rel, memory_order_relaxed));
    return true;
}

bool al_future_change(allot_future *future, allot_state from, allot_state to)
{
    uint32_t flags;
    return change(future, from, to, &flags);
}

static al_continuation *reversed(al_continuation *list)
{
    al_continuation *first = NULL;
    while (list) {
        al_continuation *next = list->next;
        list->next = first;
        first = list;
        list = next;
    }
    return first;
}

/* After the last change of state: wakes who sleeps and runs what was added, in its order. */
static void announce(allot_future *future, uint32_t flags)
{
    if (flags & AL_FUTURE_WAITED)
        al_futex_wake(&future->state, INT_MAX, AL_FUTEX_PRIVATE);
    if (flags & AL_FUTURE_WATCHED)
        al_epoch_bump();
    al_continuation *list = atomic_exchange_explicit(&future->continuations, &closed, memory_order_acq_rel);
    for (al_continuation *next, *each = reversed(list); each; each = next) {
        next = each->next; /* running it may free it */
        each->run(each, future);
    }
}

void al_future_finish(allot_future *future, allot_state end, allot_status status, al_failure *failure)
{
    future->status = status;
    future->failure = failure;
    uint32_t flags;
    if (change(future, ALLOT_STATE_RUNNING, end, &flags))
        announce(future, flags);
}

bool al_future_drop(allot_future *future)
{
    uint32_t flags;
    if (!change(future, ALLOT_STATE_PENDING, ALLOT_STATE_CANCELLED, &flags))
        return false;
    announce(future, flags);
    return true;
}

bool al_future_add(allot_future *future, al_continuation *continuation)
{
    if (al_future_state_is_done(al_future_state_of(
            future))) /* also the one that was never anything else: it has nobody to close its list */
        return false;
    al_continuation *head = atomic_load_explicit(&future->continuations, memory_order_acquire);
    do {
        if (head == &closed)
            return false;
        continuation->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&future->continuations, &head, continuation,
                                                    memory_order_acq_rel, memory_order_acquire));
    return true;
}

/* ---- Flags ---- */

bool al_future_flag(allot_future *future, uint32_t flag)
{
    uint32_t word = atomic_load_explicit(&future->state, memory_order_acquire);
    do {
        if (al_future_state_is_done((allot_state)(word & AL_FUTURE_STATE_MASK)))
            return false;
        if (word & flag)
            return true;
    } while (!atomic_compare_exchange_weak_explicit(&future->state, &word, word | flag, memory_order_acq_rel,
                                                    memory_order_acquire));
    return true;
}

bool al_future_watch(allot_future *future)
{
    return al_future_flag(future, AL_FUTURE_WATCHED);
}

void al_future_no_spin(allot_future *future)
{
    al_future_flag(future, AL_FUTURE_NO_SPIN);
}

/* ---- Outcome ---- */

allot_state allot_future_state(const allot_future *future)
{
    return future ? al_future_state_of(future) : ALLOT_STATE_FAILED;
}

bool allot_done(const allot_future *future)
{
    return future && al_future_state_is_done(al_future_state_of(future));
}

bool allot_running(const allot_future *future)
{
    return future && al_future_state_of(future) == ALLOT_STATE_RUNNING;
}

bool allot_cancelled(const allot_future *future)
{
    return future && al_future_state_of(future) == ALLOT_STATE_CANCELLED;
}

allot_status allot_future_status(const allot_future *future)
{
    if (!future)
        return ALLOT_INVALID;
    switch (al_future_state_of(future)) {
    case ALLOT_STATE_PENDING:
    case ALLOT_STATE_RUNNING:
        return ALLOT_TIMEOUT;
    case ALLOT_STATE_CANCELLED:
        return ALLOT_CANCELLED;
    default:
        return future->status;
    }
}

const char *allot_future_error(const allot_future *future)
{
    if (!future)
        return allot_status_text(ALLOT_INVALID);
    allot_state state = al_future_state_of(future);
    if (state == ALLOT_STATE_CANCELLED)
        return allot_status_text(ALLOT_CANCELLED);
    if (state != ALLOT_STATE_FAILED)
        return "";
    if (future->failure && future->failure->message)
        return future->failure->message;
    return allot_status_text(future->status);
}

const void *allot_future_payload(const allot_future *future, size_t *size)
{
    bool there = future && al_future_state_of(future) == ALLOT_STATE_FAILED && future->failure;
    if (size)
        *size = there ? future->failure->payload_size : 0;
    return there ? future->failure->payload : NULL;
}

size_t allot_future_size(const allot_future *future)
{
    return future ? future->result_size : 0;
}
