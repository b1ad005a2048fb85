/* Section G of the conformance list: shutdown and lifetime. */
#include "place_contract.h"
#include <string.h>

static void later_submissions_are_refused(void)
{
    allot_executor *executor = contract_open();
    allot_future *before = job_nothing(executor, NULL);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    CHECK(allot_done(before));
    CHECK_STATUS(finish(before), ALLOT_OK);
    allot_hints here = contract_here();
    allot_future *refused = allot_submit(executor, task_nothing, NULL, 0, 0, &here);
    REQUIRE(refused != NULL);
    CHECK(allot_done(refused));
    CU_ASSERT_EQUAL(allot_future_state(refused), ALLOT_STATE_FAILED);
    CHECK(allot_future_error(refused)[0] != '\0');
    CHECK_STATUS(finish(refused), ALLOT_SHUTDOWN);
    allot_close(executor);
}

static void queued_work_completes_first(void)
{
    allot_executor *executor = contract_open();
    tally_sheet sheet = tallies_create(executor);
    allot_future *futures[50];
    for (size_t i = 0; i < 50; i++)
        futures[i] = job_tally(executor, &sheet, i, NULL);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    for (size_t i = 0; i < 50; i++) {
        CHECK(allot_done(futures[i]));
        CHECK_STATUS(finish(futures[i]), ALLOT_OK);
    }
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    static uint32_t counts[GATE_TALLIES];
    tallies_read(&sheet, counts); /* arrays keep their data after close */
    for (size_t i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(counts[i], 1);
    tallies_destroy(&sheet);
}

static void workers_are_gone_after_close(void)
{
    CHECK_STATUS(allot_close(contract_open()),
                 ALLOT_OK); /* what a first use leaves for good, say a driver's threads */
    allot_executor *executor = contract_open();
    CHECK_STATUS(finish(job_nothing(executor, NULL)), ALLOT_OK);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    int threads = count_threads(), children = count_children(), fds = count_fds();
    for (int i = 0; i < contract_rounds(20); i++) {
        executor = contract_open();
        CHECK_STATUS(finish(job_nothing(executor, NULL)), ALLOT_OK);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
    }
    CHECK(falls_to(count_threads, threads));
    CHECK(falls_to(count_children, children));
    CHECK(falls_to(count_fds, fds));
    CU_ASSERT_EQUAL(children, 0);
}

static void shutting_down_again_is_harmless(void)
{
    const allot_shutdown_mode modes[] = { ALLOT_DRAIN, ALLOT_CANCEL_PENDING, ALLOT_NO_WAIT };
    for (int first = 0; first < 3; first++)
        for (int second = 0; second < 3; second++) {
            allot_executor *executor = contract_open();
            allot_future *future = job_nothing(executor, NULL);
            CHECK_STATUS(allot_shutdown(executor, modes[first]), ALLOT_OK);
            CHECK_STATUS(allot_shutdown(executor, modes[second]), ALLOT_OK);
            CHECK_STATUS(allot_close(executor), ALLOT_OK);
            allot_status status = finish(future);
            CHECK(status == ALLOT_OK || (status == ALLOT_CANCELLED && (first == 1 || second == 1)));
        }
}

static void no_wait_returns_with_work_queued(void)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *future = job_nothing(executor, &hints);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_NO_WAIT), ALLOT_OK);
    CHECK(!allot_done(future));
    CHECK_STATUS(finish(job_nothing(executor, NULL)), ALLOT_SHUTDOWN);
    hold_open(&hold);
    CHECK_STATUS(finish(future), ALLOT_OK);
    hold_end(&hold);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

typedef struct ending {
    allot_executor *executor;
    allot_shutdown_mode mode;
    allot_status status;
} ending;

static void *shut_down(void *input)
{
    ending *end = input;
    end->status = allot_shutdown(end->executor, end->mode);
    return NULL;
}

/* Holds the place, queues, and shuts down with CANCEL_PENDING from another thread: what is queued ends before
 * what runs. */
static void cancel_while_held(bool no_wait_first)
{
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    allot_future *futures[5];
    for (int i = 0; i < 5; i++)
        futures[i] = job_nothing(executor, &hints);
    if (no_wait_first)
        CHECK_STATUS(allot_shutdown(executor, ALLOT_NO_WAIT), ALLOT_OK);
    ending end = { .executor = executor, .mode = ALLOT_CANCEL_PENDING };
    pthread_t thread = start_thread(shut_down, &end);
    CHECK_STATUS(allot_wait_all(futures, 5, ALLOT_FOREVER), ALLOT_OK);
    for (int i = 0; i < 5; i++) {
        CHECK(allot_cancelled(futures[i]));
        CHECK_STATUS(finish(futures[i]), ALLOT_CANCELLED);
    }
    CU_ASSERT_EQUAL(allot_future_state(hold.futures[0]), ALLOT_STATE_RUNNING);
    hold_open(&hold);
    join_thread(thread);
    CHECK_STATUS(end.status, ALLOT_OK);
    CHECK(allot_done(hold.futures[0]));
    hold_end(&hold);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void pending_work_is_cancelled_on_request(void)
{
    cancel_while_held(false);
}

static void a_second_shutdown_can_cancel(void)
{
    cancel_while_held(true);
}

static void a_cancel_before_shutdown_does_not_hang(void)
{
    for (int i = 0; i < contract_rounds(100); i++) {
        allot_executor *executor = contract_open();
        allot_future *futures[4];
        for (int j = 0; j < 4; j++)
            futures[j] = job_nothing(executor, NULL);
        bool cancelled = allot_cancel(futures[3]);
        CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
        CU_ASSERT_EQUAL(allot_future_status(futures[3]), cancelled ? ALLOT_CANCELLED : ALLOT_OK);
        allot_release_all(futures, 4);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
    }
}

static void any_queue_length_ends(void)
{
    int lengths = contract_rig.workers + 2;
    for (int i = 0; i < contract_rounds(1000); i++) {
        allot_executor *executor = contract_open();
        allot_future *futures[8];
        for (int j = 0; j < i % lengths; j++)
            futures[j] = job_nothing(executor, NULL);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
        for (int j = 0; j < i % lengths; j++)
            CHECK_STATUS(finish(futures[j]), ALLOT_OK);
    }
}

static void a_future_outlives_its_executor(void)
{
    allot_executor *executor = contract_open();
    square_job job = job_square(executor, 13, NULL);
    allot_future *failed = job_fail(executor, NULL);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    CU_ASSERT_DOUBLE_EQUAL(job_value(&job), 169, 0);
    CHECK_STATUS(allot_get(failed, NULL, 0, 0), job_error());
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(failed), job_error_text()));
    CU_ASSERT_STRING_EQUAL(allot_future_place(failed), contract_rig.place_id);
    CHECK(!allot_cancel(failed));
    CHECK_STATUS(allot_stop(failed, 0), ALLOT_OK);
    allot_release(failed);
}

/* Submits until it is refused. */
typedef struct submitter {
    allot_executor *executor;
    _Atomic uint32_t *accepted;
    uint32_t wrong;
} submitter;

static void *submit_until_refused(void *input)
{
    submitter *work = input;
    for (;;) {
        allot_status status = finish(job_nothing(work->executor, NULL));
        if (status == ALLOT_SHUTDOWN)
            return NULL;
        work->wrong += status != ALLOT_OK;
        atomic_fetch_add(work->accepted, 1);
    }
}

static void racing_submissions_run_or_are_refused(void)
{
    for (int i = 0; i < contract_rounds(20); i++) {
        allot_executor *executor = contract_open();
        _Atomic uint32_t accepted = 0;
        submitter work[3];
        pthread_t threads[3];
        for (int j = 0; j < 3; j++) {
            work[j] = (submitter){ .executor = executor, .accepted = &accepted };
            threads[j] = start_thread(submit_until_refused, &work[j]);
        }
        await_count(&accepted, 10);
        CHECK_STATUS(allot_shutdown(executor, i % 2 ? ALLOT_DRAIN : ALLOT_NO_WAIT), ALLOT_OK);
        for (int j = 0; j < 3; j++) {
            join_thread(threads[j]);
            CU_ASSERT_EQUAL(work[j].wrong, 0);
        }
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
    }
}

/* One thread of many that share an executor; each of its tasks counts itself. */
typedef struct sharer {
    allot_executor *executor;
    tally_sheet *sheet;
    size_t first, count;
    uint32_t cancelled, wrong;
} sharer;

static void *share(void *input)
{
    sharer *work = input;
    for (size_t i = 0; i < work->count; i++) {
        /* A launch that is cancelled would spoil the shared array: launches are not cancelled here. */
        allot_future *future = job_tally(work->executor, work->sheet, work->first + i, NULL);
        bool cancelled = !contract_rig.launches && i % 3 == 1 && allot_cancel(future);
        allot_status status = i % 2 ? allot_get(future, NULL, 0, ALLOT_FOREVER) : ALLOT_OK;
        if (i % 2 == 0 && allot_wait(future, ALLOT_FOREVER) == ALLOT_OK)
            status = allot_future_status(future);
        work->cancelled += cancelled;
        work->wrong += status != (cancelled ? ALLOT_CANCELLED : ALLOT_OK);
        allot_release(future);
    }
    return NULL;
}

static void ten_threads_share_an_executor(void)
{
    allot_executor *executor = contract_open();
    tally_sheet sheet = tallies_create(executor);
    sharer work[10];
    size_t each = contract_rig.cost > 10 ? 10 : 100;
    for (size_t i = 0; i < 10; i++)
        work[i] = (sharer){ .executor = executor, .sheet = &sheet, .first = i * 100, .count = each };
    run_threads(10, share, work, sizeof work[0]);
    static uint32_t counts[GATE_TALLIES];
    tallies_read(&sheet, counts);
    uint32_t ran = 0, cancelled = 0;
    for (size_t i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(work[i].wrong, 0);
        cancelled += work[i].cancelled;
    }
    for (size_t i = 0; i < GATE_TALLIES; i++) {
        CHECK(counts[i] <= 1);
        ran += counts[i];
    }
    CU_ASSERT_EQUAL(ran + cancelled, 10 * each);
    allot_close(executor);
    tallies_destroy(&sheet);
}

const test_fact contract_shutdown_facts[] = {
    { "B13 ten threads share an executor: no task is lost or doubled", ten_threads_share_an_executor },
    { "G1 submissions after a shutdown are refused with SHUTDOWN", later_submissions_are_refused },
    { "G2 queued work completes before a draining shutdown returns", queued_work_completes_first },
    { "A5 G2 threads, processes and descriptors are gone after close", workers_are_gone_after_close },
    { "G3 shutting down again, in any mix of modes, is harmless", shutting_down_again_is_harmless },
    { "G4 a shutdown without waiting returns, and queued work completes", no_wait_returns_with_work_queued },
    { "G5 a shutdown cancels what is pending on request, and its waiters wake",
      pending_work_is_cancelled_on_request },
    { "G6 a second shutdown can cancel what the first left", a_second_shutdown_can_cancel },
    { "G7 a cancel right before the shutdown does not hang it", a_cancel_before_shutdown_does_not_hang },
    { "G8 any queue length ends", any_queue_length_ends },
    { "G11 futures and arrays outlive their executor", a_future_outlives_its_executor },
    { "G13 submissions that race with a shutdown run or are refused", racing_submissions_run_or_are_refused },
    { NULL, NULL },
};
