/* A place that was the best becomes slower while work goes on: how soon is that noticed? And when it was so
 * for a moment only, how soon is that forgotten? */
#include "placement_sides.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOWER 5
#define BEFORE 60  /* tasks before the best place slows down, about */
#define AFTER  100 /* tasks that are looked at then */
#define MOMENT 12  /* tasks of the slower place that a moment is long */

/* The machine's file with one class made slower from at_s on until until_s, or for good: INFINITY. */
static bool write_machine(bench_round *round, const char *class_name, double at_s, double until_s,
                          const char *path)
{
    static char text[65536];
    char name[64];
    FILE *from = fopen(PLACEMENT_MACHINES "/three.json", "re"), *to = fopen(path, "we");
    size_t size = from ? fread(text, 1, sizeof text - 1, from) : 0;
    text[size] = '\0';
    snprintf(name, sizeof name, "\"name\": \"%s\",", class_name);
    char *at = strstr(text, name);
    bool ok = at && to;
    if (ok) {
        at += strlen(name);
        fprintf(to, "%.*s \"faults\": [ { \"slower\": %d, \"at_s\": %.9g }", (int)(at - text), text, SLOWER,
                at_s);
        if (isfinite(until_s))
            fprintf(to, ", { \"slower\": 1, \"at_s\": %.9g }", until_s);
        fprintf(to, " ],%s", at);
    }
    if (from)
        fclose(from);
    if (to && fclose(to) != 0)
        ok = false;
    if (!ok)
        bench_fail(round, "cannot write %s", path);
    return ok;
}

/* On the machine as it is set now: what a task takes on each place; how long the policy needs for the first
 * tasks. Returns how many places there are; 0, with the round failed, if that cannot be told. */
static size_t look(bench_round *round, size_t cell, double *times, char names[][32], double *first_s)
{
    const placement_bed *bed = &placement_simulated;
    sides both;
    if (!sides_open(round, bed, &both))
        return 0;
    placement_work *fixed = bed->prepare(round, both.fixed, cell);
    placement_work *placing = fixed ? bed->prepare(round, both.placing, cell) : NULL;
    if (placing) {
        sides_ask_fixed(round, bed, &both, fixed, times);
        for (int i = 0; i < BEFORE; i++)
            sides_time(round, bed, &both, both.placing, placing, NULL, NULL);
        *first_s = (double)allot_now_ns(both.placing) * 1e-9;
        memcpy(names, both.places, sizeof both.places);
        bed->finish(placing);
    }
    if (fixed)
        bed->finish(fixed);
    sides_close(&both);
    return placing && bench_fine(round) ? both.place_count : 0;
}

static void run_until(bench_round *round, const sides *both, placement_work *work, double at_s)
{
    while (bench_fine(round) && (double)allot_now_ns(both->placing) * 1e-9 < at_s)
        sides_time(round, &placement_simulated, both, both->placing, work, NULL, NULL);
}

/* Tasks of a cell until the policy is back; `times`: what the places take. */
static size_t count_tasks(bench_round *round, size_t cell, const sides *both, placement_work *work,
                          const double *times)
{
    bool right[AFTER + SIDES_RUN];
    double good = 1.1 * times[sides_best(times, both->place_count)];
    for (size_t i = 0; i < AFTER + SIDES_RUN; i++) {
        size_t place;
        sides_time(round, &placement_simulated, both, both->placing, work, NULL, &place);
        right[i] = place < both->place_count && times[place] <= good;
        if (sides_verbose())
            fputc(right[i] ? '.' : '0' + (int)place, stderr);
    }
    if (!placement_simulated.right(work))
        bench_fail(round, "%s: a wrong result", placement_simulated.name(cell));
    size_t tasks = sides_settled(right, AFTER + SIDES_RUN);
    return tasks > AFTER ? AFTER : tasks;
}

/* Tasks of cell `then`, after those of `cell` until at_s. */
static double back_after(bench_round *round, size_t cell, double at_s, size_t then, const double *times)
{
    const placement_bed *bed = &placement_simulated;
    sides both;
    if (!sides_open(round, bed, &both))
        return -1;
    double tasks = -1;
    placement_work *first = bed->prepare(round, both.placing, cell);
    placement_work *second = !first ? NULL : then == cell ? first : bed->prepare(round, both.placing, then);
    if (second) {
        run_until(round, &both, first, at_s);
        tasks = (double)count_tasks(round, then, &both, second, times);
    }
    if (second && second != first)
        bed->finish(second);
    if (first)
        bed->finish(first);
    sides_close(&both);
    return tasks;
}

/* Tasks until the policy was back; negative where the slower place is still a good one. */
static double ask_drift(bench_round *round, size_t cell, const char *path)
{
    double before[PLACEMENT_PLACES_MAX], after[PLACEMENT_PLACES_MAX], first_s, ignored_s, tasks = -1;
    char names[PLACEMENT_PLACES_MAX][32];
    size_t count = look(round, cell, before, names, &first_s);
    size_t slowed = count ? sides_best(before, count) : 0;
    if (!count || !write_machine(round, names[slowed], 0, INFINITY, path))
        return -1;
    placement_simulated_machine(path);
    count = look(round, cell, after, names, &ignored_s);
    if (count && after[slowed] > 1.1 * after[sides_best(after, count)] &&
        write_machine(round, names[slowed], first_s, INFINITY, path))
        tasks = back_after(round, cell, first_s, cell, after);
    placement_simulated_machine(NULL);
    return tasks;
}

/* Tasks of cell `then` after the place was slower for a moment. */
static double back_after_moment(bench_round *round, size_t cell, size_t then, const char *path)
{
    double here[PLACEMENT_PLACES_MAX], there[PLACEMENT_PLACES_MAX], first_s, ignored_s, tasks = -1;
    char names[PLACEMENT_PLACES_MAX][32];
    size_t count = look(round, then, there, names, &ignored_s);
    count = count ? look(round, cell, here, names, &first_s) : 0;
    if (!count)
        return -1;
    size_t slowed = sides_best(here, count);
    double until_s = first_s + MOMENT * SLOWER * here[slowed];
    if (!write_machine(round, names[slowed], first_s, until_s, path))
        return -1;
    placement_simulated_machine(path);
    tasks = back_after(round, cell, until_s, then, there);
    placement_simulated_machine(NULL);
    return tasks;
}

static double ask_moment(bench_round *round, size_t cell, const char *path)
{
    return back_after_moment(round, cell, cell, path);
}

/* Of the kernel's next size; there is none after the largest. */
static double ask_moment_next(bench_round *round, size_t cell, const char *path)
{
    char own[64], next[64];
    snprintf(own, sizeof own, "%s", placement_simulated.name(cell));
    snprintf(next, sizeof next, "%s",
             cell + 1 < placement_simulated.cells ? placement_simulated.name(cell + 1) : "");
    size_t length = strcspn(own, " ") + 1;
    return strncmp(own, next, length) == 0 ? back_after_moment(round, cell, cell + 1, path) : -1;
}

static void ask_cells(bench_round *round, double (*ask_cell)(bench_round *, size_t, const char *),
                      const char *path)
{
    double all = 0, worst = 0;
    size_t cells = 0, step = bench_quick(round) ? 11 : 1;
    for (size_t i = 0; i < placement_simulated.cells && bench_fine(round); i += step) {
        double tasks = ask_cell(round, i, path);
        if (tasks < 0)
            continue;
        if (sides_verbose())
            fprintf(stderr, " %s: %.0f tasks\n", placement_simulated.name(i), tasks);
        all += tasks;
        worst = tasks > worst ? tasks : worst;
        cells++;
    }
    if (bench_fine(round) && cells) {
        bench_record(round, "", all / (double)cells);
        bench_record(round, "_worst", worst);
    }
}

static double (*ask_function(const bench_round *round))(bench_round *, size_t, const char *)
{
    const char *question = bench_question(round);
    return !strcmp(question, "drift_tasks")    ? ask_drift
           : !strcmp(question, "moment_tasks") ? ask_moment
                                               : ask_moment_next;
}

void placement_drift(bench_round *round)
{
    char path[] = "/tmp/allot-bench-XXXXXX";
    int file = mkstemp(path);
    if (file < 0) {
        bench_fail(round, "no temporary file");
        return;
    }
    close(file);
    ask_cells(round, ask_function(round), path);
    unlink(path);
}
