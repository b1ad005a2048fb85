/* The figures of a run: a row for each question and system, a value for each round; medians and how they are
 * printed. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BENCH_ROUNDS_MAX 101
#define BENCH_NAME       80 /* room for a row's name */

typedef struct bench_row {
    char question[BENCH_NAME], system[32]; /* the question asked, with what the figure is of it: _p99 */
    size_t asked;                          /* length of the question without that */
    double values[BENCH_ROUNDS_MAX];
    size_t count;
} bench_row;

typedef struct bench_rows {
    bench_row *all; /* those of one question stand together */
    size_t count, room;
} bench_rows;

/* Adds a value to the row, which is made if need be. */
void bench_rows_add(bench_rows *rows, const char *question, const char *suffix, const char *system,
                    double value);

/* Drops the rows of a system that was asked this: the question's own and those with a suffix. */
void bench_rows_drop(bench_rows *rows, const char *question, const char *system);

typedef enum bench_format {
    BENCH_TABLE, /* for people */
    BENCH_CSV,   /* with a head */
    BENCH_JSON   /* {"machine": ..., "stolen": ..., "rows": [...]} */
} bench_format;

/* All of it. The machine is named, and which share of its time its host took away meanwhile, in CSV on
 * standard error alone. */
void bench_rows_print(bench_rows *rows, double stolen, bench_format format, FILE *stream);
void bench_rows_fini(bench_rows *rows);

/* What a row of this name is measured in: bytes per task for memory, GB/s for saxpy and bandwidths, x for
 * overlap, % for shares, tasks for losses and until something is found, ratios to what would have been best,
 * else ns per operation. */
const char *bench_unit(const char *question);

/* The value below which `share` of them lie, interpolated; they are sorted. Count is at least 1. */
double bench_quantile(const double *sorted, size_t count, double share);

#endif
