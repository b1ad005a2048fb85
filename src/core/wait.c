#include "core/wait.h"
#include "base/clock.h"
#include "base/futex.h"
#include "base/part.h"
#include "base/yield.h"
#include "core/collector.h"
#include "core/future.h"
#include <limits.h>
#include <unistd.h>

/* How long a waiter spins before it sleeps. */
#define SPIN_NS      20000  /* mostly: about what one wake costs (docs: limits) */
#define SPIN_MIN_NS  1000   /* at least: what it costs to go to sleep */
#define SPIN_MOST_NS 100000 /* at most: a sleeping worker's wake and its task fit in */
#define TRIAL_FIRST  8      /* spins in vain until one so long is tried; */
#define TRIAL_LAST   512    /* twice as many after each trial in vain, up to this */

/* Who waits for many looks so far ahead: the others are done by then, most likely, and it was woken once. */
#define AHEAD 1024

/* The same for one that collects: a sleeping worker's wake and its call fit in, so that the next call finds
 * it awake. */
#define COLLECT_NS 100000

_Thread_local al_helper *al_helper_here __attribute__((tls_model("initial-exec")));

al_helper *_Atomic al_helper_of_all;

static _Atomic uint32_t epoch;
static _Atomic uint32_t epoch_sleepers;

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

static bool help(al_helper *const helpers[2])
{
    return (helpers[0] && helpers[0]->help(helpers[0])) || (helpers[1] && helpers[1]->help(helpers[1]));
}

/* Who is counted as idle should not run long tasks: he looks whether there is one, if he can. */
static bool sees_work(al_helper *const helpers[2])
{
    for (int i = 0; i < 2; i++)
        if (helpers[i] && (helpers[i]->any ? helpers[i]->any(helpers[i]) : helpers[i]->help(helpers[i])))
            return true;
    return false;
}

static void tell_idle(al_helper *const helpers[2], bool idle)
{
    for (int i = 0; i < 2; i++)
        if (helpers[i])
            helpers[i]->idle(helpers[i], idle);
}

/* Tries to be useful, then sleeps until the epoch moves. */
static void help_or_sleep(bool (*ready)(void *of), void *of, int64_t deadline_ns)
{
    al_helper *const helpers[2] = { al_helper_here, atomic_load(&al_helper_of_all) };
    if (help(helpers))
        return;
    tell_idle(helpers, true);
    uint32_t seen = al_epoch_read();
    /* Work that came before idle(true) did not bump the epoch: look once more. */
    if (!ready(of) && !sees_work(helpers))
        al_epoch_wait(seen, deadline_ns);
    tell_idle(helpers, false);
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

/* This thread's patience: whole again when a spin paid, halved when it did not. Waiter and worker may have
 * come to wake each other by turns, each of them asleep by the time the other one is up: this ends only if
 * one stays awake for as long as a wake takes. So that is tried now and then, and at once where a look back
 * says that it would have paid. */
typedef struct patience {
    int64_t ns;
    unsigned in_vain, trial; /* spins since the last trial; after how many the next one is due */
    bool trying;
    int64_t began_ns; /* the last one */
} patience;
static _Thread_local patience mine
    __attribute__((tls_model("initial-exec"))) = { .ns = SPIN_NS, .trial = TRIAL_FIRST };

static void spun(bool paid)
{
    if (paid) {
        mine.ns = SPIN_NS;
        mine.in_vain = 0;
        if (mine.trying)
            mine.trial = TRIAL_FIRST;
    } else {
        mine.ns = mine.trying || mine.ns / 2 < SPIN_MIN_NS ? SPIN_MIN_NS : mine.ns / 2;
        if (mine.trying && mine.trial < TRIAL_LAST)
            mine.trial *= 2;
    }
    mine.trying = !paid && ++mine.in_vain >= mine.trial;
    if (mine.trying) {
        mine.ns = SPIN_MOST_NS;
        mine.in_vain = 0;
    }
}

/* After a sleep: all of it, the wake too, may have taken no longer than the longest spin. */
static void look_back(void)
{
    if (al_clock_now_ns() - mine.began_ns >= SPIN_MOST_NS)
        return;
    mine.trying = true;
    mine.ns = SPIN_MOST_NS;
    mine.in_vain = 0;
}

/* Instead of spinning, where that would take too long. */
static void sleep_and_collect(const al_collecting *collecting, allot_future *future, int64_t deadline_ns)
{
    while (al_collecting_slow(collecting) && al_future_flag(future, AL_FUTURE_WAITED)) {
        uint64_t word = atomic_load_explicit(&future->word, memory_order_acquire);
        if (al_future_state_is_done((allot_state)(word & AL_FUTURE_STATE_MASK)) ||
            !al_collecting_sleep(collecting, al_future_futex(future), (uint32_t)word, deadline_ns) ||
            al_clock_passed(deadline_ns))
            return;
        al_collecting_step(collecting);
    }
}

static bool spin(allot_future *future, int64_t deadline_ns)
{
    if (!may_spin() || atomic_load_explicit(&future->word, memory_order_relaxed) & AL_FUTURE_NO_SPIN)
        return false;
    al_collecting collecting;
    al_collecting_begin(&collecting);
    sleep_and_collect(&collecting, future, deadline_ns);
    int64_t most_ns = collecting.count ? COLLECT_NS : mine.ns, now_ns = al_clock_now_ns(),
            end_ns = now_ns + most_ns;
    mine.began_ns = now_ns;
    if (deadline_ns < end_ns)
        end_ns = deadline_ns;
    bool done, yielded = false;
    do {
        for (int i = 0; !(done = al_future_state_is_done(al_future_state_of(future))) && i < 32; i++) {
            al_collecting_step(&collecting);
            al_pause();
        }
        if (!done) {
            now_ns = al_yield(al_clock_now_ns());
            yielded = done = al_future_state_is_done(al_future_state_of(future));
        }
    } while (!done && now_ns < end_ns);
    spun(done);
    if (done)
        al_part_count(yielded);
    al_collecting_end(&collecting);
    return done;
}

/* For a thread that does not help: spins a little, then sleeps on the state word itself. */
static bool wait_outside(allot_future *future, int64_t deadline_ns)
{
    mine.began_ns = 0;
    if (spin(future, deadline_ns))
        return true;
    while (al_future_flag(future, AL_FUTURE_WAITED)) {
        if (al_clock_passed(deadline_ns))
            return al_future_state_is_done(al_future_state_of(future));
        uint64_t word = atomic_load_explicit(&future->word, memory_order_acquire);
        if (!al_future_state_is_done((allot_state)(word & AL_FUTURE_STATE_MASK)))
            al_futex_wait(al_future_futex(future), (uint32_t)word, deadline_ns, AL_FUTEX_PRIVATE);
    }
    look_back();
    al_part_count(true);
    return true;
}

/* In a worker: runs others while there are any; then it runs elsewhere, and is worth a short spin. */
static bool wait_helping(allot_future *future, int64_t deadline_ns)
{
    al_helper *helper = al_helper_here;
    do {
        if (al_future_state_is_done(al_future_state_of(future)))
            return true;
        if (deadline_ns != INT64_MAX && al_clock_passed(deadline_ns))
            return false;
    } while (helper->help(helper) || spin(future, deadline_ns));
    return al_wait_until(one_ready, future, deadline_ns);
}

static allot_status wait_one(allot_future *future, int64_t timeout_ns, int64_t deadline_ns)
{
    if (al_future_done_here(future, timeout_ns))
        return ALLOT_OK;
    if (al_forked())
        return ALLOT_FORKED;
    if (timeout_ns <= 0)
        return ALLOT_TIMEOUT;
    bool done = al_helper_here                   ? wait_helping(future, deadline_ns)
                : atomic_load(&al_helper_of_all) ? al_wait_until(one_ready, future, deadline_ns)
                                                 : wait_outside(future, deadline_ns);
    return done ? ALLOT_OK : ALLOT_TIMEOUT;
}

allot_status allot_wait(allot_future *future, int64_t timeout_ns)
{
    if (!future)
        return ALLOT_INVALID;
    if (al_future_state_is_done(al_future_state_of(future)))
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
    allot_status status = ALLOT_OK;
    for (size_t i = 0; i < count && status == ALLOT_OK; i++) {
        size_t ahead = count - i > AHEAD ? i + AHEAD : count - 1;
        if (al_future_state_is_done(al_future_state_of(futures[i])))
            continue;
        if (!al_helper_here) /* who helps takes back what he queued himself */
            status = wait_one(futures[ahead], timeout_ns, deadline_ns);
        if (status == ALLOT_OK)
            status = wait_one(futures[i], timeout_ns, deadline_ns);
    }
    return status;
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

/* ---- Waiting for the first error ---- */

typedef struct first_error {
    allot_future *const *futures;
    size_t count;
    size_t found; /* index of the first that did not succeed; `count`: none */
    size_t begin; /* all before it succeeded */
} first_error;

/* True if one did not succeed or none is unfinished. */
static bool error_ready(void *of)
{
    first_error *wanted = of;
    bool all_done = true;
    for (size_t i = wanted->begin; i < wanted->count; i++) {
        if (al_future_watch(wanted->futures[i]))
            all_done = false;
        else if (allot_future_status(wanted->futures[i]) != ALLOT_OK) {
            wanted->found = i;
            return true;
        }
        if (all_done)
            wanted->begin = i + 1;
    }
    return all_done;
}

allot_status allot_wait_first_error(allot_future *const *futures, size_t count, int64_t timeout_ns,
                                    size_t *index)
{
    if (count && (!futures || any_missing(futures, count)))
        return ALLOT_INVALID;
    first_error wanted = { futures, count, count, 0 };
    bool ready = al_wait_until(error_ready, &wanted, al_clock_deadline_ns(timeout_ns));
    if (index)
        *index = wanted.found;
    if (!ready && al_forked())
        return ALLOT_FORKED;
    return ready ? ALLOT_OK : ALLOT_TIMEOUT;
}
