/* Asks several systems the same questions in turn, round after round, and prints the spread.
 *
 * A benchmark program is two tables and `return bench_main(...)`. Taking turns means that a slow moment of
 * the machine hits all systems alike: ratios within one run count, absolute times do not. Each system answers
 * a question in a process of its own (bench/round.h), with one round before that is not counted; or in one
 * with another system, where the pages that a process happens to get would decide. */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include "round.h"

/* Who can be asked. */
typedef struct bench_answerer {
    const char *system;  /* "allot", a limit or a peer */
    const char *program; /* in the folder peers/ beside this program; NULL: this program itself */
    const char *needs;   /* what it takes to have it, in words: said where it is not here */
} bench_answerer;

/* A question and those who are asked. Its row is named base + suffix. */
typedef struct bench_asked {
    const char *base, *suffix;
    const char *systems; /* their names, with spaces between; `+`: this program's own, in one process */
    int workers, producers;
    bool fresh; /* each round in a new process, so that nothing is warm, and none before */
} bench_asked;

typedef struct bench_plan {
    const bench_answerer *answerers; /* ended by a NULL name */
    const bench_asked *questions;    /* ended by a NULL name */
    bench_ask ask;                   /* this program's own answers */
} bench_plan;

/* Prints what the options ask for; returns what main should. */
int bench_main(int argc, char **argv, const bench_plan *plan);

#endif
