/* Section C of the conformance list: the states of a future. */
#include "place_contract.h"
#include <sched.h>

/* Every state that `future` shows until it is done must follow the one before. */
static bool states_in_order(allot_future *future)
{
    allot_state last = ALLOT_STATE_PENDING;
    for (;;) {
        allot_state state = allot_future_state(future);
        if (state < last || (last == ALLOT_STATE_RUNNING && state == ALLOT_STATE_CANCELLED))
            return false;
        if (state >= ALLOT_STATE_SUCCEEDED)
            return allot_future_state(future) == state;
        last = state;
        sched_yield();
    }
}

static void only_the_known_transitions(void)
{
    allot_executor *executor = contract_open();
    for (int i = 0; i < contract_rounds(200); i++) {
        allot_future *future = job_nothing(executor, NULL);
        CHECK(states_in_order(future));
        CU_ASSERT_EQUAL(allot_future_state(future), ALLOT_STATE_SUCCEEDED);
        allot_release(future);
    }
    allot_close(executor);
}

static void check_state(allot_future *future, allot_state state)
{
    CU_ASSERT_EQUAL(allot_future_state(future), state);
    CU_ASSERT_EQUAL(allot_done(future), state >= ALLOT_STATE_SUCCEEDED);
    CU_ASSERT_EQUAL(allot_running(future), state == ALLOT_STATE_RUNNING);
    CU_ASSERT_EQUAL(allot_cancelled(future), state == ALLOT_STATE_CANCELLED);
}

static void the_questions_agree(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *waiting = job_nothing(executor, &hints), *doomed = job_nothing(executor, &hints);
    check_state(waiting, ALLOT_STATE_PENDING);
    CHECK_STATUS(allot_future_status(waiting), ALLOT_TIMEOUT);
    CU_ASSERT_STRING_EQUAL(allot_future_error(waiting), "");
    CHECK(allot_cancel(doomed));
    check_state(doomed, ALLOT_STATE_CANCELLED);
    hold_end(&hold);
    CHECK_STATUS(allot_wait(waiting, ALLOT_FOREVER), ALLOT_OK);
    check_state(waiting, ALLOT_STATE_SUCCEEDED);
    allot_future *failed = job_fail(executor, NULL);
    CHECK_STATUS(allot_wait(failed, ALLOT_FOREVER), ALLOT_OK);
    check_state(failed, ALLOT_STATE_FAILED);
    test_gate gate = gate_create();
    allot_future *running = job_running(executor, &gate, NULL);
    if (!contract_rig.device)
        check_state(running, ALLOT_STATE_RUNNING);
    gate_open(&gate);
    CHECK_STATUS(finish(running), ALLOT_OK);
    allot_release(waiting), allot_release(doomed), allot_release(failed);
    gate_destroy(&gate);
    allot_close(executor);
}

static void a_cancelled_task_never_runs(void)
{
    allot_executor *executor = contract_open();
    tally_sheet sheet = tallies_create(executor);
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *futures[10];
    for (size_t i = 0; i < 10; i++)
        futures[i] = job_tally(executor, &sheet, i, &hints);
    if (contract_rig.launches) { /* its array would be unusable after a launch that does not succeed: count on
                                    others */
        for (size_t i = 0; i < 10; i++)
            CHECK(allot_cancel(futures[i]));
        hold_end(&hold);
        for (size_t i = 0; i < 10; i++)
            CHECK_STATUS(allot_get(futures[i], NULL, 0, ALLOT_FOREVER), ALLOT_CANCELLED);
    } else {
        for (size_t i = 0; i < 10; i += 2)
            CHECK(allot_cancel(futures[i]));
        hold_end(&hold);
        for (size_t i = 0; i < 10; i++)
            CHECK_STATUS(allot_get(futures[i], NULL, 0, ALLOT_FOREVER), i % 2 ? ALLOT_OK : ALLOT_CANCELLED);
        for (size_t i = 0; i < 10; i++)
            CU_ASSERT_EQUAL(gate_tally(&sheet.gate, i), i % 2);
    }
    allot_release_all(futures, 10);
    allot_close(executor);
    tallies_destroy(&sheet);
}

static void a_running_task_is_not_cancelled(void)
{
    allot_executor *executor = contract_open();
    test_gate gate = gate_create();
    allot_future *future = job_running(executor, &gate, NULL);
    CHECK(!allot_cancel(future));
    CHECK(!allot_cancelled(future));
    gate_open(&gate);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_EQUAL(allot_future_state(future), ALLOT_STATE_SUCCEEDED);
    allot_release(future);
    gate_destroy(&gate);
    allot_close(executor);
}

static void count_call(allot_future *future, void *user)
{
    (void)future;
    atomic_fetch_add((_Atomic uint32_t *)user, 1);
}

static void cancelling_again_changes_nothing(void)
{
    allot_executor *executor = contract_open();
    _Atomic uint32_t calls = 0;
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *future = job_nothing(executor, &hints);
    CHECK_STATUS(allot_on_done(future, count_call, (void *)&calls), ALLOT_OK);
    for (int i = 0; i < 3; i++)
        CHECK(allot_cancel(future));
    CHECK_STATUS(allot_get(future, NULL, 0, 0), ALLOT_CANCELLED);
    hold_end(&hold);
    allot_release(future);
    allot_close(executor);
    CU_ASSERT_EQUAL(calls, 1);
}

static void a_finished_task_is_not_cancelled(void)
{
    allot_executor *executor = contract_open();
    square_job job = job_square(executor, 7, NULL);
    CHECK_STATUS(allot_wait(job.future, ALLOT_FOREVER), ALLOT_OK);
    CHECK(!allot_cancel(job.future));
    CHECK(!allot_cancelled(job.future));
    CU_ASSERT_DOUBLE_EQUAL(job_value(&job), 49, 0);
    allot_future *failed = job_fail(executor, NULL);
    CHECK_STATUS(allot_wait(failed, ALLOT_FOREVER), ALLOT_OK);
    CHECK(!allot_cancel(failed));
    CHECK_STATUS(finish(failed), job_error());
    allot_close(executor);
}

static void a_cancelled_result_is_cancelled_at_once(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *future = job_nothing(executor, &hints);
    CHECK(allot_cancel(future));
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_CANCELLED);
    CHECK_STATUS(allot_future_status(future), ALLOT_CANCELLED);
    CHECK_STATUS(allot_wait(future, 0), ALLOT_OK);
    CHECK(allot_future_error(future)[0] != '\0');
    allot_release(future);
    hold_end(&hold);
    allot_close(executor);
}

static void a_timeout_of_0_does_not_wait(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    square_job job = job_square(executor, 8, &hints);
    size_t size = allot_future_size(job.future);
    double value = -1;
    const int64_t none[] = { 0, -1, INT64_MIN };
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(allot_get(job.future, size ? &value : NULL, size, none[i]), ALLOT_TIMEOUT);
        CHECK_STATUS(allot_wait(job.future, none[i]), ALLOT_TIMEOUT);
        CHECK_STATUS(allot_wait(hold.futures[0], none[i]), ALLOT_TIMEOUT);
    }
    CHECK(value == -1);
    check_state(job.future, ALLOT_STATE_PENDING);
    check_state(hold.futures[0], ALLOT_STATE_RUNNING);
    hold_end(&hold);
    CHECK_STATUS(allot_wait(job.future, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_get(job.future, size ? &value : NULL, size, 0), ALLOT_OK);
    CU_ASSERT_DOUBLE_EQUAL(job_value(&job), 64, 0);
    allot_close(executor);
}

typedef struct blocked_get {
    allot_future *future;
    _Atomic uint32_t about_to;
    allot_status status;
} blocked_get;

static void *get_blocked(void *input)
{
    blocked_get *blocked = input;
    atomic_store(&blocked->about_to, 1);
    blocked->status = allot_get(blocked->future, NULL, 0, ALLOT_FOREVER);
    return NULL;
}

static void a_waiter_wakes_with_the_outcome(void)
{
    allot_executor *executor = contract_open();
    for (int i = 0; i < contract_rounds(50); i++) {
        place_hold hold = hold_begin(executor);
        allot_hints hints = hold_hints(&hold);
        blocked_get waits[2] = { { .future = job_nothing(executor, &hints) },
                                 { .future = job_nothing(executor, &hints) } };
        pthread_t threads[2] = { start_thread(get_blocked, &waits[0]), start_thread(get_blocked, &waits[1]) };
        await_count(&waits[0].about_to, 1), await_count(&waits[1].about_to, 1);
        CHECK(allot_cancel(waits[1].future));
        join_thread(threads[1]);
        CHECK_STATUS(waits[1].status, ALLOT_CANCELLED);
        hold_open(&hold);
        join_thread(threads[0]);
        CHECK_STATUS(waits[0].status, ALLOT_OK);
        allot_release(waits[0].future), allot_release(waits[1].future);
        hold_end(&hold);
    }
    allot_close(executor);
}

static void a_good_end_has_no_error(void)
{
    allot_executor *executor = contract_open();
    CHECK_STATUS(finish(job_fail(executor, NULL)), job_error());
    allot_future *future = job_nothing(executor, NULL);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_future_status(future), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(allot_future_error(future), "");
    size_t size = 9;
    CU_ASSERT_PTR_NULL(allot_future_payload(future, &size));
    CU_ASSERT_EQUAL(size, 0);
    allot_release(future);
    allot_close(executor);
}

/* Looks at a job from the side until it is done; what it then sees must fit together. */
static void *look(void *input)
{
    square_job *job = input;
    while (!allot_done(job->future))
        sched_yield();
    double value = 0;
    size_t size = allot_future_size(job->future);
    bool whole = allot_future_state(job->future) == ALLOT_STATE_SUCCEEDED &&
                 allot_future_status(job->future) == ALLOT_OK && !allot_cancelled(job->future) &&
                 allot_get(job->future, size ? &value : NULL, size, 0) == ALLOT_OK &&
                 (size == 0 || value == 81);
    return whole ? NULL : input;
}

static void done_shows_the_whole_picture(void)
{
    allot_executor *executor = contract_open();
    for (int i = 0; i < contract_rounds(200); i++) {
        square_job job = job_square(executor, 9, NULL);
        pthread_t thread = start_thread(look, &job);
        void *wrong = look(&job), *wrong_there = NULL;
        pthread_join(thread, &wrong_there);
        CHECK(!wrong && !wrong_there);
        CU_ASSERT_DOUBLE_EQUAL(job_value(&job), 81, 0);
    }
    allot_close(executor);
}

static void huge_timeouts_do_not_overflow(void)
{
    allot_executor *executor = contract_open();
    const int64_t huge[] = { INT64_MAX, INT64_MAX - 1, INT64_MAX / 2 };
    for (int i = 0; i < 3; i++) {
        test_gate gate = gate_create();
        allot_future *future = job_running(executor, &gate, NULL);
        pthread_t thread;
        blocked_get blocked = { .future = future };
        thread = start_thread(get_blocked, &blocked);
        if (!contract_rig.device)
            CHECK_STATUS(allot_wait(future, MILLISECOND), ALLOT_TIMEOUT);
        gate_open(&gate);
        CHECK_STATUS(allot_wait(future, huge[i]), ALLOT_OK);
        join_thread(thread);
        CHECK_STATUS(finish(future), ALLOT_OK);
        gate_destroy(&gate);
    }
    allot_close(executor);
}

const test_fact contract_state_facts[] = {
    { "C1 only the documented transitions are seen", only_the_known_transitions },
    { "C2 C3 C4 done, running and cancelled agree with the state", the_questions_agree },
    { "C5 a cancelled task never runs", a_cancelled_task_never_runs },
    { "C6 a running task is not cancelled and completes", a_running_task_is_not_cancelled },
    { "C7 cancelling again answers true and changes nothing", cancelling_again_changes_nothing },
    { "C8 a finished task is not cancelled and keeps its result", a_finished_task_is_not_cancelled },
    { "C9 a cancelled task's result is the cancelled error, at once",
      a_cancelled_result_is_cancelled_at_once },
    { "C10 C11 C18 a timeout of 0 or below does not wait and alters nothing", a_timeout_of_0_does_not_wait },
    { "C12 C13 a blocked waiter wakes with the value or with cancelled", a_waiter_wakes_with_the_outcome },
    { "C14 a good end has no error, also after another's", a_good_end_has_no_error },
    { "C16 done shows state, status and value as one picture", done_shows_the_whole_picture },
    { "C18 huge timeouts do not overflow", huge_timeouts_do_not_overflow },
    { NULL, NULL },
};
