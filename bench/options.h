/* What a benchmark program is asked for on its command line. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "harness.h"
#include "rows.h"

#define BENCH_CHOSEN_MAX 64

typedef struct bench_options {
    bench_format format;
    bool quick;
    size_t rounds;
    const bench_plan *plan;
    char *questions[BENCH_CHOSEN_MAX], *systems[BENCH_CHOSEN_MAX]; /* none: all */
    size_t question_count, system_count;
} bench_options;

/* Returns -1 to go on, else what main should. */
int bench_options_take(bench_options *options, int argc, char **argv, const bench_plan *plan);

/* Whether it was chosen. */
bool bench_options_question(const bench_options *options, const bench_asked *asked);
bool bench_options_system(const bench_options *options, const char *system);

/* The program that answers for it; false if it is not here. */
bool bench_answerer_path(const bench_answerer *answerer, char *path, size_t size);

#endif
