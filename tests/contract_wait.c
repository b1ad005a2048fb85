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
    for (int i = 0; i < contract_rounds(1000); i++) {
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

const test_fact contract_wait_facts[] = {
    { "E1 wait-all returns when all are done, however they ended", all_are_done_however_they_ended },
    { "E2 E3 wait-any returns with the first that is done and leaves the rest", any_returns_with_the_first },
    { "E7 a wait that timed out can be repeated", a_wait_that_times_out_can_be_repeated },
    { "E8 the same future may be listed twice", the_same_future_may_be_listed_twice },
    { "E9 an empty list is done at once", an_empty_list_is_done },
    { "E10 no wake-up is lost", no_wake_up_is_lost },
    { "E14 all waiters of one future wake", all_waiters_of_one_future_wake },
    { "E15 one wait covers futures of several places", one_wait_covers_several_places },
    { NULL, NULL },
};
