/* Futures: what include/allot/future.h says beyond the contract of places. */
#include "core/task.h"
#include "support.h"
#include <string.h>

static allot_executor *executor;

static void open_executor(void)
{
    if (!executor)
        executor = allot_open(ALLOT_OPTIONS(.threads = 2));
    if (!executor) {
        fprintf(stderr, "allot_open: %s\n", allot_open_error());
        exit(EXIT_FAILURE);
    }
}

static void null_is_reported(void)
{
    size_t size = 7, index = 7;
    allot_future *none[2] = { NULL, NULL };
    CHECK(!allot_done(NULL) && !allot_running(NULL) && !allot_cancelled(NULL) && !allot_cancel(NULL));
    CHECK_STATUS(allot_wait(NULL, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_get(NULL, &size, sizeof size, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_future_status(NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_stop(NULL, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_on_done(NULL, NULL, NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_wait_all(none, 2, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_wait_all(NULL, 2, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_wait_any(none, 2, 0, &index), ALLOT_INVALID);
    CHECK_STATUS(allot_wait_any(NULL, 2, 0, &index), ALLOT_INVALID);
    CU_ASSERT_PTR_NOT_NULL(allot_future_error(NULL));
    CU_ASSERT_PTR_NULL(allot_future_payload(NULL, &size));
    CU_ASSERT_PTR_NULL(allot_future_payload(NULL, NULL));
    CU_ASSERT_EQUAL(allot_future_size(NULL), 0);
    CU_ASSERT_PTR_NULL(allot_hold(NULL));
    CU_ASSERT_PTR_NULL(allot_future_decision(NULL));
    CHECK_STATUS(allot_explain(NULL, stdout), ALLOT_INVALID);
    (void)allot_future_state(NULL);
    (void)allot_future_place(NULL);
    allot_release(NULL);
    allot_release_all(none, 2);
    allot_release_all(NULL, 0);
}

static void a_null_among_others_is_refused(void)
{
    allot_future *future = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
    allot_future *mixed[3] = { future, NULL, future };
    CHECK_STATUS(allot_wait_all(mixed, 3, ALLOT_FOREVER), ALLOT_INVALID);
    CHECK_STATUS(allot_wait_any(mixed, 3, ALLOT_FOREVER, NULL), ALLOT_INVALID);
    allot_release_all(mixed, 1);
}

static void the_size_of_a_result_is_checked(void)
{
    double three = 3, value = -1;
    char large[64] = "";
    allot_future *future = allot_submit(executor, task_square, &three, sizeof three, sizeof value, NULL);
    CU_ASSERT_EQUAL(allot_future_size(future), sizeof value);
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_get(future, &value, 4, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_get(future, large, sizeof large, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_get(future, NULL, sizeof value, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_get(future, &value, 0, 0), ALLOT_INVALID);
    CHECK(value == -1);
    CHECK_STATUS(allot_get(future, NULL, 0, 0), ALLOT_OK);
    CHECK_STATUS(allot_get(future, &value, sizeof value, 0), ALLOT_OK);
    CHECK(value == 9);
    allot_release(future);
}

static void a_failed_task_leaves_the_callers_memory(void)
{
    allot_status error = ALLOT_FAILED;
    double value = -1;
    allot_future *future = allot_submit(executor, task_fail, &error, sizeof error, sizeof value, NULL);
    CHECK_STATUS(allot_get(future, &value, sizeof value, ALLOT_FOREVER), ALLOT_FAILED);
    CHECK(value == -1);
    allot_release(future);
}

static allot_status fail_at_length(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    static char text[10001], bytes[10000];
    memset(text, 'x', sizeof text - 1);
    return allot_fail_with(call, ALLOT_FAILED, bytes, sizeof bytes, "%s", text);
}

static void long_errors_are_kept_up_to_a_limit(void)
{
    allot_future *future = allot_submit(executor, fail_at_length, NULL, 0, 0, NULL);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_FAILED);
    size_t length = strlen(allot_future_error(future)), size = 0;
    CHECK(length >= 3990 && length <= 4000);
    allot_future_payload(future, &size);
    CHECK(size <= 4000);
    allot_release(future);
}

static void a_refused_task_is_a_future(void)
{
    allot_future *refused[3] = {
        allot_submit(executor, NULL, NULL, 0, 0, NULL),
        allot_submit(NULL, task_nothing, NULL, 0, 0, NULL),
        allot_submit(executor, task_nothing, NULL, 8, 0, NULL),
    };
    for (int i = 0; i < 3; i++) {
        REQUIRE(refused[i] != NULL);
        CHECK(allot_done(refused[i]) && !allot_running(refused[i]) && !allot_cancelled(refused[i]));
        CU_ASSERT_EQUAL(allot_future_state(refused[i]), ALLOT_STATE_FAILED);
        CHECK(allot_future_error(refused[i])[0] != '\0');
        CU_ASSERT_STRING_EQUAL(allot_future_place(refused[i]), "");
        CHECK(!allot_cancel(refused[i]));
        CHECK_STATUS(allot_stop(refused[i], 0), ALLOT_OK);
        CHECK_STATUS(allot_get(refused[i], NULL, 0, 0), ALLOT_INVALID);
        allot_hold(refused[i]);
        allot_release(refused[i]);
    }
    CHECK_STATUS(allot_wait_all(refused, 3, 0), ALLOT_OK);
    allot_future *dependant =
        allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.after = refused, .after_count = 1));
    CHECK_STATUS(finish(dependant), ALLOT_DEPENDENCY);
    allot_release_all(refused, 3);
}

static void a_refused_result_keeps_its_size_question_simple(void)
{
    double value = -1;
    allot_future *refused = allot_submit(executor, NULL, NULL, 0, sizeof value, NULL);
    CHECK_STATUS(allot_get(refused, &value, sizeof value, 0), ALLOT_INVALID);
    allot_release(refused);
    refused = allot_submit(executor, task_square, &value, sizeof value, sizeof value,
                           ALLOT_HINTS(.place_id = "nowhere:3"));
    CHECK(allot_get(refused, &value, sizeof value, ALLOT_FOREVER) !=
          ALLOT_INVALID); /* its own error, not one about sizes */
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(refused), "nowhere:3"));
    allot_release(refused);
}

static void a_hold_keeps_the_outcome(void)
{
    double three = 3, value = 0;
    allot_future *future = allot_submit(executor, task_square, &three, sizeof three, sizeof value, NULL);
    CU_ASSERT_PTR_EQUAL(allot_hold(future), future);
    allot_release(future);
    CHECK_STATUS(allot_get(future, &value, sizeof value, ALLOT_FOREVER), ALLOT_OK);
    CHECK(value == 9);
    allot_release(future);
}

static void note(allot_future *future, void *user)
{
    (void)future;
    atomic_fetch_add((_Atomic uint32_t *)user, 1);
}

static void a_callback_that_is_null_is_refused(void)
{
    allot_future *future = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
    CHECK_STATUS(allot_on_done(future, NULL, NULL), ALLOT_INVALID);
    CHECK_STATUS(finish(future), ALLOT_OK);
}

/* A callback that registers another on its own future, which is done: called at once. */
typedef struct nested {
    _Atomic uint32_t inner, outer;
} nested;

static void register_again(allot_future *future, void *user)
{
    nested *counts = user;
    if (allot_on_done(future, note, (void *)&counts->inner) == ALLOT_OK && counts->inner == 1)
        atomic_store(&counts->outer, 1);
    else
        atomic_store(&counts->outer, 99);
}

static void a_callback_can_register_another(void)
{
    nested counts = { 0 };
    test_gate gate = gate_create();
    allot_future *future = allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, NULL);
    CHECK_STATUS(allot_on_done(future, register_again, &counts), ALLOT_OK);
    gate_open(&gate);
    await_count(&counts.outer, 1);
    CU_ASSERT_EQUAL(counts.outer, 1);
    CHECK_STATUS(finish(future), ALLOT_OK);
    gate_destroy(&gate);
}

typedef struct adder {
    allot_future *future;
    _Atomic uint32_t *count;
    uint32_t added;
} adder;

static void *add_callbacks(void *input)
{
    adder *work = input;
    for (int i = 0; i < 50; i++)
        work->added += allot_on_done(work->future, note, (void *)work->count) == ALLOT_OK;
    return NULL;
}

static void callbacks_that_race_with_the_end_are_called_once(void)
{
    for (int i = 0; i < ROUNDS(200); i++) {
        _Atomic uint32_t count = 0;
        test_gate gate = gate_create();
        allot_future *future = allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, NULL);
        adder work[2] = { { future, &count, 0 }, { future, &count, 0 } };
        pthread_t threads[2] = { start_thread(add_callbacks, &work[0]),
                                 start_thread(add_callbacks, &work[1]) };
        gate_open(&gate);
        join_thread(threads[0]), join_thread(threads[1]);
        CHECK_STATUS(finish(future), ALLOT_OK);
        await_count(&count, work[0].added + work[1].added);
        CU_ASSERT_EQUAL(count, 100);
        gate_destroy(&gate);
    }
}

static void timeouts_are_kept(void)
{
    test_gate gate = gate_create();
    allot_future *future = allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, NULL);
    const int64_t timeouts[] = { 1, 1000, MILLISECOND, 30 * MILLISECOND };
    for (int i = 0; i < 4; i++) {
        size_t index;
        int64_t before = now_ns();
        CHECK_STATUS(allot_wait(future, timeouts[i]), ALLOT_TIMEOUT);
        CHECK(now_ns() - before >= timeouts[i]);
        before = now_ns();
        CHECK_STATUS(allot_wait_any(&future, 1, timeouts[i], &index), ALLOT_TIMEOUT);
        CHECK(now_ns() - before >= timeouts[i]);
        before = now_ns();
        CHECK_STATUS(allot_get(future, NULL, 0, timeouts[i]), ALLOT_TIMEOUT);
        CHECK(now_ns() - before >= timeouts[i] && now_ns() - before < 10 * SECOND);
    }
    gate_open(&gate);
    CHECK_STATUS(finish(future), ALLOT_OK);
    gate_destroy(&gate);
}

static void statuses_have_words(void)
{
#define CHECK_NAME(name, value, text)                                                                        \
    CU_ASSERT_STRING_EQUAL(allot_status_name(ALLOT_##name), "ALLOT_" #name);                                 \
    CU_ASSERT_STRING_EQUAL(allot_status_text(ALLOT_##name), text);                                           \
    CU_ASSERT_EQUAL((int)ALLOT_##name, value);
    ALLOT_STATUS_LIST(CHECK_NAME)
#undef CHECK_NAME
    const int odd[] = { -1, 22, 999, 1000, 1001, INT32_MAX, INT32_MIN };
    for (int i = 0; i < 7; i++) {
        CHECK(allot_status_text((allot_status)odd[i]) && allot_status_text((allot_status)odd[i])[0]);
        CHECK(allot_status_name((allot_status)odd[i]) && allot_status_name((allot_status)odd[i])[0]);
        CU_ASSERT_EQUAL(strcmp(allot_status_name((allot_status)odd[i]), "ALLOT_USER") == 0, odd[i] >= 1000);
    }
    CU_ASSERT_STRING_EQUAL(allot_version(), "0.1.0");
}

/* Like the one that is handed out where memory is out. */
static void a_refusal_made_in_advance_can_be_depended_on(void)
{
    static al_task refusal = {
        .future = { .word = AL_FUTURE_REFERENCE | ALLOT_STATE_FAILED, .status = ALLOT_NO_MEMORY },
        .place_id = "",
    };
    allot_future *after = &refusal.future;
    allot_future *dependant =
        allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.after = &after, .after_count = 1));
    CHECK_STATUS(allot_wait(dependant, 10 * SECOND), ALLOT_OK);
    CHECK_STATUS(finish(dependant), ALLOT_DEPENDENCY);
}

#define LONG_LIST 5000 /* longer than who waits looks ahead */

/* Those that were submitted last stand first: they are done last. */
static size_t wait_for_long_list(void)
{
    static allot_future *futures[LONG_LIST];
    size_t undone = 0;
    for (size_t i = LONG_LIST; i-- > 0;)
        futures[i] = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
    allot_status status = allot_wait_all(futures, LONG_LIST, ALLOT_FOREVER);
    for (size_t i = 0; i < LONG_LIST; i++)
        undone += !allot_done(futures[i]);
    allot_release_all(futures, LONG_LIST);
    return undone + (status != ALLOT_OK);
}

static allot_status wait_in_a_task(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    *(size_t *)out = wait_for_long_list();
    return ALLOT_OK;
}

static void a_long_list_is_waited_for_whole(void)
{
    size_t wrong = 0, wrong_within = 1;
    for (int i = 0; i < 20; i++)
        wrong += wait_for_long_list();
    CHECK(wrong == 0);
    allot_future *within = allot_submit(executor, wait_in_a_task, NULL, 0, sizeof wrong_within, NULL);
    CHECK_STATUS(allot_get(within, &wrong_within, sizeof wrong_within, ALLOT_FOREVER), ALLOT_OK);
    CHECK(wrong_within == 0);
    allot_release(within);
}

static const test_fact facts[] = {
    { "E1 a long list is waited for whole, in whatever order it ends", a_long_list_is_waited_for_whole },
    { "A4 NULL is reported, not followed", null_is_reported },
    { "A4 a NULL among others is refused", a_null_among_others_is_refused },
    { "the size of a result is checked", the_size_of_a_result_is_checked },
    { "a failed task leaves the caller's memory alone", a_failed_task_leaves_the_callers_memory },
    { "long messages and payloads are kept up to their limit", long_errors_are_kept_up_to_a_limit },
    { "A4 a refused task is a future that is done", a_refused_task_is_a_future },
    { "asking a refused task for its result gives its own error",
      a_refused_result_keeps_its_size_question_simple },
    { "a refusal that was made in advance can be depended on", a_refusal_made_in_advance_can_be_depended_on },
    { "a hold keeps the outcome", a_hold_keeps_the_outcome },
    { "a callback that is NULL is refused", a_callback_that_is_null_is_refused },
    { "a callback can register another", a_callback_can_register_another },
    { "callbacks that race with the end are called once", callbacks_that_race_with_the_end_are_called_once },
    { "timeouts are kept by the clock", timeouts_are_kept },
    { "statuses have names and words", statuses_have_words },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "future", .facts = facts, .prepare = open_executor };
    int result = watched_main(argc, argv, &suite, 1);
    allot_close(executor);
    return result;
}
