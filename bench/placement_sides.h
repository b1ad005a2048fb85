/* Two executors on one machine: one places, the other is told where. */
#ifndef BENCH_PLACEMENT_SIDES_H
#define BENCH_PLACEMENT_SIDES_H

#include "placement.h"

#define SIDES_RUN       10 /* of so many tasks in a row nine must be right */
#define SIDES_TASKS_MAX 60

typedef struct sides {
    allot_executor *placing, *fixed;
    char places[PLACEMENT_PLACES_MAX][32]; /* every place that launches may be sent to */
    size_t place_count;
} sides;

/* What some tasks took, and where they ran: a number of sides.places. */
typedef struct sides_log {
    double seconds[SIDES_TASKS_MAX];
    size_t place[SIDES_TASKS_MAX], count;
} sides_log;

/* For the system that is asked: "allot" places by the default policy, "oracle" and "always_PLACE" by hints,
 * others by the policy of that name. False, with the round failed or skipped, if that cannot be. */
bool sides_open(bench_round *round, const placement_bed *bed, sides *both);
void sides_close(sides *both);
/* The name of the policy that the asked system's placing side has. */
const char *sides_policy(bench_round *round);

/* From launch to done, in the executor's own time; `where` is a place's id or NULL; `place` (may be NULL)
 * receives the number of the place where it ran, place_count where that is none of them. */
double sides_time(bench_round *round, const placement_bed *bed, const sides *both, allot_executor *executor,
                  placement_work *work, const char *where, size_t *place);

/* A mean that a moment of somebody else's on the machine does not move, yet every task counts in by where it
 * ran: of each place the middle of its times, weighted by how many tasks it got. */
double sides_mean(const sides_log *log);

/* The least of them. */
size_t sides_best(const double *times, size_t count);

/* Fills a mean for each place. They use the one work in turn: no result is brought from one to another where
 * the kernel reads nothing that it wrote. */
void sides_ask_fixed(bench_round *round, const placement_bed *bed, const sides *both, placement_work *work,
                     double *times);

/* The first of `count` tasks from which on nine of SIDES_RUN in a row were right; `count` if there is none.
 */
size_t sides_settled(const bool *right, size_t count);

/* With BENCH_CELLS in the environment each cell is told on standard error. */
bool sides_verbose(void);

/* On a terminal, which cell is being asked: a round may take a minute. */
void sides_tell_progress(const bench_round *round, const placement_bed *bed, size_t number);

#endif
