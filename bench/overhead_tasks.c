#include "overhead.h"

#include "questions.h"

#define PLACES_MAX 32

/* ---- What all our answers share ---- */

allot_executor *overhead_executor(bench_round *round)
{
    static allot_executor *executor;
    int workers = bench_workers(round);
    if (!executor)
        executor = allot_open(ALLOT_OPTIONS(.threads = workers, .processes = workers));
    if (!executor)
        bench_fail(round, "allot_open: %s", allot_open_error());
    return executor;
}

const allot_place_info *overhead_place(bench_round *round, allot_kind kind)
{
    static allot_place_info places[PLACES_MAX];
    allot_executor *executor = overhead_executor(round);
    for (size_t i = 0; i < PLACES_MAX; i++)
        places[i].size = sizeof places[i];
    size_t count = allot_places(executor, places, PLACES_MAX);
    for (size_t i = 0; i < count && i < PLACES_MAX; i++)
        if (places[i].kind == kind && places[i].state != ALLOT_PLACE_ASIDE)
            return &places[i];
    if (executor)
        bench_skip(round, "no such place here: %s", allot_kind_name(kind));
    return NULL;
}

/* ---- How we do each step ---- */

static allot_executor *executor;

static bool open_executor(bench_round *round)
{
    executor = overhead_executor(round);
    return executor != NULL;
}

static allot_status empty(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    bench_tally();
    return ALLOT_OK;
}

static allot_status pass_gate(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    bench_gate_pass();
    return ALLOT_OK;
}

static void *submit(void)
{
    return allot_submit(executor, empty, NULL, 0, 0, NULL);
}

static void wait_all(void *const *futures, size_t count)
{
    allot_wait_all((allot_future *const *)futures, count, ALLOT_FOREVER);
}

static bool finish(void *future)
{
    bool succeeded = allot_get(future, NULL, 0, ALLOT_FOREVER) == ALLOT_OK;
    allot_release(future);
    return succeeded;
}

static bool once(void)
{
    return finish(submit());
}

static void hold(void)
{
    allot_release(allot_submit(executor, pass_gate, NULL, 0, 0, NULL));
}

static void spawn(void)
{
    allot_release(submit());
}

/* One future for the half that is spawned; the other is called. */
static allot_status fib(allot_call *call, const void *in, void *out)
{
    unsigned n = *(const unsigned *)in, half = n - 1, rest = n - 2;
    uint64_t left = 0, right = 0;
    if (n < 2) {
        *(uint64_t *)out = n;
        return ALLOT_OK;
    }
    allot_future *future = allot_submit(executor, fib, &half, sizeof half, sizeof left, NULL);
    allot_status status = fib(call, &rest, &right);
    allot_status joined = allot_get(future, &left, sizeof left, ALLOT_FOREVER);
    allot_release(future);
    *(uint64_t *)out = left + right;
    return joined == ALLOT_OK ? status : joined;
}

static uint64_t fib_in_workers(unsigned n)
{
    uint64_t value = 0;
    allot_future *future = allot_submit(executor, fib, &n, sizeof n, sizeof value, NULL);
    allot_get(future, &value, sizeof value, ALLOT_FOREVER); /* left 0, which is wrong, if it failed */
    allot_release(future);
    return value;
}

/* A step that is not here yet is a question that is not answered. */
static const bench_ops ops = { .open = open_executor,
                               .submit = submit,
                               .wait_all = wait_all,
                               .finish = finish,
                               .once = once,
                               .hold = hold,
                               .spawn = spawn,
                               .fib = fib_in_workers };
BENCH_ASK(ask, ops)

void overhead_tasks(bench_round *round)
{
    ask(round);
}
