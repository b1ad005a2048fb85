/* As-completed iteration: section E of the conformance list, E11 to E13, and what include/allot/future.h says
 * beyond. TEST_SEED sets the seed of the stress; a failure prints it. */
#include "core/task.h"
#include "stress/random.h"
#include "support.h"
#include <poll.h>
#include <sched.h>
#include <string.h>

static allot_executor *executor;

static void open_executor(void)
{
    if (!executor)
        executor = allot_open(ALLOT_OPTIONS(.threads = 4, .processes = 2));
    if (!executor) {
        fprintf(stderr, "allot_open: %s\n", allot_open_error());
        exit(EXIT_FAILURE);
    }
}

static allot_future *gated(const test_gate *gate)
{
    return allot_submit(executor, task_gate, &gate->key, sizeof gate->key, 0, NULL);
}

/* A place's counts move on after the waiters wake. */
static bool references_fall_to(allot_future *future, uint32_t count)
{
    int64_t end_ns = now_ns() + 5 * SECOND;
    while ((uint32_t)(atomic_load(&future->word) >> 32) > count && now_ns() < end_ns)
        sched_yield();
    return (uint32_t)(atomic_load(&future->word) >> 32) == count;
}

/* Ends one and waits until the iterator has noticed. */
static void end_one(allot_as_completed *ended, test_gate *gate)
{
    size_t unfinished = allot_as_completed_unfinished(ended);
    gate_open(gate);
    while (allot_as_completed_unfinished(ended) == unfinished)
        sched_yield();
}

static void gives(allot_as_completed *ended, size_t expected)
{
    size_t index = 99;
    CHECK_STATUS(allot_as_completed_next(ended, NULL, &index, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_EQUAL(index, expected);
}

static void yields_in_the_order_of_the_ends(void)
{
    for (int round = 0; round < ROUNDS(100); round++) {
        test_gate gates[3];
        allot_future *futures[4];
        for (size_t i = 0; i < 3; i++) {
            gates[i] = gate_create();
            futures[i] = gated(&gates[i]);
        }
        futures[3] = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
        allot_wait(futures[3], ALLOT_FOREVER);
        allot_as_completed *ended = allot_as_completed_create(futures, 4);
        gives(ended, 3); /* done already */
        CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, 0), ALLOT_TIMEOUT);
        end_one(ended, &gates[1]);
        gives(ended, 1);
        CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, 0), ALLOT_TIMEOUT);
        end_one(ended, &gates[2]);
        end_one(ended, &gates[0]);
        gives(ended, 2);
        gives(ended, 0);
        CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, ALLOT_FOREVER), ALLOT_END);
        allot_as_completed_destroy(ended);
        allot_release_all(futures, 4);
        for (size_t i = 0; i < 3; i++)
            gate_destroy(&gates[i]);
    }
}

static void those_that_are_done_come_first(void)
{
    test_gate gate = gate_create();
    allot_future *futures[4];
    for (size_t i = 0; i < 4; i++)
        futures[i] = i % 2 ? allot_submit(executor, task_nothing, NULL, 0, 0, NULL) : gated(&gate);
    for (size_t i = 1; i < 4; i += 2)
        allot_wait(futures[i], ALLOT_FOREVER);
    allot_as_completed *ended = allot_as_completed_create(futures, 4);
    gate_open(&gate);
    allot_wait_all(futures, 4, ALLOT_FOREVER);
    size_t index = 99;
    for (size_t i = 1; i < 4; i += 2) {
        CHECK_STATUS(allot_as_completed_next(ended, NULL, &index, ALLOT_FOREVER), ALLOT_OK);
        CU_ASSERT_EQUAL(index, i);
    }
    CU_ASSERT_EQUAL(allot_as_completed_total(ended), 4);
    allot_as_completed_destroy(ended);
    allot_release_all(futures, 4);
    gate_destroy(&gate);
}

static void a_timeout_says_how_many_are_unfinished(void)
{
    test_gate gate = gate_create();
    allot_future *futures[3] = { gated(&gate), allot_submit(executor, task_nothing, NULL, 0, 0, NULL),
                                 gated(&gate) };
    allot_as_completed *ended = allot_as_completed_create(futures, 3);
    CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, ALLOT_FOREVER), ALLOT_OK);
    int64_t before = now_ns();
    CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, 20 * MILLISECOND), ALLOT_TIMEOUT);
    CHECK(now_ns() - before >= 20 * MILLISECOND);
    CU_ASSERT_STRING_EQUAL(allot_last_error(), "2 of 3 futures are unfinished");
    CHECK_STATUS(allot_last_status(), ALLOT_TIMEOUT);
    CU_ASSERT_EQUAL(allot_as_completed_unfinished(ended), 2);
    gate_open(&gate);
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, 0), ALLOT_END);
    CU_ASSERT_EQUAL(allot_as_completed_unfinished(ended), 0);
    allot_as_completed_destroy(ended);
    allot_release_all(futures, 3);
    gate_destroy(&gate);
}

static void keeps_no_reference_to_what_it_gave(void)
{
    allot_future *futures[2] = { allot_submit(executor, task_nothing, NULL, 0, 0, NULL),
                                 allot_submit(executor, task_nothing, NULL, 0, 0, NULL) };
    allot_as_completed *ended = allot_as_completed_create(futures, 2);
    size_t index = 0;
    CHECK_STATUS(allot_as_completed_next(ended, NULL, &index, ALLOT_FOREVER), ALLOT_OK);
    CHECK(references_fall_to(futures[index], 1)); /* our own */
    allot_future *given = NULL;
    CHECK_STATUS(allot_as_completed_next(ended, &given, &index, ALLOT_FOREVER), ALLOT_OK);
    CHECK(given == futures[index]);
    CHECK(references_fall_to(given, 2)); /* and the one that was handed over */
    allot_release(given);
    CHECK(references_fall_to(futures[index], 1));
    allot_as_completed_destroy(ended);
    allot_release_all(futures, 2);
}

static void holds_what_nobody_else_does(void)
{
    double three = 3, value = 0;
    allot_future *future = allot_submit(executor, task_square, &three, sizeof three, sizeof value, NULL);
    allot_as_completed *ended = allot_as_completed_create(&future, 1);
    allot_release(future);
    CHECK_STATUS(allot_as_completed_next(ended, &future, NULL, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_get(future, &value, sizeof value, 0), ALLOT_OK);
    CU_ASSERT_DOUBLE_EQUAL(value, 9, 0);
    allot_release(future);
    allot_as_completed_destroy(ended);
}

static void failures_and_cancellations_are_ends(void)
{
    test_gate gate = gate_create();
    allot_status error = ALLOT_USER + 1;
    allot_future *blocked = gated(&gate);
    allot_future *futures[3] = {
        allot_submit(executor, task_fail, &error, sizeof error, 0, NULL),
        allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.after = &blocked, .after_count = 1)),
        allot_submit(executor, NULL, NULL, 0, 0, NULL), /* refused */
    };
    allot_as_completed *ended = allot_as_completed_create(futures, 3);
    CHECK(allot_cancel(futures[1]));
    size_t sum = 0, index = 0;
    while (allot_as_completed_next(ended, NULL, &index, ALLOT_FOREVER) == ALLOT_OK)
        sum += (size_t)1 << index;
    CU_ASSERT_EQUAL(sum, 7);
    gate_open(&gate);
    allot_as_completed_destroy(ended);
    CHECK_STATUS(finish(futures[0]), error);
    CHECK_STATUS(finish(futures[1]), ALLOT_CANCELLED);
    CHECK_STATUS(finish(futures[2]), ALLOT_INVALID);
    CHECK_STATUS(finish(blocked), ALLOT_OK);
    gate_destroy(&gate);
}

static void futures_of_any_executor_and_place_mix(void)
{
    allot_executor *other = allot_open(ALLOT_OPTIONS(.threads = 1));
    REQUIRE(other != NULL);
    for (int round = 0; round < ROUNDS(30); round++) {
        allot_future *futures[4] = {
            allot_submit(executor, task_nothing, NULL, 0, 0, NULL),
            allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.place = ALLOT_PROCESS)),
            allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.place = ALLOT_INLINE)),
            allot_submit(other, task_nothing, NULL, 0, 0, NULL),
        };
        allot_as_completed *ended = allot_as_completed_create(futures, 4);
        size_t seen = 0, index;
        while (allot_as_completed_next(ended, NULL, &index, ALLOT_FOREVER) == ALLOT_OK)
            seen += (size_t)1 << index;
        CU_ASSERT_EQUAL(seen, 15);
        allot_as_completed_destroy(ended);
        allot_release_all(futures, 4);
    }
    allot_close(other);
}

static void a_future_may_be_added_twice(void)
{
    allot_future *future = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
    allot_future *both[2] = { future, future };
    allot_as_completed *ended = allot_as_completed_create(both, 2);
    CHECK_STATUS(allot_as_completed_add(ended, future), ALLOT_OK);
    size_t seen = 0, index;
    while (allot_as_completed_next(ended, NULL, &index, ALLOT_FOREVER) == ALLOT_OK)
        seen += (size_t)1 << index;
    CU_ASSERT_EQUAL(seen, 7); /* each index once */
    CHECK(references_fall_to(future, 1));
    allot_as_completed_destroy(ended);
    allot_release(future);
}

static void an_empty_one_is_over_and_can_be_added_to(void)
{
    allot_as_completed *ended = allot_as_completed_create(NULL, 0);
    REQUIRE(ended != NULL);
    CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, ALLOT_FOREVER), ALLOT_END);
    allot_future *future = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
    CHECK_STATUS(allot_as_completed_add(ended, future), ALLOT_OK);
    CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, ALLOT_FOREVER), ALLOT_END);
    allot_as_completed_destroy(ended);
    allot_release(future);
}

static void null_is_reported(void)
{
    allot_future *none[1] = { NULL };
    CHECK(!allot_as_completed_create(none, 1) && strstr(allot_last_error(), "futures[0] is NULL"));
    CHECK(!allot_as_completed_create(NULL, 1) && allot_last_status() == ALLOT_INVALID);
    CHECK_STATUS(allot_as_completed_add(NULL, NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_as_completed_next(NULL, NULL, NULL, 0), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_as_completed_fd(NULL), -1);
    CU_ASSERT_EQUAL(allot_as_completed_total(NULL) + allot_as_completed_unfinished(NULL), 0);
    allot_as_completed_destroy(NULL);
}

/* F9: an endless source with at most K in flight. */
static void what_is_in_flight_can_be_bounded(void)
{
    enum {
        K = 3,
        ITEMS = 50
    };
    test_gate gate = gate_create();
    allot_as_completed *ended = allot_as_completed_create(NULL, 0);
    size_t submitted = 0, taken = 0;
    while (taken < ITEMS) {
        while (submitted < ITEMS && submitted - taken < K) {
            tally_input input = { gate.key, submitted++ };
            allot_future *future = allot_submit(executor, task_tally, &input, sizeof input, 0, NULL);
            CHECK_STATUS(allot_as_completed_add(ended, future), ALLOT_OK);
            allot_release(future);
        }
        CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, ALLOT_FOREVER), ALLOT_OK);
        taken++;
    }
    for (size_t i = 0; i < ITEMS; i++)
        CU_ASSERT_EQUAL(gate_tally(&gate, i), 1);
    allot_as_completed_destroy(ended);
    gate_destroy(&gate);
}

static void may_be_destroyed_before_the_ends(void)
{
    for (int round = 0; round < ROUNDS(200); round++) {
        test_gate gate = gate_create();
        allot_future *futures[3] = { gated(&gate), allot_submit(executor, task_nothing, NULL, 0, 0, NULL),
                                     gated(&gate) };
        allot_as_completed *ended = allot_as_completed_create(futures, 3);
        CHECK(allot_as_completed_fd(ended) >= 0);
        if (round % 2)
            gate_open(&gate); /* they end meanwhile */
        allot_as_completed_destroy(ended);
        gate_open(&gate);
        for (int i = 0; i < 3; i++) {
            CHECK_STATUS(allot_wait(futures[i], ALLOT_FOREVER), ALLOT_OK);
            CHECK(references_fall_to(futures[i], 1));
        }
        allot_release_all(futures, 3);
        gate_destroy(&gate);
    }
}

/* ---- Inside a task ---- */

static allot_status sum_of_children(allot_call *call, const void *in, void *out)
{
    (void)call;
    allot_executor *mine = *(allot_executor *const *)in;
    allot_as_completed *ended = allot_as_completed_create(NULL, 0);
    for (int i = 0; i < 20; i++) {
        double x = i;
        allot_future *future = allot_submit(mine, task_square, &x, sizeof x, sizeof x, NULL);
        allot_as_completed_add(ended, future);
        allot_release(future);
    }
    allot_future *future;
    while (allot_as_completed_next(ended, &future, NULL, ALLOT_FOREVER) == ALLOT_OK) {
        double value = 0;
        allot_get(future, &value, sizeof value, 0);
        *(double *)out += value;
        allot_release(future);
    }
    allot_as_completed_destroy(ended);
    return ALLOT_OK;
}

static void a_task_can_take_its_children(void)
{
    allot_executor *one = allot_open(ALLOT_OPTIONS(.threads = 1));
    REQUIRE(one != NULL);
    double sum = 0;
    allot_future *future =
        allot_submit(one, sum_of_children, &one, sizeof(allot_executor *), sizeof sum, NULL);
    CHECK_STATUS(allot_get(future, &sum, sizeof sum, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_DOUBLE_EQUAL(sum, 2470, 0);
    allot_release(future);
    allot_close(one);
}

/* ---- The descriptor ---- */

static bool readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    return poll(&poll_fd, 1, timeout_ms) == 1;
}

static void the_descriptor_says_when_one_ended(void)
{
    int before = count_fds();
    test_gate gate = gate_create();
    allot_future *futures[3] = { gated(&gate), gated(&gate), gated(&gate) };
    allot_as_completed *ended = allot_as_completed_create(futures, 3);
    int fd = allot_as_completed_fd(ended);
    CHECK(fd >= 0 && fd == allot_as_completed_fd(ended) && !readable(fd, 0));
    gate_open(&gate);
    int taken = 0;
    while (allot_as_completed_total(ended) > (size_t)taken) { /* as an event loop would */
        REQUIRE(readable(fd, 10000));
        while (allot_as_completed_next(ended, NULL, NULL, 0) == ALLOT_OK)
            taken++;
    }
    CU_ASSERT_EQUAL(taken, 3);
    CHECK(!readable(fd, 0));
    allot_future *more = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
    CHECK_STATUS(allot_as_completed_add(ended, more), ALLOT_OK);
    CHECK(readable(fd, 10000));
    CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, 0), ALLOT_OK);
    CHECK(!readable(fd, 0));
    allot_as_completed_destroy(ended);
    allot_release(more);
    allot_release_all(futures, 3);
    gate_destroy(&gate);
    CHECK(falls_to(count_fds, before));
}

static void the_descriptor_tells_of_what_ended_before(void)
{
    allot_future *future = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
    allot_wait(future, ALLOT_FOREVER);
    allot_as_completed *ended = allot_as_completed_create(&future, 1);
    CHECK(readable(allot_as_completed_fd(ended), 0));
    allot_as_completed_destroy(ended);
    allot_release(future);
}

/* ---- Stress ---- */

enum {
    FUTURES = 1000,
    TAKERS = 4
};

typedef struct storm {
    allot_as_completed *ended;
    _Atomic uint32_t given[FUTURES];
    _Atomic uint32_t taken;
    bool by_fd;
} storm;

static bool take_one(storm *work)
{
    size_t index;
    allot_future *future;
    int64_t timeout_ns = work->by_fd ? 0 : ALLOT_FOREVER;
    allot_status status = allot_as_completed_next(work->ended, &future, &index, timeout_ns);
    if (status == ALLOT_OK) {
        atomic_fetch_add(&work->given[index], 1);
        atomic_fetch_add(&work->taken, 1);
        allot_release(future);
    } else if (status == ALLOT_TIMEOUT) {
        readable(allot_as_completed_fd(work->ended), 10);
    }
    return status != ALLOT_END;
}

static void *taker(void *input)
{
    storm *work = *(storm **)input;
    while (atomic_load(&work->taken) < FUTURES)
        if (!take_one(work))
            sched_yield(); /* over, until the adder comes */
    return NULL;
}

/* One of several ways to end. */
static allot_future *random_future(random_state *random)
{
    double x = 2;
    allot_status error = ALLOT_USER;
    switch (random_next(random) % 5) {
    case 0:
        return allot_submit(executor, task_fail, &error, sizeof error, 0, NULL);
    case 1:
        return allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.place = ALLOT_INLINE));
    default:
        return allot_submit(executor, task_square, &x, sizeof x, sizeof x, NULL);
    }
}

static void a_storm(random_state *random, bool by_fd)
{
    static storm work;
    memset(&work, 0, sizeof work);
    allot_future *futures[FUTURES];
    size_t at_first = (size_t)(random_next(random) % FUTURES);
    for (size_t i = 0; i < at_first; i++)
        futures[i] = random_future(random);
    work.ended = allot_as_completed_create(futures, at_first);
    work.by_fd = by_fd;
    if (by_fd)
        CHECK(allot_as_completed_fd(work.ended) >= 0);
    storm *inputs[TAKERS] = { &work, &work, &work, &work };
    pthread_t threads[TAKERS];
    for (size_t i = 0; i < TAKERS; i++)
        threads[i] = start_thread(taker, &inputs[i]);
    for (size_t i = at_first; i < FUTURES; i++) {
        futures[i] = random_future(random);
        CHECK_STATUS(allot_as_completed_add(work.ended, futures[i]), ALLOT_OK);
        if (random_next(random) % 4 == 0)
            allot_cancel(futures[i]);
    }
    for (size_t i = 0; i < TAKERS; i++)
        join_thread(threads[i]);
    for (size_t i = 0; i < FUTURES; i++)
        CU_ASSERT_EQUAL(work.given[i], 1);
    CHECK_STATUS(allot_as_completed_next(work.ended, NULL, NULL, 0), ALLOT_END);
    allot_as_completed_destroy(work.ended);
    allot_release_all(futures, FUTURES);
}

static void under_stress_each_is_given_once(void)
{
    random_state random = random_start(random_seed(NULL));
    for (int round = 0; round < ROUNDS(40); round++)
        a_storm(&random, round % 2);
}

/* What taking one costs must not grow with how many there are. */
static int64_t cost_of_one(size_t count)
{
    test_gate gate = gate_create();
    allot_future **futures = calloc(count, sizeof *futures);
    REQUIRE(futures != NULL);
    allot_future *blocked = gated(&gate);
    for (size_t i = 0; i < count; i++)
        futures[i] = i % 2 ? allot_hold(blocked) : allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
    int64_t start_ns = now_ns();
    allot_as_completed *ended = allot_as_completed_create(futures, count);
    for (size_t i = 0; i < count / 2; i++)
        CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, ALLOT_FOREVER), ALLOT_OK);
    int64_t cost_ns = (now_ns() - start_ns) / (int64_t)count;
    CHECK_STATUS(allot_as_completed_next(ended, NULL, NULL, 0), ALLOT_TIMEOUT);
    gate_open(&gate);
    allot_as_completed_destroy(ended);
    allot_release_all(futures, count);
    CHECK_STATUS(finish(blocked), ALLOT_OK);
    gate_destroy(&gate);
    free(futures);
    return cost_ns;
}

static void the_cost_of_one_does_not_grow(void)
{
    int64_t few_ns = cost_of_one(1000), many_ns = cost_of_one(100000);
    CHECK(many_ns < 20 * few_ns + 2000); /* scans would make it a hundred times as much */
    if (many_ns >= 20 * few_ns + 2000)
        printf("\n    %lld ns of 1,000, %lld ns of 100,000", (long long)few_ns, (long long)many_ns);
}

static const test_fact facts[] = {
    { "E11 as-completed gives each future in the order of the ends", yields_in_the_order_of_the_ends },
    { "E11 those that are done already come first", those_that_are_done_come_first },
    { "E12 a timeout says how many of how many are unfinished", a_timeout_says_how_many_are_unfinished },
    { "E13 no reference is kept to what was given", keeps_no_reference_to_what_it_gave },
    { "E13 what nobody else holds is held until it is given", holds_what_nobody_else_does },
    { "E11 failures, cancellations and refusals are ends", failures_and_cancellations_are_ends },
    { "E15 futures of any executor and place mix", futures_of_any_executor_and_place_mix },
    { "E8 a future that is added twice is given once for each index", a_future_may_be_added_twice },
    { "E9 an empty one is over, and can be added to", an_empty_one_is_over_and_can_be_added_to },
    { "A4 NULL is reported, not followed", null_is_reported },
    { "F9 what is in flight over an endless source can be bounded", what_is_in_flight_can_be_bounded },
    { "it may be destroyed before the ends", may_be_destroyed_before_the_ends },
    { "a task can take its children as they end", a_task_can_take_its_children },
    { "the descriptor says when one ended", the_descriptor_says_when_one_ended },
    { "the descriptor tells of what ended before", the_descriptor_tells_of_what_ended_before },
    { "E11 under stress each is given exactly once", under_stress_each_is_given_once },
    { "the cost of taking one does not grow with the set", the_cost_of_one_does_not_grow },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "as completed", .facts = facts, .prepare = open_executor };
    int result = watched_main(argc, argv, &suite, 1);
    allot_close(executor);
    return result;
}
