/* A place that was the best becomes slower while work goes on: how soon is that noticed? */
#include "placement_sides.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOWER 5
#define BEFORE 60  /* tasks before the best place slows down, about */
#define AFTER  100 /* tasks that are looked at then */

/* The machine's file with one class made slower from a moment on. */
static bool write_machine(bench_round *round, const char *class_name, double at_s, const char *path)
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
        fprintf(to, "%.*s \"faults\": [ { \"slower\": %d, \"at_s\": %.9g } ],%s", (int)(at - text), text,
                SLOWER, at_s, at);
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

/* `times`: what the places take once the one is slower, from at_s on. */
static size_t count_tasks(bench_round *round, size_t cell, const sides *both, double at_s,
                          const double *times)
{
    const placement_bed *bed = &placement_simulated;
    bool right[AFTER + SIDES_RUN];
    double good = 1.1 * times[sides_best(times, both->place_count)];
    placement_work *work = bed->prepare(round, both->placing, cell);
    if (!work)
        return AFTER;
    while (bench_fine(round) && (double)allot_now_ns(both->placing) * 1e-9 < at_s)
        sides_time(round, bed, both, both->placing, work, NULL, NULL);
    for (size_t i = 0; i < AFTER + SIDES_RUN; i++) {
        size_t place;
        sides_time(round, bed, both, both->placing, work, NULL, &place);
        right[i] = place < both->place_count && times[place] <= good;
        if (sides_verbose())
            fputc(right[i] ? '.' : '0' + (int)place, stderr);
    }
    if (!bed->right(work))
        bench_fail(round, "%s: a wrong result", bed->name(cell));
    bed->finish(work);
    size_t tasks = sides_settled(right, AFTER + SIDES_RUN);
    return tasks > AFTER ? AFTER : tasks;
}

/* Tasks until the policy was back; negative where the slower place is still a good one. */
static double ask_cell(bench_round *round, size_t cell, const char *path)
{
    double before[PLACEMENT_PLACES_MAX], after[PLACEMENT_PLACES_MAX], first_s, ignored_s;
    char names[PLACEMENT_PLACES_MAX][32];
    sides both;
    size_t count = look(round, cell, before, names, &first_s);
    size_t slowed = count ? sides_best(before, count) : 0;
    if (!count || !write_machine(round, names[slowed], 0, path))
        return -1;
    placement_simulated_machine(path);
    count = look(round, cell, after, names, &ignored_s);
    double tasks = -1;
    if (count && after[slowed] > 1.1 * after[sides_best(after, count)] &&
        write_machine(round, names[slowed], first_s, path) &&
        sides_open(round, &placement_simulated, &both)) {
        tasks = (double)count_tasks(round, cell, &both, first_s, after);
        sides_close(&both);
    }
    placement_simulated_machine(NULL);
    return tasks;
}

static void ask_cells(bench_round *round, const char *path)
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

void placement_drift(bench_round *round)
{
    char path[] = "/tmp/allot-bench-XXXXXX";
    int file = mkstemp(path);
    if (file < 0) {
        bench_fail(round, "no temporary file");
        return;
    }
    close(file);
    ask_cells(round, path);
    unlink(path);
}
