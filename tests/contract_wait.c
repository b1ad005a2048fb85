/* Section E of the conformance list: waiting for several futures. */
#include "place_contract.h"

static void all_are_done_however_they_ended(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *futures[3] = { job_nothing(executor, &hints), job_fail(executor, &hints),
                                 job_nothing(executor, &hints) };
    CHECK(allot_cancel(futures[2]));
    hold_open(&hold);
    CHECK_STATUS(allot_wait_all(futures, 3, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(finish(futures[0]), ALLOT_OK);
    CHECK_STATUS(finish(futures[1]), job_error());
    CHECK_STATUS(finish(futures[2]), ALLOT_CANCELLED);
    hold_end(&hold);
    allot_close(executor);
}

static void any_returns_with_the_first(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *elsewhere =
        allot_submit(executor, task_nothing, NULL, 0, 0,
                     ALLOT_HINTS(.place = contract_rig.kind == ALLOT_INLINE ? ALLOT_THREAD : ALLOT_INLINE));
    allot_future *futures[3] = { job_nothing(executor, &hints), job_nothing(executor, &hints), elsewhere };
    size_t index = 99;
    CHECK_STATUS(allot_wait_any(futures, 3, ALLOT_FOREVER, &index), ALLOT_OK);
    CU_ASSERT_EQUAL(index, 2);
    CU_ASSERT_EQUAL(allot_future_state(futures[0]), ALLOT_STATE_PENDING);
    CU_ASSERT_EQUAL(allot_future_state(futures[1]), ALLOT_STATE_PENDING);
    CHECK_STATUS(allot_wait_any(futures, 2, MILLISECOND, &index), ALLOT_TIMEOUT);
    CHECK_STATUS(allot_wait_any(futures, 2, 0, NULL), ALLOT_TIMEOUT);
    hold_end(&hold);
    CHECK_STATUS(allot_wait_any(futures, 2, ALLOT_FOREVER, NULL), ALLOT_OK);
    CHECK_STATUS(allot_wait_all(futures, 3, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_wait_any(futures, 3, 0, &index), ALLOT_OK); /* all done: the first of the list */
    CU_ASSERT_EQUAL(index, 0);
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(finish(futures[i]), ALLOT_OK);
    allot_close(executor);
}

static void a_wait_that_times_out_can_be_repeated(void)
{
    allot_executor *executor = contract_open();
    allot_future *done = job_nothing(executor, NULL);
    CHECK_STATUS(allot_wait(done, ALLOT_FOREVER), ALLOT_OK);
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *futures[2] = { done, job_nothing(executor, &hints) };
    for (int i = 0; i < 2; i++) {
        int64_t before = now_ns();
        CHECK_STATUS(allot_wait_all(futures, 2, 20 * MILLISECOND), ALLOT_TIMEOUT);
        int64_t waited = now_ns() - before;
        CHECK(waited >= 20 * MILLISECOND && waited < 10 * SECOND);
        CHECK(allot_done(futures[0]) && !allot_done(futures[1]));
    }
    hold_end(&hold);
    CHECK_STATUS(allot_wait_all(futures, 2, ALLOT_FOREVER), ALLOT_OK);
    allot_release_all(futures, 2);
    allot_close(executor);
}

static void the_same_future_may_be_listed_twice(void)
{
    allot_executor *executor = contract_open();
    for (int i = 0; i < contract_rounds(100); i++) {
        allot_future *future = job_nothing(executor, NULL), *other = job_nothing(executor, NULL);
        allot_future *futures[4] = { future, other, future, future };
        size_t index = 99;
        CHECK_STATUS(allot_wait_any(futures, 4, ALLOT_FOREVER, &index), ALLOT_OK);
        CHECK(index < 4 && allot_done(futures[index < 4 ? index : 0]));
        CHECK_STATUS(allot_wait_all(futures, 4, ALLOT_FOREVER), ALLOT_OK);
        CHECK(allot_done(future) && allot_done(other));
        allot_release(future), allot_release(other);
    }
    allot_close(executor);
}

static void an_empty_list_is_done(void)
{
    size_t index = 99;
    CHECK_STATUS(allot_wait_all(NULL, 0, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_wait_any(NULL, 0, ALLOT_FOREVER, &index), ALLOT_OK);
    CU_ASSERT_EQUAL(index, 0);
}

#define BATCH 100
typedef struct batch {
    allot_future *futures[BATCH];
    _Atomic uint32_t about_to;
    allot_status status;
} batch;

static void *wait_for_batch(void *input)
{
    batch *work = input;
    atomic_store(&work->about_to, 1);
    work->status = allot_wait_all(work->futures, BATCH, ALLOT_FOREVER);
    return NULL;
}

static void no_wake_up_is_lost(void)
{
    allot_executor *executor = contract_open();
    for (int i = 0; i < contract_rounds(400); i++) {
        place_hold hold = hold_begin(executor);
        allot_hints hints = hold_hints(&hold);
        batch work = { .about_to = 0 };
        for (int j = 0; j < BATCH; j++)
            work.futures[j] = job_nothing(executor, &hints);
        pthread_t thread = start_thread(wait_for_batch, &work);
        await_count(&work.about_to, 1);
        hold_open(&hold);
        join_thread(thread);
        CHECK_STATUS(work.status, ALLOT_OK);
        allot_release_all(work.futures, BATCH);
        hold_end(&hold);
    }
    allot_close(executor);
}

typedef struct one_wait {
    allot_future *future;
    allot_future *other;
    allot_status status;
} one_wait;

static void *wait_for_one(void *input)
{
    one_wait *wait = input;
    allot_future *both[2] = { wait->future, wait->other };
    wait->status =
        wait->other ? allot_wait_any(both, 2, ALLOT_FOREVER, NULL) : allot_wait(wait->future, ALLOT_FOREVER);
    return NULL;
}

static void all_waiters_of_one_future_wake(void)
{
    allot_executor *executor = contract_open();
    for (int i = 0; i < contract_rounds(100); i++) {
        place_hold hold = hold_begin(executor);
        allot_hints hints = hold_hints(&hold);
        allot_future *future = job_nothing(executor, &hints), *never = job_nothing(executor, &hints);
        one_wait waits[4] = {
            { future, NULL, 0 }, { future, never, 0 }, { future, NULL, 0 }, { future, never, 0 }
        };
        pthread_t threads[4];
        for (int j = 0; j < 4; j++)
            threads[j] = start_thread(wait_for_one, &waits[j]);
        hold_open(&hold);
        for (int j = 0; j < 4; j++) {
            join_thread(threads[j]);
            CHECK_STATUS(waits[j].status, ALLOT_OK);
        }
        CHECK_STATUS(finish(future), ALLOT_OK);
        CHECK_STATUS(finish(never), ALLOT_OK);
        hold_end(&hold);
    }
    allot_close(executor);
}

static void one_wait_covers_several_places(void)
{
    allot_executor *executor = contract_open();
    for (int i = 0; i < contract_rounds(100); i++) {
        allot_future *futures[3] = {
            job_nothing(executor, NULL),
            allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.place = ALLOT_INLINE)),
            allot_submit(executor, task_nothing, NULL, 0, 0, NULL),
        };
        size_t index = 99;
        CHECK_STATUS(allot_wait_any(futures, 3, ALLOT_FOREVER, &index), ALLOT_OK);
        CHECK(index < 3 && allot_done(futures[index < 3 ? index : 0]));
        CHECK_STATUS(allot_wait_all(futures, 3, ALLOT_FOREVER), ALLOT_OK);
        for (int j = 0; j < 3; j++)
            CHECK_STATUS(finish(futures[j]), ALLOT_OK);
    }
    allot_close(executor);
}

/* A job that fails once *after is done. */
static allot_future *fails_after(allot_executor *executor, allot_future *const *after)
{
    allot_hints hints = contract_here();
    hints.after = after;
    hints.after_count = 1;
    return job_fail(executor, &hints);
}

typedef struct error_wait {
    allot_future *futures[3];
    _Atomic uint32_t about_to;
    allot_status status;
    size_t index;
    bool rest_pending; /* when it returned */
} error_wait;

static void *wait_for_error(void *input)
{
    error_wait *work = input;
    atomic_store(&work->about_to, 1);
    work->status = allot_wait_first_error(work->futures, 3, ALLOT_FOREVER, &work->index);
    work->rest_pending = !allot_done(work->futures[2]);
    return NULL;
}

static void the_first_error_ends_the_wait(void)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 2, .processes = 2));
    REQUIRE(executor != NULL);
    allot_executor *elsewhere =
        allot_open(ALLOT_OPTIONS(.threads = 3, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    REQUIRE(elsewhere != NULL);
    for (int i = 0; i < contract_rounds(50); i++) {
        test_gate ok = gate_create(), error = gate_create(), rest = gate_create();
        allot_future *first = allot_submit(elsewhere, task_gate, &ok.key, sizeof ok.key, 0, NULL);
        allot_future *second = allot_submit(elsewhere, task_gate, &error.key, sizeof error.key, 0, NULL);
        allot_future *last = allot_submit(elsewhere, task_gate, &rest.key, sizeof rest.key, 0, NULL);
        error_wait work = { .futures = { first, fails_after(executor, &second), last } };
        pthread_t thread = start_thread(wait_for_error, &work);
        await_count(&work.about_to, 1);
        gate_open(&ok); /* one that succeeds does not end it */
        CHECK_STATUS(allot_wait(first, ALLOT_FOREVER), ALLOT_OK);
        CHECK_STATUS(allot_wait_first_error(work.futures, 3, MILLISECOND, NULL), ALLOT_TIMEOUT);
        gate_open(&error);
        join_thread(thread);
        CHECK_STATUS(work.status, ALLOT_OK);
        CU_ASSERT_EQUAL(work.index, 1);
        CHECK(work.rest_pending && allot_done(first) && allot_done(work.futures[1]));
        gate_open(&rest);
        CHECK_STATUS(finish(first), ALLOT_OK);
        CHECK_STATUS(finish(second), ALLOT_OK);
        CHECK_STATUS(finish(last), ALLOT_OK);
        CHECK_STATUS(finish(work.futures[1]), job_error());
        gate_destroy(&ok), gate_destroy(&error), gate_destroy(&rest);
    }
    allot_close(elsewhere);
    allot_close(executor);
}

static void an_error_from_before_ends_the_wait_at_once(void)
{
    allot_executor *executor = contract_open();
    allot_future *failed = job_fail(executor, NULL);
    CHECK_STATUS(allot_wait(failed, ALLOT_FOREVER), ALLOT_OK);
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *futures[3] = { job_nothing(executor, &hints), job_nothing(executor, &hints), failed };
    size_t index = 99;
    CHECK_STATUS(allot_wait_first_error(futures, 3, 0, &index), ALLOT_OK);
    CU_ASSERT_EQUAL(index, 2);
    CHECK(allot_cancel(futures[1])); /* will never have a value either */
    CHECK_STATUS(allot_wait_first_error(futures, 2, 0, &index), ALLOT_OK);
    CU_ASSERT_EQUAL(index, 1);
    CHECK(!allot_done(futures[0]));
    hold_end(&hold);
    CHECK_STATUS(finish(futures[0]), ALLOT_OK);
    CHECK_STATUS(finish(futures[1]), ALLOT_CANCELLED);
    CHECK_STATUS(finish(failed), job_error());
    allot_close(executor);
}

static void without_an_error_all_are_waited_for(void)
{
    allot_executor *executor = contract_open();
    for (int i = 0; i < contract_rounds(50); i++) {
        allot_future *futures[4];
        for (int j = 0; j < 3; j++)
            futures[j] = job_nothing(executor, NULL);
        futures[3] = futures[0];
        size_t index = 99;
        CHECK_STATUS(allot_wait_first_error(futures, 4, ALLOT_FOREVER, &index), ALLOT_OK);
        CU_ASSERT_EQUAL(index, 4);
        for (int j = 0; j < 3; j++) {
            CHECK(allot_done(futures[j]));
            allot_release(futures[j]);
        }
    }
    CHECK_STATUS(allot_wait_first_error(NULL, 0, 0, NULL), ALLOT_OK);
    CHECK_STATUS(allot_wait_first_error(NULL, 1, 0, NULL), ALLOT_INVALID);
    allot_close(executor);
}

static void as_completed_covers_jobs_of_every_kind(void)
{
    allot_executor *executor = contract_open();
    for (int i = 0; i < contract_rounds(50); i++) {
        allot_future *futures[4] = { job_nothing(executor, NULL), job_fail(executor, NULL),
                                     job_nothing(executor, NULL),
                                     allot_submit(executor, task_nothing, NULL, 0, 0, NULL) };
        allot_as_completed *ended = allot_as_completed_create(futures, 4);
        REQUIRE(ended != NULL);
        size_t seen = 0, index = 0;
        while (allot_as_completed_next(ended, NULL, &index, ALLOT_FOREVER) == ALLOT_OK) {
            CHECK(allot_done(futures[index]));
            seen += (size_t)1 << index;
        }
        CU_ASSERT_EQUAL(seen, 15);
        allot_as_completed_destroy(ended);
        allot_release_all(futures, 4);
    }
    allot_close(executor);
}

const test_fact contract_wait_facts[] = {
    { "E1 wait-all returns when all are done, however they ended", all_are_done_however_they_ended },
    { "E2 E3 wait-any returns with the first that is done and leaves the rest", any_returns_with_the_first },
    { "E4 the first error ends the wait, a success does not", the_first_error_ends_the_wait },
    { "E5 an error from before ends the wait at once", an_error_from_before_ends_the_wait_at_once },
    { "E6 without an error all are waited for", without_an_error_all_are_waited_for },
    { "E7 a wait that timed out can be repeated", a_wait_that_times_out_can_be_repeated },
    { "E8 the same future may be listed twice", the_same_future_may_be_listed_twice },
    { "E9 an empty list is done at once", an_empty_list_is_done },
    { "E10 no wake-up is lost", no_wake_up_is_lost },
    { "E11 as-completed gives each once, however it ended", as_completed_covers_jobs_of_every_kind },
    { "E14 all waiters of one future wake", all_waiters_of_one_future_wake },
    { "E15 one wait covers futures of several places", one_wait_covers_several_places },
    { NULL, NULL },
};
