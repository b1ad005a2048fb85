/* Futures in the order in which they end.
 *
 * Each entry is a continuation of its future that pushes itself on a stack when the future ends, so that an
 * end costs the same however many entries there are. Whoever takes turns the stack into a queue. */
#include "base/clock.h"
#include "base/futex.h"
#include "core/collector.h"
#include "core/task.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SPIN_NS 20000 /* before it sleeps; about what one wake costs */

typedef struct entry {
    al_continuation continuation; /* first */
    struct entry *next;           /* of the stack or the queue */
    allot_as_completed *set;
    allot_future *future; /* held */
    size_t index;
} entry;

struct allot_as_completed {
    _Atomic size_t references; /* the user's, and one for each entry whose future has not ended */
    _Atomic size_t added, ended, given;
    _Atomic uint32_t waiters; /* who must be told of what is pushed; seq_cst with pushes and `given` */
    _Atomic bool closed;      /* destroyed: what ends now is dropped */
    _Atomic(entry *) arrived; /* a stack, the last that ended on top */
    _Atomic(entry *) first;   /* a queue, changed only under the lock */
    entry *last;              /* guarded by `lock` */
    pthread_mutex_t lock;     /* for those who take */

    _Atomic bool polled;     /* there is a descriptor */
    pthread_mutex_t fd_lock; /* guards `fd`, so that nobody writes to it once it is closed */
    int fd;
};

/* ---- The descriptor ---- */

/* Makes it say whether there is something. Looked at and said under one lock: the last to do so is right. */
static void show(allot_as_completed *set)
{
    uint64_t one = 1, count;
    pthread_mutex_lock(&set->fd_lock);
    bool there = atomic_load(&set->arrived) || atomic_load(&set->first);
    if (set->fd >= 0 && read(set->fd, &count, sizeof count) < 0)
        count = 0; /* it said nothing */
    if (set->fd >= 0 && there && write(set->fd, &one, sizeof one) < 0)
        count = 0; /* cannot be: it was emptied a moment ago */
    pthread_mutex_unlock(&set->fd_lock);
}

int allot_as_completed_fd(allot_as_completed *set)
{
    if (!set || al_forked()) {
        al_last_error(set ? ALLOT_FORKED : ALLOT_INVALID, "allot_as_completed_fd: %s",
                      allot_status_text(set ? ALLOT_FORKED : ALLOT_INVALID));
        return -1;
    }
    pthread_mutex_lock(&set->fd_lock);
    if (set->fd < 0)
        set->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int fd = set->fd, error = errno;
    pthread_mutex_unlock(&set->fd_lock);
    if (fd < 0) {
        al_last_error(ALLOT_SYSTEM, "allot_as_completed_fd: %s", strerror(error));
        return -1;
    }
    atomic_store(&set->polled, true); /* before show() looks: who pushes after that look sees it */
    show(set);
    return fd;
}

/* ---- Entries ---- */

static void entry_destroy(entry *self)
{
    allot_release(self->future);
    free(self);
}

static void entries_destroy(entry *list)
{
    for (entry *next; list; list = next) {
        next = list->next;
        entry_destroy(list);
    }
}

static void let_go(allot_as_completed *set)
{
    if (atomic_fetch_sub(&set->references, 1) != 1)
        return;
    entries_destroy(atomic_load(&set->arrived));
    pthread_mutex_destroy(&set->lock);
    pthread_mutex_destroy(&set->fd_lock);
    free(set);
}

static void tell(allot_as_completed *set)
{
    if (atomic_load(&set->waiters))
        al_epoch_bump();
    if (atomic_load(&set->polled))
        show(set);
}

/* Its future has ended. Whoever takes the entry may free it at once; the set stays for its reference. */
static void push(entry *self)
{
    allot_as_completed *set = self->set;
    atomic_fetch_add(&set->ended, 1);
    entry *top = atomic_load(&set->arrived);
    do
        self->next = top;
    while (!atomic_compare_exchange_weak(&set->arrived, &top, self));
    tell(set);
}

static void has_ended(al_continuation *continuation, allot_future *future)
{
    (void)future;
    entry *self = (entry *)continuation;
    allot_as_completed *set = self->set;
    if (atomic_load(&set->closed))
        entry_destroy(self);
    else
        push(self);
    let_go(set);
}

static entry *entry_create(allot_as_completed *set, allot_future *future, size_t index)
{
    entry *made = malloc(sizeof *made);
    if (made)
        *made = (entry){ { NULL, has_ended }, NULL, set, allot_hold(future), index };
    return made;
}

static void watch(entry *made)
{
    atomic_fetch_add(&made->set->references, 1);
    if (!al_future_add(made->future, &made->continuation))
        has_ended(&made->continuation, made->future);
}

allot_status allot_as_completed_add(allot_as_completed *set, allot_future *future)
{
    if (!set || !future)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    entry *made = entry_create(set, future, 0);
    if (!made)
        return ALLOT_NO_MEMORY;
    made->index = atomic_fetch_add(&set->added, 1);
    watch(made);
    return ALLOT_OK;
}

/* ---- Making and ending ---- */

static allot_as_completed *create(void)
{
    allot_as_completed *set = calloc(1, sizeof *set);
    if (!set)
        return NULL;
    atomic_init(&set->references, 1);
    pthread_mutex_init(&set->lock, NULL);
    pthread_mutex_init(&set->fd_lock, NULL);
    set->fd = -1;
    return set;
}

static bool check(allot_future *const *futures, size_t count)
{
    if (al_forked())
        return al_last_error(ALLOT_FORKED, "allot_as_completed: %s", allot_status_text(ALLOT_FORKED));
    if (count && !futures)
        return al_last_error(ALLOT_INVALID, "allot_as_completed: futures is NULL, and count is %zu", count);
    for (size_t i = 0; i < count; i++)
        if (!futures[i])
            return al_last_error(ALLOT_INVALID, "allot_as_completed: futures[%zu] is NULL", i);
    return true;
}

/* All entries, before any of them is watched: running out of memory halfway leaves nothing behind. */
static bool make_entries(allot_as_completed *set, allot_future *const *futures, size_t count, entry **list)
{
    entry **link = list;
    for (size_t i = 0; i < count; i++, link = &(*link)->next)
        if (!(*link = entry_create(set, futures[i], i)))
            return false;
    return true;
}

/* Those that are done come before those that end while we are at it. */
static void watch_all(entry *list)
{
    entry *later = NULL, **link = &later;
    for (entry *next; list; list = next) {
        next = list->next;
        if (allot_done(list->future)) {
            watch(list);
            continue;
        }
        *link = list;
        link = &list->next;
        list->next = NULL;
    }
    for (entry *next; later; later = next) {
        next = later->next;
        watch(later);
    }
}

allot_as_completed *allot_as_completed_create(allot_future *const *futures, size_t count)
{
    entry *list = NULL;
    if (!check(futures, count))
        return NULL;
    allot_as_completed *set = create();
    if (!set || !make_entries(set, futures, count, &list)) {
        entries_destroy(list);
        if (set)
            let_go(set);
        return al_last_error(ALLOT_NO_MEMORY, "allot_as_completed: out of memory for %zu futures", count);
    }
    atomic_store(&set->added, count);
    watch_all(list);
    return set;
}

void allot_as_completed_destroy(allot_as_completed *set)
{
    if (!set || al_forked())
        return;
    atomic_store(&set->closed, true);
    pthread_mutex_lock(&set->fd_lock);
    if (set->fd >= 0)
        close(set->fd);
    set->fd = -1;
    pthread_mutex_unlock(&set->fd_lock);
    entries_destroy(atomic_load(&set->first));
    entries_destroy(atomic_exchange(&set->arrived, NULL));
    let_go(set);
}

/* ---- Taking ---- */

/* Appends what has arrived to the queue, oldest first. With the lock held. */
static void fetch(allot_as_completed *set)
{
    entry *stack = atomic_exchange(&set->arrived, NULL), *oldest = NULL, *newest = stack;
    while (stack) {
        entry *next = stack->next;
        stack->next = oldest;
        oldest = stack;
        stack = next;
    }
    if (oldest && atomic_load(&set->first))
        set->last->next = oldest;
    else if (oldest)
        atomic_store(&set->first, oldest);
    if (oldest)
        set->last = newest;
}

static entry *take(allot_as_completed *set)
{
    pthread_mutex_lock(&set->lock);
    if (!atomic_load(&set->first))
        fetch(set);
    entry *taken = atomic_load(&set->first);
    if (taken) {
        atomic_store(&set->first, taken->next);
        atomic_fetch_add(&set->given, 1);
    }
    pthread_mutex_unlock(&set->lock);
    return taken;
}

static bool is_over(const allot_as_completed *set)
{
    /* `given` first: it never exceeds `added` read later. */
    size_t given = atomic_load(&set->given);
    return given == atomic_load(&set->added);
}

static bool is_ready(void *of)
{
    allot_as_completed *set = of;
    return atomic_load(&set->first) || atomic_load(&set->arrived) || is_over(set);
}

/* A thread of no pool looks for a while, and takes the answers of worker processes meanwhile. */
static void spin(allot_as_completed *set, int64_t deadline_ns)
{
    al_collecting collecting;
    al_collecting_begin(&collecting);
    int64_t end_ns = al_clock_now_ns() + SPIN_NS;
    if (deadline_ns < end_ns)
        end_ns = deadline_ns;
    do {
        for (int i = 0; !is_ready(set) && i < 32; i++) {
            al_collecting_step(&collecting);
            al_pause();
        }
    } while (!is_ready(set) && al_clock_now_ns() < end_ns);
    al_collecting_end(&collecting);
}

static bool await_ready(allot_as_completed *set, int64_t deadline_ns)
{
    if (!al_helper_here)
        spin(set, deadline_ns);
    atomic_fetch_add(&set->waiters, 1);
    bool ready = al_wait_until(is_ready, set, deadline_ns);
    atomic_fetch_sub(&set->waiters, 1);
    return ready;
}

static allot_status give(allot_as_completed *set, entry *taken, allot_future **future, size_t *index)
{
    if (index)
        *index = taken->index;
    if (future)
        *future = allot_hold(taken->future);
    entry_destroy(taken);
    if (is_over(set) || atomic_load(&set->polled)) /* others may wait for the end */
        tell(set);
    return ALLOT_OK;
}

static allot_status time_out(const allot_as_completed *set)
{
    size_t total = atomic_load(&set->added);
    al_last_error(ALLOT_TIMEOUT, "%zu of %zu futures are unfinished", allot_as_completed_unfinished(set),
                  total);
    return ALLOT_TIMEOUT;
}

allot_status allot_as_completed_next(allot_as_completed *set, allot_future **future, size_t *index,
                                     int64_t timeout_ns)
{
    if (!set)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    int64_t deadline_ns = al_clock_deadline_ns(timeout_ns);
    for (;;) {
        entry *taken = take(set);
        if (taken)
            return give(set, taken, future, index);
        if (atomic_load(&set->polled))
            show(set);
        if (is_over(set))
            return ALLOT_END;
        if (timeout_ns <= 0 || !await_ready(set, deadline_ns))
            return time_out(set);
    }
}

size_t allot_as_completed_total(const allot_as_completed *set)
{
    return set ? atomic_load(&set->added) : 0;
}

size_t allot_as_completed_unfinished(const allot_as_completed *set)
{
    if (!set)
        return 0;
    size_t ended = atomic_load(&set->ended); /* first: it never exceeds `added` read later */
    return atomic_load(&set->added) - ended;
}
