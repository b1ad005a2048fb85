#include "overhead.h"
#include <stdlib.h>

#define TASKS     100000
#define LATENCIES 5000

/* Hands its number back: what ran in another process can be counted only by what came back from it. */
static allot_status echo(allot_call *call, const void *in, void *out)
{
    (void)call;
    *(uint64_t *)out = *(const uint64_t *)in;
    return ALLOT_OK;
}

static allot_future *submit(allot_executor *executor, uint64_t number)
{
    return allot_submit(executor, echo, &number, sizeof number, sizeof number,
                        ALLOT_HINTS(.place = ALLOT_PROCESS));
}

/* Its number, and the end of it; ~0 if it failed, with the round failed. */
static uint64_t get(bench_round *round, allot_future *future)
{
    uint64_t number = UINT64_MAX;
    if (allot_get(future, &number, sizeof number, ALLOT_FOREVER) != ALLOT_OK)
        bench_fail(round, "a task failed: %s", allot_future_error(future));
    allot_release(future);
    return number;
}

void overhead_process_throughput(bench_round *round)
{
    allot_executor *executor = overhead_executor(round);
    if (!overhead_place(round, ALLOT_PROCESS))
        return;
    size_t count = bench_count(round, TASKS), right = 0;
    allot_future **futures = bench_allocate(count, sizeof *futures);
    int64_t start_ns = bench_now_ns();
    for (size_t i = 0; i < count; i++)
        futures[i] = submit(executor, i);
    allot_wait_all(futures, count, ALLOT_FOREVER);
    for (size_t i = 0; i < count; i++)
        right += get(round, futures[i]) == i;
    int64_t end_ns = bench_now_ns();
    if (right != count)
        bench_fail(round, "of %zu tasks %zu gave their number back", count, right);
    bench_record(round, "", (double)(end_ns - start_ns) / (double)count);
    free(futures);
}

void overhead_process_latency(bench_round *round)
{
    allot_executor *executor = overhead_executor(round);
    if (!overhead_place(round, ALLOT_PROCESS))
        return;
    size_t count = bench_count(round, LATENCIES), warming = count / 10, right = 0;
    int64_t *latencies_ns = bench_allocate(count, sizeof *latencies_ns);
    for (size_t i = 0; i < count + warming; i++) {
        int64_t start_ns = bench_now_ns();
        right += get(round, submit(executor, i)) == i;
        if (i >= warming)
            latencies_ns[i - warming] = bench_now_ns() - start_ns;
    }
    if (right != count + warming)
        bench_fail(round, "of %zu tasks %zu gave their number back", count + warming, right);
    bench_record_latencies(round, latencies_ns, count);
    free(latencies_ns);
}
