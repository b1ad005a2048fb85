#include "rows.h"
#include <allot/allot.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* Those of bench_placement. NULL: it is none. */
static const char *placement_unit(const char *question)
{
    if (strstr(question, "_places"))
        return "places";
    if (strstr(question, "regret") || !strncmp(question, "mix_", 4) || !strncmp(question, "graph_", 6))
        return "ratio";
    return !strncmp(question, "tasks_", 6) || !strncmp(question, "drift_", 6) ||
                   !strncmp(question, "moment_", 7)
               ? "tasks"
               : NULL;
}

const char *bench_unit(const char *question)
{
    if (placement_unit(question))
        return placement_unit(question);
    const char *last = strrchr(question, '_');
    if (last && (!strcmp(last, "_cpu") || !strcmp(last, "_share")))
        return "%";
    if (last && !strcmp(last, "_lost"))
        return "tasks";
    if (strstr(question, "memory"))
        return "B";
    if (last && (!strcmp(last, "_overlap") || !strcmp(last, "_paired")))
        return "x";
    if (strstr(question, "saxpy") || strstr(question, "bandwidth"))
        return "GB/s";
    return "ns";
}

double bench_quantile(const double *sorted, size_t count, double share)
{
    double at = share * (double)(count - 1);
    size_t below = (size_t)at, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

static bench_row *find(bench_rows *rows, const char *question, const char *system)
{
    for (size_t i = 0; i < rows->count; i++)
        if (!strcmp(rows->all[i].question, question) && !strcmp(rows->all[i].system, system))
            return &rows->all[i];
    return NULL;
}

static bool make_room(bench_rows *rows)
{
    if (rows->count < rows->room)
        return true;
    size_t room = rows->room ? 2 * rows->room : 16;
    bench_row *all = realloc(rows->all, room * sizeof *all);
    if (all) {
        rows->all = all;
        rows->room = room;
    }
    return all != NULL;
}

/* A new row, after the last one of its question. */
static bench_row *insert(bench_rows *rows, const char *question)
{
    if (!make_room(rows)) {
        fputs("out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    size_t at = rows->count;
    for (size_t i = 0; i < rows->count; i++)
        if (!strcmp(rows->all[i].question, question))
            at = i + 1;
    memmove(&rows->all[at + 1], &rows->all[at], (rows->count++ - at) * sizeof *rows->all);
    rows->all[at] = (bench_row){ .count = 0 };
    return &rows->all[at];
}

void bench_rows_add(bench_rows *rows, const char *question, const char *suffix, const char *system,
                    double value)
{
    char name[sizeof rows->all->question];
    snprintf(name, sizeof name, "%s%s", question, suffix);
    bench_row *row = find(rows, name, system);
    if (!row) {
        row = insert(rows, name);
        memcpy(row->question, name, sizeof name);
        row->asked = strlen(question);
        snprintf(row->system, sizeof row->system, "%s", system);
    }
    if (row->count < BENCH_ROUNDS_MAX)
        row->values[row->count++] = value;
}

void bench_rows_drop(bench_rows *rows, const char *question, const char *system)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const bench_row *row = &rows->all[i];
        bool same = row->asked == strlen(question) && !strncmp(row->question, question, row->asked);
        if (!same || strcmp(row->system, system))
            rows->all[kept++] = *row;
    }
    rows->count = kept;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* ---- Printing ---- */

static void name_machine(char *text, size_t size)
{
    allot_topology topology = { .size = sizeof topology };
    struct utsname system = { 0 };
    allot_get_topology(&topology);
    uname(&system);
    snprintf(text, size, "%s, %d CPUs, %s %.40s, allot %s",
             topology.cpu_model[0] ? topology.cpu_model : "unknown", topology.usable_cpus, system.sysname,
             system.release, allot_version());
    text[strcspn(text, "\"\\")] = '\0'; /* so that it may stand in JSON */
}

/* What one row is printed with: question, system, median, p10, p90, unit, number of rounds. */
static const char *const formats[] = {
    [BENCH_TABLE] = "%-32s %-14s %12.4g %12.4g %12.4g  %-5s %4zu\n",
    [BENCH_CSV] = "%s,%s,%.6g,%.6g,%.6g,%s,%zu\n",
    [BENCH_JSON] = "    {\"question\": \"%s\", \"system\": \"%s\", \"median\": %.6g, \"p10\": %.6g, \"p90\": "
                   "%.6g, \"unit\": \"%s\", \"runs\": %zu}",
};

static void print_row(bench_row *row, bench_format format, FILE *stream)
{
    qsort(row->values, row->count, sizeof row->values[0], compare);
    fprintf(stream, formats[format], row->question, row->system, bench_quantile(row->values, row->count, 0.5),
            bench_quantile(row->values, row->count, 0.1), bench_quantile(row->values, row->count, 0.9),
            bench_unit(row->question), row->count);
}

/* A hundredth moves no median; several make the worst of dozens of cells a matter of luck. */
#define STOLEN_MUCH 0.01

static void print_head(double stolen, bench_format format, FILE *stream)
{
    char machine[300];
    name_machine(machine, sizeof machine);
    if (format == BENCH_JSON)
        fprintf(stream, "{\n  \"machine\": \"%s\",\n  \"stolen\": %.4f,\n  \"rows\": [\n", machine, stolen);
    else
        fprintf(format == BENCH_CSV ? stderr : stream,
                "machine: %s\n%.1f %% of its time went to others on its host%s\n", machine, 100 * stolen,
                stolen > STOLEN_MUCH ? ": these are no figures of a quiet machine" : "");
    if (format == BENCH_CSV)
        fputs("question,system,median,p10,p90,unit,runs\n", stream);
    else if (format == BENCH_TABLE)
        fprintf(stream, "%-32s %-14s %12s %12s %12s  %-5s %4s\n", "question", "system", "median", "p10",
                "p90", "unit", "runs");
}

void bench_rows_print(bench_rows *rows, double stolen, bench_format format, FILE *stream)
{
    print_head(stolen, format, stream);
    for (size_t i = 0; i < rows->count; i++) {
        print_row(&rows->all[i], format, stream);
        if (format == BENCH_JSON)
            fputs(i + 1 < rows->count ? ",\n" : "\n", stream);
    }
    if (format == BENCH_JSON)
        fputs("  ]\n}\n", stream);
}

void bench_rows_fini(bench_rows *rows)
{
    free(rows->all);
    *rows = (bench_rows){ 0 };
}
