#include "harness.h"
#include "itself.h"
#include "limits.h"
#include "rows.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS       9
#define ROUNDS_QUICK 3
#define ASKED_MAX    32

typedef enum verdict {
    FINE,
    SKIPPED,
    WRONG
} verdict;

struct bench_round {
    const bench_case *of;
    bool quick;
    bench_rows *rows; /* NULL: to warm up, nothing is kept */
    verdict verdict;
    char message[256];
};

typedef struct options {
    bool csv, quick;
    size_t rounds;
    const char *questions[ASKED_MAX], *systems[ASKED_MAX];
    size_t question_count, system_count;
    const char *once; /* "question/system": one round of it, for the process that asked */
    const char *partner;
} options;

/* ---- For a case's function ---- */

int64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
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

bool bench_quick(const bench_round *round)
{
    return round->quick;
}

void bench_record(bench_round *round, const char *suffix, double value)
{
    if (round->rows && round->verdict == FINE)
        bench_rows_add(round->rows, round->of->question, suffix, round->of->system, value);
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

static void judge(bench_round *round, verdict found, const char *format, va_list values)
{
    if (round->verdict != FINE)
        return; /* the first reason is the one that helps */
    round->verdict = found;
    vsnprintf(round->message, sizeof round->message, format, values);
}

void bench_fail(bench_round *round, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    judge(round, WRONG, format, values);
    va_end(values);
}

void bench_skip(bench_round *round, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    judge(round, SKIPPED, format, values);
    va_end(values);
}

/* ---- One round in a process of its own ---- */

/* What the other process says, a line a figure: "value NUMBER SUFFIX", "skip WHY" or "fail WHY". */
static void take_line(bench_round *round, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    if (!strncmp(line, "skip ", 5))
        bench_skip(round, "%s", line + 5);
    else if (!strncmp(line, "fail ", 5))
        bench_fail(round, "%s", line + 5);
    else if (!strncmp(line, "value ", 6)) {
        char *suffix;
        double value = strtod(line + 6, &suffix);
        bench_record(round, *suffix ? suffix + 1 : "", value);
    }
}

static void run_fresh(bench_round *round)
{
    char name[128], line[320];
    int ends[2];
    snprintf(name, sizeof name, "%s/%s", round->of->question, round->of->system);
    const char *arguments[] = { program_invocation_short_name, "--once", name,
                                round->quick ? "--quick" : NULL, NULL };
    if (pipe2(ends, O_CLOEXEC) != 0) {
        bench_fail(round, "no pipe to a new process");
        return;
    }
    pid_t process = bench_start_itself(arguments, ends[1], STDOUT_FILENO);
    close(ends[1]);
    FILE *said = fdopen(ends[0], "r");
    while (process > 0 && said && fgets(line, sizeof line, said))
        take_line(round, line);
    if (said)
        fclose(said);
    if (process < 0 || (!bench_ended_well(process) && round->verdict == FINE))
        bench_fail(round, "a new process for it did not end well");
}

/* The other side: one round, told to standard output. */
static int run_once(const bench_case *each, bool quick)
{
    bench_rows rows = { 0 };
    bench_round round = { .of = each, .quick = quick, .rows = &rows };
    each->run(&round);
    if (round.verdict != FINE)
        printf("%s %s\n", round.verdict == SKIPPED ? "skip" : "fail", round.message);
    for (size_t i = 0; i < rows.count && round.verdict == FINE; i++)
        printf("value %.9g %s\n", rows.all[i].values[0], rows.all[i].question + strlen(each->question));
    bench_rows_fini(&rows);
    return EXIT_SUCCESS;
}

/* ---- All rounds ---- */

static bool asked(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return true;
    return count == 0;
}

static bool asked_case(const options *opts, const bench_case *each)
{
    return asked(opts->questions, opts->question_count, each->question) &&
           asked(opts->systems, opts->system_count, each->system);
}

static void show_progress(const bench_case *each, size_t round, size_t rounds)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s: %s, round %zu of %zu", each->question, each->system, round, rounds);
}

static void clear_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

/* One round of one case; round 0 warms up. */
static verdict run_round(const bench_case *each, const options *opts, size_t number, bench_rows *rows)
{
    bench_round round = { .of = each, .quick = opts->quick, .rows = number ? rows : NULL };
    show_progress(each, number, opts->rounds);
    if (!each->fresh)
        each->run(&round);
    else if (number)
        run_fresh(&round);
    if (round.verdict != FINE) {
        clear_progress();
        fprintf(stderr, "%s: %s: %s: %s\n", each->question, each->system,
                round.verdict == SKIPPED ? "left out" : "wrong", round.message);
        bench_rows_drop(rows, each->question, each->system);
    }
    return round.verdict;
}

/* All rounds of the cases that share the first one's question. */
static bool run_question(const bench_case *cases, size_t count, const options *opts, bench_rows *rows)
{
    bool ended[ASKED_MAX] = { false }, fine = true;
    for (size_t number = 0; number <= opts->rounds; number++)
        for (size_t i = 0; i < count; i++) {
            if (ended[i] || !asked_case(opts, &cases[i]))
                continue;
            verdict found = run_round(&cases[i], opts, number, rows);
            ended[i] = found != FINE;
            fine = fine && found != WRONG;
        }
    return fine;
}

static bool run_all(const bench_case *cases, size_t count, const options *opts, bench_rows *rows)
{
    bool fine = true;
    for (size_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count && next - first < ASKED_MAX; next++)
            if (strcmp(cases[next].question, cases[first].question))
                break;
        fine = run_question(cases + first, next - first, opts, rows) && fine;
    }
    clear_progress();
    return fine;
}

/* ---- Options ---- */

static void print_help(const bench_case *cases, size_t count)
{
    printf("usage: %s [--csv] [--quick] [--rounds N] [--question Q]... [--system S]...\n"
           "Asks each system each question in turn, round after round; prints median, p10 and p90 over the "
           "rounds.\n"
           "  --csv         question,system,median,p10,p90,unit,runs\n"
           "  --quick       %d rounds instead of %d, a tenth of the work\n"
           "  --rounds N    1 to %d rounds\n"
           "  --question Q  only this question (may be repeated)\n"
           "  --system S    only this system (may be repeated)\n"
           "questions and their systems:\n",
           program_invocation_short_name, ROUNDS_QUICK, ROUNDS, BENCH_ROUNDS_MAX);
    for (size_t i = 0; i < count; i++) {
        bool first = i == 0 || strcmp(cases[i].question, cases[i - 1].question);
        bool last = i + 1 == count || strcmp(cases[i].question, cases[i + 1].question);
        if (first)
            printf("  %-30s", cases[i].question);
        printf(" %s%s", cases[i].system, last ? "\n" : "");
    }
}

static bool known(const char *name, const bench_case *cases, size_t count, bool question)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(name, question ? cases[i].question : cases[i].system))
            return true;
    fprintf(stderr, "%s: no %s is named %s (--help lists them)\n", program_invocation_short_name,
            question ? "question" : "system", name);
    return false;
}

static bool take_name(const char *name, const char **names, size_t *used)
{
    if (*used == ASKED_MAX) {
        fprintf(stderr, "%s: more than %d names\n", program_invocation_short_name, ASKED_MAX);
        return false;
    }
    names[(*used)++] = name;
    return true;
}

static bool take_rounds(const char *text, size_t *rounds)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*end || value < 1 || value > BENCH_ROUNDS_MAX) {
        fprintf(stderr, "%s: --rounds takes 1 to %d, not %s\n", program_invocation_short_name,
                BENCH_ROUNDS_MAX, text);
        return false;
    }
    *rounds = (size_t)value;
    return true;
}

/* Returns -1 to go on, else the exit code. */
static int take_options(int argc, char **argv, const bench_case *cases, size_t count, options *opts)
{
    static const struct option table[] = {
        { "csv", no_argument, NULL, 'c' },
        { "quick", no_argument, NULL, 'k' },
        { "rounds", required_argument, NULL, 'r' },
        { "question", required_argument, NULL, 'q' },
        { "system", required_argument, NULL, 's' },
        { "help", no_argument, NULL, 'h' },
        { "once", required_argument, NULL, 'o' },
        { "partner", required_argument, NULL, 'p' },
        { NULL, 0, NULL, 0 },
    };
    for (int letter; (letter = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        bool good = true;
        switch (letter) {
        case 'c':
            opts->csv = true;
            break;
        case 'k':
            opts->quick = true;
            break;
        case 'r':
            good = take_rounds(optarg, &opts->rounds);
            break;
        case 'q':
            good = known(optarg, cases, count, true) &&
                   take_name(optarg, opts->questions, &opts->question_count);
            break;
        case 's':
            good =
                known(optarg, cases, count, false) && take_name(optarg, opts->systems, &opts->system_count);
            break;
        case 'o':
            opts->once = optarg;
            break;
        case 'p':
            opts->partner = optarg;
            break;
        case 'h':
            print_help(cases, count);
            return EXIT_SUCCESS;
        default:
            good = false;
        }
        if (!good)
            return 2;
    }
    if (optind < argc)
        fprintf(stderr, "%s: %s is not an option (--help lists them)\n", program_invocation_short_name,
                argv[optind]);
    return optind < argc ? 2 : -1;
}

static int find_and_run_once(const bench_case *cases, size_t count, const options *opts)
{
    char name[128];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s/%s", cases[i].question, cases[i].system);
        if (!strcmp(name, opts->once))
            return run_once(&cases[i], opts->quick);
    }
    return 2;
}

int bench_main(int argc, char **argv, const bench_case *cases, size_t count)
{
    options opts = { 0 };
    int code = take_options(argc, argv, cases, count, &opts);
    if (code >= 0)
        return code;
    if (opts.partner)
        return limits_partner(atoi(opts.partner));
    if (opts.once)
        return find_and_run_once(cases, count, &opts);
    if (!opts.rounds)
        opts.rounds = opts.quick ? ROUNDS_QUICK : ROUNDS;
    bench_rows rows = { 0 };
    bool fine = run_all(cases, count, &opts, &rows);
    bench_rows_print(&rows, opts.csv, stdout);
    bench_rows_fini(&rows);
    return fine && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
