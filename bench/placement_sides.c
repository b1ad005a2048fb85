#include "placement_sides.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void list_places(sides *both)
{
    allot_place_info infos[32];
    for (size_t i = 0; i < 32; i++)
        infos[i].size = sizeof infos[i];
    size_t count = allot_places(both->fixed, infos, 32);
    for (size_t i = 0; i < count && i < 32 && both->place_count < PLACEMENT_PLACES_MAX; i++)
        if (infos[i].state != ALLOT_PLACE_ASIDE && infos[i].kind != ALLOT_INLINE &&
            infos[i].kind != ALLOT_PROCESS)
            memcpy(both->places[both->place_count++], infos[i].id, sizeof both->places[0]);
}

static bool has_place(const sides *both, const char *id)
{
    for (size_t i = 0; i < both->place_count; i++)
        if (!strcmp(id, both->places[i]))
            return true;
    return false;
}

const char *sides_policy(bench_round *round)
{
    const char *system = bench_system(round);
    bool by_hint = !strncmp(system, "always_", 7) || !strcmp(system, "oracle");
    return by_hint || !strcmp(system, "allot") ? "eft" : system;
}

bool sides_open(bench_round *round, const placement_bed *bed, sides *both)
{
    const char *system = bench_system(round);
    *both = (sides){ .placing = bed->open(round, sides_policy(round)) };
    both->fixed = both->placing ? bed->open(round, NULL) : NULL;
    if (!both->fixed) {
        allot_close(both->placing);
        return false;
    }
    list_places(both);
    allot_places(both->placing, NULL, 0); /* the search for devices is nobody's cost here */
    if (strncmp(system, "always_", 7) != 0 || has_place(both, system + 7))
        return true;
    bench_skip(round, "there is no place %s", system + 7);
    sides_close(both);
    return false;
}

void sides_close(sides *both)
{
    allot_close(both->placing);
    allot_close(both->fixed);
}

static size_t number_of(const sides *both, const char *id)
{
    size_t number = 0;
    while (number < both->place_count && strcmp(both->places[number], id) != 0)
        number++;
    return number;
}

double sides_time(bench_round *round, const placement_bed *bed, const sides *both, allot_executor *executor,
                  placement_work *work, const char *where, size_t *place)
{
    allot_hints hints;
    allot_hints_init(&hints);
    hints.place_id = where;
    int64_t start_ns = allot_now_ns(executor);
    allot_future *future = bed->launch(work, executor, &hints);
    allot_status status = allot_wait(future, ALLOT_FOREVER);
    int64_t end_ns = allot_now_ns(executor);
    if (status == ALLOT_OK)
        status = allot_future_status(future);
    if (status != ALLOT_OK)
        bench_fail(round, "a launch failed: %s", allot_future_error(future));
    if (place)
        *place = number_of(both, allot_future_place(future));
    allot_release(future);
    return (double)(end_ns - start_ns) * 1e-9;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double sides_mean(const sides_log *log)
{
    double sum = 0, own[SIDES_TASKS_MAX];
    for (size_t place = 0; place <= PLACEMENT_PLACES_MAX; place++) {
        size_t count = 0;
        for (size_t i = 0; i < log->count; i++)
            if (log->place[i] == place)
                own[count++] = log->seconds[i];
        if (!count)
            continue;
        qsort(own, count, sizeof *own, by_value);
        sum += (double)count * 0.5 * (own[(count - 1) / 2] + own[count / 2]);
    }
    return log->count ? sum / (double)log->count : 0;
}

size_t sides_best(const double *times, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (times[i] < times[best])
            best = i;
    return best;
}

void sides_ask_fixed(bench_round *round, const placement_bed *bed, const sides *both, placement_work *work,
                     double *times)
{
    for (size_t p = 0; p < both->place_count; p++) {
        sides_log log = { .count = SIDES_RUN };
        sides_time(round, bed, both, both->fixed, work, both->places[p], NULL);
        for (size_t i = 0; i < SIDES_RUN; i++)
            log.seconds[i] = sides_time(round, bed, both, both->fixed, work, both->places[p], &log.place[i]);
        times[p] = sides_mean(&log);
    }
}

size_t sides_settled(const bool *right, size_t count)
{
    size_t settled = count;
    for (size_t first = count - SIDES_RUN + 1; first-- > 0;) {
        size_t rights = 0;
        for (size_t i = first; i < first + SIDES_RUN; i++)
            rights += right[i];
        if (rights + 1 < SIDES_RUN)
            break;
        settled = right[first] ? first : settled;
    }
    return settled;
}

bool sides_verbose(void)
{
    return getenv("BENCH_CELLS") != NULL;
}

void sides_tell_progress(const bench_round *round, const placement_bed *bed, size_t number)
{
    if (isatty(STDERR_FILENO) && !sides_verbose())
        fprintf(stderr, "\r\033[K%s: %s, %zu of %zu: %s", bench_question(round), bench_system(round),
                number + 1, bed->cells, bed->name(number));
}
