/* Section F of the conformance list: maps, on places that run plain functions; a device refuses them. */
#include "place_contract.h"
#include <signal.h>
#include <string.h>

/* ---- What is called for each item ---- */

typedef struct item_input {
    uint64_t key; /* of a gate; 0: none */
    uint64_t index;
} item_input;

/* Counts itself and gives a value of its own. */
static allot_status item_tally(allot_call *call, const void *in, void *out)
{
    const item_input *input = in;
    gate_count(input->key, input->index);
    *(uint64_t *)out = input->index * 3 + 1;
    return allot_call_index(call) == input->index ? ALLOT_OK : ALLOT_FAILED;
}

/* Counts as well, and every tenth fails in its own way. */
static allot_status item_fail_tenth(allot_call *call, const void *in, void *out)
{
    const item_input *input = in;
    gate_count(input->key, input->index);
    *(uint64_t *)out = input->index;
    if (input->index % 10 != 7)
        return ALLOT_OK;
    return allot_fail(call, (allot_status)(ALLOT_USER + input->index), "row %d is singular",
                      (int)input->index);
}

/* Waits at the gate, item 0 alone. */
static allot_status item_first_waits(allot_call *call, const void *in, void *out)
{
    const item_input *input = in;
    gate_count(input->key, input->index);
    if (input->index == 0)
        gate_pass_unless_stopped(input->key, call);
    *(uint64_t *)out = input->index;
    return ALLOT_OK;
}

static allot_status item_every_waits(allot_call *call, const void *in, void *out)
{
    (void)out;
    gate_count(((const item_input *)in)->key, ((const item_input *)in)->index);
    gate_pass_unless_stopped(((const item_input *)in)->key, call);
    return ALLOT_OK;
}

static allot_status item_kills_itself(allot_call *call, const void *in, void *out)
{
    (void)call;
    uint64_t index = *(const uint64_t *)in;
    if (index == 5)
        raise(SIGKILL);
    *(uint64_t *)out = index;
    return ALLOT_OK;
}

static allot_status item_by_index(allot_call *call, const void *in, void *out)
{
    *(uint64_t *)out = allot_call_index(call);
    return in ? ALLOT_FAILED : ALLOT_OK;
}

static allot_status item_says_timeout(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    return allot_call_index(call) ? ALLOT_CANCELLED : ALLOT_TIMEOUT;
}

static allot_status item_long_message(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    static const char filler[] = "0123456789012345678901234567890123456789012345678901234567890123456789";
    return allot_fail(call, ALLOT_FAILED, "%zu:%s%s%s", allot_call_index(call), filler, filler, filler);
}

/* ---- Help ---- */

static item_input *make_inputs(const test_gate *gate, size_t count)
{
    item_input *inputs = calloc(count + 1, sizeof *inputs);
    REQUIRE(inputs != NULL);
    for (size_t i = 0; i < count; i++)
        inputs[i] = (item_input){ gate ? gate->key : 0, i };
    return inputs;
}

static allot_future *map_inputs(allot_executor *executor, allot_function function, const test_gate *gate,
                                size_t count, size_t chunk)
{
    allot_hints hints = contract_here();
    hints.chunk = chunk;
    item_input *inputs = make_inputs(gate, count);
    allot_future *map =
        allot_map(executor, function, inputs, sizeof *inputs, sizeof(uint64_t), count, &hints);
    memset(inputs, 0xff, count * sizeof *inputs); /* they were copied */
    free(inputs);
    return map;
}

/* ---- Facts ---- */

static void check_whole(allot_executor *executor, size_t count, size_t chunk)
{
    test_gate gate = gate_create();
    uint64_t results[GATE_TALLIES] = { 0 };
    allot_future *map = map_inputs(executor, item_tally, &gate, count, chunk);
    CU_ASSERT_EQUAL(allot_map_count(map), count);
    CU_ASSERT_EQUAL(allot_future_size(map), count * sizeof *results);
    CHECK_STATUS(allot_get(map, results, count * sizeof *results, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(allot_future_error(map), "");
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong += results[i] != i * 3 + 1 || gate_tally(&gate, i) != 1;
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(gate_tally(&gate, count), 0);
    allot_release(map);
    gate_destroy(&gate);
}

static void results_are_in_the_order_of_the_items(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    test_gate gate = gate_create();
    allot_future *map = map_inputs(executor, item_first_waits, &gate, 8, 1);
    uint64_t results[8], last = 0;
    if (contract_rig.kind != ALLOT_INLINE) /* the last is over before the first */
        CHECK_STATUS(allot_map_item(map, 7, &last, sizeof last, ALLOT_FOREVER), ALLOT_OK);
    CHECK(allot_map_item_state(map, 0) == ALLOT_STATE_PENDING && !allot_done(map));
    gate_open(&gate);
    CHECK_STATUS(allot_get(map, results, sizeof results, ALLOT_FOREVER), ALLOT_OK);
    for (uint64_t i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(results[i], i);
    allot_release(map);
    gate_destroy(&gate);
    allot_close(executor);
}

static void any_chunk_size_gives_the_same(void)
{
    if (contract_rig.launches)
        return;
    enum {
        N = 50
    };
    static const size_t chunks[] = { 0, 1, 3, N - 1, N, N + 1, 1000 * N, SIZE_MAX };
    allot_executor *executor = contract_open();
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        check_whole(executor, N, chunks[i]);
    allot_close(executor);
}

static void every_index_is_visited_once(void)
{
    if (contract_rig.launches)
        return;
    static const size_t counts[] = { 1, 2, 3, 5, 7, 64, 97, GATE_TALLIES - 1 };
    static const size_t chunks[] = { 0, 1, 2, 7, 64 };
    allot_executor *executor = contract_open();
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t j = 0; j < sizeof chunks / sizeof *chunks; j++)
            if (counts[i] < 100 || chunks[j] != 1 || contract_rig.cost == 1)
                check_whole(executor, counts[i], chunks[j]);
    allot_close(executor);
}

static void no_items_are_a_success(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    size_t index;
    allot_hints here = contract_here();
    allot_future *map = allot_map(executor, item_kills_itself, NULL, 8, 8, 0, &here);
    CHECK_STATUS(allot_get(map, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_map_item(map, 0, NULL, 0, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_map_next(map, &index, 0), ALLOT_END);
    CU_ASSERT_EQUAL(allot_map_count(map), 0);
    allot_release(map);
    allot_close(executor);
}

static void check_failures(allot_executor *executor, size_t chunk)
{
    enum {
        N = 40
    };
    test_gate gate = gate_create();
    allot_future *map = map_inputs(executor, item_fail_tenth, &gate, N, chunk);
    CHECK_STATUS(allot_wait(map, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_future_status(map), (allot_status)(ALLOT_USER + 7));
    CU_ASSERT_STRING_EQUAL(allot_future_error(map), "item 7: row 7 is singular");
    for (size_t i = 0; i < N; i++) {
        char text[64] = "";
        uint64_t value = 99;
        bool fails = i % 10 == 7;
        if (fails)
            snprintf(text, sizeof text, "row %zu is singular", i);
        CHECK_STATUS(allot_map_item(map, i, &value, sizeof value, 0),
                     fails ? (allot_status)(ALLOT_USER + i) : ALLOT_OK);
        CU_ASSERT_EQUAL(value, fails ? 99 : i);
        CU_ASSERT_STRING_EQUAL(allot_map_item_error(map, i), text);
        CU_ASSERT_EQUAL(allot_map_item_state(map, i), fails ? ALLOT_STATE_FAILED : ALLOT_STATE_SUCCEEDED);
        CU_ASSERT_EQUAL(gate_tally(&gate, i), 1);
    }
    allot_release(map);
    gate_destroy(&gate);
}

static void an_item_that_fails_spoils_no_other(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    check_failures(executor, 1);
    check_failures(executor, 7);
    check_failures(executor, 0);
    check_failures(executor, 100);
    allot_close(executor);
}

static void an_items_own_timeout_is_an_error(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    allot_future *map = allot_map(executor, item_says_timeout, NULL, 0, 0, 2, &here);
    CHECK_STATUS(allot_map_item(map, 0, NULL, 0, ALLOT_FOREVER), ALLOT_TIMEOUT);
    CHECK_STATUS(allot_map_item(map, 1, NULL, 0, ALLOT_FOREVER), ALLOT_CANCELLED);
    CU_ASSERT_EQUAL(allot_map_item_state(map, 0), ALLOT_STATE_FAILED);
    CU_ASSERT_EQUAL(allot_map_item_state(map, 1), ALLOT_STATE_FAILED);
    CHECK_STATUS(finish(map), ALLOT_TIMEOUT);
    allot_close(executor);
}

static void items_without_bytes_have_an_index(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    uint64_t results[33];
    allot_future *map = allot_map(executor, item_by_index, NULL, 0, sizeof *results, 33, &here);
    CHECK_STATUS(allot_get(map, results, sizeof results, ALLOT_FOREVER), ALLOT_OK);
    for (uint64_t i = 0; i < 33; i++)
        CU_ASSERT_EQUAL(results[i], i);
    allot_release(map);
    allot_close(executor);
}

static void messages_share_their_room_evenly(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    here.chunk = 40;
    allot_future *map = allot_map(executor, item_long_message, NULL, 0, 0, 40, &here);
    CHECK_STATUS(allot_wait(map, ALLOT_FOREVER), ALLOT_OK);
    for (size_t i = 0; i < 40; i++) {
        const char *message = allot_map_item_error(map, i);
        CHECK(strtoul(message, NULL, 10) == i && strlen(message) > 60);
    }
    CHECK_STATUS(finish(map), ALLOT_FAILED);
    allot_close(executor);
}

/* ---- Ending early ---- */

/* A map whose first items occupy the place. */
static allot_future *running_map(allot_executor *executor, test_gate *gate, size_t count,
                                 const allot_hints *more)
{
    allot_hints hints = *more;
    hints.chunk = 1;
    item_input *inputs = make_inputs(gate, count);
    allot_future *map = allot_map(executor, item_every_waits, inputs, sizeof *inputs, 0, count, &hints);
    free(inputs);
    return map;
}

static size_t busy_workers(void)
{
    return contract_rig.kind == ALLOT_INLINE ? 1 : (size_t)contract_rig.workers;
}

static void check_usable(allot_executor *executor)
{
    square_job next = job_square(executor, 3, NULL);
    CU_ASSERT_DOUBLE_EQUAL(job_value(&next), 9, 0);
    check_whole(executor, 10, 3);
}

static void what_has_not_started_is_cancelled(void)
{
    if (contract_rig.launches)
        return;
    enum {
        N = 30
    };
    allot_executor *executor = contract_open();
    test_gate gate = gate_create();
    allot_hints here = contract_here();
    allot_future *map = running_map(executor, &gate, N, &here);
    gate_await(&gate, (uint32_t)busy_workers());
    CHECK_STATUS(allot_get(map, NULL, 0, 5 * MILLISECOND), ALLOT_TIMEOUT);
    CHECK(allot_cancel(map) && allot_cancelled(map) && allot_cancel(map));
    CHECK_STATUS(allot_get(map, NULL, 0, 0), ALLOT_CANCELLED);
    gate_open(&gate);
    size_t cancelled = 0, ran = 0;
    for (size_t i = 0; i < N; i++) {
        allot_status status = allot_map_item(map, i, NULL, 0, ALLOT_FOREVER);
        cancelled += status == ALLOT_CANCELLED && allot_map_item_state(map, i) == ALLOT_STATE_CANCELLED;
        ran += status == ALLOT_OK;
        CU_ASSERT_EQUAL(gate_tally(&gate, i), status == ALLOT_OK);
    }
    CU_ASSERT_EQUAL(cancelled + ran, N);
    CU_ASSERT_EQUAL(ran, busy_workers());
    allot_release(map);
    check_usable(executor);
    gate_destroy(&gate);
    allot_close(executor);
}

static void check_ended(allot_executor *executor, allot_future *map, test_gate *gate, size_t count,
                        allot_status expected)
{
    CHECK_STATUS(allot_wait(map, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_future_status(map), expected);
    CU_ASSERT_EQUAL(allot_future_state(map), ALLOT_STATE_FAILED);
    CHECK(allot_future_error(map)[0] != '\0');
    size_t ended = 0;
    for (size_t i = 0; i < count; i++)
        ended += allot_map_item(map, i, NULL, 0, 0) == expected;
    CU_ASSERT_EQUAL(ended, count);
    CU_ASSERT_EQUAL(gate_tally(gate, count - 1), 0);
    allot_release(map);
    check_usable(executor);
}

static void a_stop_ends_the_chunks(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    test_gate gate = gate_create();
    allot_hints here = contract_here();
    allot_future *map = running_map(executor, &gate, 20, &here);
    gate_await(&gate, (uint32_t)busy_workers());
    CHECK_STATUS(allot_stop(map, 10 * SECOND), ALLOT_OK);
    check_ended(executor, map, &gate, 20, ALLOT_STOPPED);
    gate_destroy(&gate);
    allot_close(executor);
}

static void a_deadline_ends_the_chunks(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    test_gate gate = gate_create();
    allot_hints hints = contract_here();
    hints.deadline_ns = 100 * MILLISECOND;
    hints.grace_ns = 10 * SECOND;
    allot_future *map = running_map(executor, &gate, 20, &hints);
    check_ended(executor, map, &gate, 20, ALLOT_DEADLINE);
    gate_destroy(&gate);
    gate = gate_create();
    hints.deadline_ns = -1; /* passed already: nothing runs */
    map = running_map(executor, &gate, 20, &hints);
    check_ended(executor, map, &gate, 20, ALLOT_DEADLINE);
    CU_ASSERT_EQUAL(gate_tally(&gate, 0), 0);
    gate_destroy(&gate);
    allot_close(executor);
}

static void a_shutdown_runs_what_was_submitted(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    test_gate gate = gate_create();
    allot_future *map = map_inputs(executor, item_tally, &gate, 100, 3);
    allot_release(map); /* nobody looks at the results */
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    for (size_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(gate_tally(&gate, i), 1);
    allot_future *late = map_inputs(executor, item_tally, &gate, 4, 1);
    CHECK_STATUS(allot_map_item(late, 0, NULL, 0, ALLOT_FOREVER), ALLOT_SHUTDOWN);
    CHECK_STATUS(finish(late), ALLOT_SHUTDOWN);
    allot_close(executor);
    gate_destroy(&gate);
}

static void a_cancelling_shutdown_ends_it(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    test_gate gate = gate_create();
    allot_hints here = contract_here();
    allot_future *map = running_map(executor, &gate, 20, &here);
    gate_await(&gate, (uint32_t)busy_workers());
    CHECK_STATUS(allot_shutdown(executor, ALLOT_NO_WAIT), ALLOT_OK);
    gate_open(&gate);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_CANCEL_PENDING), ALLOT_OK);
    CHECK(allot_done(map));
    allot_close(executor);
    for (size_t i = 0; i < 20; i++) {
        allot_status status = allot_map_item(map, i, NULL, 0, 0);
        CHECK(status == ALLOT_OK || status == ALLOT_CANCELLED);
        CU_ASSERT_EQUAL(gate_tally(&gate, i), status == ALLOT_OK);
    }
    allot_release(map);
    gate_destroy(&gate);
}

static void a_dead_worker_costs_its_chunk(void)
{
    if (contract_rig.launches || contract_rig.kind != ALLOT_PROCESS)
        return;
    allot_executor *executor = contract_open();
    uint64_t inputs[20], value = 99;
    for (uint64_t i = 0; i < 20; i++)
        inputs[i] = i;
    allot_hints hints = contract_here();
    hints.chunk = 4;
    allot_future *map =
        allot_map(executor, item_kills_itself, inputs, sizeof *inputs, sizeof *inputs, 20, &hints);
    CHECK_STATUS(allot_wait(map, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_future_status(map), ALLOT_WORKER_DIED);
    CHECK(strstr(allot_future_error(map), "item 4: ") == allot_future_error(map));
    for (uint64_t i = 0; i < 20; i++) {
        bool lost = i / 4 == 1;
        CHECK_STATUS(allot_map_item(map, i, &value, sizeof value, 0), lost ? ALLOT_WORKER_DIED : ALLOT_OK);
        CHECK(lost || value == i);
        CHECK(!lost || strstr(allot_map_item_error(map, i), "the worker process"));
    }
    allot_release(map);
    check_usable(executor);
    allot_close(executor);
}

/* ---- Together with the rest ---- */

static void items_can_be_taken_as_they_come(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    for (size_t chunk = 0; chunk < 4; chunk++) {
        test_gate gate = gate_create();
        allot_future *map = map_inputs(executor, item_fail_tenth, &gate, 50, chunk);
        uint32_t seen[50] = { 0 };
        size_t index = 0;
        while (allot_map_next(map, &index, ALLOT_FOREVER) == ALLOT_OK) {
            seen[index]++;
            CHECK(allot_map_item_state(map, index) != ALLOT_STATE_PENDING);
        }
        for (size_t i = 0; i < 50; i++)
            CU_ASSERT_EQUAL(seen[i], 1);
        CHECK_STATUS(allot_map_next(map, &index, 0), ALLOT_END);
        allot_release(map);
        gate_destroy(&gate);
    }
    test_gate gate = gate_create();
    allot_future *map = map_inputs(executor, item_first_waits, &gate, 1, 1);
    size_t index = 99;
    CHECK_STATUS(allot_map_next(map, &index, MILLISECOND), ALLOT_TIMEOUT);
    gate_open(&gate);
    CHECK_STATUS(allot_map_next(map, &index, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_EQUAL(index, 0);
    allot_release(map);
    gate_destroy(&gate);
    allot_close(executor);
}

static void a_map_waits_for_its_dependencies(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    place_hold hold = hold_begin(executor);
    allot_hints hints = contract_here();
    hints.after = hold.futures;
    hints.after_count = hold.count;
    uint64_t results[6];
    allot_future *map = allot_map(executor, item_by_index, NULL, 0, sizeof *results, 6, &hints);
    CHECK(!allot_done(map));
    allot_future *then =
        allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.after = &map, .after_count = 1));
    hold_end(&hold);
    CHECK_STATUS(finish(then), ALLOT_OK);
    CHECK_STATUS(allot_get(map, results, sizeof results, 0), ALLOT_OK);
    allot_release(map);
    allot_future *failed = job_fail(executor, NULL);
    map = allot_map(executor, item_by_index, NULL, 0, sizeof *results, 6,
                    ALLOT_HINTS(.place = contract_rig.kind, .after = &failed, .after_count = 1));
    CHECK_STATUS(allot_wait(map, ALLOT_FOREVER), ALLOT_OK);
    CHECK(strstr(allot_future_error(map), job_error_text()) != NULL);
    CHECK_STATUS(finish(map), ALLOT_DEPENDENCY);
    allot_release(failed);
    allot_close(executor);
}

static void large_items_pass_intact(void)
{
    if (contract_rig.launches)
        return;
    enum {
        N = 3000
    };
    allot_executor *executor = contract_open();
    static double inputs[N], results[N];
    for (size_t i = 0; i < N; i++)
        inputs[i] = (double)i;
    allot_hints hints = contract_here();
    for (hints.chunk = 900; hints.chunk <= 4000; hints.chunk += 1000) { /* more than a worker's slot holds */
        allot_future *map =
            allot_map(executor, task_square, inputs, sizeof *inputs, sizeof *results, N, &hints);
        CHECK_STATUS(allot_get(map, results, sizeof results, ALLOT_FOREVER), ALLOT_OK);
        size_t wrong = 0;
        for (size_t i = 0; i < N; i++)
            wrong += results[i] != (double)i * (double)i;
        CU_ASSERT_EQUAL(wrong, 0);
        allot_release(map);
    }
    allot_close(executor);
}

static void absurd_maps_are_refused(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    double x = 1;
    CHECK_STATUS(finish(allot_map(NULL, task_square, &x, 8, 8, 1, &here)), ALLOT_INVALID);
    CHECK_STATUS(finish(allot_map(executor, NULL, &x, 8, 8, 1, &here)), ALLOT_INVALID);
    CHECK_STATUS(finish(allot_map(executor, task_square, NULL, 8, 8, 1, &here)), ALLOT_INVALID);
    CHECK_STATUS(finish(allot_map(executor, task_square, &x, SIZE_MAX / 4, 8, 8, &here)), ALLOT_TOO_LARGE);
    CHECK_STATUS(finish(allot_map(executor, task_square, &x, 8, SIZE_MAX / 4, 8, &here)), ALLOT_TOO_LARGE);
    CHECK_STATUS(finish(allot_map(executor, task_square, NULL, 0, 0, SIZE_MAX, &here)), ALLOT_TOO_LARGE);
    allot_future *task = job_nothing(executor, NULL);
    size_t index;
    CHECK_STATUS(allot_map_item(task, 0, NULL, 0, ALLOT_FOREVER), ALLOT_INVALID);
    CHECK_STATUS(allot_map_next(task, &index, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_map_item(NULL, 0, NULL, 0, 0), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_map_count(task) + allot_map_count(NULL), 0);
    CU_ASSERT_PTR_NOT_NULL(allot_map_item_error(NULL, 0));
    CU_ASSERT_EQUAL(allot_map_item_state(NULL, 0), ALLOT_STATE_FAILED);
    CHECK_STATUS(finish(task), ALLOT_OK);
    allot_future *map = allot_map(executor, task_square, &x, 8, 8, 1, &here);
    CHECK_STATUS(allot_map_item(map, 1, NULL, 0, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_map_item(map, 0, &x, 4, ALLOT_FOREVER), ALLOT_INVALID);
    CHECK_STATUS(finish(map), ALLOT_OK);
    allot_close(executor);
}

static void a_device_refuses_a_map(void)
{
    if (!contract_rig.device)
        return;
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    double x = 1;
    allot_future *map = allot_map(executor, task_square, &x, sizeof x, sizeof x, 1, &here);
    CHECK_STATUS(allot_wait(map, ALLOT_FOREVER), ALLOT_OK);
    CHECK(strstr(allot_future_error(map), contract_rig.place_id) != NULL);
    CHECK_STATUS(finish(map), ALLOT_NO_PLACE);
    allot_close(executor);
}

/* ---- From within, and from many threads ---- */

static allot_status maps_itself(allot_call *call, const void *in, void *out)
{
    (void)call;
    allot_executor *executor = *(allot_executor *const *)in;
    uint64_t results[9], sum = 0;
    allot_future *map =
        allot_map(executor, item_by_index, NULL, 0, sizeof *results, 9, ALLOT_HINTS(.chunk = 1));
    allot_status status = allot_get(map, results, sizeof results, ALLOT_FOREVER);
    for (size_t i = 0; status == ALLOT_OK && i < 9; i++)
        sum += results[i];
    allot_release(map);
    *(uint64_t *)out = sum;
    return status;
}

static void a_task_can_map_and_wait(void)
{
    if (contract_rig.launches || contract_rig.kind != ALLOT_THREAD)
        return;
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 1));
    REQUIRE(executor != NULL);
    uint64_t sums[4];
    allot_executor *each[4] = { executor, executor, executor, executor };
    allot_future *map = allot_map(executor, maps_itself, each, sizeof *each, sizeof *sums, 4, NULL);
    CHECK_STATUS(allot_get(map, sums, sizeof sums, ALLOT_FOREVER), ALLOT_OK);
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(sums[i], 36);
    allot_release(map);
    allot_close(executor);
}

typedef struct mapper {
    allot_executor *executor;
    int rounds;
    size_t wrong;
} mapper;

static void *map_often(void *input)
{
    mapper *work = input;
    allot_hints here = contract_here();
    for (int i = 0; i < work->rounds; i++) {
        uint64_t results[40] = { 0 };
        size_t index = 0, taken = 0;
        here.chunk = (size_t)i % 6;
        allot_future *map = allot_map(work->executor, item_by_index, NULL, 0, sizeof *results, 40, &here);
        if (i % 3 == 0) {
            allot_cancel(map);
        } else if (i % 3 == 1) {
            while (allot_map_next(map, &index, ALLOT_FOREVER) == ALLOT_OK)
                taken++;
            work->wrong += taken != 40;
        } else {
            work->wrong += allot_get(map, results, sizeof results, ALLOT_FOREVER) != ALLOT_OK;
            for (size_t j = 0; j < 40; j++)
                work->wrong += results[j] != j;
        }
        allot_release(map);
    }
    return NULL;
}

static void many_threads_can_map_at_once(void)
{
    if (contract_rig.launches)
        return;
    allot_executor *executor = contract_open();
    mapper mappers[4];
    for (size_t i = 0; i < 4; i++)
        mappers[i] = (mapper){ executor, contract_rounds(200), 0 };
    run_threads(4, map_often, mappers, sizeof *mappers);
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(mappers[i].wrong, 0);
    allot_close(executor);
}

const test_fact contract_map_facts[] = {
    { "F1 the results of a map are in the order of its items", results_are_in_the_order_of_the_items },
    { "F2 F3 any chunk size gives the same", any_chunk_size_gives_the_same },
    { "F4 a map of no items is a success and calls nothing", no_items_are_a_success },
    { "F5 an item that fails spoils no other", an_item_that_fails_spoils_no_other },
    { "F6 every index is visited exactly once", every_index_is_visited_once },
    { "F7 what has not started is cancelled", what_has_not_started_is_cancelled },
    { "F7 a stop ends the chunks", a_stop_ends_the_chunks },
    { "F7 a deadline ends the chunks", a_deadline_ends_the_chunks },
    { "F8 a map is submitted whole: a shutdown runs it", a_shutdown_runs_what_was_submitted },
    { "F10 items can be taken in the order in which they come", items_can_be_taken_as_they_come },
    { "B8 an item's own timeout is told from one that is pending", an_items_own_timeout_is_an_error },
    { "B12 a task can map and wait", a_task_can_map_and_wait },
    { "B13 many threads can map at once", many_threads_can_map_at_once },
    { "B15 items of more than a slot's bytes pass intact", large_items_pass_intact },
    { "B16 items without bytes have an index", items_without_bytes_have_an_index },
    { "A4 absurd maps are refused", absurd_maps_are_refused },
    { "D15 a map waits for its dependencies", a_map_waits_for_its_dependencies },
    { "G5 a cancelling shutdown ends a map", a_cancelling_shutdown_ends_it },
    { "H1 a worker that dies costs its chunk of a map", a_dead_worker_costs_its_chunk },
    { "the messages of a chunk share their room evenly", messages_share_their_room_evenly },
    { "a device refuses a map", a_device_refuses_a_map },
    { NULL, NULL },
};
