#include "base/clock.h"
#include "base/thread.h"
#include "places/thread/pool.h"
#include "topology/citizen.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_NS    INT64_C(1000000000)
#define STACK_LEFT (256u << 10) /* of a worker's stack that tasks taken up in a wait leave free */

_Thread_local al_worker *al_worker_mine __attribute__((tls_model("initial-exec")));

/* ---- One worker ---- */

/* A task that waits takes up others on its stack: not when that is nearly used up. */
static bool help(al_helper *helper)
{
    al_worker *worker = (al_worker *)helper;
    return (const char *)__builtin_frame_address(0) > worker->stack_end && al_find_and_run(worker, true);
}

static bool reclaim(al_helper *helper, allot_future *future)
{
    al_worker *worker = (al_worker *)helper;
    return (const char *)__builtin_frame_address(0) > worker->stack_end &&
           al_find_reclaim(worker, al_task_from(future));
}

static bool any(al_helper *helper)
{
    al_worker *worker = (al_worker *)helper;
    return (const char *)__builtin_frame_address(0) > worker->stack_end && al_find_any(worker->pool);
}

/* One that cannot help has another worker stand in. */
static void idle(al_helper *helper, bool idle)
{
    al_worker *worker = (al_worker *)helper;
    al_pool *pool = worker->pool;
    if ((const char *)__builtin_frame_address(0) <= worker->stack_end)
        al_crew_blocking(worker, idle);
    atomic_fetch_add(&pool->waiting_helpers, idle ? 1u : -1u);
    atomic_fetch_add(&pool->attention, idle ? 1u : -1u);
    if (idle)
        al_fence_heavy(); /* with al_park_announce() */
}

static const char *end_of_stack(void)
{
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return NULL;
    pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
    return (const char *)lowest + (size / 2 < STACK_LEFT ? size / 2 : STACK_LEFT);
}

static void count_busy(al_worker *worker)
{
    al_place_count(&worker->pool->base, AL_BUSY_NS, (uint64_t)(al_clock_now_ns() - worker->busy_since_ns));
}

/* A task that is over does not block any more, whatever it said. */
static void end_blocking(al_worker *worker)
{
    worker->blocking = 1; /* however many there are */
    al_crew_blocking(worker, false);
}

static void *serve(void *of)
{
    al_worker *worker = of;
    al_pool *pool = worker->pool;
    al_worker_mine = worker;
    al_helper_here = &worker->helper;
    worker->stack_end = end_of_stack();
    if (pool->caps_libraries)
        al_citizen_enter_worker();
    if (pool->binds && pool->layout && worker->index < pool->layout->workers)
        al_cpu_bind_here(pool->layout->homes[worker->index].number);
    worker->busy_since_ns = al_clock_now_ns();
    for (bool left = false; !left;) {
        if (__builtin_expect(!atomic_load_explicit(&pool->surplus, memory_order_relaxed), true) &&
            al_find_and_run(worker, false)) {
            if (__builtin_expect(worker->blocking != 0, false))
                end_blocking(worker);
            continue;
        }
        count_busy(worker); /* the clock is read when a worker runs dry, not for every task */
        if (atomic_load(&pool->closing) && !al_find_any(pool))
            break;
        bool idle_long = !atomic_load_explicit(&pool->surplus, memory_order_relaxed) && al_park(worker);
        worker->busy_since_ns = al_clock_now_ns();
        left = al_crew_leave(worker, idle_long);
    }
    al_worker_mine = NULL; /* what its thread's destructors do is no worker's any more */
    al_helper_here = NULL;
    return NULL;
}

/* ---- With the crew's lock held ---- */

/* After any change of the figures. */
static void reckon(al_pool *pool)
{
    int at_work = atomic_load(&pool->live) - atomic_load(&pool->blocked);
    bool growing = at_work < atomic_load(&pool->max) && atomic_load(&pool->live) < ALLOT_WORKERS_MAX &&
                   !atomic_load(&pool->closing);
    if (growing != atomic_load(&pool->growing)) {
        atomic_store(&pool->growing, growing);
        atomic_fetch_add(&pool->attention, growing ? 1u : -1u);
    }
    /* At the end all take what is left in the queues, if only batches without a call left. */
    atomic_store(&pool->surplus, at_work > atomic_load(&pool->max) && !atomic_load(&pool->closing));
    atomic_store(&pool->base.workers, atomic_load(&pool->live));
}

/* Where this worker should steal, if the machine's layout knows him. */
static void find_home(al_worker *worker)
{
    al_layout *layout = worker->pool->layout;
    if (!layout || worker->index >= layout->workers || worker->order)
        return;
    worker->node = layout->homes[worker->index].numa_node;
    worker->order = calloc((size_t)layout->workers, sizeof *worker->order);
    if (worker->order)
        al_layout_order(layout, worker->index, worker->order, NULL);
}

static al_worker *create_worker(al_pool *pool, int index)
{
    al_worker *worker = aligned_alloc(_Alignof(al_worker), sizeof *worker);
    if (!worker)
        return NULL;
    memset(worker, 0, sizeof *worker);
    worker->helper = (al_helper){ help, reclaim, any, idle };
    worker->pool = pool;
    worker->index = index;
    worker->first_victim = (uint32_t)index + 1;
    al_park_init_worker(worker);
    find_home(worker);
    atomic_store_explicit(&pool->workers[index], worker, memory_order_release);
    if (index >= atomic_load(&pool->slots))
        atomic_store_explicit(&pool->slots, index + 1, memory_order_release);
    return worker;
}

/* The first one without a thread. */
static al_worker *vacant_worker(al_pool *pool)
{
    for (int i = 0; i < AL_WORKER_SLOTS; i++) {
        al_worker *worker = atomic_load(&pool->workers[i]);
        if (!worker)
            return create_worker(pool, i);
        if (worker->state == AL_WORKER_NONE)
            return worker;
    }
    return NULL;
}

static bool start_worker(al_pool *pool)
{
    char name[16];
    al_worker *worker = vacant_worker(pool);
    if (!worker)
        return false;
    snprintf(name, sizeof name, "allot-%hu", (unsigned short)worker->index);
    if (al_thread_start(&worker->thread, name, serve, worker) != 0)
        return false;
    worker->state = AL_WORKER_LIVE;
    atomic_fetch_add(&pool->live, 1);
    return true;
}

/* ---- The crew ---- */

void al_crew_init(al_pool *pool, int min, int max, int64_t idle_ns)
{
    pthread_mutex_init(&pool->crew_lock, NULL);
    atomic_store(&pool->min, min);
    atomic_store(&pool->max, max);
    pool->idle_ns = idle_ns > 0 ? idle_ns : IDLE_NS;
}

allot_status al_crew_start(al_pool *pool, al_failure *failure)
{
    pthread_mutex_lock(&pool->crew_lock);
    int min = atomic_load(&pool->min);
    pool->opened = true;
    if (min > 2 || pool->binds) /* else everybody is everybody's neighbour */
        pool->layout = al_layout_here(min);
    while (atomic_load(&pool->live) < min && start_worker(pool))
        ;
    reckon(pool);
    int live = atomic_load(&pool->live);
    pthread_mutex_unlock(&pool->crew_lock);
    if (!live) /* fewer than asked for still serve */
        return al_failure_set(failure, ALLOT_SYSTEM, "cannot start a thread: the system's limit is reached");
    return ALLOT_OK;
}

void al_crew_stop(al_pool *pool)
{
    pthread_mutex_lock(&pool->crew_lock);
    atomic_store(&pool->closing, true);
    reckon(pool);
    pthread_mutex_unlock(&pool->crew_lock);
    al_fence_heavy();
    al_park_wake_all(pool);
    for (int i = 0; i < AL_WORKER_SLOTS; i++) {
        al_worker *worker = atomic_load(&pool->workers[i]);
        if (!worker)
            break;
        if (worker->state != AL_WORKER_NONE)
            pthread_join(worker->thread, NULL);
    }
    for (int i = 0; i < AL_WORKER_SLOTS && atomic_load(&pool->workers[i]); i++) {
        al_worker *worker = atomic_load(&pool->workers[i]);
        al_deque_fini(&worker->deque);
        free(worker->order);
        free(worker);
    }
    free(pool->layout);
    pthread_mutex_destroy(&pool->crew_lock);
}

void al_crew_grow(al_pool *pool)
{
    pthread_mutex_lock(&pool->crew_lock);
    if (atomic_load(&pool->growing))
        start_worker(pool);
    reckon(pool);
    pthread_mutex_unlock(&pool->crew_lock);
}

/* Whoever leaves touches neither the pool nor his own struct once the lock is free: the next thread in his
 * slot goes on with it. */
bool al_crew_leave(al_worker *worker, bool idle)
{
    al_pool *pool = worker->pool;
    if (!idle && !atomic_load_explicit(&pool->surplus, memory_order_relaxed))
        return false;
    al_park_found(worker); /* one that was woken to leave does not keep others from being woken */
    pthread_mutex_lock(&pool->crew_lock);
    int live = atomic_load(&pool->live);
    bool surplus = live - atomic_load(&pool->blocked) > atomic_load(&pool->max);
    bool leaves = !atomic_load(&pool->closing) && (surplus || (idle && live > atomic_load(&pool->min)));
    if (leaves) {
        atomic_fetch_sub(&pool->live, 1);
        reckon(pool);
        al_fence_heavy(); /* with al_park_announce(): who added work saw that the crew may grow, or it is seen
                             here */
        bool found = al_find_any(pool);
        if (found && !surplus) {
            leaves = false;
            atomic_fetch_add(&pool->live, 1);
            reckon(pool);
        } else if (found) {
            al_park_wake_one(pool);
        }
    }
    if (leaves) {
        worker->state = AL_WORKER_NONE;
        pthread_detach(worker->thread);
    }
    pthread_mutex_unlock(&pool->crew_lock);
    return leaves;
}

allot_status al_crew_resize(al_pool *pool, int min, int max, al_failure *failure)
{
    pthread_mutex_lock(&pool->crew_lock);
    atomic_store(&pool->min, min);
    atomic_store(&pool->max, max);
    bool started = true;
    while (pool->opened && started && atomic_load(&pool->live) < min)
        started = start_worker(pool);
    if (pool->opened)
        reckon(pool);
    bool surplus = atomic_load(&pool->surplus);
    pthread_mutex_unlock(&pool->crew_lock);
    al_fence_heavy(); /* with al_park_announce() */
    if (surplus || atomic_load(&pool->live) > min)
        al_park_wake_all(pool); /* so that they leave, or count the time until then */
    if (al_find_any(pool))
        al_park_announce(pool);
    if (!started)
        return al_failure_set(failure, ALLOT_SYSTEM,
                              "cannot start more threads: the system's limit is reached");
    return ALLOT_OK;
}

void al_crew_blocking(al_worker *worker, bool blocked)
{
    al_pool *pool = worker->pool;
    if (blocked ? worker->blocking++ > 0 : --worker->blocking > 0)
        return;
    pthread_mutex_lock(&pool->crew_lock);
    atomic_fetch_add(&pool->blocked, blocked ? 1 : -1);
    reckon(pool);
    pthread_mutex_unlock(&pool->crew_lock);
    al_fence_heavy(); /* with al_park_announce() */
    if (blocked && al_find_any(pool))
        al_park_announce(pool);
}
