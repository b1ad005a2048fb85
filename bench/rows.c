#include "rows.h"
#include <stdlib.h>
#include <string.h>

const char *bench_unit(const char *question)
{
    if (strstr(question, "memory"))
        return "B";
    if (strstr(question, "bandwidth") || strstr(question, "saxpy"))
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

static bench_row *append(bench_rows *rows)
{
    if (rows->count == rows->room) {
        rows->room = rows->room ? 2 * rows->room : 16;
        bench_row *all = realloc(rows->all, rows->room * sizeof *all);
        if (!all) {
            fputs("out of memory\n", stderr);
            exit(EXIT_FAILURE);
        }
        rows->all = all;
    }
    rows->all[rows->count] = (bench_row){ .count = 0 };
    return &rows->all[rows->count++];
}

void bench_rows_add(bench_rows *rows, const char *question, const char *suffix, const char *system,
                    double value)
{
    char name[sizeof rows->all->question];
    snprintf(name, sizeof name, "%s%s", question, suffix);
    bench_row *row = find(rows, name, system);
    if (!row) {
        row = append(rows);
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

static void print_csv(const bench_row *row, FILE *stream)
{
    fprintf(stream, "%s,%s,%.6g,%.6g,%.6g,%s,%zu\n", row->question, row->system,
            bench_quantile(row->values, row->count, 0.5), bench_quantile(row->values, row->count, 0.1),
            bench_quantile(row->values, row->count, 0.9), bench_unit(row->question), row->count);
}

static void print_line(const bench_row *row, FILE *stream)
{
    fprintf(stream, "%-32s %-12s %12.4g %12.4g %12.4g  %-5s %4zu\n", row->question, row->system,
            bench_quantile(row->values, row->count, 0.5), bench_quantile(row->values, row->count, 0.1),
            bench_quantile(row->values, row->count, 0.9), bench_unit(row->question), row->count);
}

void bench_rows_print(bench_rows *rows, bool csv, FILE *stream)
{
    if (csv)
        fputs("question,system,median,p10,p90,unit,runs\n", stream);
    else
        fprintf(stream, "%-32s %-12s %12s %12s %12s  %-5s %4s\n", "question", "system", "median", "p10",
                "p90", "unit", "runs");
    for (size_t i = 0; i < rows->count; i++) {
        bench_row *row = &rows->all[i];
        qsort(row->values, row->count, sizeof row->values[0], compare);
        (csv ? print_csv : print_line)(row, stream);
    }
}

void bench_rows_fini(bench_rows *rows)
{
    free(rows->all);
    *rows = (bench_rows){ 0 };
}
