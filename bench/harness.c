#include "harness.h"
#include "child.h"
#include "options.h"
#include "rows.h"
#include "stolen.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEMS_MAX 32

typedef enum verdict {
    FINE,
    SKIPPED,
    WRONG
} verdict;

/* A system while a question is asked. */
typedef struct turn {
    const bench_asked *asked;
    char system[32];
    const bench_answerer *answerer;
    bench_child own, *child; /* its own, or that of the system before it */
    verdict verdict;         /* not FINE: it is asked no more */
} turn;

static const bench_answerer *answerer_named(const bench_plan *plan, const char *system)
{
    const bench_answerer *found = plan->answerers;
    while (found->system && strcmp(found->system, system) != 0)
        found++;
    return found->system ? found : NULL;
}

bool bench_answerer_path(const bench_answerer *answerer, char *path, size_t size)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (answerer->program && slash)
        *slash = '\0';
    int used = answerer->program ? snprintf(path, size, "%s/peers/%s", self, answerer->program)
                                 : snprintf(path, size, "%s", self);
    return used > 0 && (size_t)used < size && access(path, X_OK) == 0;
}

/* ---- One round of one system ---- */

static void clear_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

static void give_up(turn *on, verdict why, const char *message)
{
    if (on->verdict != FINE)
        return;
    on->verdict = why;
    clear_progress();
    fprintf(stderr, "%s%s: %s: %s: %s\n", on->asked->base, on->asked->suffix, on->system,
            why == SKIPPED ? "left out" : "wrong", message);
}

static bool start(turn *on, bool quick)
{
    char path[PATH_MAX], workers[16], producers[16];
    const char *arguments[] = {
        program_invocation_short_name, "--answer", on->asked->base, on->system, workers, producers,
        quick ? "quick" : "full",      NULL
    };
    snprintf(workers, sizeof workers, "%d", on->asked->workers);
    snprintf(producers, sizeof producers, "%d", on->asked->producers);
    if (bench_answerer_path(on->answerer, path, sizeof path) && bench_child_start(on->child, path, arguments))
        return true;
    give_up(on, WRONG, "its process could not be started");
    return false;
}

static void end(turn *on)
{
    if (!bench_child_end(on->child))
        give_up(on, WRONG, "its process did not end well");
}

/* "value NUMBER SUFFIX", "skip WHY" or "fail WHY". `rows` NULL: nothing is kept. */
static void take_line(turn *on, const char *line, bench_rows *rows)
{
    if (!strncmp(line, "skip ", 5)) {
        give_up(on, SKIPPED, line + 5);
    } else if (!strncmp(line, "fail ", 5)) {
        give_up(on, WRONG, line + 5);
    } else if (!strncmp(line, "value ", 6) && rows && on->verdict == FINE) {
        char name[BENCH_NAME], *suffix;
        double value = strtod(line + 6, &suffix);
        snprintf(name, sizeof name, "%s%s", on->asked->base, on->asked->suffix);
        bench_rows_add(rows, name, *suffix ? suffix + 1 : "", on->system, value);
    }
}

static void ask_once(turn *on, bench_rows *rows)
{
    char line[400];
    bool answered = bench_child_ask(on->child, on->system);
    while (answered && (answered = bench_child_line(on->child, line, sizeof line)) &&
           strcmp(line, "end") != 0)
        take_line(on, line, rows);
    if (!answered) {
        kill(on->child->process, SIGKILL);
        give_up(on, WRONG, "its process died, or has not answered for minutes");
    } else if (!on->asked->fresh) {
        bench_child_stop(on->child);
    }
}

/* Round 0 warms up. */
static void take_turn(turn *on, size_t round, const bench_options *options, bench_rows *rows)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s%s: %s, round %zu of %zu", on->asked->base, on->asked->suffix, on->system,
                round, options->rounds);
    if (on->verdict != FINE || (on->asked->fresh && round == 0))
        return;
    if (!on->child->process && !start(on, options->quick))
        return;
    ask_once(on, round ? rows : NULL);
    if (on->asked->fresh || on->verdict != FINE)
        end(on);
}

/* ---- A question ---- */

static size_t list_turns(const bench_plan *plan, const bench_asked *asked, const bench_options *options,
                         turn *turns)
{
    char path[PATH_MAX];
    size_t count = 0;
    const char *at = asked->systems;
    bench_child *group = NULL;
    for (int length; *at && count < SYSTEMS_MAX; at += length, at += strspn(at, " +")) {
        if (at > asked->systems && at[-1] != '+')
            group = NULL;
        length = (int)strcspn(at, " +");
        turn *on = &turns[count];
        *on = (turn){ .asked = asked };
        on->child = group ? group : &on->own;
        snprintf(on->system, sizeof on->system, "%.*s", length, at);
        on->answerer = answerer_named(plan, on->system);
        if (on->answerer && bench_options_system(options, on->system) &&
            bench_answerer_path(on->answerer, path, sizeof path)) {
            group = on->child;
            count++;
        }
    }
    return count;
}

/* Round by round, each beginning with another system. */
static bool ask_question(const bench_plan *plan, const bench_asked *asked, const bench_options *options,
                         bench_rows *rows)
{
    turn turns[SYSTEMS_MAX];
    char name[BENCH_NAME];
    size_t count = list_turns(plan, asked, options, turns);
    bool fine = true;
    for (size_t round = 0; round <= options->rounds; round++)
        for (size_t i = 0; i < count; i++)
            take_turn(&turns[(round ? round - 1 + i : i) % count], round, options, rows);
    snprintf(name, sizeof name, "%s%s", asked->base, asked->suffix);
    for (size_t i = 0; i < count; i++) {
        end(&turns[i]);
        fine = fine && turns[i].verdict != WRONG;
        if (turns[i].verdict != FINE)
            bench_rows_drop(rows, name, turns[i].system);
    }
    return fine;
}

int bench_main(int argc, char **argv, const bench_plan *plan)
{
    bench_options options;
    if (argc > 1 && !strcmp(argv[1], "--answer"))
        return bench_answer(argc, argv, plan->ask);
    int code = bench_options_take(&options, argc, argv, plan);
    if (code >= 0)
        return code;
    signal(SIGPIPE, SIG_IGN); /* of a system that has died; output that nobody takes is found at the end */
    bench_rows rows = { 0 };
    bench_ticks start = bench_ticks_now();
    bool fine = true;
    for (const bench_asked *asked = plan->questions; asked->base; asked++)
        if (bench_options_question(&options, asked))
            fine = ask_question(plan, asked, &options, &rows) && fine;
    clear_progress();
    bench_rows_print(&rows, bench_stolen_since(&start), options.format, stdout);
    bench_rows_fini(&rows);
    return fine && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
