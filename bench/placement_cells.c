#include "placement_sides.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM      20   /* tasks before the policy is judged */
#define BLOCKS    12   /* in which the sides take turns */
#define IN_A_ROW  5    /* tasks of a side in a block: so caches and threads are as warm as in a program */
#define LONG_S    0.02 /* of tasks that take longer so few are enough: */
#define LONG_ROW  1
#define FIXED     3    /* tasks to warm each place of the other side */
#define BEHIND    5    /* times the best of a cell: a place that takes so long has lost there, */
#define SURE      2    /* which so many tasks show: a compiler is only in the first */
#define ENOUGH    1000 /* times the bed's patience is a cell's time for the side that is judged, */
#define FEWEST    3    /* after so many tasks */
#define QUICK     11   /* every so many cells are asked then */
#define FIND_MOST 60   /* tasks in which a policy must have found the best */

/* ---- One cell ---- */

/* Each side has arrays of its own: else what one place wrote would have to be brought to the next. */
typedef struct cell {
    placement_work *placing, *fixed[PLACEMENT_PLACES_MAX];
    sides_log placed, told[PLACEMENT_PLACES_MAX];
    bool lost[PLACEMENT_PLACES_MAX]; /* by far, at first: not asked any more */
} cell;

static void finish_cell(const placement_bed *bed, const sides *both, cell *self)
{
    for (size_t p = 0; p < both->place_count; p++)
        if (self->fixed[p])
            bed->finish(self->fixed[p]);
    if (self->placing)
        bed->finish(self->placing);
}

static bool prepare_cell(bench_round *round, const placement_bed *bed, const sides *both, size_t number,
                         cell *self)
{
    memset(self, 0, sizeof *self);
    self->placing = bed->prepare(round, both->placing, number);
    bool fine = self->placing != NULL;
    for (size_t p = 0; fine && p < both->place_count; p++)
        fine = (self->fixed[p] = bed->prepare(round, both->fixed, number)) != NULL;
    if (!fine)
        finish_cell(bed, both, self);
    return fine;
}

/* Which hint the side that is judged gets: none, or its place, or for the oracle that which was the best. */
static const char *judged_hint(bench_round *round, const sides *both, const double *seen)
{
    const char *system = bench_system(round);
    if (!strncmp(system, "always_", 7))
        return system + 7;
    return strcmp(system, "oracle") != 0 ? NULL : both->places[sides_best(seen, both->place_count)];
}

static bool has_lost(const placement_bed *bed, double own_s, double least_s)
{
    return own_s > bed->patience_s && own_s > BEHIND * least_s;
}

/* The least of its first tasks; few where it loses by far to one that was asked before it. */
static double warm_place(bench_round *round, const placement_bed *bed, const sides *both, const cell *self,
                         size_t place, double least_s)
{
    double own_s = INFINITY;
    for (int i = 0; i < FIXED && !(i >= SURE && has_lost(bed, own_s, least_s)); i++)
        own_s = fmin(
            own_s, sides_time(round, bed, both, both->fixed, self->fixed[place], both->places[place], NULL));
    return own_s;
}

/* What a place that has lost took at first stands for it. */
static void count_out(const placement_bed *bed, const sides *both, cell *self, const double *seen)
{
    double least_s = seen[sides_best(seen, both->place_count)];
    for (size_t p = 0; p < both->place_count; p++) {
        self->lost[p] = has_lost(bed, seen[p], least_s);
        if (self->lost[p])
            self->told[p] = (sides_log){ .seconds = { seen[p] }, .place = { p }, .count = 1 };
    }
}

/* A policy that takes to slow places is waited for so long and no longer. */
static bool has_had_enough(const placement_bed *bed, size_t count, double spent_s)
{
    return count >= FEWEST && spent_s > ENOUGH * bed->patience_s;
}

/* Returns the hint of the judged side. */
static const char *warm_up(bench_round *round, const placement_bed *bed, const sides *both, cell *self,
                           double *seen)
{
    double least_s = INFINITY, spent_s = 0;
    for (size_t p = 0; p < both->place_count; p++) {
        seen[p] = warm_place(round, bed, both, self, p, least_s);
        least_s = fmin(least_s, seen[p]);
    }
    count_out(bed, both, self, seen);
    const char *hint = judged_hint(round, both, seen);
    for (size_t i = 0; i < WARM && !has_had_enough(bed, i, spent_s); i++)
        spent_s += sides_time(round, bed, both, both->placing, self->placing, hint, NULL);
    return hint;
}

static double sum_of(const sides_log *log)
{
    double sum = 0;
    for (size_t i = 0; i < log->count; i++)
        sum += log->seconds[i];
    return sum;
}

static void run_block(bench_round *round, const placement_bed *bed, const sides *both, cell *self,
                      size_t side, size_t tasks, const char *hint)
{
    bool judged = side == both->place_count;
    sides_log *log = judged ? &self->placed : &self->told[side];
    if (judged ? has_had_enough(bed, log->count, sum_of(log)) : self->lost[side])
        return;
    for (size_t i = 0; i < tasks && bench_fine(round); i++, log->count++)
        log->seconds[log->count] = sides_time(round, bed, both, judged ? both->placing : both->fixed,
                                              judged ? self->placing : self->fixed[side],
                                              judged ? hint : both->places[side], &log->place[log->count]);
}

/* A side finds the caches, the cores and the waiter as the one before it leaves them: so each follows each
 * other equally often, over so many blocks as there are sides, twice that if they are odd. (Williams,
 * Experimental designs balanced for the estimation of residual effects of treatments, Aust. J. Sci. Res. A 2,
 * 1949.) */
static size_t whose_turn(size_t block, size_t turn, size_t side_count)
{
    bool back = side_count % 2 && block / side_count % 2;
    size_t at = back ? side_count - 1 - turn : turn;
    size_t zigzag = at % 2 ? side_count - (at + 1) / 2 : at / 2;
    return (zigzag + block) % side_count;
}

static void judge(bench_round *round, const placement_bed *bed, const sides *both, size_t number, cell *self)
{
    bool right = bed->right(self->placing);
    for (size_t p = 0; p < both->place_count; p++)
        right = bed->right(self->fixed[p]) && right;
    if (!right && bench_fine(round))
        bench_fail(round, "%s: a wrong result", bed->name(number));
}

static bool ask_cell(bench_round *round, const placement_bed *bed, const sides *both, size_t number,
                     cell *self)
{
    double seen[PLACEMENT_PLACES_MAX];
    if (!prepare_cell(round, bed, both, number, self))
        return false;
    const char *hint = warm_up(round, bed, both, self, seen);
    bool takes_long = seen[sides_best(seen, both->place_count)] > LONG_S;
    size_t side_count = both->place_count + 1, tasks = takes_long ? LONG_ROW : IN_A_ROW;
    for (size_t block = 0; block < BLOCKS; block++)
        for (size_t i = 0; i < side_count; i++)
            run_block(round, bed, both, self, whose_turn(block, i, side_count), tasks, hint);
    judge(round, bed, both, number, self);
    finish_cell(bed, both, self);
    return bench_fine(round);
}

/* ---- All cells ---- */

typedef struct sums {
    double logarithms, worst, placed, told[PLACEMENT_PLACES_MAX];
    size_t cells, wins[PLACEMENT_PLACES_MAX];
} sums;

/* The ratios of each cell in this process's rounds so far: which cell is the worst is told by the middle
 * ones, for in one round of dozens of cells some moment is always disturbed. */
#define CELLS_MAX  64
#define ROUNDS_MAX 128
static double seen[CELLS_MAX][ROUNDS_MAX];
static size_t rounds_seen[CELLS_MAX];

static double middle_so_far(size_t number, double ratio)
{
    size_t count = rounds_seen[number], at = count < ROUNDS_MAX ? count : ROUNDS_MAX - 1;
    double *sorted = seen[number];
    while (at > 0 && sorted[at - 1] > ratio) {
        sorted[at] = sorted[at - 1];
        at--;
    }
    sorted[at] = ratio;
    rounds_seen[number] = count < ROUNDS_MAX ? ++count : count;
    return 0.5 * (sorted[(count - 1) / 2] + sorted[count / 2]);
}

static void add_ratio(sums *all, size_t number, double ratio)
{
    all->logarithms += log(ratio);
    all->worst = fmax(all->worst, middle_so_far(number, ratio));
    all->cells++;
}

/* With BENCH_CELLS set, a line for each cell on standard error, with how many of the last tasks each place
 * got. */
static void tell_cell(const placement_bed *bed, size_t number, const cell *self, const sides *both,
                      double ratio)
{
    if (!sides_verbose())
        return;
    fprintf(stderr, "%-20s %9.4g us", bed->name(number), sides_mean(&self->placed) * 1e6);
    for (size_t p = 0; p < both->place_count; p++) {
        size_t got = 0;
        for (size_t i = 0; i < self->placed.count; i++)
            got += self->placed.place[i] == p;
        fprintf(stderr, "  %s %.4g (%zu)", both->places[p], sides_mean(&self->told[p]) * 1e6, got);
    }
    fprintf(stderr, "  ratio %.3f\n", ratio);
}

static void add_cell(sums *all, const placement_bed *bed, size_t number, const cell *self, const sides *both)
{
    double told[PLACEMENT_PLACES_MAX], placed = sides_mean(&self->placed);
    for (size_t p = 0; p < both->place_count; p++) {
        told[p] = sides_mean(&self->told[p]);
        all->told[p] += told[p];
    }
    size_t best = sides_best(told, both->place_count);
    all->wins[best]++;
    all->placed += placed;
    add_ratio(all, number, placed / told[best]);
    tell_cell(bed, number, self, both, placed / told[best]);
}

/* A bed on which one place is nearly always the best would ask nothing. */
static void judge_wins(bench_round *round, const placement_bed *bed, const sums *all, const sides *both)
{
    for (size_t p = 0; p < both->place_count; p++) {
        if (sides_verbose())
            fprintf(stderr, "%s is the best in %zu of %zu\n", both->places[p], all->wins[p], all->cells);
        if (all->cells == bed->cells && all->wins[p] < bed->least_wins)
            bench_fail(round, "%s is the best in %zu cells of %zu alone", both->places[p], all->wins[p],
                       all->cells);
    }
}

static bool ask_cells(bench_round *round, const placement_bed *bed, sides *both, sums *all)
{
    cell *self = bench_allocate(1, sizeof *self);
    size_t step = bench_quick(round) ? QUICK : 1;
    *all = (sums){ 0 };
    bool open = sides_open(round, bed, both);
    for (size_t i = 0; open && i < bed->cells && bench_fine(round); i += step) {
        sides_tell_progress(round, bed, i);
        if (ask_cell(round, bed, both, i, self))
            add_cell(all, bed, i, self, both);
    }
    free(self);
    if (open && bench_fine(round))
        judge_wins(round, bed, all, both);
    if (open)
        sides_close(both);
    return bench_fine(round);
}

static void record(bench_round *round, const sums *all)
{
    bench_record(round, "", exp(all->logarithms / (double)all->cells));
    bench_record(round, "_worst", all->worst);
}

void placement_regret(bench_round *round, const placement_bed *bed)
{
    sides both;
    sums all;
    if (!ask_cells(round, bed, &both, &all))
        return;
    record(round, &all);
    bench_record(round, "_places", (double)both.place_count);
}

void placement_mix(bench_round *round, const placement_bed *bed)
{
    sides both;
    sums all;
    if (ask_cells(round, bed, &both, &all))
        bench_record(round, "", all.placed / all.told[sides_best(all.told, both.place_count)]);
}

/* ---- From nothing ---- */

/* The first tasks of a kernel on a new executor: compilation and first transfers are in it. Fewer where they
 * have taken longer than `most_s` already. */
static double first_tasks(bench_round *round, const placement_bed *bed, const sides *both, size_t number,
                          const char *policy, const char *where, double most_s)
{
    double all = 0;
    allot_executor *executor = bed->open(round, policy);
    placement_work *work = executor ? bed->prepare(round, executor, number) : NULL;
    if (executor)
        allot_places(executor, NULL, 0);
    for (int i = 0; work && i < WARM && all <= most_s && bench_fine(round); i++)
        all += sides_time(round, bed, both, executor, work, where, NULL);
    if (work && bench_fine(round) && !bed->right(work))
        bench_fail(round, "%s: a wrong result", bed->name(number));
    if (work)
        bed->finish(work);
    allot_close(executor);
    return all;
}

static void ask_cold(bench_round *round, const placement_bed *bed, const sides *both, size_t number,
                     sums *all)
{
    double told[PLACEMENT_PLACES_MAX], least_s = INFINITY;
    double placed = first_tasks(round, bed, both, number, sides_policy(round), NULL, INFINITY);
    for (size_t p = 0; p < both->place_count && bench_fine(round); p++) {
        told[p] = first_tasks(round, bed, both, number, NULL, both->places[p], least_s);
        least_s = fmin(least_s, told[p]);
    }
    if (!bench_fine(round))
        return;
    double ratio = placed / least_s;
    add_ratio(all, number, ratio);
    if (sides_verbose()) {
        fprintf(stderr, "%-20s first %d: %.4g ms", bed->name(number), WARM, placed * 1e3);
        for (size_t p = 0; p < both->place_count; p++)
            fprintf(stderr, "  %s %.4g%s", both->places[p], told[p] * 1e3,
                    told[p] > least_s ? " at least" : "");
        fprintf(stderr, "  ratio %.3f\n", ratio);
    }
}

void placement_cold(bench_round *round, const placement_bed *bed)
{
    sides both;
    sums all = { 0 };
    size_t step = bench_quick(round) ? QUICK : 1;
    if (!sides_open(round, bed, &both))
        return;
    for (size_t i = 0; i < bed->cells && bench_fine(round); i += step) {
        sides_tell_progress(round, bed, i);
        ask_cold(round, bed, &both, i, &all);
    }
    if (bench_fine(round))
        record(round, &all);
    sides_close(&both);
}

/* ---- How many tasks ---- */

static size_t tasks_of_cell(bench_round *round, const placement_bed *bed, const sides *both,
                            placement_work *placing, placement_work *fixed)
{
    double times[PLACEMENT_PLACES_MAX];
    bool right[FIND_MOST + SIDES_RUN];
    sides_ask_fixed(round, bed, both, fixed, times);
    double good = 1.05 * times[sides_best(times, both->place_count)];
    for (size_t i = 0; i < FIND_MOST + SIDES_RUN; i++) {
        size_t place;
        sides_time(round, bed, both, both->placing, placing, NULL, &place);
        right[i] = place < both->place_count && times[place] <= good;
        if (sides_verbose())
            fputc(right[i] ? '.' : '0' + (int)place, stderr);
    }
    size_t tasks = sides_settled(right, FIND_MOST + SIDES_RUN);
    return tasks > FIND_MOST ? FIND_MOST : tasks;
}

/* Each cell begins with an executor that knows nothing. */
static void find_best(bench_round *round, const placement_bed *bed, size_t number, sums *all)
{
    sides both;
    if (!sides_open(round, bed, &both))
        return;
    placement_work *placing = bed->prepare(round, both.placing, number);
    placement_work *fixed = placing ? bed->prepare(round, both.fixed, number) : NULL;
    if (fixed) {
        size_t tasks = tasks_of_cell(round, bed, &both, placing, fixed);
        if (bench_fine(round) && (!bed->right(placing) || !bed->right(fixed)))
            bench_fail(round, "%s: a wrong result", bed->name(number));
        all->placed += (double)tasks;
        all->cells++;
        if (sides_verbose())
            fprintf(stderr, " %s: %zu tasks\n", bed->name(number), tasks);
        bed->finish(fixed);
    }
    if (placing)
        bed->finish(placing);
    sides_close(&both);
}

void placement_tasks_to_best(bench_round *round, const placement_bed *bed)
{
    sums all = { 0 };
    size_t step = bench_quick(round) ? QUICK : 1;
    for (size_t i = 0; i < bed->cells && bench_fine(round); i += step)
        find_best(round, bed, i, &all);
    if (bench_fine(round) && all.cells)
        bench_record(round, "", all.placed / (double)all.cells);
}
