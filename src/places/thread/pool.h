/* The thread place's pool: its workers, what is queued for them, and who sleeps.
 *
 *   ../inject.c  what comes from outside the pool: a queue for each submitting thread and priority, mailboxes
 *   find.c    where a worker looks for work, and in which order
 *   park.c    how workers that find none sleep, and who wakes them
 *   crew.c    how many workers there are: start, growth, blocking, shrinking, resizing
 *   team.c    work that several workers do together
 *   gang.c    launches, as teams
 *
 * Waking is what costs (a sleeping core takes tens of microseconds to wake), so a worker that runs dry spins
 * for a moment before it sleeps, and nobody is woken while another one looks for work. */
#ifndef AL_PLACES_THREAD_POOL_H
#define AL_PLACES_THREAD_POOL_H

#include "base/deque.h"
#include "places/inject.h"
#include "places/place.h"
#include "places/thread/team.h"
#include "topology/cpus.h"
#include <allot/executor.h>
#include <pthread.h>

/* Beside the workers that a pool may have there is room for as many that stand in for blocked ones. */
#define AL_WORKER_SLOTS (2 * ALLOT_WORKERS_MAX)

typedef struct al_pool al_pool;

/* One thread of the pool. The struct stays when the thread leaves: the next one in this slot goes on with it.
 */
typedef struct al_worker {
    al_helper helper; /* first: how its waits run other tasks */
    al_pool *pool;
    int index;
    uint32_t turn; /* counts looks for work: now and then the order is another one */
    uint32_t first_victim;
    int64_t busy_since_ns;
    unsigned quick_finds; /* how often in a row work came as soon as it was looked for */
    bool searching;       /* counted among the pool's searchers */
    bool after_team;      /* the last work that it found was a team's */
    /* How long it spins before it sleeps, after a task and after a team: more while that pays, less while it
     * does not. */
    int64_t spin_ns, team_spin_ns;
    const char *stack_end; /* below this it takes up no more work while it waits */
    uint16_t *order;       /* the other workers of the layout, near before far; NULL: any order */
    int node;              /* of memory, as an index of mailboxes */
    al_deque deque;
    /* ---- park.c ---- */
    _Alignas(64) _Atomic uint32_t asleep; /* what it sleeps on: 1 until it is woken */
    struct al_worker *below;              /* in the stack of those who sleep */
    bool is_sentinel;                     /* guarded by the pool's park lock */
    /* ---- crew.c ---- */
    int blocking; /* how many beginnings without an end; its own */
    pthread_t thread;
    enum {
        AL_WORKER_NONE,
        AL_WORKER_LIVE
    } state; /* guarded by the pool's crew lock */
} al_worker;

struct al_pool {
    al_place base;
    bool binds;          /* workers are bound to their homes */
    bool caps_libraries; /* workers keep other libraries from starting threads */
    al_inject inject;
    al_teams teams;

    /* ---- park.c ---- */
    /* Whatever a submitter must look at after it has added work: sleepers, waiting helpers, and 1 if the crew
     * may grow. 0 nearly always. */
    _Alignas(64) _Atomic uint32_t attention;
    _Atomic uint32_t sleepers;
    _Atomic bool sentinel; /* one of the sleepers gets up now and then, since others are at work */
    /* Workers asleep in a wait inside a task: new work must bump the epoch. */
    _Atomic uint32_t waiting_helpers;
    _Alignas(64) _Atomic uint32_t searchers; /* workers that look for work without sleeping */
    uint32_t searchers_max;
    pthread_mutex_t park_lock; /* guards `stack` and every worker's `below` */
    al_worker *stack;          /* asleep, the latest first: its caches are the warmest */

    /* ---- crew.c ---- */
    pthread_mutex_t crew_lock; /* guards what follows; readers of atomics need not hold it */
    bool opened;               /* workers may be started */
    _Atomic int min, max;      /* how many workers there should be */
    _Atomic int live;          /* threads */
    _Atomic int blocked;       /* of them in allot_blocking_begin() */
    _Atomic bool growing;      /* there may be more workers; `attention` counts 1 for that */
    _Atomic bool surplus;      /* there are too many */
    _Atomic bool closing;
    int64_t idle_ns; /* how long a worker above `min` sleeps before it leaves */
    al_layout *layout;
    _Atomic int slots; /* of `workers` that were ever used */
    al_worker *_Atomic workers[AL_WORKER_SLOTS];
};

extern _Thread_local al_worker *al_worker_mine __attribute__((tls_model("initial-exec")));

static inline al_pool *al_pool_from(const al_place *place)
{
    return place->kind == ALLOT_THREAD ? (al_pool *)place : NULL;
}

/* This thread's worker if it belongs to this pool. */
static inline al_worker *al_worker_of(const al_pool *pool)
{
    al_worker *worker = al_worker_mine;
    return worker && worker->pool == pool ? worker : NULL;
}

/* ---- find.c ---- */

/* Runs one piece of work if there is one. `waits`: on behalf of a task of this worker's that waits. */
bool al_find_and_run(al_worker *worker, bool waits);
/* Runs this plain task of its own, which nobody has begun, if it is the newest that it queued. */
bool al_find_reclaim(al_worker *worker, al_task *task);
/* True if there is any that a worker could take. Looks at all queues. */
bool al_find_any(const al_pool *pool);
/* Takes a queued task out that nobody has begun; NULL: there is none. Any thread. */
al_task *al_find_withdraw(al_pool *pool);
/* Queues a task. */
void al_pool_push(al_pool *pool, al_task *task);
/* Queues plain tasks: all at once. */
void al_pool_push_many(al_pool *pool, al_task *const *tasks, size_t count);

/* ---- park.c ---- */

void al_park_init(al_pool *pool);
void al_park_fini(al_pool *pool);
void al_park_init_worker(al_worker *worker);
/* Looks for work for a while, then sleeps until there is some, or until the crew wants to see the worker.
 * True if it slept longer than the pool's idle_ns. */
bool al_park(al_worker *worker);
/* The worker is about to end a task and has nothing queued: it counts as a searcher from now on, so that
 * whoever sees the end and submits the next task at once need not wake another worker. */
bool al_park_start_search(al_worker *worker);
static inline void al_park_before_end(al_worker *worker)
{
    if (!worker->searching && !al_deque_length(&worker->deque) &&
        atomic_load_explicit(&worker->pool->sleepers, memory_order_relaxed))
        al_park_start_search(worker);
}
/* The worker has found work: if it was the last one who looked, and there is more, another one is woken. */
void al_park_end_search(al_worker *worker);
static inline void al_park_found(al_worker *worker)
{
    if (__builtin_expect(worker->searching, false))
        al_park_end_search(worker);
}
void al_park_wake_one(al_pool *pool);
void al_park_wake_all(al_pool *pool);
void al_park_attend(al_pool *pool);

/* To be called after work was added: one load where nobody sleeps. */
static inline void al_park_announce(al_pool *pool)
{
    al_fence_light(); /* with those who go to sleep: they see the work, or are seen here */
    if (__builtin_expect(atomic_load_explicit(&pool->attention, memory_order_relaxed) != 0, false))
        al_park_attend(pool);
}

/* Queues a plain task. */
static inline void al_pool_push_plain(al_pool *pool, al_task *task)
{
    al_worker *worker = al_worker_of(pool);
    if (!worker || !al_deque_push(&worker->deque, task))
        al_inject_push(&pool->inject, AL_BAND_NORMAL, task);
    al_park_announce(pool);
}

/* ---- crew.c ---- */

void al_crew_init(al_pool *pool, int min, int max, int64_t idle_ns);
allot_status al_crew_start(al_pool *pool, al_failure *failure);
/* Lets the workers finish what is queued, and joins them. */
void al_crew_stop(al_pool *pool);
/* Starts one more worker if there are fewer than there should be at work. */
void al_crew_grow(al_pool *pool);
allot_status al_crew_resize(al_pool *pool, int min, int max, al_failure *failure);
/* By the worker itself; pairs may nest. */
void al_crew_blocking(al_worker *worker, bool blocked);
/* True if the worker has to leave now: there are too many, or with `idle` more than need be. It has left
 * then. */
bool al_crew_leave(al_worker *worker, bool idle);

#endif
