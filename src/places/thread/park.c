#include "base/clock.h"
#include "base/futex.h"
#include "places/thread/pool.h"
#include "topology/topology.h"

#define SPIN_NS     30000 /* at most, before a worker sleeps: about what waking it again would cost */
#define SPIN_MIN_NS 2000

void al_park_init(al_pool *pool)
{
    pthread_mutex_init(&pool->park_lock, NULL);
    int cpus = al_usable_cpus();
    pool->searchers_max =
        cpus > 1 ? (uint32_t)cpus - 1 : 0; /* a spinning worker must not take a submitter's CPU */
}

void al_park_fini(al_pool *pool)
{
    pthread_mutex_destroy(&pool->park_lock);
}

/* ---- Waking ---- */

static void wake(al_worker *worker)
{
    atomic_store(&worker->asleep, 0);
    al_futex_wake(&worker->asleep, 1, AL_FUTEX_PRIVATE);
}

/* With the lock held: it is a searcher from now on, so that nobody else is woken for the same work. */
static al_worker *pop_sleeper(al_pool *pool)
{
    al_worker *worker = pool->stack;
    if (!worker)
        return NULL;
    pool->stack = worker->below;
    atomic_fetch_sub(&pool->sleepers, 1);
    atomic_fetch_sub(&pool->attention, 1);
    atomic_fetch_add(&pool->searchers, 1);
    return worker;
}

void al_park_wake_one(al_pool *pool)
{
    pthread_mutex_lock(&pool->park_lock);
    al_worker *worker = pop_sleeper(pool);
    pthread_mutex_unlock(&pool->park_lock);
    if (worker)
        wake(worker);
}

void al_park_wake_all(al_pool *pool)
{
    while (atomic_load(&pool->sleepers))
        al_park_wake_one(pool);
}

void al_park_attend(al_pool *pool)
{
    atomic_thread_fence(
        memory_order_seq_cst); /* with a searcher who stops: it sees the work, or is not seen here */
    if (atomic_load(&pool->sleepers) && !atomic_load(&pool->searchers))
        al_park_wake_one(pool);
    else if (atomic_load(&pool->growing) && !atomic_load(&pool->sleepers))
        al_crew_grow(pool);
    if (atomic_load(&pool->waiting_helpers))
        al_epoch_bump();
}

/* ---- Searching ---- */

void al_park_end_search(al_worker *worker)
{
    al_pool *pool = worker->pool;
    worker->searching = false;
    bool last = atomic_fetch_sub(&pool->searchers, 1) == 1; /* seq_cst: with al_park_attend() */
    if (last && atomic_load(&pool->sleepers) && al_find_any(pool))
        al_park_wake_one(pool);
}

static bool start_search(al_worker *worker)
{
    al_pool *pool = worker->pool;
    uint32_t searchers = atomic_load_explicit(&pool->searchers, memory_order_relaxed);
    while (!worker->searching && searchers < pool->searchers_max)
        worker->searching = atomic_compare_exchange_weak(&pool->searchers, &searchers, searchers + 1);
    return worker->searching;
}

static bool spin(al_worker *worker)
{
    al_pool *pool = worker->pool;
    int64_t now_ns = al_clock_now_ns(), end_ns = now_ns + worker->spin_ns;
    bool found = false;
    while (!found && now_ns < end_ns && !atomic_load_explicit(&pool->closing, memory_order_relaxed)) {
        for (int i = 0; i < 32 && !(found = al_find_any(pool)); i++)
            al_pause();
        now_ns = al_clock_now_ns();
    }
    worker->spin_ns = found ? SPIN_NS : worker->spin_ns / 2 > SPIN_MIN_NS ? worker->spin_ns / 2 : SPIN_MIN_NS;
    return found;
}

/* ---- Sleeping ---- */

static void lie_down(al_worker *worker)
{
    al_pool *pool = worker->pool;
    pthread_mutex_lock(&pool->park_lock);
    atomic_store(&worker->asleep, 1);
    worker->below = pool->stack;
    pool->stack = worker;
    atomic_fetch_add(&pool->sleepers, 1);
    atomic_fetch_add(&pool->attention, 1);
    pthread_mutex_unlock(&pool->park_lock);
    al_fence_heavy(); /* with al_park_announce() */
}

/* Takes itself off the stack; false if somebody did that already, and has woken it or is about to. */
static bool get_up(al_worker *worker)
{
    al_pool *pool = worker->pool;
    pthread_mutex_lock(&pool->park_lock);
    al_worker **link = &pool->stack;
    while (*link && *link != worker)
        link = &(*link)->below;
    bool found = *link != NULL;
    if (found) {
        *link = worker->below;
        atomic_fetch_sub(&pool->sleepers, 1);
        atomic_fetch_sub(&pool->attention, 1);
    }
    pthread_mutex_unlock(&pool->park_lock);
    return found;
}

static bool crew_calls(al_pool *pool)
{
    return atomic_load(&pool->closing) || atomic_load(&pool->surplus);
}

/* Woken: true, and then it is a searcher. */
static bool sleep_until(al_worker *worker, int64_t deadline_ns)
{
    while (atomic_load(&worker->asleep)) {
        al_futex_wait(&worker->asleep, 1, deadline_ns, AL_FUTEX_PRIVATE);
        if (atomic_load(&worker->asleep) && al_clock_passed(deadline_ns))
            break;
    }
    return worker->searching = !get_up(worker);
}

bool al_park(al_worker *worker)
{
    al_pool *pool = worker->pool;
    if (start_search(worker) && spin(worker))
        return false;
    if (worker->searching) {
        worker->searching = false;
        atomic_fetch_sub(&pool->searchers,
                         1); /* lie_down's fence and the look behind it make up for this one */
    }
    lie_down(worker);
    if (al_find_any(pool) || crew_calls(pool)) {
        /* A searcher again, either way: whoever added work while it was one woke nobody, and there may be
         * more than it takes. */
        if (get_up(worker)) /* else it was chosen to be woken meanwhile, and is one already */
            atomic_fetch_add(&pool->searchers, 1);
        worker->searching = true;
        return false;
    }
    bool surplus = atomic_load(&pool->live) > atomic_load(&pool->min);
    int64_t slept_ns = surplus ? al_clock_now_ns() : 0;
    return !sleep_until(worker, surplus ? slept_ns + pool->idle_ns : INT64_MAX);
}
