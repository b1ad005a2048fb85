/* The figures of a run: a row for each question and system, a value for each round; medians and how they are
 * printed. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BENCH_ROUNDS_MAX 101

typedef struct bench_row {
    char question[80], system[32]; /* the question asked, with a suffix */
    size_t asked;                  /* length of the question without it */
    double values[BENCH_ROUNDS_MAX];
    size_t count;
} bench_row;

typedef struct bench_rows {
    bench_row *all;
    size_t count, room;
} bench_rows;

/* Adds a value to the row, which is made if need be. */
void bench_rows_add(bench_rows *rows, const char *question, const char *suffix, const char *system,
                    double value);

/* Drops the rows of one case: the question's own and those with a suffix. */
void bench_rows_drop(bench_rows *rows, const char *question, const char *system);

/* Comma-separated with a head, or a table for people. */
void bench_rows_print(bench_rows *rows, bool csv, FILE *stream);
void bench_rows_fini(bench_rows *rows);

/* What a row of this name is measured in: bytes per task for memory, GB/s for bandwidth and saxpy, else ns
 * per operation. */
const char *bench_unit(const char *question);

/* The value below which `share` of them lie, interpolated; they are sorted. Count is at least 1. */
double bench_quantile(const double *sorted, size_t count, double share);

#endif
