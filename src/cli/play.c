#include "play.h"

#include "text.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Kernels: one scalar, the work as (operations, bytes), then the arrays ---- */

static allot_status nothing(allot_call *call, const allot_part *part)
{
    (void)call, (void)part;
    return ALLOT_OK;
}

static allot_work told_work(allot_type type, allot_ndrange range, const allot_value *args)
{
    double told[2];
    (void)type, (void)range;
    memcpy(told, args[0].data, sizeof told);
    return (allot_work){ told[0], told[1] };
}

static allot_arg work_argument(const al_scenario_task *task)
{
    const double told[2] = { task->flops, task->bytes };
    allot_arg made = { .type = ALLOT_C64 };
    _Static_assert(sizeof told == sizeof made.scalar.bytes, "a complex number holds two figures");
    memcpy(made.scalar.bytes, told, sizeof told);
    return made;
}

enum {
    PARAMS = AL_SCENARIO_ACCESSES + 1
};

static bool make_kernels(al_play *play)
{
    static const char *const names[PARAMS] = { "work", "a", "b", "c", "d", "e", "f", "g", "h",
                                               "i",    "j", "k", "l", "m", "n", "o", "p" };
    const al_scenario *scenario = play->scenario;
    play->kernels = calloc(scenario->kernel_count, sizeof(allot_kernel *));
    play->params = calloc(scenario->kernel_count, PARAMS * sizeof *play->params);
    if (!play->kernels || !play->params)
        return false;
    for (size_t i = 0; i < scenario->kernel_count; i++) {
        const al_scenario_kernel *kernel = &scenario->kernels[i];
        allot_param *params = play->params + i * PARAMS;
        params[0] = (allot_param){ .name = names[0], .type = ALLOT_C64 };
        for (size_t j = 0; j < kernel->access_count; j++)
            params[j + 1] =
                (allot_param){ .name = names[j + 1], .type = ALLOT_U8, .access = kernel->accesses[j] };
        play->kernels[i] = allot_kernel_create(ALLOT_KERNEL(.name = kernel->name, .params = params,
                                                            .param_count = kernel->access_count + 1,
                                                            .cpu = nothing, .work = told_work));
        if (!play->kernels[i])
            return false;
    }
    return true;
}

static bool make_arrays(al_play *play)
{
    static unsigned char page[64];
    const al_scenario *scenario = play->scenario;
    play->arrays = calloc(scenario->array_count + 1, sizeof(allot_array *));
    for (size_t i = 0; play->arrays && i < scenario->array_count; i++) {
        play->arrays[i] = allot_array_wrap(play->executor, ALLOT_U8, scenario->arrays[i], page, NULL, NULL);
        if (!play->arrays[i])
            return false;
    }
    return play->arrays != NULL;
}

bool al_play_make(al_play *play, allot_executor *executor, const al_scenario *scenario, al_problem *problem)
{
    *play = (al_play){ .executor = executor, .scenario = scenario };
    if (make_kernels(play) && make_arrays(play))
        return true;
    al_play_free(play);
    return al_problem_set(problem, AL_EXIT_FAILED, "the workload cannot be set up: %s", allot_last_error());
}

void al_play_free(al_play *play)
{
    for (size_t i = 0; play->kernels && i < play->scenario->kernel_count; i++)
        allot_kernel_release(play->kernels[i]);
    for (size_t i = 0; play->arrays && i < play->scenario->array_count; i++)
        allot_array_release(play->arrays[i]);
    free(play->kernels);
    free(play->params);
    free(play->arrays);
    *play = (al_play){ .executor = NULL }; /* what could not be made is freed at once, and at the end again */
}

/* ---- A run ---- */

/* What is kept of each launch while it goes on: all futures where they are needed, else those that nobody
 * waits for: when these are over, all are. */
typedef struct going {
    allot_future **futures; /* by task; NULL where it is not kept */
    bool *kept;             /* by task */
    bool keeps_all;
} going;

enum {
    KEPT_MOST = 100000, /* futures, each with its task's memory */
    LOOKS = 200         /* how often progress is shown */
};

static allot_future *launch(al_play *play, size_t number, allot_future *const *futures, allot_future **after)
{
    const al_scenario *scenario = play->scenario;
    const al_scenario_task *task = &scenario->tasks[number];
    const al_scenario_kernel *kernel = &scenario->kernels[task->kernel];
    allot_arg args[PARAMS] = { work_argument(task) };
    for (size_t i = 0; i < kernel->access_count; i++) {
        allot_array *array = play->arrays[scenario->uses[task->first_use + i]];
        args[i + 1] = kernel->accesses[i] == ALLOT_READ    ? allot_in(array)
                      : kernel->accesses[i] == ALLOT_WRITE ? allot_out(array)
                                                           : allot_inout(array);
    }
    for (size_t i = 0; i < task->after_count; i++)
        after[i] = futures[scenario->afters[task->first_after + i]];
    return allot_launch(
        play->executor, play->kernels[task->kernel], allot_range(1), args, kernel->access_count + 1,
        ALLOT_HINTS(.priority = task->priority, .after = after, .after_count = task->after_count));
}

/* Who comes later is looked at first. */
static bool find_last(const al_scenario *scenario, bool *kept)
{
    enum {
        TOUCHED = 1,
        WRITTEN = 2
    };
    unsigned char *later = calloc(scenario->array_count + 1, 1);
    for (size_t i = scenario->task_count; later && i-- > 0;) {
        const al_scenario_task *task = &scenario->tasks[i];
        const al_scenario_kernel *kernel = &scenario->kernels[task->kernel];
        const uint32_t *uses = scenario->uses + task->first_use;
        kept[i] = true;
        for (size_t j = 0; j < kernel->access_count; j++)
            if (later[uses[j]] & (kernel->accesses[j] & ALLOT_WRITE ? TOUCHED | WRITTEN : WRITTEN))
                kept[i] = false;
        for (size_t j = 0; j < kernel->access_count; j++)
            later[uses[j]] |= kernel->accesses[j] & ALLOT_WRITE ? TOUCHED | WRITTEN : TOUCHED;
    }
    bool found = later != NULL;
    free(later);
    return found;
}

static bool interrupted(al_problem *problem)
{
    return al_interrupted ? !al_problem_set(problem, AL_EXIT_INTERRUPTED, "interrupted") : false;
}

static bool submit_all(al_play *play, going *on, al_progress *progress, al_problem *problem)
{
    size_t count = play->scenario->task_count, most = 1;
    for (size_t i = 0; i < count; i++)
        if (play->scenario->tasks[i].after_count > most)
            most = play->scenario->tasks[i].after_count;
    allot_future **after = calloc(most, sizeof(allot_future *));
    for (size_t i = 0; after && i < count && !interrupted(problem); i++) {
        allot_future *future = launch(play, i, on->futures, after);
        if (on->keeps_all || on->kept[i])
            on->futures[i] = future;
        else
            allot_release(future);
        if (i % (count / 10 + 1) == 0)
            al_progress_detail(progress, "submitted %zu of %zu", i, count);
    }
    bool submitted = after && !al_interrupted;
    free(after);
    return submitted || problem->code || al_problem_set(problem, AL_EXIT_FAILED, "out of memory");
}

static bool wait_all(al_play *play, const going *on, al_progress *progress, al_problem *problem)
{
    size_t count = play->scenario->task_count, each = count / LOOKS + 1, next = 0;
    for (size_t i = 0; i < count; i++) {
        if (!on->futures[i])
            continue;
        if (interrupted(problem))
            return false;
        allot_wait(on->futures[i], ALLOT_FOREVER);
        if (i < next)
            continue;
        next = i + each;
        al_progress_detail(progress, "%zu of %zu launches, %.3g s of virtual time", i, count,
                           (double)allot_now_ns(play->executor) * 1e-9);
    }
    return !al_interrupted;
}

static void look_at(const going *on, size_t count, al_played *played)
{
    for (size_t i = 0; i < count; i++) {
        allot_status status = on->futures[i] ? allot_future_status(on->futures[i]) : ALLOT_OK;
        if (status == ALLOT_OK)
            continue;
        if (!played->failed++)
            snprintf(played->error, sizeof played->error, "%s", allot_future_error(on->futures[i]));
    }
}

static size_t row_of(const char *place, const allot_place_info *places, size_t count, size_t guess)
{
    if (guess < count && strcmp(places[guess].id, place) == 0)
        return guess;
    for (size_t i = 0; i < count; i++)
        if (strcmp(places[i].id, place) == 0)
            return i;
    return 0;
}

/* The decision knows the place's number, and that spares looking for its name. */
static void collect_bars(const al_play *play, const going *on, int64_t began_ns,
                         const allot_place_info *places, size_t place_count, al_played *played)
{
    for (size_t i = 0; i < play->scenario->task_count; i++) {
        allot_times times = { .size = sizeof times };
        const allot_future *future = on->futures[i];
        if (!future || allot_future_times(future, &times) != ALLOT_OK || !times.ended)
            continue;
        const allot_decision *decision = allot_future_decision(future);
        size_t guess = decision && decision->chosen >= 0 ? (size_t)decision->chosen : 0;
        played->bars[played->bar_count++] =
            (al_gantt_bar){ .row = row_of(allot_future_place(future), places, place_count, guess),
                            .kind = play->scenario->tasks[i].kernel,
                            .from_s = (double)(times.started - began_ns) * 1e-9,
                            .to_s = (double)(times.ended - began_ns) * 1e-9 };
    }
}

static bool make_bars(const al_play *play, const going *on, int64_t began_ns, al_played *played)
{
    size_t count = allot_places(play->executor, NULL, 0);
    allot_place_info *places = calloc(count, sizeof *places);
    played->bars = calloc(play->scenario->task_count, sizeof *played->bars);
    for (size_t i = 0; places && i < count; i++)
        places[i].size = sizeof *places;
    if (places && played->bars) {
        allot_places(play->executor, places, count);
        collect_bars(play, on, began_ns, places, count, played);
    }
    free(places);
    return played->bars != NULL;
}

static double real_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

bool al_play_run(al_play *play, bool with_bars, al_progress *progress, al_played *played, al_problem *problem)
{
    size_t count = play->scenario->task_count;
    going on = { .futures = calloc(count, sizeof(allot_future *)), .kept = calloc(count, sizeof(bool)) };
    on.keeps_all = with_bars || play->scenario->after_count || count <= KEPT_MOST;
    *played = (al_played){ .failed = 0 };
    if (!on.futures || !on.kept || !find_last(play->scenario, on.kept)) {
        free(on.futures);
        free(on.kept);
        return al_problem_set(problem, AL_EXIT_FAILED, "out of memory");
    }
    double began_s = real_s();
    int64_t began_ns = allot_now_ns(play->executor);
    bool right = submit_all(play, &on, progress, problem) && wait_all(play, &on, progress, problem);
    played->makespan_s = (double)(allot_now_ns(play->executor) - began_ns) * 1e-9;
    played->real_s = real_s() - began_s;
    look_at(&on, count, played);
    if (right && with_bars && !make_bars(play, &on, began_ns, played))
        right = al_problem_set(problem, AL_EXIT_FAILED, "out of memory");
    allot_release_all(on.futures, count);
    free(on.futures);
    free(on.kept);
    return right;
}
