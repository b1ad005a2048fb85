/* The questions about tasks and loops, once for all systems: a system fills in how it does each step, and so
 * every one is asked exactly the same. Everything is inlined with the system's own steps, which must be one
 * `static const bench_ops`: a call through a pointer would be a tenth of the fastest of them. Usable from
 * C++.
 *
 *     submit_get_throughput  empty tasks with a future each, submitted by one thread (or by several: what
 *                            is submitted in all stays the same), all waited for, each fetched and released;
 *                            ns a task. _first: once, in a process that has not done it before
 *     submit_get_latency_*   one at a time, submit to result, ns; _warm back to back, _idle with 1 ms of
 * sleep before each, and with _cpu, the CPU time of the whole process as a share of wall memory_per_task
 * pending tasks with a future each, while every worker is held up: what the process's resident memory grows
 * by, in bytes a task, in a fresh process. The caller's own array of handles is not in it: its pages were
 * touched before spawn_throughput       empty tasks without futures, then a wait for all; ns a task.
 * _batched: handed over in batches of BENCH_BATCH spawn_join             fib(30) without cut-off: each call
 * above 1 spawns one half, calls the other, joins; ns a spawn parallel_for_small     1,000 increments, ns a
 * loop parallel_for_saxpy     1e6 floats, GB/s, of 12 bytes an element
 *
 * Empty tasks count themselves, and the count is checked; so are fib's value and what the loops left behind.
 * A system whose tasks have no futures returns NULL ones: its wait for all is that for the count. */
#ifndef BENCH_QUESTIONS_H
#define BENCH_QUESTIONS_H

#include "event.h"
#include "loops.h"
#include "round.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_BATCH   64
#define BENCH_TASKS   1000000
#define BENCH_PAUSES  300
#define BENCH_PAUSE   1000000 /* ns */
#define BENCH_ONCES   20000
#define BENCH_FIB     30
#define BENCH_SMALL   1000
#define BENCH_FLOATS  1000000
#define BENCH_TIMED   50 /* stretches of a loop question that are timed, of which the middle counts */
#define BENCH_STRETCH 40 /* small loops in one */

/* How a system does each step; NULL: it cannot, and is not asked what needs it. All but `open` are called
 * when it is open, by the one thread that asks, submit and finish by any. */
typedef struct bench_ops {
    /* Up, with bench_workers(round) worker threads, once a process; false, with the round failed, if not. */
    bool (*open)(bench_round *round);
    size_t tasks; /* how many a throughput round takes, 0: BENCH_TASKS; fewer for a system that takes long */

    void *(*submit)(void);                                /* an empty task, bench_tally(); its future */
    void (*wait_all)(void *const *futures, size_t count); /* optional: before each is finished */
    bool (*finish)(void *future); /* waits for it, fetches its status, releases it; true if it succeeded */
    bool (*once)(void);           /* submits an empty task and waits for its end */
    void (*hold)(void);           /* submits, without a future, bench_gate_pass() */

    void (*spawn)(void);       /* an empty task without a future */
    void (*spawn_batch)(void); /* BENCH_BATCH of them at once */
    void (*drain)(void);       /* optional: waits for all of them */
    /* Optional: runs `body` where tasks can be spawned. */
    void (*inside)(void (*body)(void *user), void *user);

    uint64_t (*fib)(unsigned n);                 /* with workers threads in all */
    void (*loop)(loops_part part, size_t count); /* part over 0 to count, with workers threads in all */
} bench_ops;

#define BENCH_INLINE static inline __attribute__((always_inline))

/* ---- Throughput ---- */

typedef struct bench_producer {
    void **futures;
    size_t count;
    uint64_t total; /* the tally when all producers' tasks have run */
    bool succeeded;
    pthread_t thread;
    pthread_barrier_t *start;
} bench_producer;

BENCH_INLINE void bench_produce(bench_producer *self, const bench_ops *ops)
{
    size_t succeeded = 0;
    for (size_t i = 0; i < self->count; i++)
        self->futures[i] = ops->submit();
    if (ops->wait_all)
        ops->wait_all(self->futures, self->count);
    if (!ops->finish)
        bench_tally_wait(self->total);
    else
        for (size_t i = 0; i < self->count; i++)
            succeeded += ops->finish(self->futures[i]);
    self->succeeded = !ops->finish || succeeded == self->count;
}

/* Nanoseconds; with several producers `body` is what each thread runs. */
BENCH_INLINE int64_t bench_time_producers(bench_producer *producers, size_t count, const bench_ops *ops,
                                          void *(*body)(void *))
{
    pthread_barrier_t start;
    int64_t start_ns = bench_now_ns();
    if (count == 1) {
        bench_produce(producers, ops);
        return bench_now_ns() - start_ns;
    }
    pthread_barrier_init(&start, NULL, (unsigned)count + 1);
    for (size_t i = 0; i < count; i++) {
        producers[i].start = &start;
        if (pthread_create(&producers[i].thread, NULL, body, &producers[i]) != 0)
            abort();
    }
    pthread_barrier_wait(&start);
    start_ns = bench_now_ns();
    for (size_t i = 0; i < count; i++)
        pthread_join(producers[i].thread, NULL);
    int64_t end_ns = bench_now_ns();
    pthread_barrier_destroy(&start);
    return end_ns - start_ns;
}

BENCH_INLINE void bench_judge_tally(bench_round *round, uint64_t before, size_t count, bool succeeded)
{
    uint64_t ran = bench_tally_sum() - before;
    if (ran != count)
        bench_fail(round, "%zu tasks were submitted, and %llu ran", count, (unsigned long long)ran);
    if (!succeeded)
        bench_fail(round, "a task did not succeed");
}

BENCH_INLINE void bench_throughput(bench_round *round, const bench_ops *ops, void *(*body)(void *))
{
    size_t producers = (size_t)bench_producers(round), share, count;
    share = bench_count(round, ops->tasks ? ops->tasks : BENCH_TASKS) / producers;
    count = share * producers;
    bench_producer *all = (bench_producer *)bench_allocate(producers, sizeof *all);
    void **futures = (void **)bench_allocate(count, sizeof *futures);
    uint64_t before = bench_tally_sum();
    bool succeeded = true;
    for (size_t i = 0; i < producers; i++) {
        memset(&all[i], 0, sizeof all[i]);
        all[i].futures = futures + i * share;
        all[i].count = share;
        all[i].total = before + count;
    }
    int64_t took_ns = bench_time_producers(all, producers, ops, body);
    for (size_t i = 0; i < producers; i++)
        succeeded = succeeded && all[i].succeeded;
    bench_judge_tally(round, before, count, succeeded);
    bench_record(round, "", (double)took_ns / (double)count);
    free(futures);
    free(all);
}

/* ---- Latency ---- */

BENCH_INLINE void bench_latency(bench_round *round, const bench_ops *ops, bool idle)
{
    const struct timespec pause = { 0, BENCH_PAUSE };
    size_t count = bench_count(round, idle ? BENCH_PAUSES : BENCH_ONCES), warming = count / 10;
    int64_t *latencies_ns = (int64_t *)bench_allocate(count, sizeof *latencies_ns);
    uint64_t before = bench_tally_sum();
    size_t succeeded = 0;
    int64_t wall_ns = bench_now_ns(), cpu_ns = bench_cpu_ns();
    for (size_t i = 0; i < count + warming; i++) {
        if (idle)
            nanosleep(&pause, NULL);
        int64_t start_ns = bench_now_ns();
        succeeded += ops->once();
        if (i >= warming)
            latencies_ns[i - warming] = bench_now_ns() - start_ns;
    }
    cpu_ns = bench_cpu_ns() - cpu_ns;
    wall_ns = bench_now_ns() - wall_ns;
    bench_judge_tally(round, before, count + warming, succeeded == count + warming);
    bench_record_latencies(round, latencies_ns, count);
    if (idle)
        bench_record(round, "_cpu", 100 * (double)cpu_ns / (double)wall_ns);
    free(latencies_ns);
}

/* ---- Memory ---- */

BENCH_INLINE void bench_memory(bench_round *round, const bench_ops *ops)
{
    size_t count = bench_count(round, BENCH_TASKS), succeeded = 0;
    int workers = bench_workers(round);
    void **futures = (void **)bench_allocate(count, sizeof *futures);
    uint64_t before = bench_tally_sum();
    bench_gate_shut();
    for (int i = 0; i < workers; i++)
        ops->hold();
    bench_gate_wait((uint64_t)workers);
    int64_t resident = bench_resident_bytes();
    for (size_t i = 0; i < count; i++)
        futures[i] = ops->submit();
    resident = bench_resident_bytes() - resident;
    bench_gate_open();
    if (!ops->finish)
        bench_tally_wait(before + count);
    for (size_t i = 0; ops->finish && i < count; i++)
        succeeded += ops->finish(futures[i]);
    bench_judge_tally(round, before, count, !ops->finish || succeeded == count);
    bench_record(round, "", (double)resident / (double)count);
    free(futures);
}

/* ---- Without futures ---- */

typedef struct bench_spawning {
    size_t count;
    uint64_t total;
    int64_t took_ns;
} bench_spawning;

BENCH_INLINE void bench_spawn_all(bench_spawning *self, const bench_ops *ops, bool batched)
{
    int64_t start_ns = bench_now_ns();
    if (batched)
        for (size_t i = 0; i < self->count; i += BENCH_BATCH)
            ops->spawn_batch();
    else
        for (size_t i = 0; i < self->count; i++)
            ops->spawn();
    if (ops->drain)
        ops->drain();
    else
        bench_tally_wait(self->total);
    self->took_ns = bench_now_ns() - start_ns;
}

/* `body` is bench_spawn_all() for this system, to be run inside. */
BENCH_INLINE void bench_spawn(bench_round *round, const bench_ops *ops, bool batched, void (*body)(void *))
{
    size_t count = bench_count(round, ops->tasks ? ops->tasks : BENCH_TASKS) / BENCH_BATCH * BENCH_BATCH;
    uint64_t before = bench_tally_sum();
    bench_spawning spawning = { count, before + count, 0 };
    if (ops->inside)
        ops->inside(body, &spawning);
    else
        bench_spawn_all(&spawning, ops, batched);
    bench_judge_tally(round, before, count, true);
    bench_record(round, "", (double)spawning.took_ns / (double)count);
}

BENCH_INLINE void bench_spawn_join(bench_round *round, const bench_ops *ops)
{
    unsigned n = bench_quick(round) ? BENCH_FIB - 5 : BENCH_FIB;
    uint64_t left = 0, right = 1; /* fib(n) and fib(n + 1), of which the spawns are one less */
    for (unsigned i = 0; i < n; i++) {
        uint64_t sum = left + right;
        left = right;
        right = sum;
    }
    int64_t start_ns = bench_now_ns();
    uint64_t value = ops->fib(n);
    int64_t took_ns = bench_now_ns() - start_ns;
    if (value != left)
        bench_fail(round, "fib(%u) came out as %llu", n, (unsigned long long)value);
    bench_record(round, "", (double)took_ns / (double)(right - 1));
}

/* ---- Loops ---- */

/* The middle time of so many loops, of the stretches that are timed. */
BENCH_INLINE double bench_loops(bench_round *round, const bench_ops *ops, loops_part part, size_t length,
                                size_t stretch)
{
    int64_t times_ns[BENCH_TIMED];
    size_t warming = BENCH_TIMED / 10;
    if (!loops_reset(length))
        bench_fail(round, "out of memory");
    for (size_t i = 0; bench_fine(round) && i < BENCH_TIMED + warming; i++) {
        int64_t start_ns = bench_now_ns();
        for (size_t k = 0; k < stretch; k++)
            ops->loop(part, length);
        times_ns[i < warming ? 0 : i - warming] = bench_now_ns() - start_ns;
    }
    if (bench_fine(round) && loops_right(part, length, (BENCH_TIMED + warming) * stretch) != length)
        bench_fail(round, "a loop left out an iteration, or did it twice");
    return bench_fine(round) ? (double)bench_middle(times_ns, BENCH_TIMED) / (double)stretch : 0;
}

/* ---- All of them ---- */

/* Asks what the round says. `produce` and the two bodies are the functions below for this system. */
BENCH_INLINE void bench_ask_ops(bench_round *round, const bench_ops *ops, void *(*produce)(void *),
                                void (*spawn)(void *), void (*spawn_batched)(void *))
{
    const char *question = bench_question(round);
    if (!ops->open(round))
        return;
    if (!strcmp(question, "submit_get_throughput") && ops->submit) {
        bench_throughput(round, ops, produce);
    } else if (!strcmp(question, "submit_get_throughput_first") && ops->submit) {
        ops->once(); /* the workers' start is another question */
        bench_throughput(round, ops, produce);
    } else if (!strcmp(question, "submit_get_latency_warm") && ops->once)
        bench_latency(round, ops, false);
    else if (!strcmp(question, "submit_get_latency_idle") && ops->once)
        bench_latency(round, ops, true);
    else if (!strcmp(question, "memory_per_task") && ops->submit && ops->hold)
        bench_memory(round, ops);
    else if (!strcmp(question, "spawn_throughput") && ops->spawn)
        bench_spawn(round, ops, false, spawn);
    else if (!strcmp(question, "spawn_throughput_batched") && ops->spawn_batch)
        bench_spawn(round, ops, true, spawn_batched);
    else if (!strcmp(question, "spawn_join") && ops->fib)
        bench_spawn_join(round, ops);
    else if (!strcmp(question, "parallel_for_small") && ops->loop)
        bench_record(round, "", bench_loops(round, ops, loops_increment, BENCH_SMALL, BENCH_STRETCH));
    else if (!strcmp(question, "parallel_for_saxpy") && ops->loop)
        bench_record(round, "", 12.0 * BENCH_FLOATS / bench_loops(round, ops, loops_saxpy, BENCH_FLOATS, 1));
    else
        bench_skip(round, "it has no answer to %s", question);
}

/* Defines the function NAME, a bench_ask, for a system's table of steps. */
#define BENCH_ASK(NAME, OPS)                                                                                 \
    static void *NAME##_produce(void *user)                                                                  \
    {                                                                                                        \
        bench_producer *self = (bench_producer *)user;                                                       \
        pthread_barrier_wait(self->start);                                                                   \
        bench_produce(self, &(OPS));                                                                         \
        return NULL;                                                                                         \
    }                                                                                                        \
    static void NAME##_spawn(void *user)                                                                     \
    {                                                                                                        \
        if ((OPS).spawn)                                                                                     \
            bench_spawn_all((bench_spawning *)user, &(OPS), false);                                          \
    }                                                                                                        \
    static void NAME##_spawn_batched(void *user)                                                             \
    {                                                                                                        \
        if ((OPS).spawn_batch)                                                                               \
            bench_spawn_all((bench_spawning *)user, &(OPS), true);                                           \
    }                                                                                                        \
    static void NAME(bench_round *round)                                                                     \
    {                                                                                                        \
        bench_ask_ops(round, &(OPS), NAME##_produce, NAME##_spawn, NAME##_spawn_batched);                    \
    }

#endif
