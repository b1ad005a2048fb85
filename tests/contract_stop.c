/* Stop and deadline: ending what allot_cancel() does not. */
#include "place_contract.h"

static void stopping_a_pending_task_ends_it_at_once(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *future = job_nothing(executor, &hints);
    CHECK_STATUS(allot_stop(future, SECOND), ALLOT_OK);
    CHECK(allot_done(future));
    CHECK_STATUS(allot_get(future, NULL, 0, 0), ALLOT_STOPPED);
    CU_ASSERT_EQUAL(allot_future_state(future), ALLOT_STATE_FAILED);
    CHECK(!allot_cancelled(future) && !allot_cancel(future));
    CHECK(allot_future_error(future)[0] != '\0');
    hold_end(&hold);
    CHECK_STATUS(finish(future), ALLOT_STOPPED);
    allot_close(executor);
}

static void a_running_task_is_asked_to_stop(void)
{
    allot_executor *executor = contract_open();
    test_gate gate = gate_create();
    allot_future *future = job_running(executor, &gate, NULL);
    bool ran_still = !allot_done(future);
    CHECK_STATUS(allot_stop(future, 5 * SECOND), ALLOT_OK);
    CHECK_STATUS(allot_stop(future, SECOND), ALLOT_OK);
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    if (ran_still && (!contract_rig.device || allot_future_status(future) != ALLOT_OK)) {
        CHECK_STATUS(allot_get(future, NULL, 0, 0), ALLOT_STOPPED);
        CU_ASSERT_EQUAL(allot_future_state(future), ALLOT_STATE_FAILED);
        CHECK(!allot_cancelled(future));
    }
    allot_release(future);
    square_job next = job_square(executor, 3, NULL); /* the place stays usable */
    CU_ASSERT_DOUBLE_EQUAL(job_value(&next), 9, 0);
    gate_destroy(&gate);
    allot_close(executor);
}

static void stopping_a_done_task_changes_nothing(void)
{
    allot_executor *executor = contract_open();
    square_job job = job_square(executor, 11, NULL);
    CHECK_STATUS(allot_wait(job.future, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_stop(job.future, 0), ALLOT_OK);
    CU_ASSERT_EQUAL(allot_future_state(job.future), ALLOT_STATE_SUCCEEDED);
    CU_ASSERT_DOUBLE_EQUAL(job_value(&job), 121, 0);
    allot_close(executor);
}

static void a_stubborn_process_is_killed(void)
{
    if (contract_rig.kind != ALLOT_PROCESS)
        return;
    allot_executor *executor = contract_open();
    test_gate gate = gate_create();
    allot_hints here = contract_here();
    allot_future *future =
        allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, &here); /* never looks at the flag */
    gate_await(&gate, 1);
    CHECK_STATUS(allot_stop(future, MILLISECOND), ALLOT_OK);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_STOPPED);
    allot_release(future);
    square_job next = job_square(executor, 3, NULL);
    CU_ASSERT_DOUBLE_EQUAL(job_value(&next), 9, 0);
    gate_destroy(&gate);
    allot_close(executor);
}

static void a_deadline_ends_a_pending_task(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    hints.deadline_ns = 10 * MILLISECOND;
    int64_t before = now_ns();
    allot_future *future = job_nothing(executor, &hints);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_DEADLINE);
    CHECK(now_ns() - before >= 10 * MILLISECOND);
    CU_ASSERT_EQUAL(allot_future_state(future), ALLOT_STATE_FAILED);
    CU_ASSERT_EQUAL(allot_future_state(hold.futures[0]), ALLOT_STATE_RUNNING);
    hold_end(&hold);
    allot_release(future);
    allot_close(executor);
}

static void a_deadline_ends_a_running_task(void)
{
    if (contract_rig.device)
        return; /* its code cannot be seen to run past a deadline */
    allot_executor *executor = contract_open();
    test_gate gate = gate_create();
    allot_hints hints = contract_here();
    hints.deadline_ns = 50 * MILLISECOND;
    hints.grace_ns = 5 * SECOND;
    allot_future *future = job_running(executor, &gate, &hints);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_DEADLINE);
    CU_ASSERT_EQUAL(allot_future_state(future), ALLOT_STATE_FAILED);
    allot_release(future);
    gate_destroy(&gate);
    allot_close(executor);
}

static void a_met_deadline_is_not_noticed(void)
{
    allot_executor *executor = contract_open();
    allot_hints hints = contract_here();
    hints.deadline_ns = ALLOT_FOREVER;
    CHECK_STATUS(finish(job_nothing(executor, &hints)), ALLOT_OK);
    hints.deadline_ns = 1000 * SECOND;
    CHECK_STATUS(finish(job_nothing(executor, &hints)), ALLOT_OK);
    CHECK_STATUS(allot_close(executor), ALLOT_OK); /* and does not wait for it */
}

static void stop_and_cancel_races_end_once(void)
{
    allot_executor *executor = contract_open();
    for (int i = 0; i < contract_rounds(500); i++) {
        allot_future *future = job_nothing(executor, NULL);
        bool cancelled = i % 2 && allot_cancel(future);
        if (i % 2 == 0)
            allot_stop(future, 0);
        CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
        allot_status status = allot_future_status(future);
        CHECK(cancelled ? status == ALLOT_CANCELLED
                        : status == ALLOT_OK || (i % 2 == 0 && status == ALLOT_STOPPED));
        CU_ASSERT_EQUAL(allot_cancelled(future), cancelled);
        allot_release(future);
    }
    allot_close(executor);
}

const test_fact contract_stop_facts[] = {
    { "stop: a pending task ends at once with STOPPED, which is not cancelled",
      stopping_a_pending_task_ends_it_at_once },
    { "stop: a running task is asked, and ends with STOPPED though it returned success",
      a_running_task_is_asked_to_stop },
    { "stop: a done task keeps its outcome", stopping_a_done_task_changes_nothing },
    { "stop: a process that does not listen is killed after the grace", a_stubborn_process_is_killed },
    { "deadline: a pending task ends with DEADLINE when it passes", a_deadline_ends_a_pending_task },
    { "deadline: a running task is stopped and ends with DEADLINE", a_deadline_ends_a_running_task },
    { "deadline: one that is met changes nothing and delays no close", a_met_deadline_is_not_noticed },
    { "cancel and stop race with the end: each task ends once", stop_and_cancel_races_end_once },
    { NULL, NULL },
};
