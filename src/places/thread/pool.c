#include "places/thread/pool.h"
#include "base/clock.h"
#include "base/futex.h"
#include "places/thread/gang.h"
#include "topology/citizen.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

#define SPIN_NS 30000 /* before a worker sleeps: about what waking it again would cost */

/* What a worker takes from the pool: a task, or a part of a gang. */
typedef struct work {
    al_task *task;
    al_gang *gang;
    size_t part;
} work;

typedef struct worker {
    al_helper helper; /* first: how its waits run other tasks */
    al_pool *pool;
} worker;

/* ---- Taking ---- */

static void note_waiting(al_pool *pool, int change)
{
    if (change > 0)
        atomic_fetch_add_explicit(&pool->waiting, 1, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&pool->waiting, 1, memory_order_relaxed);
}

static void take_part(al_pool *pool, work *taken)
{
    al_gang *gang = pool->gangs;
    taken->gang = gang;
    taken->part = gang->given++;
    if (gang->given < gang->parts)
        return;
    pool->gangs = gang->next; /* the last part: nobody else will look at it here */
    if (!pool->gangs)
        pool->last_gang = NULL;
    note_waiting(pool, -1);
}

/* With the lock held: parts of launches first, so that what was begun ends soon. */
static bool take(al_pool *pool, work *taken)
{
    *taken = (work){ 0 };
    if (pool->gangs) {
        take_part(pool, taken);
        return true;
    }
    taken->task = al_queue_pop(&pool->queue);
    if (taken->task)
        note_waiting(pool, -1);
    return taken->task != NULL;
}

/* With the lock held: one more worker is useful if there is more work and none is looking for it already. */
static bool should_wake(const al_pool *pool)
{
    return pool->sleepers && atomic_load(&pool->waiting) && !atomic_load(&pool->spinners);
}

static void run(al_pool *pool, const work *taken)
{
    al_failure failure = { 0 };
    if (taken->gang)
        al_gang_run(taken->gang, taken->part);
    else if (!al_place_start(&pool->base, taken->task))
        return;
    else if (taken->task->launch)
        al_gang_begin(pool, taken->task);
    else {
        allot_status status = al_task_call(taken->task, &failure);
        al_place_complete(&pool->base, taken->task, status, &failure, 0);
    }
}

/* ---- Looking ---- */

static bool spin(al_pool *pool)
{
    atomic_fetch_add(&pool->spinners, 1);
    int64_t end_ns = al_clock_now_ns() + SPIN_NS;
    bool found = false;
    do {
        for (int i = 0; i < 64 && !found; i++) {
            found = atomic_load_explicit(&pool->waiting, memory_order_relaxed) != 0;
            al_pause();
        }
    } while (!found && al_clock_now_ns() < end_ns);
    atomic_fetch_sub(&pool->spinners,
                     1); /* seq_cst: who pushes after this sees no spinner and wakes a sleeper */
    return found;
}

/* With the lock held. False: nothing came, and the pool closes. */
static bool sleep_for_work(al_pool *pool, work *taken)
{
    bool found;
    while (!(found = take(pool, taken)) && !pool->closing) {
        pool->sleepers++;
        pthread_cond_wait(&pool->changed, &pool->lock);
        pool->sleepers--;
    }
    return found;
}

static void count_busy(al_pool *pool, int64_t since_ns)
{
    atomic_fetch_add_explicit(&pool->base.counters.busy_ns, (uint64_t)(al_clock_now_ns() - since_ns),
                              memory_order_relaxed);
}

/* The clock is read when a worker runs dry, not for every task. */
static bool next_work(al_pool *pool, work *taken, int64_t *busy_since_ns)
{
    pthread_mutex_lock(&pool->lock);
    bool found = take(pool, taken);
    if (!found && !pool->closing) {
        pthread_mutex_unlock(&pool->lock);
        count_busy(pool, *busy_since_ns);
        spin(pool);
        pthread_mutex_lock(&pool->lock);
        found = sleep_for_work(pool, taken);
        *busy_since_ns = al_clock_now_ns();
    }
    bool wake = should_wake(pool);
    pthread_mutex_unlock(&pool->lock);
    if (wake)
        pthread_cond_signal(&pool->changed);
    return found;
}

/* ---- Helping: a task that waits runs others ---- */

static bool help(al_helper *helper)
{
    al_pool *pool = ((worker *)helper)->pool;
    work taken;
    pthread_mutex_lock(&pool->lock);
    bool found = take(pool, &taken);
    pthread_mutex_unlock(&pool->lock);
    if (found)
        run(pool, &taken);
    return found;
}

static void idle(al_helper *helper, bool idle)
{
    al_pool *pool = ((worker *)helper)->pool;
    atomic_fetch_add(&pool->idle_helpers, idle ? 1 : -1);
}

/* ---- Threads ---- */

static void *serve(void *of)
{
    al_pool *pool = of;
    worker self = { { help, idle }, pool };
    al_helper_here = &self.helper;
    if (pool->caps_libraries)
        al_citizen_enter_worker();
    work taken;
    int64_t busy_since_ns = al_clock_now_ns();
    while (next_work(pool, &taken, &busy_since_ns))
        run(pool, &taken);
    return NULL;
}

static bool start_thread(al_pool *pool, int index)
{
    char name[16];
    if (pthread_create(&pool->threads[index], NULL, serve, pool) != 0)
        return false;
    snprintf(name, sizeof name, "allot-%hu", (unsigned short)index);
    pthread_setname_np(pool->threads[index], name);
    return true;
}

allot_status al_pool_start(al_pool *pool, al_failure *failure)
{
    sigset_t all, before;
    pool->threads = calloc((size_t)pool->worker_count, sizeof *pool->threads);
    if (!pool->threads)
        return ALLOT_NO_MEMORY;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the host's signals are the host's threads' affair */
    while (pool->started < pool->worker_count && start_thread(pool, pool->started))
        pool->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    atomic_store(&pool->base.counters.workers, pool->started);
    if (!pool->started) /* fewer than asked for still serve */
        return al_failure_set(failure, ALLOT_SYSTEM, "cannot start a thread: the system's limit is reached");
    return ALLOT_OK;
}

void al_pool_stop(al_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->started; i++)
        pthread_join(pool->threads[i], NULL);
    free(pool->threads);
}

/* ---- Giving ---- */

/* After work was added: wakes whoever should look, outside the lock. */
static void announce(al_pool *pool, bool wake)
{
    if (wake)
        pthread_cond_signal(&pool->changed);
    if (atomic_load(&pool->idle_helpers))
        al_epoch_bump();
}

void al_pool_push(al_pool *pool, al_task *task)
{
    pthread_mutex_lock(&pool->lock);
    al_queue_push(&pool->queue, task);
    atomic_fetch_add(&pool->waiting, 1); /* seq_cst: pairs with spin() */
    bool wake = should_wake(pool);
    pthread_mutex_unlock(&pool->lock);
    announce(pool, wake);
}

void al_pool_push_gang(al_pool *pool, al_gang *gang)
{
    pthread_mutex_lock(&pool->lock);
    gang->next = NULL;
    if (pool->last_gang)
        pool->last_gang->next = gang;
    else
        pool->gangs = gang;
    pool->last_gang = gang;
    atomic_fetch_add(&pool->waiting, 1);
    bool wake = should_wake(pool);
    pthread_mutex_unlock(&pool->lock);
    announce(pool, wake);
}

al_task *al_pool_withdraw(al_pool *pool, al_task *which)
{
    pthread_mutex_lock(&pool->lock);
    al_task *task = which ? which : pool->queue.last;
    if (task && al_queue_has(&pool->queue, task)) {
        al_queue_remove(&pool->queue, task);
        note_waiting(pool, -1);
    } else {
        task = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    return task;
}
