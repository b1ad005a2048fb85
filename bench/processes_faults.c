/* What large arrays cost, and what crashes do. */
#include "processes.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Arrays ---- */

#define ARRAY_BYTES  (64u << 20)
#define ARRAY_FLOATS (ARRAY_BYTES / sizeof(float))
#define LAUNCHES     21

static const allot_param spread_params[] = {
    { .name = "from", .type = ALLOT_F32, .access = ALLOT_READ, .distribution = ALLOT_SLICED },
    { .name = "to", .type = ALLOT_F32, .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
    { .name = "took",
      .type = ALLOT_I64,
      .access = ALLOT_WRITE,
      .distribution = ALLOT_REDUCED,
      .reduce = ALLOT_SUM },
};

/* Written as a whole, it is not split. */
static const allot_param whole_params[] = {
    { .name = "from", .type = ALLOT_F32, .access = ALLOT_READ, .distribution = ALLOT_WHOLE },
    { .name = "to", .type = ALLOT_F32, .access = ALLOT_WRITE, .distribution = ALLOT_WHOLE },
    { .name = "took", .type = ALLOT_I64, .access = ALLOT_WRITE, .distribution = ALLOT_WHOLE },
};

static allot_status copy(allot_call *call, const allot_part *part)
{
    (void)call;
    int64_t start_ns = bench_now_ns();
    const float *from = part->args[0].data;
    float *to = part->args[1].data;
    memcpy(to + part->begin, from + part->begin, (part->end - part->begin) * sizeof *to);
    *(int64_t *)part->args[2].data = bench_now_ns() - start_ns;
    return ALLOT_OK;
}

typedef struct arrays {
    allot_array *from, *to, *took;
} arrays;

/* Wall time; *work_ns receives what the copying took by what the workers say of it. */
static int64_t copy_once(bench_round *round, const allot_kernel *kernel, const arrays *of, int64_t *work_ns)
{
    int64_t start_ns = bench_now_ns();
    allot_future *future =
        allot_launch(ours_executor(round), kernel, allot_range(ARRAY_FLOATS),
                     ALLOT_ARGS(allot_in(of->from), allot_out(of->to), allot_out(of->took)),
                     ALLOT_HINTS(.place = ALLOT_PROCESS));
    allot_wait(future, ALLOT_FOREVER);
    int64_t end_ns = bench_now_ns();
    if (allot_future_status(future) != ALLOT_OK)
        bench_fail(round, "a launch failed: %s", allot_future_error(future));
    allot_release(future);
    const int64_t *took = allot_array_map(of->took, ALLOT_READ);
    *work_ns = took ? *took : 0;
    allot_array_unmap(of->took);
    return end_ns - start_ns;
}

static bool is_copied(const arrays *of)
{
    const float *to = allot_array_map(of->to, ALLOT_READ);
    bool right = to != NULL;
    for (size_t i = 0; right && i < ARRAY_FLOATS; i += 64)
        right = to[i] == 3;
    allot_array_unmap(of->to);
    return right;
}

typedef struct copies {
    int64_t first_ns, work_ns; /* the first one's wall time, and the work of a later one */
    int64_t beyond_ns;         /* a later one's wall time less the work, of which each worker has a share */
} copies;

static copies measure_copies(bench_round *round, const allot_kernel *kernel, const arrays *of, int workers)
{
    int64_t beyond_ns[LAUNCHES], works_ns[LAUNCHES], ignored;
    copies found = { .first_ns = copy_once(round, kernel, of, &ignored) };
    for (int i = 0; i < LAUNCHES; i++)
        beyond_ns[i] = copy_once(round, kernel, of, &works_ns[i]), beyond_ns[i] -= works_ns[i] / workers;
    if (!is_copied(of))
        bench_fail(round, "what came back is not what was sent");
    found.work_ns = bench_middle(works_ns, LAUNCHES);
    found.beyond_ns = bench_middle(beyond_ns, LAUNCHES);
    return found;
}

static void compare_copies(bench_round *round, const arrays *of)
{
    allot_kernel *whole = allot_kernel_create(
        ALLOT_KERNEL(.name = "copy", .params = whole_params, .param_count = 3, .cpu = copy));
    allot_kernel *spread = allot_kernel_create(
        ALLOT_KERNEL(.name = "copy_spread", .params = spread_params, .param_count = 3, .cpu = copy));
    copies found = measure_copies(round, whole, of, 1);
    bench_record(round, "", (double)found.beyond_ns);
    bench_record(round, "_first", (double)(found.first_ns - found.work_ns));
    copy_once(round, spread, of, &found.work_ns); /* the other worker maps them too */
    found = measure_copies(round, spread, of, bench_workers(round));
    bench_record(round, "_spread", (double)found.beyond_ns);
    allot_kernel_release(whole);
    allot_kernel_release(spread);
}

void processes_array(bench_round *round)
{
    allot_executor *executor = ours_executor(round);
    if (!ours_place(round, ALLOT_PROCESS) || !meeting_hold(round, executor)) /* the workers are there */
        return;
    arrays of = { allot_array_full(executor, ALLOT_F32, ARRAY_FLOATS, 3),
                  allot_array_full(executor, ALLOT_F32, ARRAY_FLOATS, 0),
                  allot_array_full(executor, ALLOT_I64, 1, 0) };
    if (of.from && of.to && of.took)
        compare_copies(round, &of);
    else
        bench_fail(round, "no memory for the arrays");
    allot_array_release(of.from);
    allot_array_release(of.to);
    allot_array_release(of.took);
}

/* ---- Crashes ---- */

#define TASKS   1000
#define TASK_NS 1000000
#define EVERY   10

typedef struct errand {
    int number;
    bool dies;
} errand;

static allot_status sleep_and_echo(allot_call *call, const void *in, void *out)
{
    const struct timespec pause = { 0, TASK_NS };
    const errand *what = in;
    (void)call;
    nanosleep(&pause, NULL);
    if (what->dies)
        raise(SIGKILL);
    *(int *)out = what->number;
    return ALLOT_OK;
}

/* True if it ended as it should. */
static bool judge(const errand *what, allot_future *future)
{
    int number = -1;
    allot_status status = allot_get(future, &number, sizeof number, ALLOT_FOREVER);
    bool right = what->dies ? status == ALLOT_WORKER_DIED && strstr(allot_future_error(future), "SIGKILL")
                            : status == ALLOT_OK && number == what->number;
    allot_release(future);
    return right;
}

/* Wall time; *lost and *unnamed receive how many innocent tasks did not come back, and how many of the others
 * did not end with the signal's name. */
static int64_t run_tasks(bench_round *round, int count, int every, int *lost, int *unnamed)
{
    allot_future **futures = bench_allocate((size_t)count, sizeof *futures);
    *lost = *unnamed = 0;
    int64_t start_ns = bench_now_ns();
    for (int i = 0; i < count; i++) {
        errand what = { i, every && i % every == 0 };
        futures[i] = allot_submit(ours_executor(round), sleep_and_echo, &what, sizeof what, sizeof(int),
                                  ALLOT_HINTS(.place = ALLOT_PROCESS));
    }
    allot_wait_all(futures, (size_t)count, ALLOT_FOREVER);
    int64_t end_ns = bench_now_ns();
    for (int i = 0; i < count; i++) {
        errand what = { i, every && i % every == 0 };
        *(what.dies ? unnamed : lost) += !judge(&what, futures[i]);
    }
    free(futures);
    return end_ns - start_ns;
}

void processes_crash(bench_round *round)
{
    allot_executor *executor = ours_executor(round);
    if (!ours_place(round, ALLOT_PROCESS) || !meeting_hold(round, executor))
        return;
    int count = (int)bench_count(round, TASKS), lost, unnamed, none;
    int64_t without_ns = run_tasks(round, count, 0, &none, &unnamed);
    int64_t with_ns = run_tasks(round, count, EVERY, &lost, &unnamed);
    if (none || unnamed)
        bench_fail(round, "%d tasks did not come back, %d deaths have no signal", none, unnamed);
    if (!meeting_hold(round, executor))
        bench_fail(round, "the pool is smaller than before");
    bench_record(round, "", (double)with_ns / count);
    bench_record(round, "_without", (double)without_ns / count);
    bench_record(round, "_share", 100 * (double)without_ns / (double)with_ns);
    bench_record(round, "_lost", lost);
}
