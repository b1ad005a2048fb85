#include "overhead.h"
#include <stdatomic.h>
#include <stdlib.h>

#define TASKS      1000000
#define LATENCIES  20000
#define PLACES_MAX 32

allot_executor *overhead_executor(bench_round *round)
{
    static allot_executor *executor;
    if (!executor)
        executor = allot_open(NULL);
    if (!executor)
        bench_fail(round, "allot_open: %s", allot_open_error());
    return executor;
}

const allot_place_info *overhead_place(bench_round *round, allot_kind kind)
{
    static allot_place_info places[PLACES_MAX];
    allot_executor *executor = overhead_executor(round);
    for (size_t i = 0; i < PLACES_MAX; i++)
        places[i].size = sizeof places[i];
    size_t count = allot_places(executor, places, PLACES_MAX);
    for (size_t i = 0; i < count && i < PLACES_MAX; i++)
        if (places[i].kind == kind && places[i].state != ALLOT_PLACE_ASIDE)
            return &places[i];
    if (executor)
        bench_skip(round, "no such place here: %s", allot_kind_name(kind));
    return NULL;
}

/* ---- Counting each task without slowing it: a cache line a thread ---- */

typedef struct tally {
    _Alignas(64) _Atomic uint64_t count;
} tally;

static tally tallies[ALLOT_WORKERS_MAX + 1]; /* the last one for threads beyond */

static tally *next_tally(void)
{
    static _Atomic size_t used;
    size_t index = atomic_fetch_add(&used, 1);
    return &tallies[index < ALLOT_WORKERS_MAX ? index : ALLOT_WORKERS_MAX];
}

static allot_status empty(allot_call *call, const void *in, void *out)
{
    static _Thread_local tally *mine;
    (void)call, (void)in, (void)out;
    if (!mine)
        mine = next_tally();
    uint64_t count = atomic_load_explicit(&mine->count, memory_order_relaxed);
    atomic_store_explicit(&mine->count, count + 1, memory_order_relaxed);
    return ALLOT_OK;
}

static uint64_t tally_sum(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i <= ALLOT_WORKERS_MAX; i++)
        sum += atomic_load_explicit(&tallies[i].count, memory_order_relaxed);
    return sum;
}

/* ---- Questions ---- */

/* The time of all; -1 if one did not succeed. */
static int64_t submit_and_get(allot_executor *executor, allot_future **futures, size_t count)
{
    size_t succeeded = 0;
    int64_t start_ns = bench_now_ns();
    for (size_t i = 0; i < count; i++)
        futures[i] = allot_submit(executor, empty, NULL, 0, 0, NULL);
    allot_wait_all(futures, count, ALLOT_FOREVER);
    for (size_t i = 0; i < count; i++) {
        succeeded += allot_get(futures[i], NULL, 0, 0) == ALLOT_OK;
        allot_release(futures[i]);
    }
    int64_t end_ns = bench_now_ns();
    return succeeded == count ? end_ns - start_ns : -1;
}

static void measure_throughput(bench_round *round, size_t count)
{
    allot_executor *executor = overhead_executor(round);
    if (!executor)
        return;
    allot_future **futures = bench_allocate(count, sizeof *futures);
    uint64_t before = tally_sum();
    int64_t took_ns = submit_and_get(executor, futures, count);
    uint64_t ran = tally_sum() - before;
    if (took_ns < 0 || ran != count)
        bench_fail(round, "%zu tasks were submitted, and %llu ran", count, (unsigned long long)ran);
    bench_record(round, "", (double)took_ns / (double)count);
    free(futures);
}

void overhead_submit_get(bench_round *round)
{
    measure_throughput(round, bench_quick(round) ? TASKS / 10 : TASKS);
}

void overhead_submit_get_first(bench_round *round)
{
    allot_executor *executor = overhead_executor(round);
    allot_future *started = executor ? allot_submit(executor, empty, NULL, 0, 0, NULL) : NULL;
    allot_wait(started, ALLOT_FOREVER); /* the workers' start is another question */
    allot_release(started);
    overhead_submit_get(round);
}

void overhead_submit_latency(bench_round *round)
{
    allot_executor *executor = overhead_executor(round);
    size_t count = bench_quick(round) ? LATENCIES / 10 : LATENCIES, warming = count / 10, failed = 0;
    int64_t *latencies_ns = bench_allocate(count, sizeof *latencies_ns);
    uint64_t before = tally_sum();
    for (size_t i = 0; executor && i < count + warming; i++) {
        int64_t start_ns = bench_now_ns();
        allot_future *future = allot_submit(executor, empty, NULL, 0, 0, NULL);
        failed += allot_get(future, NULL, 0, ALLOT_FOREVER) != ALLOT_OK;
        allot_release(future);
        if (i >= warming)
            latencies_ns[i - warming] = bench_now_ns() - start_ns;
    }
    if (executor && (failed || tally_sum() - before != count + warming))
        bench_fail(round, "%zu tasks failed", failed);
    bench_record_latencies(round, latencies_ns, count);
    free(latencies_ns);
}
