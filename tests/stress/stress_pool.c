/* Property: whatever is done to the thread pool, each task that was not cancelled runs exactly once, one that
 * was runs never, and every wait ends.
 *
 *     stress_pool [--seed N] [--tasks N] [--mixed N]
 *
 * First that many tasks (ten million) through 1, 2, 8 and 64 workers each, then a mix on several executors at
 * once: tasks from outside and from tasks, nested waits, priorities, cancels, releases before the end, other
 * sizes of the pool. TEST_SEED sets the seed too; threads race, so it repeats what they do, not when. */
#include "random.h"
#include "support.h"
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum {
    SUBMITTERS = 3,
    WINDOW = 512, /* of futures that a submitter holds */
    EXECUTORS = 3,
    THREADS = 4,
    CHILDREN = 4,
    DEPTH = 4,
    HANGS_S = 900
};

static _Atomic uint8_t *ran; /* by the task's number: how often */
static _Atomic uint8_t *cancelled;
static uint64_t seed;
static _Atomic uint32_t wrong;

static void complain(const char *what, const allot_future *future)
{
    if (atomic_fetch_add(&wrong, 1) < 20)
        printf("%s: %s (%s)\n", what, allot_status_name(allot_future_status(future)),
               allot_future_error(future));
}

static allot_executor *open_pool(int workers)
{
    allot_executor *executor =
        allot_open(ALLOT_OPTIONS(.threads = workers, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    if (!executor) {
        fprintf(stderr, "allot_open: %s\n", allot_open_error());
        exit(EXIT_FAILURE);
    }
    return executor;
}

static void make_room(uint32_t tasks)
{
    ran = calloc(tasks, sizeof ran[0]);
    cancelled = calloc(tasks, sizeof cancelled[0]);
    if (!ran || !cancelled) {
        fprintf(stderr, "no memory for %u tasks\n", tasks);
        exit(EXIT_FAILURE);
    }
}

/* Each of the tasks ran once, or never if it was cancelled. */
static void check_all(uint32_t tasks)
{
    for (uint32_t i = 0; i < tasks; i++)
        if (ran[i] != (cancelled[i] ? 0 : 1) && atomic_fetch_add(&wrong, 1) < 20)
            printf("task %u ran %u times, %s\n", i, ran[i], cancelled[i] ? "cancelled" : "not cancelled");
    free((void *)ran);
    free((void *)cancelled);
}

/* ---- Many ---- */

typedef struct batch {
    allot_executor *executor;
    uint32_t begin, end;
} batch;

static allot_status count_once(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    atomic_fetch_add_explicit(&ran[*(const uint32_t *)in], 1, memory_order_relaxed);
    return ALLOT_OK;
}

static void *submit_batch(void *of)
{
    const batch *mine = of;
    allot_future *window[WINDOW];
    random_state random = random_start(seed + mine->begin);
    for (uint32_t i = mine->begin; i < mine->end;) {
        size_t count = 0;
        for (; count < WINDOW && i < mine->end; i++)
            window[count++] = allot_submit(mine->executor, count_once, &i, sizeof i, 0, NULL);
        if (random_next(&random) % 4 && allot_wait_all(window, count, ALLOT_FOREVER) != ALLOT_OK)
            complain("wait_all", window[0]);
        allot_release_all(window, count); /* now and then before they have run */
    }
    return NULL;
}

static void count_through(int workers, uint32_t tasks)
{
    batch batches[SUBMITTERS];
    int64_t began_ns = now_ns();
    make_room(tasks);
    allot_executor *executor = open_pool(workers);
    for (uint32_t i = 0; i < SUBMITTERS; i++)
        batches[i] = (batch){ executor, (uint32_t)((uint64_t)tasks * i / SUBMITTERS),
                              (uint32_t)((uint64_t)tasks * (i + 1) / SUBMITTERS) };
    run_threads(SUBMITTERS, submit_batch, batches, sizeof batches[0]);
    if (allot_close(executor) != ALLOT_OK)
        atomic_fetch_add(&wrong, 1);
    double seconds = (double)(now_ns() - began_ns) * 1e-9;
    check_all(tasks);
    printf("%u tasks through %d workers in %.1f s, %u wrong\n", tasks, workers, seconds, wrong);
    fflush(stdout);
}

/* ---- All at once ---- */

static allot_executor *executors[EXECUTORS];
static _Atomic uint32_t numbers; /* of tasks, given out so far */
static _Atomic uint32_t over;    /* of them, run or cancelled */
static uint32_t mixed;           /* how many there may be */

typedef struct order {
    uint32_t number, depth;
    uint64_t seed;
} order;

static allot_status branch_out(allot_call *call, const void *in, void *out);

/* A new task; NULL when there have been enough. */
static allot_future *submit_one(random_state *random, uint32_t depth, uint32_t *number)
{
    *number = atomic_fetch_add(&numbers, 1);
    if (*number >= mixed)
        return NULL;
    order in = { *number, depth, random_next(random) };
    allot_executor *executor = executors[random_next(random) % EXECUTORS];
    allot_hints hints;
    allot_hints_init(&hints);
    hints.place = ALLOT_THREAD;
    hints.priority = (int)(random_next(random) % 3) - 1;
    bool plain = random_next(random) % 4;
    return allot_submit(executor, branch_out, &in, sizeof in, sizeof in.number, plain ? NULL : &hints);
}

/* Looks at what a task that ran gives back. */
static void fetch(allot_future *future, uint32_t number)
{
    uint32_t result = number + 1;
    allot_status status = allot_get(future, &result, sizeof result, ALLOT_FOREVER);
    if (status == ALLOT_OK ? result != number : status != ALLOT_CANCELLED)
        complain("a task", future);
}

/* Whatever one can do to a future, ended by releasing it. */
static void treat(random_state *random, allot_future *future, uint32_t number)
{
    switch (random_next(random) % 6) {
    case 0:
        if (allot_cancel(future)) {
            cancelled[number] = 1;
            atomic_fetch_add(&over, 1);
        }
        break;
    case 1:
    case 2:
        fetch(future, number);
        break;
    case 3:
        allot_release(allot_hold(future));
        break;
    default:
        break;
    }
    allot_release(future);
}

static void burst(random_state *random, uint32_t depth, size_t most)
{
    allot_future *futures[CHILDREN * 4];
    uint32_t number[CHILDREN * 4];
    size_t count = 0, index = 0, wanted = 1 + random_next(random) % most;
    while (count < wanted && (futures[count] = submit_one(random, depth, &number[count])))
        count++;
    if (!count)
        return;
    switch (random_next(random) % 4) {
    case 0:
        if (allot_wait_all(futures, count, ALLOT_FOREVER) != ALLOT_OK)
            complain("wait_all", futures[0]);
        break;
    case 1:
        if (allot_wait_any(futures, count, ALLOT_FOREVER, &index) != ALLOT_OK || !allot_done(futures[index]))
            complain("wait_any", futures[index]);
        break;
    case 2:
        if (allot_wait(futures[0], (int64_t)(random_next(random) % 50000)) == ALLOT_OK &&
            !allot_done(futures[0]))
            complain("waited, but", futures[0]);
        break;
    default:
        break;
    }
    for (size_t i = 0; i < count; i++)
        treat(random, futures[i], number[i]);
}

static allot_status branch_out(allot_call *call, const void *in, void *out)
{
    const order *mine = in;
    random_state random = random_start(mine->seed);
    (void)call;
    if (mine->depth < DEPTH && random_next(&random) % 3 == 0)
        burst(&random, mine->depth + 1, CHILDREN);
    atomic_fetch_add_explicit(&ran[mine->number], 1, memory_order_relaxed);
    *(uint32_t *)out = mine->number;
    atomic_fetch_add(&over, 1);
    return ALLOT_OK;
}

#if __has_include(<allot/parallel.h>)
static void resize_one(random_state *random)
{
    int min = 1 + (int)(random_next(random) % 4), max = min + (int)(random_next(random) % 4);
    allot_executor *executor = executors[random_next(random) % EXECUTORS];
    if (allot_resize(executor, "thread", min, max) != ALLOT_OK && atomic_fetch_add(&wrong, 1) < 20)
        printf("resize to %d..%d: %s\n", min, max, allot_last_error());
}
#else
static void resize_one(random_state *random)
{
    (void)random;
}
#endif

static void *mix(void *of)
{
    random_state random = random_start(*(uint64_t *)of);
    while (atomic_load(&numbers) < mixed) {
        burst(&random, 0, CHILDREN * 4);
        uint64_t what = random_next(&random) % 64;
        if (what == 0)
            resize_one(&random);
        else if (what < 8)
            for (uint64_t i = 0; i < what * 50; i++) /* long enough that workers go to sleep now and then */
                sched_yield();
    }
    return NULL;
}

static void mix_all(uint32_t tasks)
{
    static const int workers[EXECUTORS] = { 1, 2, 5 };
    uint64_t seeds[THREADS];
    int64_t began_ns = now_ns();
    mixed = tasks;
    make_room(tasks);
    for (int i = 0; i < EXECUTORS; i++)
        executors[i] = open_pool(workers[i]);
    for (uint64_t i = 0; i < THREADS; i++)
        seeds[i] = seed + i;
    run_threads(THREADS, mix, seeds, sizeof seeds[0]);
    await_count(&over, tasks); /* what runs in one executor submits to the others */
    for (int i = 0; i < EXECUTORS; i++)
        if (allot_close(executors[i]) != ALLOT_OK)
            atomic_fetch_add(&wrong, 1);
    check_all(tasks);
    printf("%u mixed tasks on %d executors in %.1f s, %u wrong\n", tasks, EXECUTORS,
           (double)(now_ns() - began_ns) * 1e-9, wrong);
}

/* ---- The whole ---- */

static uint32_t number_after(int argc, char **argv, const char *name, uint32_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], name))
            return (uint32_t)strtoul(argv[i + 1], NULL, 0);
    return otherwise;
}

int main(int argc, char **argv)
{
    static const int workers[] = { 1, 2, 8, 64 };
    const char *given = NULL;
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], "--seed"))
            given = argv[i + 1];
    seed = random_seed(given);
    uint32_t tasks = number_after(argc, argv, "--tasks", TEST_SANITIZED ? 50000 : 10000000);
    uint32_t more = number_after(argc, argv, "--mixed", TEST_SANITIZED ? 20000 : 500000);
    alarm(HANGS_S); /* far beyond what it takes: a wait that does not end is a failure */
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++)
        count_through(workers[i], tasks);
    mix_all(more);
    printf("%u wrong, seed %llu\n", wrong, (unsigned long long)seed);
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
