#include "round.h"
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

struct bench_round {
    const char *question;
    char system[32];
    int workers, producers;
    bool quick, ended;
    FILE *out;
};

const char *bench_question(const bench_round *round)
{
    return round->question;
}

const char *bench_system(const bench_round *round)
{
    return round->system;
}

int bench_workers(const bench_round *round)
{
    return round->workers;
}

int bench_producers(const bench_round *round)
{
    return round->producers;
}

bool bench_quick(const bench_round *round)
{
    return round->quick;
}

size_t bench_count(const bench_round *round, size_t full)
{
    return round->quick ? full / 10 : full;
}

/* ---- What was found ---- */

void bench_record(bench_round *round, const char *suffix, double value)
{
    if (!round->ended)
        fprintf(round->out, "value %.9g %s\n", value, suffix);
}

static int compare_ns(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

int64_t bench_middle(int64_t *times_ns, size_t count)
{
    qsort(times_ns, count, sizeof *times_ns, compare_ns);
    return times_ns[count / 2];
}

void bench_record_latencies(bench_round *round, int64_t *latencies_ns, size_t count)
{
    bench_record(round, "", (double)bench_middle(latencies_ns, count));
    bench_record(round, "_p99", (double)latencies_ns[count - 1 - count / 100]);
}

/* The first reason is the one that helps. */
static void end(bench_round *round, const char *how, const char *format, va_list values)
{
    if (round->ended)
        return;
    round->ended = true;
    fprintf(round->out, "%s ", how);
    vfprintf(round->out, format, values);
    fputc('\n', round->out);
}

void bench_fail(bench_round *round, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    end(round, "fail", format, values);
    va_end(values);
}

void bench_skip(bench_round *round, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    end(round, "skip", format, values);
    va_end(values);
}

bool bench_fine(const bench_round *round)
{
    return !round->ended;
}

/* ---- Measures ---- */

static int64_t read_clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t bench_now_ns(void)
{
    return read_clock_ns(CLOCK_MONOTONIC);
}

int64_t bench_cpu_ns(void)
{
    return read_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t bench_resident_bytes(void)
{
    char line[256];
    long long kibibytes = 0, sum = 0;
    FILE *stream = fopen("/proc/self/status", "re");
    while (stream && fgets(line, sizeof line, stream))
        if (sscanf(line, "RssAnon: %lld", &kibibytes) == 1 || sscanf(line, "RssShmem: %lld", &kibibytes) == 1)
            sum += kibibytes;
    if (stream)
        fclose(stream);
    return sum * 1024;
}

void *bench_allocate(size_t count, size_t size)
{
    void *block = malloc(count * size + 1);
    if (!block) {
        fputs("out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    memset(block, 1, count * size); /* calloc would leave the page faults to whoever is measured */
    return block;
}

/* ---- Being asked ---- */

/* Takes the standard descriptors out of the way: worker processes must not hold the harness's pipes open, and
 * what a foreign library prints must not be read as an answer. */
static bool take_pipes(FILE **in, FILE **out)
{
    int from = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), to = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (from < 0 || to < 0 || nothing < 0)
        return false;
    dup2(nothing, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    close(nothing);
    *in = fdopen(from, "r");
    *out = fdopen(to, "w");
    return *in && *out;
}

static bool take_words(bench_round *round, int argc, char **argv)
{
    if (argc != 7 || strcmp(argv[1], "--answer") != 0)
        return false;
    *round = (bench_round){ .question = argv[2],
                            .workers = atoi(argv[4]),
                            .producers = atoi(argv[5]),
                            .quick = strcmp(argv[6], "quick") == 0 };
    snprintf(round->system, sizeof round->system, "%s", argv[3]);
    return round->workers > 0 && round->producers > 0;
}

int bench_answer(int argc, char **argv, bench_ask ask)
{
    bench_round round;
    FILE *in, *out;
    char line[64];
    if (!take_words(&round, argc, argv)) {
        fputs("this answers bench_overhead, which starts it\n", stderr);
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a stopped process would outlive the harness */
    if (!take_pipes(&in, &out))
        return EXIT_FAILURE;
    round.out = out;
    while (fgets(line, sizeof line, in)) {
        sscanf(line, "round %31s", round.system); /* a line that names none: the same again */
        round.ended = false;
        ask(&round);
        fputs("end\n", out);
        fflush(out);
    }
    return EXIT_SUCCESS;
}
