/* What the hints change about where and how a task runs. */
#include "probe_kernels.h"
#include "support.h"
#include <math.h>
#include <string.h>

static allot_executor *open_with(const allot_options *options)
{
    allot_executor *executor = allot_open(options);
    REQUIRE(executor != NULL);
    return executor;
}

static allot_future *square(allot_executor *executor, const allot_hints *hints)
{
    double three = 3;
    return allot_submit(executor, task_square, &three, sizeof three, sizeof three, hints);
}

static allot_future *launch(allot_executor *executor, probe which, const allot_hints *hints)
{
    allot_array *x = allot_array_full(executor, ALLOT_F32, 1000, 3),
                *y = allot_array_new(executor, ALLOT_F32, 1000);
    allot_future *future = allot_launch(executor, probe_kernel(which), allot_range(1000),
                                        ALLOT_ARGS(allot_in(x), allot_out(y)), hints);
    allot_array_release(x), allot_array_release(y);
    return future;
}

static void check_refused(allot_future *future, allot_status status, const char *words)
{
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), status);
    CHECK(strstr(allot_future_error(future), words) != NULL);
    if (!strstr(allot_future_error(future), words))
        printf("\n    \"%s\" is not in \"%s\" ", words, allot_future_error(future));
    allot_release(future);
}

/* ---- isolate ---- */

static void an_isolated_task_runs_in_a_worker_process(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1, .processes = 1));
    const allot_hints *ways[] = { ALLOT_HINTS(.isolate = true),
                                  ALLOT_HINTS(.isolate = true, .place = ALLOT_PROCESS),
                                  ALLOT_HINTS(.isolate = true, .place_id = "process") };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        allot_future *future = square(executor, ways[i]);
        CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
        CU_ASSERT_STRING_EQUAL(allot_future_place(future), "process");
        allot_release(future);
    }
    allot_future *future = launch(executor, PROBE_SQUARE, ALLOT_HINTS(.isolate = true));
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(allot_future_place(future), "process");
    allot_release(future);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void isolation_elsewhere_is_refused(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    check_refused(square(executor, ALLOT_HINTS(.isolate = true, .place = ALLOT_THREAD)), ALLOT_UNSUPPORTED,
                  "thread cannot run a task apart");
    check_refused(square(executor, ALLOT_HINTS(.isolate = true, .place = ALLOT_OPENCL)), ALLOT_UNSUPPORTED,
                  "plain functions");
    check_refused(square(executor, ALLOT_HINTS(.isolate = true, .place_id = "opencl:0")), ALLOT_UNSUPPORTED,
                  "plain functions");
    check_refused(launch(executor, PROBE_SQUARE, ALLOT_HINTS(.isolate = true, .place_id = "inline")),
                  ALLOT_UNSUPPORTED, "inline cannot run a task apart");
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- bound ---- */

static void a_task_that_waits_outside_leaves_its_worker_to_others(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    test_gate gate = gate_create();
    allot_future *waits = allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0,
                                       ALLOT_HINTS(.bound = ALLOT_IO_BOUND));
    gate_await(&gate, 1);
    CHECK_STATUS(finish(square(executor, NULL)), ALLOT_OK); /* the one worker is not in its way */
    gate_open(&gate);
    CHECK_STATUS(finish(waits), ALLOT_OK);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    gate_destroy(&gate);
}

static void a_launch_that_waits_outside_delays_no_other(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    test_gate gate = gate_create();
    allot_future *held = allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, NULL);
    gate_await(&gate, 1);
    allot_future *waits = launch(executor, PROBE_SQUARE,
                                 ALLOT_HINTS(.place = ALLOT_THREAD, .bound = ALLOT_IO_BOUND, .flops = 1e9));
    allot_future *first = launch(executor, PROBE_SQUARE, ALLOT_HINTS(.place = ALLOT_THREAD, .flops = 1e9));
    allot_future *second = launch(executor, PROBE_SQUARE, ALLOT_HINTS(.place = ALLOT_THREAD));
    const allot_decision *decision = allot_future_decision(first);
    CHECK(decision && decision->candidates[decision->chosen].ready_s == 0);
    decision = allot_future_decision(second);
    CHECK(decision && decision->candidates[decision->chosen].ready_s > 0);
    gate_open(&gate);
    CHECK_STATUS(finish(held), ALLOT_OK);
    CHECK_STATUS(finish(waits), ALLOT_OK);
    CHECK_STATUS(finish(first), ALLOT_OK);
    CHECK_STATUS(finish(second), ALLOT_OK);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    gate_destroy(&gate);
}

static void only_what_is_asked_for_is_a_candidate(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1, .processes = 1));
    allot_future *by_kind = launch(executor, PROBE_SQUARE, ALLOT_HINTS(.place = ALLOT_THREAD)),
                 *by_name = launch(executor, PROBE_SQUARE, ALLOT_HINTS(.place_id = "thread")),
                 *free_choice = launch(executor, PROBE_SQUARE, NULL);
    CHECK_STATUS(allot_wait(by_kind, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_wait(by_name, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_wait(free_choice, ALLOT_FOREVER), ALLOT_OK);
    allot_future *const asked[] = { by_kind, by_name };
    for (int i = 0; i < 2; i++) {
        const allot_decision *decision = allot_future_decision(asked[i]);
        REQUIRE(decision != NULL && decision->candidate_count == 1);
        CHECK(decision->candidates[0].kind == ALLOT_THREAD && decision->left_out >= 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(decision->left_out_why, "the hints ask for "));
        CU_ASSERT_STRING_EQUAL(decision->why, "asked for");
    }
    const allot_decision *decision = allot_future_decision(free_choice);
    REQUIRE(decision != NULL);
    CHECK(decision->left_out == 0 && decision->candidate_count >= 2);
    CU_ASSERT_STRING_EQUAL(decision->left_out_why, "");
    allot_release(by_kind), allot_release(by_name), allot_release(free_choice);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- memory_bytes ---- */

static void a_place_with_too_little_memory_is_impossible(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    allot_place_info info = { .size = sizeof info };
    CHECK(allot_places(executor, &info, 1) >= 1);
    check_refused(launch(executor, PROBE_SQUARE,
                         ALLOT_HINTS(.place = ALLOT_THREAD, .memory_bytes = info.memory_bytes + 1)),
                  ALLOT_NO_PLACE, "bytes of memory");
    check_refused(square(executor, ALLOT_HINTS(.memory_bytes = UINT64_MAX)), ALLOT_NO_PLACE,
                  "bytes of memory");
    CHECK_STATUS(finish(square(executor, ALLOT_HINTS(.memory_bytes = info.memory_bytes))), ALLOT_OK);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- flops and bytes ---- */

static void the_callers_account_takes_the_kernels_place(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1, .model = "off"));
    allot_future *own = launch(executor, PROBE_SQUARE, ALLOT_HINTS(.place = ALLOT_THREAD)),
                 *given = launch(executor, PROBE_SQUARE,
                                 ALLOT_HINTS(.place = ALLOT_THREAD, .flops = 123e9, .bytes = 456));
    CHECK_STATUS(allot_wait(own, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_wait(given, ALLOT_FOREVER), ALLOT_OK);
    const allot_decision *decision = allot_future_decision(given);
    CHECK(decision && decision->flops == 123e9 && decision->bytes == 456);
    decision = allot_future_decision(own);
    CHECK(decision && decision->flops != 123e9 && decision->bytes != 456);
    allot_release(own), allot_release(given);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void figures_that_make_no_sense_are_refused(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    check_refused(launch(executor, PROBE_SQUARE, ALLOT_HINTS(.flops = -1)), ALLOT_INVALID, "hints.flops");
    check_refused(launch(executor, PROBE_SQUARE, ALLOT_HINTS(.flops = NAN)), ALLOT_INVALID, "hints.flops");
    check_refused(launch(executor, PROBE_SQUARE, ALLOT_HINTS(.bytes = INFINITY)), ALLOT_INVALID, "bytes");
    check_refused(square(executor, ALLOT_HINTS(.bound = (allot_bound)7)), ALLOT_INVALID, "hints.bound is 7");
    check_refused(square(executor, ALLOT_HINTS(.prefer = (allot_preference)-1)), ALLOT_INVALID,
                  "hints.prefer is -1");
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- What the policy is told ---- */

static void the_snapshot_carries_what_the_hints_say(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1, .core_watts = 7));
    allot_future *future = launch(executor, PROBE_SQUARE,
                                  ALLOT_HINTS(.prefer = ALLOT_PREFER_ENERGY, .deadline_ns = 3600 * SECOND,
                                              .deterministic = true, .place = ALLOT_THREAD));
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    const allot_decision *decision = allot_future_decision(future);
    REQUIRE(decision != NULL && decision->snapshot != NULL);
    const allot_snapshot *snapshot = decision->snapshot;
    CHECK(snapshot->prefer == ALLOT_PREFER_ENERGY && snapshot->deterministic);
    CHECK(snapshot->deadline_s > 3000 && snapshot->deadline_s <= 3600);
    CHECK(snapshot->candidate_count == decision->candidate_count &&
          snapshot->candidates == decision->candidates);
    CHECK(decision->candidates[decision->chosen].watts == 7);
    CU_ASSERT_STRING_EQUAL(decision->policy, "eft");
    allot_release(future);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "an isolated task runs in a worker process", an_isolated_task_runs_in_a_worker_process },
        { "isolation elsewhere is refused", isolation_elsewhere_is_refused },
        { "a task that waits outside leaves its worker to others",
          a_task_that_waits_outside_leaves_its_worker_to_others },
        { "a launch that waits outside delays no other", a_launch_that_waits_outside_delays_no_other },
        { "only what is asked for is a candidate", only_what_is_asked_for_is_a_candidate },
        { "a place with too little memory is impossible", a_place_with_too_little_memory_is_impossible },
        { "the caller's account takes the kernel's place", the_callers_account_takes_the_kernels_place },
        { "figures that make no sense are refused", figures_that_make_no_sense_are_refused },
        { "the snapshot carries what the hints say", the_snapshot_carries_what_the_hints_say },
        { NULL, NULL },
    };
    const watched_suite suites[] = { { "hints", facts, NULL } };
    int code = watched_main(argc, argv, suites, 1);
    probe_kernels_free();
    return code;
}
