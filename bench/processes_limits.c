#include "processes.h"

#include "itself.h"
#include "limits.h"
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define HAND_OVERS  1000000
#define ROUND_TRIPS 20000
#define WAKES       5000
#define DESCRIPTOR  3
#define MOST        64

int processes_greet(int descriptor)
{
    return write(descriptor, "x", 1) == 1 ? 0 : 1;
}

/* As many processes of this program as there are workers, each of which writes a byte. */
static void start_processes(bench_round *round)
{
    char number[16], bytes[MOST];
    const char *arguments[] = { "bench_processes", "--greet", number, NULL };
    int pipes[2], count = bench_workers(round) < MOST ? bench_workers(round) : MOST, greeted = 0;
    pid_t processes[MOST];
    snprintf(number, sizeof number, "%d", DESCRIPTOR);
    int64_t start_ns = bench_now_ns();
    if (pipe(pipes) != 0) {
        bench_fail(round, "no pipe to be had");
        return;
    }
    if (pipes[1] == DESCRIPTOR) /* dup2 onto itself is none */
        pipes[1] = dup(pipes[1]);
    for (int i = 0; i < count; i++)
        processes[i] = bench_start_itself(arguments, pipes[1], DESCRIPTOR);
    close(pipes[1]);
    for (ssize_t got; greeted < count && (got = read(pipes[0], bytes, sizeof bytes)) > 0;)
        greeted += (int)got;
    int64_t end_ns = bench_now_ns();
    close(pipes[0]);
    for (int i = 0; i < count; i++)
        greeted -= processes[i] < 0 || !bench_ended_well(processes[i]);
    if (greeted != count)
        bench_fail(round, "a process did not start");
    bench_record(round, "", (double)(end_ns - start_ns));
}

void processes_limits(bench_round *round)
{
    const char *question = bench_question(round);
    bool asleep = !strcmp(bench_system(round), "futex");
    if (!strcmp(question, "process_start"))
        start_processes(round);
    else if (!strcmp(question, "process_throughput"))
        limits_ring(round, LIMITS_PROCESSES, bench_count(round, HAND_OVERS));
    else if (!strcmp(question, "process_latency_idle"))
        limits_futex(round, LIMITS_PROCESSES, bench_count(round, PROCESSES_PAUSES), PROCESSES_PAUSE_NS);
    else if (asleep)
        limits_futex(round, LIMITS_PROCESSES, bench_count(round, WAKES), 0);
    else
        limits_line(round, LIMITS_PROCESSES, bench_count(round, ROUND_TRIPS));
}
