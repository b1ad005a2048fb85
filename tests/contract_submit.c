/* Sections A and B of the conformance list: creation, submission, results. */
#include "place_contract.h"
#include <string.h>
#include <unistd.h>

static void opens_and_closes_at_once(void)
{
    for (int i = 0; i < contract_rounds(20); i++)
        CHECK_STATUS(allot_close(contract_open()), ALLOT_OK);
}

static void two_executors_never_cross(void)
{
    allot_executor *executors[2] = { contract_open(), contract_open() };
    enum {
        EACH = 20
    };
    square_job jobs[2 * EACH];
    for (int i = 0; i < 2 * EACH; i++)
        jobs[i] = job_square(executors[i % 2], i, NULL);
    for (int i = 0; i < 2 * EACH; i++)
        CU_ASSERT_DOUBLE_EQUAL(job_value(&jobs[i]), i * i, 0);
    CHECK_STATUS(allot_close(executors[0]), ALLOT_OK);
    square_job last = job_square(executors[1], 12, NULL); /* unharmed by the other's end */
    CU_ASSERT_DOUBLE_EQUAL(job_value(&last), 144, 0);
    CHECK_STATUS(allot_close(executors[1]), ALLOT_OK);
}

static void a_value_comes_back_exactly(void)
{
    allot_executor *executor = contract_open();
    const double values[] = { 0, 3, -2.5, 1.0 / 1024 };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        square_job job = job_square(executor, values[i], NULL);
        CU_ASSERT_DOUBLE_EQUAL(job_value(&job), values[i] * values[i], 0);
    }
    allot_close(executor);
}

static void the_future_names_its_place(void)
{
    allot_executor *executor = contract_open();
    allot_future *future = job_nothing(executor, NULL);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(allot_future_place(future), contract_rig.place_id);
    allot_release(future);
    allot_close(executor);
}

static allot_status say_place(allot_call *call, const void *in, void *out)
{
    (void)in;
    snprintf(out, allot_call_out_size(call), "%s", allot_call_place(call));
    return allot_call_in_size(call) == 3 && memcmp(in, "abc", 3) == 0 ? ALLOT_OK : ALLOT_FAILED;
}

static void a_function_sees_its_call(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    char place[32] = "";
    allot_future *future = allot_submit(executor, say_place, "abc", 3, sizeof place, &here);
    CU_ASSERT_EQUAL(allot_future_size(future), sizeof place);
    CHECK_STATUS(allot_get(future, place, sizeof place, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(place, contract_rig.place_id);
    allot_release(future);
    allot_close(executor);
}

static allot_status check_room(allot_call *call, const void *in, void *out)
{
    unsigned char *bytes = out;
    for (size_t i = 0; i < allot_call_out_size(call); i++)
        if (bytes[i] != 0)
            return ALLOT_FAILED;
    memset(out, 0xff, allot_call_out_size(call)); /* so that reused room shows */
    return (uintptr_t)in % 16 == 0 && (uintptr_t)out % 16 == 0 ? ALLOT_OK : ALLOT_INVALID;
}

static void room_is_zeroed_and_aligned(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    char input[77] = "x";
    for (size_t size = 1; size < 70; size += 3)
        CHECK_STATUS(finish(allot_submit(executor, check_room, input, size + 7, size, &here)), ALLOT_OK);
    allot_close(executor);
}

static void never_more_than_its_workers(void)
{
    if (contract_rig.device)
        return;
    allot_executor *executor = contract_open();
    int workers = contract_rig.kind == ALLOT_INLINE ? 1 : contract_rig.workers;
    place_hold hold = hold_begin(executor);
    enum {
        MANY = 20
    };
    tally_sheet sheet = tallies_create(executor);
    allot_future *futures[MANY];
    for (size_t i = 0; i < MANY; i++)
        futures[i] = job_tally(executor, &sheet, i, NULL);
    hold_open(&hold);
    CHECK_STATUS(allot_wait_all(futures, MANY, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_EQUAL(atomic_load(&hold.gate.page->most_inside), (uint32_t)workers);
    static uint32_t counts[GATE_TALLIES];
    tallies_read(&sheet, counts);
    for (size_t i = 0; i < MANY; i++)
        CU_ASSERT_EQUAL(counts[i], 1);
    allot_release_all(futures, MANY);
    hold_end(&hold);
    allot_close(executor);
    tallies_destroy(&sheet);
}

static allot_status who_am_i(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    *(pid_t *)out = contract_rig.kind == ALLOT_PROCESS ? getpid() : gettid();
    return ALLOT_OK;
}

/* B3 needs the tasks' own view, so it is one for functions; contract_rig is not set in a worker, where
 * getpid() == gettid(). */
static void idle_workers_are_reused(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    pid_t seen[8] = { 0 };
    int distinct = 0;
    for (int i = 0; i < 8; i++) {
        allot_future *future = allot_submit(executor, who_am_i, NULL, 0, sizeof seen[0], &here);
        CHECK_STATUS(allot_get(future, &seen[i], sizeof seen[i], ALLOT_FOREVER), ALLOT_OK);
        bool known = false;
        for (int j = 0; j < i; j++)
            known |= seen[j] == seen[i];
        distinct += !known;
        allot_release(future);
    }
    CHECK(distinct <= (contract_rig.kind == ALLOT_INLINE ? 1 : contract_rig.workers));
    allot_close(executor);
}

static void *read_value(void *future)
{
    double value = 0;
    for (int i = 0; i < 100; i++)
        if (allot_get(*(allot_future **)future, contract_rig.launches ? NULL : &value,
                      contract_rig.launches ? 0 : sizeof value, ALLOT_FOREVER) != ALLOT_OK ||
            (!contract_rig.launches && value != 36))
            return future; /* not NULL: wrong */
    return NULL;
}

static void a_result_can_be_read_again(void)
{
    allot_executor *executor = contract_open();
    square_job job = job_square(executor, 6, NULL);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        threads[i] = start_thread(read_value, &job.future);
    for (int i = 0; i < 2; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        CU_ASSERT_PTR_NULL(wrong);
    }
    CU_ASSERT_DOUBLE_EQUAL(job_value(&job), 36, 0);
    allot_close(executor);
}

static void count_free(void *data, void *user)
{
    (void)data;
    atomic_fetch_add((_Atomic uint32_t *)user, 1);
}

static void user_memory_is_let_go_once(void)
{
    allot_executor *executor = contract_open();
    static _Alignas(64) float memory[64];
    _Atomic uint32_t freed = 0;
    if (contract_rig.launches) {
        allot_hints here = contract_here();
        allot_array *array = allot_array_wrap(executor, ALLOT_F32, 64, memory, count_free, &freed);
        allot_array *out = allot_array_new(executor, ALLOT_F32, 64);
        REQUIRE(array && out);
        allot_future *future = allot_launch(executor, probe_kernel(PROBE_SQUARE), allot_range(64),
                                            ALLOT_ARGS(allot_in(array), allot_out(out)), &here);
        allot_array_release(array);
        CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
        allot_array_release(out);
        allot_release(future);
    } else { /* a submission copies: the caller's memory is his own again at once */
        square_job job = job_square(executor, 2, NULL);
        CU_ASSERT_DOUBLE_EQUAL(job_value(&job), 4, 0);
        freed = 1;
    }
    allot_close(executor);
    CU_ASSERT_EQUAL(freed, 1);
}

static void a_released_future_still_runs(void)
{
    allot_executor *executor = contract_open();
    tally_sheet sheet = tallies_create(executor);
    place_hold hold = hold_begin(executor);
    allot_hints hints = hold_hints(&hold);
    for (size_t i = 0; i < 10; i++)
        allot_release(job_tally(executor, &sheet, i, &hints));
    hold_end(&hold);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    static uint32_t counts[GATE_TALLIES];
    tallies_read(&sheet, counts);
    for (size_t i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(counts[i], 1);
    allot_close(executor);
    tallies_destroy(&sheet);
}

static void a_task_error_arrives_as_it_is(void)
{
    allot_executor *executor = contract_open();
    for (int i = 0; i < 3; i++) {
        allot_future *future = job_fail(executor, NULL);
        CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), job_error());
        CU_ASSERT_EQUAL(allot_future_state(future), ALLOT_STATE_FAILED);
        CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(future), job_error_text()));
        allot_release(future);
        square_job next = job_square(executor, 5, NULL); /* the place stays usable */
        CU_ASSERT_DOUBLE_EQUAL(job_value(&next), 25, 0);
    }
    allot_close(executor);
}

/* Fails with a code of the library's own, or one whose low byte is 0. */
static void check_code(allot_executor *executor, allot_status code)
{
    allot_hints here = contract_here();
    allot_future *future;
    allot_array *array = NULL;
    if (contract_rig.launches) {
        array = allot_array_new(executor, ALLOT_F32, 1);
        future = allot_launch(executor, probe_kernel(PROBE_FAIL), allot_range(1),
                              ALLOT_ARGS(allot_inout(array), allot_i32((int32_t)code)), &here);
    } else {
        future = allot_submit(executor, task_fail, &code, sizeof code, 0, &here);
    }
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), code);
    CU_ASSERT_EQUAL(allot_future_state(future), ALLOT_STATE_FAILED);
    CHECK(allot_done(future) && !allot_cancelled(future));
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(future), FAIL_TEXT));
    allot_release(future);
    allot_array_release(array);
}

static void codes_are_passed_untouched(void)
{
    if (contract_rig.device)
        return; /* its code has no statuses */
    allot_executor *executor = contract_open();
    const int codes[] = {
        ALLOT_TIMEOUT, ALLOT_CANCELLED, ALLOT_STOPPED, ALLOT_SHUTDOWN, 1024, 65536, 1 << 30
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        check_code(executor, (allot_status)codes[i]);
    allot_close(executor);
}

static allot_status fail_silently(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    return *(const allot_status *)in;
}

static allot_status fail_with_payload(allot_call *call, const void *in, void *out)
{
    (void)out;
    allot_fail(call, ALLOT_FAILED, "an earlier message");
    return allot_fail_with(call, (allot_status)(ALLOT_USER + 1), in, allot_call_in_size(call), "%s",
                           "with bytes");
}

static void errors_carry_text_and_bytes(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    size_t size = 99;
    allot_future *future = allot_submit(executor, fail_with_payload, "detail", 6, 8, &here);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), (allot_status)(ALLOT_USER + 1));
    CU_ASSERT_STRING_EQUAL(allot_future_error(future), "with bytes");
    const void *payload = allot_future_payload(future, &size);
    CHECK(payload && size == 6 && memcmp(payload, "detail", 6) == 0);
    allot_release(future);
    allot_status silent = (allot_status)(ALLOT_USER + 256);
    future = allot_submit(executor, fail_silently, &silent, sizeof silent, 0, &here);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), silent);
    CU_ASSERT_PTR_NULL(allot_future_payload(future, &size));
    CU_ASSERT_EQUAL(size, 0);
    allot_release(future);
    allot_close(executor);
}

static allot_status copy_all(allot_call *call, const void *in, void *out)
{
    memcpy(out, in, allot_call_in_size(call));
    return ALLOT_OK;
}

static void large_values_pass_intact(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    for (size_t size = 60000; size <= 16u << 20; size = size * 4 + 1) {
        unsigned char *in = malloc(size), *out = malloc(size);
        REQUIRE(in && out);
        for (size_t i = 0; i < size; i++)
            in[i] = (unsigned char)(i * 31 + i / 4096);
        allot_future *future = allot_submit(executor, copy_all, in, size, size, &here);
        allot_status status = allot_get(future, out, size, ALLOT_FOREVER);
        CHECK(status == ALLOT_OK || status == ALLOT_TOO_LARGE);
        CHECK(status != ALLOT_OK || memcmp(in, out, size) == 0);
        allot_release(future);
        free(in), free(out);
    }
    allot_close(executor);
}

static allot_status expect_nothing(allot_call *call, const void *in, void *out)
{
    return !in && !out && allot_call_in_size(call) == 0 && allot_call_out_size(call) == 0 ? ALLOT_OK
                                                                                          : ALLOT_FAILED;
}

static void nothing_is_a_size(void)
{
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    if (contract_rig.launches) {
        allot_array *array = allot_array_new(executor, ALLOT_U32, 0);
        CU_ASSERT_PTR_NOT_NULL(array);
        CHECK_STATUS(finish(allot_launch(executor, probe_kernel(PROBE_SLOW), allot_range(0),
                                         ALLOT_ARGS(allot_inout(array), allot_u32(1)), &here)),
                     ALLOT_OK);
        allot_array_release(array);
    } else {
        CHECK_STATUS(finish(allot_submit(executor, expect_nothing, NULL, 0, 0, &here)), ALLOT_OK);
        CHECK_STATUS(finish(allot_submit(executor, expect_nothing, "x", 0, 0, &here)), ALLOT_OK);
    }
    allot_close(executor);
}

static void many_empty_tasks_complete(void)
{
    allot_executor *executor = contract_open();
    size_t count = (size_t)contract_rounds(20000);
    allot_future **futures = calloc(count, sizeof(*futures));
    REQUIRE(futures != NULL);
    for (size_t i = 0; i < count; i++)
        futures[i] = job_nothing(executor, NULL);
    CHECK_STATUS(allot_wait_all(futures, count, ALLOT_FOREVER), ALLOT_OK);
    for (size_t i = 0; i < count; i++)
        if (allot_future_status(futures[i]) != ALLOT_OK) {
            CU_FAIL("a task did not succeed");
            break;
        }
    allot_release_all(futures, count);
    free(futures);
    allot_close(executor);
}

const test_fact contract_submit_facts[] = {
    { "A5 an executor that never got a task closes at once", opens_and_closes_at_once },
    { "A9 two executors' tasks never cross", two_executors_never_cross },
    { "B1 a task's value comes back exactly", a_value_comes_back_exactly },
    { "a future names the place that took it", the_future_names_its_place },
    { "a function sees sizes, input and place of its call", a_function_sees_its_call },
    { "a function's room for the result is zeroed and aligned", room_is_zeroed_and_aligned },
    { "B2 no more tasks run at once than there are workers, and each runs once",
      never_more_than_its_workers },
    { "B3 idle workers are reused", idle_workers_are_reused },
    { "B4 a result can be asked for again, from several threads", a_result_can_be_read_again },
    { "B5 the caller's memory is let go exactly once", user_memory_is_let_go_once },
    { "B6 a task whose future was released runs", a_released_future_still_runs },
    { "B7 a task's own error arrives as it is, and the place stays usable", a_task_error_arrives_as_it_is },
    { "B8 B9 a task's codes are passed on untouched, also those that the library uses",
      codes_are_passed_untouched },
    { "B10 an error carries the last text and bytes that the task gave", errors_carry_text_and_bytes },
    { "B15 large arguments and results pass intact", large_values_pass_intact },
    { "B16 nothing is a size too", nothing_is_a_size },
    { "B14 many empty tasks all complete", many_empty_tasks_complete },
    { NULL, NULL },
};
