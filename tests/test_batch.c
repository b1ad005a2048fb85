/* Calls that are spawned together: each runs once, none waits behind another, and what is cancelled is
 * counted. */
#include "core/batch.h"
#include "support.h"
#include <sched.h>
#include <string.h>

#define MANY 5000

static allot_executor *open_crew(int threads)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = threads, .processes = 1));
    REQUIRE(executor != NULL);
    return executor;
}

/* ---- The batch itself ---- */

static _Atomic uint32_t sum;

static allot_status add(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    atomic_fetch_add(&sum, *(const uint32_t *)in);
    return ALLOT_OK;
}

static uint32_t run_all(al_task *task)
{
    al_batch_runner runner;
    uint32_t count = 0;
    al_batch_begin(&runner, task);
    for (; al_batch_take(&runner); count++)
        al_batch_end(&runner, al_batch_run(&runner));
    al_task_drop(task);
    return count;
}

static void halves_share_the_calls(void)
{
    static uint32_t numbers[7] = { 1, 2, 4, 8, 16, 32, 64 };
    al_gate *gate = al_gate_create(NULL);
    REQUIRE(gate != NULL && al_gate_enter_tasks(gate, 7));
    al_task *task = al_batch_create(gate, add, numbers, sizeof *numbers, 7);
    REQUIRE(task != NULL && al_batch_left(task) == 7);
    al_task *half = al_batch_halve(task);
    REQUIRE(half != NULL);
    CHECK(al_batch_left(task) == 4 && al_batch_left(half) == 3);
    atomic_store(&sum, 0);
    CHECK(run_all(half) == 3);
    CHECK(atomic_load(&sum) == 16 + 32 + 64);
    CHECK(al_gate_inside(gate) == 4);
    CHECK(run_all(task) == 4);
    CHECK(atomic_load(&sum) == 127);
    CHECK(al_gate_inside(gate) == 0);
    al_gate_destroy(gate);
}

static void one_call_is_not_halved(void)
{
    al_gate *gate = al_gate_create(NULL);
    REQUIRE(gate != NULL && al_gate_enter_tasks(gate, 2));
    al_task *task = al_batch_create(gate, add, NULL, 0, 1);
    REQUIRE(task != NULL);
    CHECK(al_batch_halve(task) == NULL);
    CHECK(al_batch_cancel(task) == 1 && al_batch_left(task) == 0);
    CHECK(al_batch_cancel(task) == 0 && al_batch_halve(task) == NULL);
    CHECK(al_gate_inside(gate) == 1);
    al_task_drop(task);
    al_gate_leave(gate);
    al_gate_destroy(gate);
}

/* ---- In an executor ---- */

typedef struct large {
    uint32_t index;
    unsigned char rest[123];
} large;

static _Atomic uint32_t ran[MANY];
static _Atomic uint32_t wrong;

static allot_status mark(allot_call *call, const void *in, void *out)
{
    const large *self = in;
    bool aligned = (uintptr_t)in % 16 == 0;
    if (!aligned || out || allot_call_stopping(call) || self->rest[0] != (unsigned char)self->index)
        atomic_fetch_add(&wrong, 1);
    atomic_fetch_add(&ran[self->index], 1);
    return ALLOT_OK;
}

static void each_call_has_its_own_argument(void)
{
    static large inputs[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        inputs[i] = (large){ i, { (unsigned char)i } };
    memset((void *)ran, 0, sizeof ran);
    atomic_store(&wrong, 0);
    allot_executor *executor = open_crew(3);
    CHECK_STATUS(allot_spawn_many(executor, mark, inputs, sizeof *inputs, MANY, NULL, NULL), ALLOT_OK);
    memset(inputs, 255, sizeof inputs); /* they were copied */
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    for (uint32_t i = 0; i < MANY; i++)
        CHECK(atomic_load(&ran[i]) == 1);
    CHECK(atomic_load(&wrong) == 0);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static _Atomic uint32_t arrived;

/* Those who wait need the others to run, and whoever runs one has the others behind it. */
static allot_status meet(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < *(const uint32_t *)in)
        sched_yield();
    return ALLOT_OK;
}

/* `waiting` of `count` calls, `apart` from one another, end when all have begun. */
static void meet_all(uint32_t count, uint32_t waiting, uint32_t apart)
{
    uint32_t numbers[100] = { 0 }, before = 0;
    allot_executor *executor = open_crew(4);
    atomic_store(&arrived, 0);
    for (int round = 0; round < ROUNDS(50); round++, before += count) {
        for (uint32_t i = 0; i < waiting; i++)
            numbers[i * apart] = before + count;
        CHECK_STATUS(allot_spawn_many(executor, meet, numbers, sizeof *numbers, count, NULL, NULL), ALLOT_OK);
        await_count(&arrived, before + count);
    }
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void no_call_waits_behind_another(void)
{
    meet_all(100, 3, 10); /* hold up all workers but one */
    meet_all(4, 4, 1);
}

static allot_executor *shared;
static _Atomic uint32_t leaves;

static allot_status branch(allot_call *call, const void *in, void *out)
{
    uint32_t depth = *(const uint32_t *)in, below[3] = { depth - 1, depth - 1, depth - 1 };
    (void)call, (void)out;
    if (!depth) {
        atomic_fetch_add(&leaves, 1);
        return ALLOT_OK;
    }
    return allot_spawn_many(shared, branch, below, sizeof *below, 3, NULL, NULL);
}

static void calls_spawn_batches(void)
{
    uint32_t depth = TEST_SANITIZED ? 6 : 9, expected = 1;
    for (uint32_t i = 0; i < depth; i++)
        expected *= 3;
    shared = open_crew(3);
    atomic_store(&leaves, 0);
    CHECK_STATUS(allot_spawn(shared, branch, &depth, sizeof depth, NULL), ALLOT_OK);
    await_count(&leaves, expected);
    CHECK_STATUS(allot_close(shared), ALLOT_OK);
}

static allot_status wait_for_one(allot_call *call, const void *in, void *out)
{
    double number = 3, square = 0;
    (void)call, (void)in, (void)out;
    allot_future *future = allot_submit(shared, task_square, &number, sizeof number, sizeof square, NULL);
    allot_status status = allot_get(future, &square, sizeof square, ALLOT_FOREVER);
    allot_release(future);
    atomic_fetch_add(&leaves, square == 9);
    return status;
}

static void calls_wait_for_tasks(void)
{
    shared = open_crew(2);
    atomic_store(&leaves, 0);
    CHECK_STATUS(allot_spawn_many(shared, wait_for_one, NULL, 0, MANY, NULL, NULL), ALLOT_OK);
    await_count(&leaves, MANY); /* a closed executor takes nothing from them */
    CHECK_STATUS(allot_close(shared), ALLOT_OK);
}

static void figures_count_calls(void)
{
    test_gate gate = gate_create();
    allot_executor *executor = open_crew(1);
    allot_metrics metrics = { .size = sizeof metrics };
    CHECK_STATUS(allot_spawn(executor, task_gate, &gate.key, sizeof gate.key, NULL), ALLOT_OK);
    gate_await(&gate, 1);
    CHECK_STATUS(allot_spawn_many(executor, task_nothing, NULL, 0, MANY, NULL, NULL), ALLOT_OK);
    CHECK_STATUS(allot_get_metrics(executor, &metrics), ALLOT_OK);
    CHECK(metrics.submitted == MANY + 1 && metrics.unfinished == MANY + 1);
    CHECK(metrics.places[0].queued == MANY && metrics.places[0].running == 1);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_NO_WAIT), ALLOT_OK);
    gate_open(&gate);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_CANCEL_PENDING), ALLOT_OK);
    CHECK_STATUS(allot_get_metrics(executor, &metrics), ALLOT_OK);
    CHECK(metrics.unfinished == 0 && metrics.places[0].queued == 0);
    CHECK(metrics.places[0].succeeded + metrics.places[0].cancelled == MANY + 1);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    gate_destroy(&gate);
}

static _Atomic uint32_t lines;

static void note(allot_log_level level, const char *line, void *user)
{
    (void)level, (void)user;
    if (strstr(line, "spawned") && strstr(line, FAIL_TEXT))
        atomic_fetch_add(&lines, 1);
}

static void each_that_fails_is_logged(void)
{
    allot_status codes[5] = { ALLOT_USER + 1, ALLOT_USER + 2, ALLOT_USER + 3, ALLOT_USER + 4,
                              ALLOT_USER + 5 };
    allot_metrics metrics = { .size = sizeof metrics };
    allot_executor *executor = open_crew(2);
    atomic_store(&lines, 0);
    allot_set_log(note, NULL, ALLOT_LOG_WARNING);
    CHECK_STATUS(allot_spawn_many(executor, task_fail, codes, sizeof *codes, 5, NULL, NULL), ALLOT_OK);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
    CHECK(atomic_load(&lines) == 5);
    CHECK_STATUS(allot_get_metrics(executor, &metrics), ALLOT_OK);
    CHECK(metrics.places[0].failed == 5);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static const test_fact facts[] = {
    { "two halves of a batch share its calls", halves_share_the_calls },
    { "a batch of one call is not halved, and can be cancelled", one_call_is_not_halved },
    { "each call has its own argument, copied and aligned", each_call_has_its_own_argument },
    { "no call waits behind another that has not ended", no_call_waits_behind_another },
    { "calls of a batch spawn batches", calls_spawn_batches },
    { "calls of a batch wait for tasks", calls_wait_for_tasks },
    { "the figures count calls, also those that are cancelled", figures_count_calls },
    { "each call that fails is logged", each_that_fails_is_logged },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "batch", .facts = facts };
    return watched_main(argc, argv, &suite, 1);
}
