/* Many submissions in one call, and calls whose end nobody waits for. */
#include "support.h"
#include <string.h>

static allot_executor *open_crew(int threads)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = threads, .processes = 1));
    REQUIRE(executor != NULL);
    return executor;
}

#define MANY 1000

/* ---- Many futures ---- */

static void squares_of(const allot_hints *hints, size_t count)
{
    static double numbers[MANY];
    static allot_future *futures[MANY];
    allot_executor *executor = open_crew(2);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (double)i;
    allot_submit_many(executor, task_square, numbers, sizeof *numbers, sizeof(double), count, hints, futures);
    for (size_t i = 0; i < count; i++) {
        double square = 0;
        CHECK_STATUS(allot_get(futures[i], &square, sizeof square, ALLOT_FOREVER), ALLOT_OK);
        CHECK(square == (double)i * (double)i);
    }
    allot_release_all(futures, count);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void each_future_has_its_own_result(void)
{
    squares_of(NULL, MANY);
    squares_of(NULL, 1);
    squares_of(ALLOT_HINTS(.priority = 1), MANY);
    squares_of(ALLOT_HINTS(.place = ALLOT_INLINE), 100);
    squares_of(ALLOT_HINTS(.place = ALLOT_PROCESS), 100);
}

static void all_ended(allot_future **futures, size_t count, allot_status status, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        REQUIRE(futures[i] != NULL);
        CHECK(allot_done(futures[i]));
        CHECK_STATUS(allot_future_status(futures[i]), status);
        CHECK(strstr(allot_future_error(futures[i]), text) != NULL);
    }
    allot_release_all(futures, count);
}

static void refused_ones_are_done_each(void)
{
    allot_executor *executor = open_crew(1);
    allot_future *futures[5];
    double number = 1;
    allot_submit_many(executor, NULL, &number, 0, 0, 5, NULL, futures);
    all_ended(futures, 5, ALLOT_INVALID, "function is NULL");
    allot_submit_many(NULL, task_nothing, NULL, 0, 0, 5, NULL, futures);
    all_ended(futures, 5, ALLOT_INVALID, "executor is NULL");
    allot_submit_many(executor, task_nothing, NULL, 8, 0, 5, NULL, futures);
    all_ended(futures, 5, ALLOT_INVALID, "argument is NULL");
    allot_submit_many(executor, task_nothing, NULL, 0, 0, 5, &(allot_hints){ 0 }, futures);
    all_ended(futures, 5, ALLOT_INVALID, "hints.size is 0");
    allot_submit_many(executor, task_nothing, NULL, 0, 0, 0, NULL, futures); /* none */
    allot_submit_many(executor, task_nothing, NULL, 0, 0, 5, NULL, NULL);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    allot_submit_many(executor, task_nothing, NULL, 0, 0, 5, NULL, futures);
    all_ended(futures, 5, ALLOT_SHUTDOWN, "shut down");
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- Without futures ---- */

static void every_spawned_call_runs(void)
{
    static tally_input inputs[MANY];
    const allot_hints *hints[] = { NULL, ALLOT_HINTS(.priority = 1), ALLOT_HINTS(.priority = -1),
                                   ALLOT_HINTS(.place = ALLOT_INLINE), ALLOT_HINTS(.place = ALLOT_PROCESS) };
    for (size_t h = 0; h < sizeof hints / sizeof *hints; h++) {
        test_gate gate = gate_create();
        allot_executor *executor = open_crew(2);
        size_t spawned = 0, half = MANY / 2;
        for (size_t i = 0; i < MANY; i++)
            inputs[i] = (tally_input){ gate.key, i };
        for (size_t i = 0; i < half; i++)
            CHECK_STATUS(allot_spawn(executor, task_tally, &inputs[i], sizeof *inputs, hints[h]), ALLOT_OK);
        CHECK_STATUS(allot_spawn_many(executor, task_tally, inputs + half, sizeof *inputs, MANY - half,
                                      hints[h], &spawned),
                     ALLOT_OK);
        CHECK(spawned == MANY - half);
        CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
        for (size_t i = 0; i < MANY; i++)
            CHECK(gate_tally(&gate, i) == 1);
        allot_metrics metrics = { .size = sizeof metrics };
        CHECK_STATUS(allot_get_metrics(executor, &metrics), ALLOT_OK);
        CHECK(metrics.submitted == MANY && metrics.unfinished == 0);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
        gate_destroy(&gate);
    }
}

static _Atomic uint32_t lines;
static _Atomic bool said;

static void note(allot_log_level level, const char *line, void *user)
{
    (void)level, (void)user;
    if (strstr(line, "spawned"))
        atomic_fetch_add(&lines, 1);
    if (strstr(line, FAIL_TEXT))
        atomic_store(&said, true);
}

static void a_failure_is_logged_once(void)
{
    const allot_hints *hints[] = { NULL, ALLOT_HINTS(.priority = 1), ALLOT_HINTS(.place = ALLOT_INLINE),
                                   ALLOT_HINTS(.place = ALLOT_PROCESS) };
    allot_status code = ALLOT_USER + 3;
    allot_set_log(note, NULL, ALLOT_LOG_WARNING);
    for (size_t h = 0; h < sizeof hints / sizeof *hints; h++) {
        allot_executor *executor = open_crew(2);
        atomic_store(&lines, 0), atomic_store(&said, false);
        for (int i = 0; i < 3; i++)
            CHECK_STATUS(allot_spawn(executor, task_fail, &code, sizeof code, hints[h]), ALLOT_OK);
        CHECK_STATUS(allot_spawn(executor, task_nothing, NULL, 0, hints[h]), ALLOT_OK);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
        CHECK(atomic_load(&lines) == 3 && atomic_load(&said));
    }
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
}

static bool says(allot_status actual, allot_status expected, const char *text)
{
    return status_is(actual, expected) && allot_last_status() == expected && strstr(allot_last_error(), text);
}

static void refusals_have_a_text(void)
{
    allot_executor *executor = open_crew(1);
    size_t spawned = 7;
    CHECK(says(allot_spawn(NULL, task_nothing, NULL, 0, NULL), ALLOT_INVALID, "executor is NULL"));
    CHECK(says(allot_spawn(executor, NULL, NULL, 0, NULL), ALLOT_INVALID, "function is NULL"));
    CHECK(says(allot_spawn(executor, task_nothing, NULL, 8, NULL), ALLOT_INVALID, "argument is NULL"));
    CHECK(says(allot_spawn(executor, task_nothing, NULL, 0, &(allot_hints){ 0 }), ALLOT_INVALID,
               "hints.size is 0"));
    CHECK_STATUS(allot_spawn_many(executor, task_nothing, NULL, 0, 0, NULL, &spawned), ALLOT_OK);
    CHECK(spawned == 0);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    CHECK(says(allot_spawn(executor, task_nothing, NULL, 0, NULL), ALLOT_SHUTDOWN, "shut down"));
    CHECK(says(allot_spawn(executor, task_nothing, NULL, 0, ALLOT_HINTS(.priority = 1)), ALLOT_SHUTDOWN,
               "shut down"));
    spawned = 7;
    CHECK(says(allot_spawn_many(executor, task_nothing, NULL, 0, 5, NULL, &spawned), ALLOT_SHUTDOWN,
               "shut down"));
    CHECK(spawned == 0);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void a_cancelling_shutdown_ends(void)
{
    const allot_hints *hints[] = { NULL, ALLOT_HINTS(.priority = 1), ALLOT_HINTS(.priority = -1) };
    for (size_t h = 0; h < 3; h++) {
        test_gate gate = gate_create();
        allot_executor *executor = open_crew(1);
        CHECK_STATUS(allot_spawn(executor, task_gate, &gate.key, sizeof gate.key, NULL), ALLOT_OK);
        gate_await(&gate, 1);
        allot_future *waits = allot_submit(executor, task_nothing, NULL, 0, 0, hints[h]);
        CHECK_STATUS(allot_spawn_many(executor, task_nothing, NULL, 0, 100, hints[h], NULL), ALLOT_OK);
        CHECK_STATUS(allot_shutdown(executor, ALLOT_NO_WAIT), ALLOT_OK);
        gate_open(&gate);
        CHECK_STATUS(allot_shutdown(executor, ALLOT_CANCEL_PENDING), ALLOT_OK);
        CHECK(allot_done(waits));
        allot_release(waits);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
        gate_destroy(&gate);
    }
}

static allot_executor *shared;
static _Atomic uint32_t runs;

static allot_status count_run(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    atomic_fetch_add(&runs, 1);
    return ALLOT_OK;
}

static void *spawn_all(void *of)
{
    (void)of;
    for (int i = 0; i < ROUNDS(10000); i += 10) {
        allot_spawn_many(shared, count_run, NULL, 0, 9, NULL, NULL);
        allot_spawn(shared, count_run, NULL, 0, NULL);
    }
    return NULL;
}

static void ten_threads_spawn(void)
{
    char none[10];
    shared = open_crew(3);
    atomic_store(&runs, 0);
    run_threads(10, spawn_all, none, 1);
    CHECK_STATUS(allot_close(shared), ALLOT_OK);
    CHECK(atomic_load(&runs) == 10 * ROUNDS(10000));
}

static const test_fact facts[] = {
    { "each future of many has its own result", each_future_has_its_own_result },
    { "refused ones are done, each with the reason", refused_ones_are_done_each },
    { "every spawned call runs once, wherever its hints send it", every_spawned_call_runs },
    { "a spawned call that fails is logged once", a_failure_is_logged_once },
    { "a refusal has a text", refusals_have_a_text },
    { "G5 G6 a cancelling shutdown ends, with and without hints", a_cancelling_shutdown_ends },
    { "ten threads spawn", ten_threads_spawn },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "spawn", .facts = facts };
    return watched_main(argc, argv, &suite, 1);
}
