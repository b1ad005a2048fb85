#include "measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int64_t glance_ns = 50 * 1000000; /* how long a wait goes on before it looks for an interrupt */
static const int64_t patience_ns = 2000 * 1000000; /* how long an interrupted launch may take to end */

/* Whole numbers, so that a difference is exact. */
static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool al_measure_init(al_measure *measure, size_t turns, al_problem *problem)
{
    *measure = (al_measure){ .capacity = turns };
    measure->run_s = calloc(turns, sizeof *measure->run_s);
    measure->transfer_s = calloc(turns, sizeof *measure->transfer_s);
    return measure->run_s && measure->transfer_s ? true : al_out_of_memory(problem);
}

void al_measure_fini(al_measure *measure)
{
    free(measure->run_s);
    free(measure->transfer_s);
    allot_release(measure->last);
    *measure = (al_measure){ 0 };
}

static bool interrupted(al_problem *problem)
{
    return al_problem_set(problem, AL_EXIT_INTERRUPTED, "interrupted");
}

/* A launch that cannot be ended (a driver compiles) does not keep the user: the process goes, and with it its
 * workers. */
static bool stop(allot_future *future, al_problem *problem)
{
    allot_stop(future, patience_ns / 4);
    if (allot_wait(future, patience_ns) == ALLOT_OK)
        return interrupted(problem);
    al_interrupts_end();
}

static bool wait_for(allot_future *future, al_problem *problem)
{
    while (allot_wait(future, glance_ns) != ALLOT_OK)
        if (al_interrupted)
            return stop(future, problem);
    allot_status status = allot_future_status(future);
    if (al_interrupted) /* on a terminal Ctrl-C reaches worker processes too: no failure of theirs is news */
        return interrupted(problem);
    if (status == ALLOT_OK)
        return true;
    const char *text = allot_future_error(future);
    bool no_place = status == ALLOT_NO_PLACE || status == ALLOT_NO_DEVICE;
    return al_problem_set(problem, no_place ? AL_EXIT_NO_PLACE : AL_EXIT_FAILED, "%s%s%s",
                          allot_status_text(status), text[0] ? ": " : "", text);
}

/* Launches, waits, and gives the future (to be released) and the time from launch to done. */
static allot_future *launch(const al_workload *work, const al_target *target, double *seconds,
                            al_problem *problem)
{
    allot_hints hints = al_target_hints(target);
    int64_t start = now_ns();
    allot_future *future =
        allot_launch(work->executor, work->kind->kernel(), work->range, work->args, work->arg_count, &hints);
    bool ok = wait_for(future, problem);
    *seconds = (double)(now_ns() - start) / 1e9;
    if (ok)
        return future;
    allot_release(future);
    return NULL;
}

static bool judge(al_measure *measure, const al_workload *work, al_problem *problem)
{
    al_judgement judgement;
    const void *data = allot_array_map(work->result, ALLOT_READ);
    if (!data)
        return al_problem_set(problem, AL_EXIT_FAILED, "the result cannot be read: %s", allot_last_error());
    al_workload_judge(work, data, &judgement);
    allot_array_unmap(work->result);
    if (!(judgement.max_error <= measure->judgement.max_error) || measure->judgement.tolerance == 0)
        measure->judgement = judgement;
    if (judgement.right)
        return true;
    return al_problem_set(problem, AL_EXIT_FAILED, "%s (error %.2g, allowed %.2g)", judgement.worst,
                          judgement.max_error, judgement.tolerance);
}

static void count_place(al_measure *measure, const char *place)
{
    size_t i = 0;
    while (i < measure->ran_count && strcmp(measure->ran[i].place, place) != 0)
        i++;
    if (i == sizeof measure->ran / sizeof measure->ran[0])
        return;
    if (i == measure->ran_count) {
        snprintf(measure->ran[i].place, sizeof measure->ran[i].place, "%s", place);
        measure->ran_count++;
    }
    measure->ran[i].times++;
}

static void keep(al_measure *measure, allot_future *timed, double run_s, double transfer_s)
{
    if (measure->count < measure->capacity) {
        measure->run_s[measure->count] = run_s;
        measure->transfer_s[measure->count] = transfer_s;
        measure->count++;
    }
    count_place(measure, allot_future_place(timed));
    allot_release(measure->last);
    measure->last = allot_hold(timed);
}

/* Where nothing was copied, looking whether to takes a moment too: that is no transfer. */
static double transfer_s(const al_moves *before, const al_workload *work)
{
    al_moves after = al_workload_moves(work);
    return after.count == before->count ? 0 : (double)(after.ns - before->ns) / 1e9;
}

bool al_measure_turn(al_measure *measure, al_workload *work, const al_target *target, bool warming,
                     al_problem *problem)
{
    double first_s, run_s;
    if (!al_workload_reset(work, problem))
        return false;
    al_moves before = al_workload_moves(work);
    allot_future *first = launch(work, target, &first_s, problem);
    if (!first)
        return false;
    if (measure->first_s == 0)
        measure->first_s = first_s;
    allot_release(first);
    allot_future *timed = launch(work, target, &run_s, problem);
    if (!timed)
        return false;
    bool ok = judge(measure, work, problem);
    if (ok && !warming)
        keep(measure, timed, run_s, transfer_s(&before, work));
    allot_release(timed);
    return ok;
}

bool al_measure_once(al_workload *work, const al_target *target, al_problem *problem)
{
    al_measure measure = { 0 };
    double seconds;
    allot_future *future = al_workload_reset(work, problem) ? launch(work, target, &seconds, problem) : NULL;
    bool ok = future && judge(&measure, work, problem);
    allot_release(future);
    return ok;
}

const char *al_measure_place(const al_measure *measure)
{
    size_t most = 0;
    for (size_t i = 1; i < measure->ran_count; i++)
        if (measure->ran[i].times > measure->ran[most].times)
            most = i;
    return measure->ran_count ? measure->ran[most].place : "";
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double al_quantile(double *values, size_t count, double q)
{
    if (count == 0)
        return NAN;
    qsort(values, count, sizeof *values, by_value);
    double position = q * (double)(count - 1);
    size_t below = (size_t)position;
    if (below + 1 >= count)
        return values[count - 1];
    return values[below] + (position - (double)below) * (values[below + 1] - values[below]);
}
