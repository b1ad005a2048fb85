/* Section D of the conformance list: callbacks; and what hints.after promises. */
#include "place_contract.h"
#include <string.h>

/* What callbacks saw. */
typedef struct sightings {
    _Atomic uint32_t count;
    allot_status statuses[16];
    int order[16];
    pthread_t threads[16];
} sightings;

typedef struct marker {
    sightings *seen;
    int number;
} marker;

static void see(allot_future *future, void *user)
{
    marker *mark = user;
    uint32_t index = atomic_load(&mark->seen->count); /* callbacks of one future do not overlap */
    mark->seen->statuses[index] = allot_get(future, NULL, 0, 0);
    mark->seen->order[index] = mark->number;
    mark->seen->threads[index] = pthread_self();
    atomic_store(&mark->seen->count, index + 1);
}

static void callbacks_see_every_kind_of_end(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *futures[3] = { job_nothing(executor, &hints), job_fail(executor, &hints),
                                 job_nothing(executor, &hints) };
    sightings seen[3] = { 0 };
    for (int i = 0; i < 3; i++) {
        marker mark = { .seen = &seen[i] };
        static marker marks[3];
        marks[i] = mark;
        CHECK_STATUS(allot_on_done(futures[i], see, &marks[i]), ALLOT_OK);
        CU_ASSERT_EQUAL(seen[i].count, 0);
    }
    CHECK(allot_cancel(futures[2]));
    await_count(&seen[2].count, 1);
    CHECK_STATUS(seen[2].statuses[0], ALLOT_CANCELLED);
    hold_end(&hold);
    await_count(&seen[0].count, 1), await_count(&seen[1].count, 1);
    CHECK_STATUS(seen[0].statuses[0], ALLOT_OK);
    CHECK_STATUS(seen[1].statuses[0], job_error());
    allot_release_all(futures, 3);
    allot_close(executor);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(seen[i].count, 1);
}

static void a_late_callback_runs_here_at_once(void)
{
    allot_executor *executor = contract_open();
    allot_future *futures[2] = { job_nothing(executor, NULL), job_fail(executor, NULL) };
    CHECK_STATUS(allot_wait_all(futures, 2, ALLOT_FOREVER), ALLOT_OK);
    for (int i = 0; i < 2; i++) {
        sightings seen = { 0 };
        marker mark = { .seen = &seen };
        CHECK_STATUS(allot_on_done(futures[i], see, &mark), ALLOT_OK);
        REQUIRE(seen.count == 1);
        CHECK(pthread_equal(seen.threads[0], pthread_self()));
        CHECK_STATUS(seen.statuses[0], i == 0 ? ALLOT_OK : job_error());
    }
    allot_release_all(futures, 2);
    allot_close(executor);
}

static void callbacks_keep_their_order_and_thread(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *future = job_nothing(executor, &hints);
    sightings seen = { 0 };
    marker marks[16];
    for (int i = 0; i < 16; i++) {
        marks[i] = (marker){ .seen = &seen, .number = i };
        CHECK_STATUS(allot_on_done(future, see, &marks[i]), ALLOT_OK);
    }
    hold_end(&hold);
    await_count(&seen.count, 16);
    for (int i = 0; i < 16; i++) {
        CU_ASSERT_EQUAL(seen.order[i], i);
        CHECK(pthread_equal(seen.threads[i], seen.threads[0]));
        CHECK(!pthread_equal(seen.threads[i], pthread_self()));
    }
    allot_release(future);
    allot_close(executor);
}

/* D7: each callback submits the next task of its chain. */
typedef struct chain {
    allot_executor *executor;
    uint32_t length;
    _Atomic uint32_t links;
    _Atomic uint32_t wrong;
} chain;

static void next_link(allot_future *future, void *user)
{
    chain *chain_of = user;
    if (allot_future_status(future) != ALLOT_OK)
        atomic_fetch_add(&chain_of->wrong, 1);
    allot_release(future); /* the chain's own reference */
    if (atomic_fetch_add(&chain_of->links, 1) + 1 == chain_of->length)
        return;
    allot_future *next = job_nothing(chain_of->executor, NULL);
    if (allot_on_done(next, next_link, user) != ALLOT_OK)
        atomic_fetch_add(&chain_of->wrong, 1);
}

static void callbacks_can_submit(void)
{
    allot_executor *executor = contract_open();
    chain chains[3];
    for (int i = 0; i < 3; i++) {
        chains[i] = (chain){ .executor = executor, .length = (uint32_t)contract_rounds(100) };
        allot_future *first = job_nothing(executor, NULL);
        CHECK_STATUS(allot_on_done(first, next_link, &chains[i]), ALLOT_OK);
    }
    for (int i = 0; i < 3; i++) {
        await_count(&chains[i].links, chains[i].length);
        CU_ASSERT_EQUAL(chains[i].wrong, 0);
    }
    allot_close(executor);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(chains[i].links, chains[i].length);
}

static void wait_for_another(allot_future *future, void *user)
{
    (void)future;
    chain *chain_of = user;
    allot_status status = finish(job_nothing(chain_of->executor, NULL));
    atomic_fetch_add(&chain_of->wrong, status != ALLOT_OK);
    atomic_fetch_add(&chain_of->links, 1);
}

static void a_callback_can_wait(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    chain one = { .executor = executor };
    allot_future *future = job_nothing(executor, &hints);
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(allot_on_done(future, wait_for_another, &one), ALLOT_OK);
    allot_release(future); /* D8: the callbacks hold it */
    hold_end(&hold);
    await_count(&one.links, 3);
    CU_ASSERT_EQUAL(one.wrong, 0);
    allot_close(executor);
}

static void close_lets_callbacks_end(void)
{
    for (int i = 0; i < contract_rounds(50); i++) {
        allot_executor *executor = contract_open();
        sightings seen = { 0 };
        marker mark = { .seen = &seen };
        place_hold hold = hold_begin(executor);
        allot_hints hints = hold_hints(&hold);
        allot_future *future = job_nothing(executor, &hints);
        CHECK_STATUS(allot_on_done(future, see, &mark), ALLOT_OK);
        allot_release(future);
        hold_end(&hold);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
        CU_ASSERT_EQUAL(seen.count, 1);
    }
}

/* ---- hints.after ---- */

static void a_task_waits_for_those_before_it(void)
{
    allot_executor *executor = contract_open();
    test_gate gate = gate_create();
    allot_future *first =
        allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, ALLOT_HINTS(.place = ALLOT_THREAD));
    allot_hints hints = contract_here();
    hints.after = &first, hints.after_count = 1;
    square_job job = job_square(executor, 4, &hints);
    gate_await(&gate, 1);
    allot_release(first); /* the task holds what it waits for */
    CHECK_STATUS(allot_wait(job.future, 0), ALLOT_TIMEOUT);
    CU_ASSERT_EQUAL(allot_future_state(job.future), ALLOT_STATE_PENDING);
    gate_open(&gate);
    CU_ASSERT_DOUBLE_EQUAL(job_value(&job), 16, 0);
    gate_destroy(&gate);
    allot_close(executor);
}

static void a_failure_reaches_all_that_depend_on_it(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *chain_of[4] = { job_fail(executor, &hints) };
    for (int i = 1; i < 4; i++) {
        allot_hints after = contract_here();
        after.after = &chain_of[i - 1], after.after_count = 1;
        chain_of[i] = job_nothing(executor, &after);
    }
    hold_end(&hold);
    CHECK_STATUS(allot_wait_all(chain_of, 4, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_future_status(chain_of[0]), job_error());
    for (int i = 1; i < 4; i++) {
        CHECK_STATUS(allot_future_status(chain_of[i]), ALLOT_DEPENDENCY);
        CU_ASSERT_EQUAL(allot_future_state(chain_of[i]), ALLOT_STATE_FAILED);
        CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(chain_of[i]), job_error_text()));
    }
    /* The same for one that failed before the submission, and for one that was cancelled. */
    allot_hints late = contract_here();
    late.after = chain_of, late.after_count = 4;
    CHECK_STATUS(finish(job_nothing(executor, &late)), ALLOT_DEPENDENCY);
    allot_release_all(chain_of, 4);
    allot_close(executor);
}

static void a_cancelled_dependency_is_a_failed_one(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *first = job_nothing(executor, &hints);
    allot_hints after = contract_here();
    after.after = &first, after.after_count = 1;
    allot_future *second = job_nothing(executor, &after);
    CHECK(allot_cancel(first));
    CHECK_STATUS(allot_get(second, NULL, 0, ALLOT_FOREVER), ALLOT_DEPENDENCY);
    hold_end(&hold);
    allot_release(first), allot_release(second);
    allot_close(executor);
}

static void cancelling_a_dependant_leaves_the_base(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *first = job_nothing(executor, &hints);
    allot_hints after = contract_here();
    after.after = &first, after.after_count = 1;
    allot_future *second = job_nothing(executor, &after);
    CHECK(allot_cancel(second));
    CHECK_STATUS(allot_get(second, NULL, 0, 0), ALLOT_CANCELLED);
    hold_end(&hold);
    CHECK_STATUS(finish(first), ALLOT_OK);
    CHECK_STATUS(finish(second), ALLOT_CANCELLED);
    allot_close(executor);
}

const test_fact contract_callback_facts[] = {
    { "D1 D2 D3 a callback is called once and sees how it ended", callbacks_see_every_kind_of_end },
    { "D4 a callback on a done future runs at once in the caller's thread",
      a_late_callback_runs_here_at_once },
    { "D6 callbacks of a future run in order of registration, in one thread of the executor's",
      callbacks_keep_their_order_and_thread },
    { "D7 D8 callbacks can submit, and release their own future", callbacks_can_submit },
    { "D5 a callback can wait, and the others are called all the same", a_callback_can_wait },
    { "callbacks of what ran have ended when close returns", close_lets_callbacks_end },
    { "after: a task starts when those that it names are done", a_task_waits_for_those_before_it },
    { "D15 after: a failure fails all dependants with the root cause",
      a_failure_reaches_all_that_depend_on_it },
    { "after: a cancelled dependency fails its dependant", a_cancelled_dependency_is_a_failed_one },
    { "D10 after: cancelling a dependant leaves its base alone", cancelling_a_dependant_leaves_the_base },
    { NULL, NULL },
};
