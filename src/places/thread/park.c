#include "base/clock.h"
#include "base/futex.h"
#include "base/part.h"
#include "base/slab.h"
#include "base/yield.h"
#include "places/thread/pool.h"
#include "topology/topology.h"

#define SPIN_NS     30000 /* at most, before a worker sleeps: about what waking it again would cost */
#define SPIN_MIN_NS 2000
#define TEAM_SPIN_NS                                                                                         \
    100000              /* the same after a team's work: its other members come to an end later than this    \
                           one, for CPUs are seldom equally fast, and only then does the next loop begin */
#define QUICK_LOOKS   4 /* work that comes after so few looks comes at once; */
#define QUICK_FINDS   8 /* so often in a row, it is a stream */
#define GATHER_PAUSES 16
#define GATHERED      3
#define SENTINEL_NS   1000000 /* how often a sleeper gets up while others are at work */
#define SOON_NS       10000   /* what follows the last task so soon is part of a stream */
#define STREAM_LOOK   16      /* one task in so many of a stream asks how many wait */
#define STREAM_MOST   64      /* and wakes somebody if there are so many */

void al_park_init_worker(al_worker *worker)
{
    worker->spin_ns = SPIN_NS;
    worker->team_spin_ns = TEAM_SPIN_NS;
}

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

/* ---- Streams ---- */

/* A stream of short tasks is taken off as it comes by those who are awake: waking one more each time would
 * cost more than it brings. Should they get stuck in a long task, the sentinel sees to what was left. Asked
 * by whoever has reason to wake somebody. */
static bool is_stream(const al_pool *pool)
{
    al_lane *lane = al_lane_here();
    if (lane->number == AL_LANE_SHARED) /* it may be several threads' */
        return false;
    int64_t now_ns = al_clock_now_ns(), since_ns = now_ns - lane->announced_ns;
    lane->announced_ns = now_ns;
    bool stream =
        since_ns < SOON_NS && atomic_load_explicit((_Atomic bool *)&pool->sentinel, memory_order_relaxed);
    if (!stream)
        lane->unheeded = 0;
    else if (++lane->unheeded % STREAM_LOOK)
        return true;
    al_deque *queue = atomic_load((al_deque * _Atomic *)&pool->inject.queues[AL_BAND_NORMAL][lane->number]);
    return stream && queue && al_deque_length(queue) < STREAM_MOST;
}

/* ---- Waking ---- */

static void wake(al_worker *worker)
{
    atomic_store(&worker->asleep, 0);
    al_futex_wake(&worker->asleep, 1, AL_FUTEX_PRIVATE);
}

/* With the lock held. There is one sentinel at most. */
static void set_sentinel(al_worker *worker, bool is)
{
    if (worker->is_sentinel == is || (is && atomic_load(&worker->pool->sentinel)))
        return;
    worker->is_sentinel = is;
    atomic_store(&worker->pool->sentinel, is);
}

/* With the lock held: it is a searcher from now on, so that nobody else is woken for the same work. */
static al_worker *pop_sleeper(al_pool *pool)
{
    al_worker *worker = pool->stack;
    if (!worker)
        return NULL;
    pool->stack = worker->below;
    set_sentinel(worker, false); /* at once, not when it is awake: nobody may rely on it any more */
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

/* All who sleep at one moment: one by one would pass over some where others lie down meanwhile, since those
 * come first. */
void al_park_wake_all(al_pool *pool)
{
    pthread_mutex_lock(&pool->park_lock);
    for (al_worker *worker; (worker = pop_sleeper(pool));)
        wake(worker);
    pthread_mutex_unlock(&pool->park_lock);
}

void al_park_attend(al_pool *pool)
{
    /* With a searcher who stops: it sees the work, or is not seen here. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&pool->sleepers) && !atomic_load(&pool->searchers) &&
        (al_worker_of(pool) || !is_stream(pool)))
        al_park_wake_one(pool);
    if (atomic_load(&pool->growing) && !atomic_load(&pool->sleepers))
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
    if (last && atomic_load(&pool->sleepers) && al_find_any(pool) && !is_stream(pool))
        al_park_wake_one(pool);
}

bool al_park_start_search(al_worker *worker)
{
    al_pool *pool = worker->pool;
    uint32_t searchers = atomic_load_explicit(&pool->searchers, memory_order_relaxed);
    while (!worker->searching && searchers < pool->searchers_max)
        worker->searching = atomic_compare_exchange_weak(&pool->searchers, &searchers, searchers + 1);
    return worker->searching;
}

/* How many tasks a submitter has ready for us; the first one that has any. */
static size_t waiting(const al_pool *pool)
{
    uint64_t active =
        atomic_load_explicit((_Atomic uint64_t *)&pool->inject.active[AL_BAND_NORMAL], memory_order_relaxed);
    size_t count = 0;
    for (; active && !count; active &= active - 1)
        count = al_deque_length(atomic_load_explicit(
            (al_deque * _Atomic *)&pool->inject.queues[AL_BAND_NORMAL][__builtin_ctzll(active)],
            memory_order_acquire));
    return count;
}

/* Who takes every task the moment it comes fights the submitter for the same cache lines; so in a stream a
 * worker waits for some to gather. Where none gathered it is no stream. */
static void let_gather(al_worker *worker)
{
    for (int i = 0; i < GATHER_PAUSES; i++)
        al_pause();
    if (waiting(worker->pool) < GATHERED)
        worker->quick_finds = 0;
}

static bool spin(al_worker *worker)
{
    al_pool *pool = worker->pool;
    if (worker->quick_finds >= QUICK_FINDS)
        let_gather(worker);
    int64_t *patience_ns = worker->after_team ? &worker->team_spin_ns : &worker->spin_ns;
    int64_t now_ns = al_clock_now_ns(), end_ns = now_ns + *patience_ns;
    unsigned looks = 0;
    bool found = false;
    while (!found && now_ns < end_ns && !atomic_load_explicit(&pool->closing, memory_order_relaxed)) {
        for (int i = 0; i < 32 && !(found = al_find_any(pool)); i++, looks++)
            al_pause();
        now_ns = al_clock_now_ns();
        if (!found)
            now_ns = al_yield(now_ns);
    }
    if (worker->quick_finds < QUICK_FINDS || !found)
        worker->quick_finds = found && looks < QUICK_LOOKS ? worker->quick_finds + 1 : 0;
    if (found)
        *patience_ns = worker->after_team ? TEAM_SPIN_NS : SPIN_NS;
    else
        *patience_ns = *patience_ns / 2 > SPIN_MIN_NS ? *patience_ns / 2 : SPIN_MIN_NS;
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
    al_slab_flush();
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
        set_sentinel(worker, false);
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

static bool others_at_work(al_pool *pool)
{
    return atomic_load(&pool->live) - atomic_load(&pool->blocked) > (int)atomic_load(&pool->sleepers);
}

/* While others are at work one of those who sleep is the sentinel. True if it is this one. */
static bool stand_sentinel(al_worker *worker)
{
    al_pool *pool = worker->pool;
    bool needed = others_at_work(pool);
    pthread_mutex_lock(&pool->park_lock);
    set_sentinel(worker, needed && atomic_load(&worker->asleep));
    bool is = worker->is_sentinel;
    pthread_mutex_unlock(&pool->park_lock);
    return is;
}

/* Sleeps until it is woken, the moment comes, or as the sentinel there is work. */
static void sleep_until(al_worker *worker, int64_t deadline_ns)
{
    bool was = false;
    while (atomic_load(&worker->asleep) && !al_clock_passed(deadline_ns)) {
        bool sentinel = stand_sentinel(worker);
        /* Whoever still took this one for the sentinel just now has woken nobody. */
        if (was && !sentinel && al_find_any(worker->pool))
            break;
        was = sentinel;
        int64_t until_ns = sentinel ? al_clock_now_ns() + SENTINEL_NS : deadline_ns;
        al_futex_wait(&worker->asleep, 1, until_ns < deadline_ns ? until_ns : deadline_ns, AL_FUTEX_PRIVATE);
        if (sentinel && atomic_load(&worker->asleep) && al_find_any(worker->pool))
            break;
    }
}

bool al_park(al_worker *worker)
{
    al_pool *pool = worker->pool;
    if (!pool->binds)
        al_part_heed();
    if (al_park_start_search(worker) && spin(worker))
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
    int64_t slept_ns = al_clock_now_ns();
    int64_t until_ns = surplus ? slept_ns + pool->idle_ns : INT64_MAX;
    sleep_until(worker, until_ns);
    if (al_clock_now_ns() - slept_ns < TEAM_SPIN_NS) /* who looks back would have stayed awake */
        worker->spin_ns = TEAM_SPIN_NS;
    worker->searching = !get_up(worker);           /* woken: then it counts as one */
    if (!worker->searching && al_find_any(pool)) { /* what was left to it: others must hear of the rest */
        atomic_fetch_add(&pool->searchers, 1);
        worker->searching = true;
    }
    return !worker->searching && al_clock_passed(until_ns);
}
