#include "places/inject.h"
#include <stdlib.h>
#include <string.h>

void al_inject_init(al_inject *inject)
{
    pthread_mutex_init(&inject->shared_lock, NULL);
    pthread_mutex_init(&inject->mail_lock, NULL);
}

void al_inject_fini(al_inject *inject)
{
    for (int band = 0; band < AL_BANDS; band++) {
        for (size_t i = 0; i < AL_LANES; i++) {
            al_deque *queue = atomic_load(&inject->queues[band][i]);
            if (queue)
                al_deque_fini(queue);
            free(queue);
        }
    }
    pthread_mutex_destroy(&inject->shared_lock);
    pthread_mutex_destroy(&inject->mail_lock);
}

/* By the lane's own thread, or under the shared lock. */
static al_deque *make_queue(al_inject *inject, al_band band, unsigned lane)
{
    al_deque *queue = aligned_alloc(_Alignof(al_deque), sizeof *queue);
    if (!queue)
        return NULL;
    memset(queue, 0, sizeof *queue);
    atomic_store_explicit(&inject->queues[band][lane], queue, memory_order_release);
    atomic_fetch_or_explicit(&inject->active[band], UINT64_C(1) << lane, memory_order_release);
    return queue;
}

static inline bool push(al_inject *inject, al_band band, unsigned lane, al_task *const *tasks, size_t count)
{
    al_deque *queue = atomic_load_explicit(&inject->queues[band][lane], memory_order_relaxed);
    if (__builtin_expect(!queue, false) && !(queue = make_queue(inject, band, lane)))
        return false;
    return count == 1 ? al_deque_push(queue, tasks[0])
                      : al_deque_push_many(queue, (void *const *)tasks, count);
}

static inline void push_all(al_inject *inject, al_band band, al_task *const *tasks, size_t count)
{
    unsigned lane = al_lane_here()->number;
    bool shared = lane == AL_LANE_SHARED, pushed;
    if (shared)
        pthread_mutex_lock(&inject->shared_lock);
    pushed = push(inject, band, lane, tasks, count);
    if (shared)
        pthread_mutex_unlock(&inject->shared_lock);
    for (size_t i = 0; !pushed && i < count; i++)
        al_inject_mail(inject, 0, tasks[i]);
}

void al_inject_push(al_inject *inject, al_band band, al_task *task)
{
    push_all(inject, band, &task, 1);
}

void al_inject_push_many(al_inject *inject, al_band band, al_task *const *tasks, size_t count)
{
    push_all(inject, band, tasks, count);
}

void al_inject_mail(al_inject *inject, int node, al_task *task)
{
    size_t which = node < 0 ? 0 : node < AL_MAILBOXES ? (size_t)node : AL_MAILBOXES - 1;
    task->next = NULL;
    pthread_mutex_lock(&inject->mail_lock);
    if (inject->mailboxes[which].last)
        inject->mailboxes[which].last->next = task;
    else
        inject->mailboxes[which].first = task;
    inject->mailboxes[which].last = task;
    atomic_fetch_add(&inject->mail, 1);
    pthread_mutex_unlock(&inject->mail_lock);
}

size_t al_inject_take(al_inject *inject, al_band band, unsigned start, al_task **tasks, size_t capacity)
{
    uint64_t active = atomic_load_explicit(&inject->active[band], memory_order_acquire);
    if (!active)
        return 0;
    unsigned turn = start % AL_LANES;
    active = active >> turn | (turn ? active << (AL_LANES - turn) : 0);
    for (; active; active &= active - 1) {
        unsigned lane = ((unsigned)__builtin_ctzll(active) + turn) % AL_LANES;
        al_deque *queue = atomic_load_explicit(&inject->queues[band][lane], memory_order_acquire);
        size_t count = al_deque_length(queue) ? al_deque_steal_some(queue, (void **)tasks, capacity) : 0;
        if (count)
            return count;
    }
    return 0;
}

al_task *al_inject_take_mail(al_inject *inject, int node)
{
    if (!atomic_load_explicit(&inject->mail, memory_order_relaxed))
        return NULL;
    al_task *task = NULL;
    size_t first = node < 0 ? 0 : node < AL_MAILBOXES ? (size_t)node : AL_MAILBOXES - 1;
    size_t end = node < 0 ? AL_MAILBOXES : first + 1;
    pthread_mutex_lock(&inject->mail_lock);
    for (size_t i = first; i < end && !task; i++) {
        task = inject->mailboxes[i].first;
        if (!task)
            continue;
        inject->mailboxes[i].first = task->next;
        if (!task->next)
            inject->mailboxes[i].last = NULL;
        atomic_fetch_sub(&inject->mail, 1);
    }
    pthread_mutex_unlock(&inject->mail_lock);
    return task;
}

bool al_inject_has(const al_inject *inject, al_band band)
{
    uint64_t active = atomic_load_explicit((_Atomic uint64_t *)&inject->active[band], memory_order_acquire);
    for (; active; active &= active - 1) {
        unsigned lane = (unsigned)__builtin_ctzll(active);
        if (al_deque_length(atomic_load_explicit((al_deque * _Atomic *)&inject->queues[band][lane],
                                                 memory_order_acquire)))
            return true;
    }
    return band == AL_BAND_NORMAL &&
           atomic_load_explicit((_Atomic size_t *)&inject->mail, memory_order_relaxed);
}

static size_t length_of(const al_inject *inject, al_band band)
{
    uint64_t active = atomic_load_explicit((_Atomic uint64_t *)&inject->active[band], memory_order_acquire);
    size_t length = 0;
    for (; active; active &= active - 1)
        length += al_deque_length(atomic_load_explicit(
            (al_deque * _Atomic *)&inject->queues[band][__builtin_ctzll(active)], memory_order_acquire));
    return length;
}

size_t al_inject_length(const al_inject *inject)
{
    size_t length = atomic_load_explicit((_Atomic size_t *)&inject->mail, memory_order_relaxed);
    for (al_band band = 0; band < AL_BANDS; band++)
        length += length_of(inject, band);
    return length;
}
