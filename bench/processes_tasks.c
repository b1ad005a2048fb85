#include "processes.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

/* ---- Throughput ---- */

static size_t get_all(bench_round *round, allot_future **futures, size_t count)
{
    size_t right = 0;
    allot_wait_all(futures, count, ALLOT_FOREVER);
    for (size_t i = 0; i < count; i++)
        right += get(round, futures[i]) == i;
    return right;
}

static size_t run_one_by_one(bench_round *round, allot_executor *executor, uint64_t *numbers, size_t count)
{
    allot_future **futures = (allot_future **)(void *)(numbers + count);
    for (size_t i = 0; i < count; i++)
        futures[i] = submit(executor, i);
    return get_all(round, futures, count);
}

static size_t run_many(bench_round *round, allot_executor *executor, uint64_t *numbers, size_t count)
{
    allot_future **futures = (allot_future **)(void *)(numbers + count);
    allot_submit_many(executor, echo, numbers, sizeof *numbers, sizeof *numbers, count,
                      ALLOT_HINTS(.place = ALLOT_PROCESS), futures);
    return get_all(round, futures, count);
}

static size_t run_map(bench_round *round, allot_executor *executor, uint64_t *numbers, size_t count)
{
    uint64_t *results = numbers + count;
    size_t right = 0;
    allot_future *map = allot_map(executor, echo, numbers, sizeof *numbers, sizeof *results, count,
                                  ALLOT_HINTS(.place = ALLOT_PROCESS));
    if (allot_get(map, results, count * sizeof *results, ALLOT_FOREVER) != ALLOT_OK)
        bench_fail(round, "the map failed: %s", allot_future_error(map));
    allot_release(map);
    for (size_t i = 0; i < count; i++)
        right += results[i] == i;
    return right;
}

void processes_throughput(bench_round *round)
{
    allot_executor *executor = ours_executor(round);
    const char *system = bench_system(round);
    if (!ours_place(round, ALLOT_PROCESS))
        return;
    size_t count = bench_count(round, TASKS), right;
    uint64_t *numbers = bench_allocate(2 * count, sizeof *numbers); /* and as many futures or results */
    for (size_t i = 0; i < count; i++)
        numbers[i] = i;
    int64_t start_ns = bench_now_ns();
    if (!strcmp(system, "allot-many"))
        right = run_many(round, executor, numbers, count);
    else if (!strcmp(system, "allot-map"))
        right = run_map(round, executor, numbers, count);
    else
        right = run_one_by_one(round, executor, numbers, count);
    int64_t end_ns = bench_now_ns();
    if (right != count)
        bench_fail(round, "of %zu tasks %zu gave their number back", count, right);
    bench_record(round, "", (double)(end_ns - start_ns) / (double)count);
    free(numbers);
}

/* ---- Latency ---- */

void processes_latency(bench_round *round, long pause_ns)
{
    const struct timespec pause = { 0, pause_ns };
    allot_executor *executor = ours_executor(round);
    if (!ours_place(round, ALLOT_PROCESS))
        return;
    size_t count = bench_count(round, pause_ns ? PROCESSES_PAUSES : LATENCIES), warming = count / 10;
    int64_t *latencies_ns = bench_allocate(count, sizeof *latencies_ns);
    size_t right = 0;
    int64_t wall_ns = bench_now_ns(), cpu_ns = bench_cpu_ns();
    for (size_t i = 0; i < count + warming; i++) {
        if (pause_ns)
            nanosleep(&pause, NULL);
        int64_t start_ns = bench_now_ns();
        right += get(round, submit(executor, i)) == i;
        if (i >= warming)
            latencies_ns[i - warming] = bench_now_ns() - start_ns;
    }
    cpu_ns = bench_cpu_ns() - cpu_ns;
    wall_ns = bench_now_ns() - wall_ns;
    if (right != count + warming)
        bench_fail(round, "of %zu tasks %zu gave their number back", count + warming, right);
    bench_record_latencies(round, latencies_ns, count);
    if (pause_ns)
        bench_record(round, "_cpu", 100 * (double)cpu_ns / (double)wall_ns);
    free(latencies_ns);
}

/* ---- Meetings ---- */

typedef struct invitation {
    char path[MEETING_PATH]; /* a file, to which each adds a byte */
    int expected;
} invitation;

static allot_status meet(allot_call *call, const void *in, void *out)
{
    const invitation *to = in;
    struct stat seen = { .st_size = 0 };
    int file = open(to->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    bool here = file >= 0 && write(file, "x", 1) == 1;
    while (here && fstat(file, &seen) == 0 && seen.st_size < to->expected)
        sched_yield();
    if (file >= 0)
        close(file);
    *(pid_t *)out = getpid();
    return here ? ALLOT_OK : allot_fail(call, ALLOT_FAILED, "no meeting at %s", to->path);
}

bool meeting_call(bench_round *round, char path[MEETING_PATH])
{
    snprintf(path, MEETING_PATH, "/tmp/bench_processes.XXXXXX");
    int file = mkstemp(path);
    if (file < 0)
        bench_fail(round, "no file in /tmp");
    else
        close(file);
    return file >= 0;
}

void meeting_end(const char *path)
{
    unlink(path);
}

static bool meet_all(bench_round *round, allot_executor *executor, const invitation *to)
{
    allot_future *futures[ALLOT_WORKERS_MAX];
    pid_t processes[ALLOT_WORKERS_MAX] = { 0 };
    bool apart = true;
    for (int i = 0; i < to->expected; i++)
        futures[i] =
            allot_submit(executor, meet, to, sizeof *to, sizeof(pid_t), ALLOT_HINTS(.place = ALLOT_PROCESS));
    for (int i = 0; i < to->expected; i++) {
        if (allot_get(futures[i], &processes[i], sizeof processes[i], ALLOT_FOREVER) != ALLOT_OK)
            bench_fail(round, "a task failed: %s", allot_future_error(futures[i]));
        allot_release(futures[i]);
        for (int k = 0; k < i; k++)
            apart = apart && processes[k] != processes[i];
    }
    return apart;
}

bool meeting_hold(bench_round *round, allot_executor *executor)
{
    invitation to = { .expected = bench_workers(round) };
    if (!meeting_call(round, to.path))
        return false;
    bool apart = meet_all(round, executor, &to);
    meeting_end(to.path);
    return apart;
}

/* ---- Start ---- */

void processes_start(bench_round *round)
{
    invitation to = { .expected = bench_workers(round) };
    if (!meeting_call(round, to.path))
        return;
    int64_t start_ns = bench_now_ns();
    allot_executor *executor = ours_executor(round);
    bool apart = executor && meet_all(round, executor, &to);
    int64_t end_ns = bench_now_ns();
    meeting_end(to.path);
    if (executor && !apart)
        bench_fail(round, "two tasks met in one worker");
    bench_record(round, "", (double)(end_ns - start_ns));
}
