#include "core/future.h"
#include "base/futex.h"
#include <limits.h>

static al_continuation closed; /* what `continuations` holds once they have been taken */

/* ---- Changes ---- */

/* The change keeps the flags and the references; *before receives the word as it was. */
static bool change(allot_future *future, allot_state from, allot_state to, uint64_t *before)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed);
    do {
        if ((word & AL_FUTURE_STATE_MASK) != (uint64_t)from)
            return false;
        /* acq_rel: pairs with al_future_state_of(): what was written before a change is seen with it. */
    } while (!atomic_compare_exchange_weak_explicit(&future->word, &word,
                                                    (word & ~AL_FUTURE_STATE_MASK) | (uint64_t)to,
                                                    memory_order_acq_rel, memory_order_relaxed));
    *before = word;
    return true;
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
static void announce(allot_future *future, uint64_t before)
{
    if (before & AL_FUTURE_WAITED)
        al_futex_wake(al_future_futex(future), INT_MAX, AL_FUTEX_PRIVATE);
    if (before & AL_FUTURE_WATCHED)
        al_epoch_bump();
    if (!(before & AL_FUTURE_CONTINUED))
        return;
    al_continuation *list = atomic_exchange_explicit(&future->continuations, &closed, memory_order_acq_rel);
    for (al_continuation *next, *each = reversed(list); each; each = next) {
        next = each->next; /* running it may free it */
        each->run(each, future);
    }
}

bool al_future_finish(allot_future *future, allot_state end, allot_status status, al_failure *failure)
{
    future->status = status;
    future->failure = failure;
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed), before;
    /* Nobody to tell: its end and the owner's farewell are one step. */
    while (!(word & AL_FUTURE_FLAGS)) {
        uint64_t ended = (word & ~AL_FUTURE_STATE_MASK) - AL_FUTURE_REFERENCE + (uint64_t)end;
        if (atomic_compare_exchange_weak_explicit(&future->word, &word, ended, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return ended < AL_FUTURE_REFERENCE;
    }
    if (change(future, ALLOT_STATE_RUNNING, end, &before))
        announce(future, before);
    return al_future_unreference(future);
}

bool al_future_drop(allot_future *future)
{
    uint64_t before;
    if (!change(future, ALLOT_STATE_PENDING, ALLOT_STATE_CANCELLED, &before))
        return false;
    announce(future, before);
    return true;
}

bool al_future_add(allot_future *future, al_continuation *continuation)
{
    if (!al_future_flag(future, AL_FUTURE_CONTINUED))
        return false; /* done; else whoever ends it sees the flag, and closes the list or finds this in it */
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

bool al_future_flag(allot_future *future, uint64_t flag)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_acquire);
    do {
        if (al_future_state_is_done((allot_state)(word & AL_FUTURE_STATE_MASK)))
            return false;
        if (word & flag)
            return true;
    } while (!atomic_compare_exchange_weak_explicit(&future->word, &word, word | flag, memory_order_acq_rel,
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
