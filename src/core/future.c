#include "core/future.h"
#include "base/clock.h"
#include "base/futex.h"
#include "core/collector.h"
#include <limits.h>
#include <unistd.h>

#define SPIN_NS                                                                                              \
    20000 /* how long an outside waiter spins before it sleeps: about what one wake costs (docs: limits) */

#define COLLECT_NS                                                                                           \
    100000 /* the same for one that collects: a sleeping worker's wake and its call fit in, so that          \
              the next call finds it awake */

static al_continuation closed; /* what `continuations` holds once they have been taken */

_Thread_local al_helper *al_helper_here;

static _Atomic uint32_t epoch;
static _Atomic uint32_t epoch_sleepers;

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

static allot_state state_of(const allot_future *future)
{
    return (allot_state)(atomic_load_explicit(&future->state, memory_order_acquire) & AL_FUTURE_STATE_MASK);
}

static bool is_done(allot_state state)
{
    return state != ALLOT_STATE_PENDING && state != ALLOT_STATE_RUNNING;
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
        /* acq_rel: pairs with state_of(): who sees the new state sees what was written before it. */
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
    if (is_done(state_of(
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

/* ---- Waiting ---- */

/* Sets a flag on a future that is not done; false if it is. */
static bool set_flag(allot_future *future, uint32_t flag)
{
    uint32_t word = atomic_load_explicit(&future->state, memory_order_acquire);
    do {
        if (is_done((allot_state)(word & AL_FUTURE_STATE_MASK)))
            return false;
        if (word & flag)
            return true;
    } while (!atomic_compare_exchange_weak_explicit(&future->state, &word, word | flag, memory_order_acq_rel,
                                                    memory_order_acquire));
    return true;
}

bool al_future_watch(allot_future *future)
{
    return set_flag(future, AL_FUTURE_WATCHED);
}

void al_future_no_spin(allot_future *future)
{
    set_flag(future, AL_FUTURE_NO_SPIN);
}

uint32_t al_epoch_read(void)
{
    return atomic_load(&epoch);
}

void al_epoch_wait(uint32_t seen, int64_t deadline_ns)
{
    atomic_fetch_add(&epoch_sleepers, 1); /* seq_cst with al_epoch_bump: one of both sees the other */
    if (atomic_load(&epoch) == seen)
        al_futex_wait(&epoch, seen, deadline_ns, AL_FUTEX_PRIVATE);
    atomic_fetch_sub(&epoch_sleepers, 1);
}

void al_epoch_bump(void)
{
    atomic_fetch_add(&epoch, 1);
    if (atomic_load(&epoch_sleepers))
        al_futex_wake(&epoch, INT_MAX, AL_FUTEX_PRIVATE);
}

/* Tries to be useful, then sleeps until the epoch moves. */
static void help_or_sleep(bool (*ready)(void *of), void *of, int64_t deadline_ns)
{
    al_helper *helper = al_helper_here;
    if (helper && helper->help(helper))
        return;
    if (helper)
        helper->idle(helper, true);
    uint32_t seen = al_epoch_read();
    /* Work that came before idle(true) did not bump the epoch: look once more. */
    if (!ready(of) && !(helper && helper->help(helper)))
        al_epoch_wait(seen, deadline_ns);
    if (helper)
        helper->idle(helper, false);
}

bool al_wait_until(bool (*ready)(void *of), void *of, int64_t deadline_ns)
{
    for (;;) {
        if (ready(of))
            return true;
        if (al_forked() || al_clock_passed(deadline_ns))
            return ready(of);
        help_or_sleep(ready, of, deadline_ns);
    }
}

static bool one_ready(void *of)
{
    return !al_future_watch(of);
}

static bool may_spin(void)
{
    static _Atomic int processors; /* 0: not asked yet */
    if (!atomic_load_explicit(&processors, memory_order_relaxed))
        atomic_store_explicit(&processors, (int)sysconf(_SC_NPROCESSORS_ONLN), memory_order_relaxed);
    return atomic_load_explicit(&processors, memory_order_relaxed) > 1;
}

static bool spin(const allot_future *future, int64_t deadline_ns)
{
    if (!may_spin() || atomic_load_explicit(&future->state, memory_order_relaxed) & AL_FUTURE_NO_SPIN)
        return false;
    al_collecting collecting;
    al_collecting_begin(&collecting);
    int64_t end_ns = al_clock_now_ns() + (collecting.count ? COLLECT_NS : SPIN_NS);
    if (deadline_ns < end_ns)
        end_ns = deadline_ns;
    bool done;
    do {
        for (int i = 0; !(done = is_done(state_of(future))) && i < 32; i++) {
            al_collecting_step(&collecting);
            al_pause();
        }
    } while (!done && al_clock_now_ns() < end_ns);
    al_collecting_end(&collecting);
    return done;
}

/* For a thread that does not help: spins a little, then sleeps on the state word itself. */
static bool wait_outside(allot_future *future, int64_t deadline_ns)
{
    if (spin(future, deadline_ns))
        return true;
    while (set_flag(future, AL_FUTURE_WAITED)) {
        if (al_clock_passed(deadline_ns))
            return is_done(state_of(future));
        uint32_t word = atomic_load_explicit(&future->state, memory_order_acquire);
        if (!is_done((allot_state)(word & AL_FUTURE_STATE_MASK)))
            al_futex_wait(&future->state, word, deadline_ns, AL_FUTEX_PRIVATE);
    }
    return true;
}

static allot_status wait_one(allot_future *future, int64_t timeout_ns, int64_t deadline_ns)
{
    if (is_done(state_of(future)))
        return ALLOT_OK;
    if (al_forked())
        return ALLOT_FORKED;
    if (timeout_ns <= 0)
        return ALLOT_TIMEOUT;
    bool done =
        al_helper_here ? al_wait_until(one_ready, future, deadline_ns) : wait_outside(future, deadline_ns);
    return done ? ALLOT_OK : ALLOT_TIMEOUT;
}

allot_status allot_wait(allot_future *future, int64_t timeout_ns)
{
    if (!future)
        return ALLOT_INVALID;
    if (is_done(state_of(future)))
        return ALLOT_OK;
    return wait_one(future, timeout_ns, al_clock_deadline_ns(timeout_ns));
}

static bool any_missing(allot_future *const *futures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!futures[i])
            return true;
    return false;
}

allot_status allot_wait_all(allot_future *const *futures, size_t count, int64_t timeout_ns)
{
    if (count && (!futures || any_missing(futures, count)))
        return ALLOT_INVALID;
    int64_t deadline_ns = al_clock_deadline_ns(timeout_ns);
    for (size_t i = 0; i < count; i++) {
        allot_status status = wait_one(futures[i], timeout_ns, deadline_ns);
        if (status != ALLOT_OK)
            return status;
    }
    return ALLOT_OK;
}

typedef struct any_of {
    allot_future *const *futures;
    size_t count;
    size_t first_done;
} any_of;

static bool any_ready(void *of)
{
    any_of *any = of;
    for (size_t i = 0; i < any->count; i++) {
        if (!al_future_watch(any->futures[i])) {
            any->first_done = i;
            return true;
        }
    }
    return false;
}

allot_status allot_wait_any(allot_future *const *futures, size_t count, int64_t timeout_ns, size_t *index)
{
    if (count && (!futures || any_missing(futures, count)))
        return ALLOT_INVALID;
    any_of any = { futures, count, 0 };
    bool done = count == 0 || al_wait_until(any_ready, &any, al_clock_deadline_ns(timeout_ns));
    if (index)
        *index = any.first_done;
    if (!done && al_forked())
        return ALLOT_FORKED;
    return done ? ALLOT_OK : ALLOT_TIMEOUT;
}

/* ---- Outcome ---- */

allot_state allot_future_state(const allot_future *future)
{
    return future ? state_of(future) : ALLOT_STATE_FAILED;
}

bool allot_done(const allot_future *future)
{
    return future && is_done(state_of(future));
}

bool allot_running(const allot_future *future)
{
    return future && state_of(future) == ALLOT_STATE_RUNNING;
}

bool allot_cancelled(const allot_future *future)
{
    return future && state_of(future) == ALLOT_STATE_CANCELLED;
}

allot_status allot_future_status(const allot_future *future)
{
    if (!future)
        return ALLOT_INVALID;
    switch (state_of(future)) {
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
    allot_state state = state_of(future);
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
    bool there = future && state_of(future) == ALLOT_STATE_FAILED && future->failure;
    if (size)
        *size = there ? future->failure->payload_size : 0;
    return there ? future->failure->payload : NULL;
}

size_t allot_future_size(const allot_future *future)
{
    return future ? future->result_size : 0;
}
