/* Tasks that are tried again: how often, when, and what ends it early. */
#include "support.h"
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define KINDS 2

static allot_executor *ex;

typedef struct attempt {
    uint64_t key;      /* of a gate, whose first tally counts attempts */
    uint32_t failures; /* so many attempts fail */
    char how;          /* k: by killing the worker; else by an error of its own */
} attempt;

static uint32_t count_attempt(uint64_t key)
{
    gate_page *page = gate_page_of(key);
    uint32_t before = atomic_fetch_add(&page->tally[0], 1);
    gate_page_done(key, page);
    return before;
}

static allot_status try(allot_call *call, const void *in, void *out)
{
    const attempt *input = in;
    uint32_t before = count_attempt(input->key);
    if (*(uint32_t *)out)
        return allot_fail(call, ALLOT_FAILED, "the result of an earlier attempt is there");
    *(uint32_t *)out = before + 1;
    if (before >= input->failures)
        return ALLOT_OK;
    if (input->how == 'k')
        raise(SIGKILL);
    return allot_fail(call, (allot_status)(ALLOT_USER + 1), "no luck the %uth time", before + 1);
}

static allot_future *submit(test_gate *gate, uint32_t failures, char how, const allot_hints *hints)
{
    attempt input = { gate->key, failures, how };
    return allot_submit(ex, try, &input, sizeof input, sizeof(uint32_t), hints);
}

static uint64_t retries(void)
{
    allot_metrics metrics = { .size = sizeof metrics };
    CHECK_STATUS(allot_get_metrics(ex, &metrics), ALLOT_OK);
    return metrics.retries;
}

static bool tells(allot_future *future, const char *words)
{
    return strstr(allot_future_error(future), words) != NULL;
}

/* ---- Refused ---- */

static void only_what_is_idempotent_is_tried_again(void)
{
    test_gate gate = gate_create();
    allot_future *future = submit(&gate, 0, 'e', ALLOT_HINTS(.retries = 3));
    CHECK(allot_done(future) &&
          tells(future, "hints.retries is 3, but the task is not declared hints.idempotent"));
    CHECK_STATUS(finish(future), ALLOT_INVALID);
    CHECK_STATUS(finish(submit(&gate, 0, 'e', ALLOT_HINTS(.retries = -1, .idempotent = true))),
                 ALLOT_INVALID);
    CHECK(gate_tally(&gate, 0) == 0);
    gate_destroy(&gate);
}

/* ---- Tried again ---- */

static void an_attempt_that_fails_is_made_again(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        test_gate gate = gate_create();
        uint64_t before = retries();
        uint32_t result = 0;
        const allot_hints *hints =
            ALLOT_HINTS(.place = kind ? ALLOT_PROCESS : ALLOT_THREAD, .retries = 3, .idempotent = true);
        allot_future *future = submit(&gate, 2, 'e', hints);
        CHECK_STATUS(allot_get(future, &result, sizeof result, ALLOT_FOREVER), ALLOT_OK);
        CHECK(result == 3 && gate_tally(&gate, 0) == 3);
        CHECK(retries() == before + 2);
        allot_release(future);
        gate_destroy(&gate);
    }
}

static void a_task_whose_workers_die_is_run_by_the_next(void)
{
    test_gate gate = gate_create();
    uint32_t result = 0;
    allot_future *future = submit(
        &gate, 3, 'k',
        ALLOT_HINTS(.place = ALLOT_PROCESS, .retries = 3, .idempotent = true, .retry_delay_ns = MILLISECOND));
    CHECK_STATUS(allot_get(future, &result, sizeof result, ALLOT_FOREVER), ALLOT_OK);
    CHECK(result == 4);
    allot_release(future);
    gate_destroy(&gate);
}

static void the_last_error_is_the_one_told(void)
{
    test_gate gate = gate_create();
    allot_future *future = submit(&gate, 100, 'e', ALLOT_HINTS(.retries = 2, .idempotent = true));
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    CHECK(tells(future, "no luck the 3th time (attempt 3)"));
    CHECK_STATUS(finish(future), (allot_status)(ALLOT_USER + 1));
    future = submit(&gate, 100, 'k', ALLOT_HINTS(.place = ALLOT_PROCESS, .retries = 1, .idempotent = true));
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    CHECK(tells(future, "SIGKILL") && tells(future, "(attempt 2)"));
    CHECK_STATUS(finish(future), ALLOT_WORKER_DIED);
    gate_destroy(&gate);
}

static void the_pause_doubles(void)
{
    test_gate gate = gate_create();
    int64_t begin_ns = now_ns();
    allot_future *future = submit(
        &gate, 3, 'e', ALLOT_HINTS(.retries = 3, .retry_delay_ns = 4 * MILLISECOND, .idempotent = true));
    CHECK_STATUS(finish(future), ALLOT_OK);
    CHECK(now_ns() - begin_ns >= (4 + 8 + 16) * MILLISECOND);
    gate_destroy(&gate);
}

/* A kernel whose first attempts kill their worker. */
static allot_status fill(allot_call *call, const allot_part *part)
{
    const uint64_t key = *(const uint64_t *)part->args[0].data;
    uint32_t *y = part->args[1].data;
    if (part->begin == 0 && count_attempt(key) < 2)
        raise(SIGKILL);
    for (size_t i = part->begin; i < part->end; i++)
        y[i] = (uint32_t)i;
    return call ? ALLOT_OK : ALLOT_FAILED;
}

static void launches_are_tried_again_too(void)
{
    static const allot_param params[] = {
        { .name = "key", .type = ALLOT_U64 },
        { .name = "y", .type = ALLOT_U32, .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
    };
    enum {
        N = 100000
    };
    test_gate gate = gate_create();
    size_t wrong = 0;
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = "fill", .params = params, .param_count = 2, .cpu = fill));
    allot_array *y = allot_array_new(ex, ALLOT_U32, N);
    REQUIRE(kernel && y);
    allot_future *future =
        allot_launch(ex, kernel, allot_range(N), ALLOT_ARGS(allot_u64(gate.key), allot_out(y)),
                     ALLOT_HINTS(.place = ALLOT_PROCESS, .retries = 2, .idempotent = true));
    CHECK_STATUS(finish(future), ALLOT_OK);
    const uint32_t *values = allot_array_map(y, ALLOT_READ);
    REQUIRE(values != NULL);
    for (size_t i = 0; i < N; i++)
        wrong += values[i] != i;
    CHECK(wrong == 0 && gate_tally(&gate, 0) == 3);
    allot_array_unmap(y);
    allot_array_release(y);
    allot_kernel_release(kernel);
    gate_destroy(&gate);
}

/* ---- Ended early ---- */

#define LONG_PAUSE .retries = 5, .retry_delay_ns = 3600 * SECOND, .idempotent = true

/* A task that waits for its second attempt, which will not come before the test is over. */
static allot_future *pausing(test_gate *gate, allot_kind place)
{
    uint64_t before = retries();
    allot_future *future = submit(gate, 100, 'e', ALLOT_HINTS(.place = place, LONG_PAUSE));
    while (retries() == before)
        sched_yield();
    return future;
}

static void between_attempts_it_runs(void)
{
    test_gate gate = gate_create();
    allot_future *future = pausing(&gate, ALLOT_THREAD);
    CHECK(allot_future_state(future) == ALLOT_STATE_RUNNING);
    CHECK(!allot_cancel(future));
    CHECK_STATUS(allot_stop(future, 0), ALLOT_OK);
    CHECK_STATUS(finish(future), ALLOT_STOPPED);
    CHECK(gate_tally(&gate, 0) == 1);
    gate_destroy(&gate);
}

static void the_deadline_is_the_wholes(void)
{
    test_gate gate = gate_create();
    allot_future *future = submit(&gate, 100, 'e', ALLOT_HINTS(.deadline_ns = 50 * MILLISECOND, LONG_PAUSE));
    CHECK_STATUS(finish(future), ALLOT_DEADLINE);
    gate_destroy(&gate);
}

static void a_shutdown_that_cancels_makes_no_more_attempts(void)
{
    test_gate gate = gate_create();
    allot_executor *kept = ex;
    ex = allot_open(ALLOT_OPTIONS(.threads = 1, .processes = 1));
    REQUIRE(ex != NULL);
    allot_future *futures[] = { pausing(&gate, ALLOT_THREAD), pausing(&gate, ALLOT_PROCESS) };
    CHECK_STATUS(allot_shutdown(ex, ALLOT_CANCEL_PENDING), ALLOT_OK);
    for (int i = 0; i < 2; i++) {
        CHECK(tells(futures[i], "no luck") && tells(futures[i], "(attempt 1)"));
        CHECK_STATUS(finish(futures[i]), (allot_status)(ALLOT_USER + 1));
    }
    CHECK_STATUS(allot_close(ex), ALLOT_OK);
    ex = kept;
    gate_destroy(&gate);
}

/* Stops that meet the end of an attempt, the pause, and the begin of the next. */
static void each_ends_once_whenever_it_is_stopped(void)
{
    test_gate gate = gate_create();
    for (int i = 0; i < ROUNDS(300); i++) {
        allot_future *future =
            submit(&gate, UINT32_MAX, 'e',
                   ALLOT_HINTS(.place = i % 2 ? ALLOT_PROCESS : ALLOT_THREAD, .retries = 1000000,
                               .retry_delay_ns = i % 3 * 1000, .idempotent = true));
        linger(i % 30 * 5 * MICROSECOND);
        allot_stop(future, 0);
        CHECK_STATUS(finish(future), ALLOT_STOPPED);
    }
    gate_destroy(&gate);
}

/* Fails at first; then it can only be killed. */
static allot_status fail_then_hang(allot_call *call, const void *in, void *out)
{
    (void)out;
    if (count_attempt(*(const uint64_t *)in) == 0)
        return allot_fail(call, ALLOT_FAILED, "the first attempt");
    for (;;)
        pause();
}

/* Stops that meet a task on its way from the pause to the next attempt. */
static void no_stop_is_lost_between_attempts(void)
{
    for (int i = 0; i < ROUNDS(100); i++) {
        test_gate gate = gate_create();
        allot_future *future =
            allot_submit(ex, fail_then_hang, &gate.key, sizeof gate.key, 0,
                         ALLOT_HINTS(.place = ALLOT_PROCESS, .retries = 5, .idempotent = true));
        while (gate_tally(&gate, 0) == 0)
            sched_yield();
        linger(i % 20 * 5 * MICROSECOND);
        allot_stop(future, 0);
        CHECK_STATUS(finish(future), ALLOT_STOPPED);
        gate_destroy(&gate);
    }
}

static const test_fact facts[] = {
    { "only what is declared idempotent is tried again", only_what_is_idempotent_is_tried_again },
    { "an attempt that fails is made again, and counted", an_attempt_that_fails_is_made_again },
    { "a task whose workers die is run by the next", a_task_whose_workers_die_is_run_by_the_next },
    { "the last error is the one told", the_last_error_is_the_one_told },
    { "the pause doubles", the_pause_doubles },
    { "launches are tried again too", launches_are_tried_again_too },
    { "between attempts it runs: a stop ends it, a cancel does not", between_attempts_it_runs },
    { "the deadline is the whole's", the_deadline_is_the_wholes },
    { "a shutdown that cancels makes no more attempts", a_shutdown_that_cancels_makes_no_more_attempts },
    { "each ends once, whenever it is stopped", each_ends_once_whenever_it_is_stopped },
    { "no stop is lost between attempts", no_stop_is_lost_between_attempts },
    { NULL, NULL },
};

static void prepare(void)
{
    if (!ex)
        ex = allot_open(ALLOT_OPTIONS(.threads = 2, .processes = 2));
    REQUIRE(ex != NULL);
}

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "retry", .facts = facts, .prepare = prepare };
    int result = watched_main(argc, argv, &suite, 1);
    allot_close(ex);
    return result;
}
