/* A worker that waits for the task that it queued last runs it itself, on a way of its own: what else may
 * become of a task must come of it there, too. */
#include "support.h"
#include <allot/allot.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum {
    ROUNDS_OF_FIB = 20,
    FIB = 16,
    ROW = 8,
    LARGEST = 100
};

typedef struct bytes {
    unsigned char at[LARGEST];
} bytes;

static allot_executor *executor;
static _Atomic int ran;
static allot_future *_Atomic own;

/* Runs `function` in the one worker of a new executor, as a task. */
static void in_a_worker(int threads, allot_function function)
{
    executor = allot_open(ALLOT_OPTIONS(.threads = threads, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    REQUIRE(executor != NULL);
    atomic_store(&ran, 0);
    CHECK_STATUS(finish(allot_submit(executor, function, NULL, 0, 0, NULL)), ALLOT_OK);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- What a joined task does ---- */

static allot_status reverse(allot_call *call, const void *in, void *out)
{
    const unsigned char *from = in;
    unsigned char *to = out;
    size_t size = allot_call_in_size(call), room = allot_call_out_size(call);
    for (size_t i = 0; i < room; i++)
        if (to[i] != 0)
            return allot_fail(call, ALLOT_FAILED, "byte %zu of the result is not 0 at first", i);
    for (size_t i = 0; i < size && i < room; i++)
        to[i] = from[size - 1 - i];
    return strcmp(allot_call_place(call), "thread") == 0 ? ALLOT_OK : ALLOT_FAILED;
}

static allot_status count(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    atomic_fetch_add(&ran, 1);
    return ALLOT_OK;
}

static allot_status fail_with_payload(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    return allot_fail_with(call, ALLOT_FAILED, "load", 4, "no luck with %d", 7);
}

static allot_status grumble(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    return allot_fail(call, ALLOT_OK, "it went well all the same");
}

static allot_status stop_oneself(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    CHECK_STATUS(allot_stop(atomic_load(&own), 0), ALLOT_OK);
    CHECK(allot_call_stopping(call));
    return ALLOT_OK;
}

/* ---- Facts ---- */

static void join_size(size_t in_size, size_t out_size)
{
    bytes in, out, expected = { { 0 } };
    memset(&out, 0xff, sizeof out);
    for (size_t i = 0; i < LARGEST; i++)
        in.at[i] = (unsigned char)(i + 1);
    for (size_t i = 0; i < out_size && i < in_size; i++)
        expected.at[i] = in.at[in_size - 1 - i];
    allot_future *future = allot_submit(executor, reverse, &in, in_size, out_size, NULL);
    CHECK_STATUS(allot_get(future, &out, out_size, ALLOT_FOREVER), ALLOT_OK);
    CHECK(memcmp(&out, &expected, out_size) == 0);
    CHECK(strcmp(allot_future_place(future), "thread") == 0);
    allot_release(future);
}

static allot_status join_sizes(allot_call *call, const void *in, void *out)
{
    static const size_t sizes[] = { 0, 1, 4, 7, 8, 15, 16, 17, 24, 32, 33, LARGEST };
    (void)call, (void)in, (void)out;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            join_size(sizes[i], sizes[k]);
    return ALLOT_OK;
}

static void arguments_and_results_of_any_size_arrive(void)
{
    in_a_worker(1, join_sizes);
}

static allot_status join_failing(allot_call *call, const void *in, void *out)
{
    size_t size = 0;
    (void)call, (void)in, (void)out;
    allot_future *future = allot_submit(executor, fail_with_payload, NULL, 0, 0, NULL);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_FAILED);
    CHECK(strcmp(allot_future_error(future), "no luck with 7") == 0);
    CHECK(memcmp(allot_future_payload(future, &size), "load", 4) == 0 && size == 4);
    allot_release(future);
    CHECK_STATUS(finish(allot_submit(executor, grumble, NULL, 0, 0, NULL)), ALLOT_OK);
    return ALLOT_OK;
}

static void errors_arrive_with_what_was_said(void)
{
    in_a_worker(1, join_failing);
}

static allot_status join_ended(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    allot_future *cancelled = allot_submit(executor, count, NULL, 0, 0, NULL);
    CHECK(allot_cancel(cancelled));
    CHECK_STATUS(allot_get(cancelled, NULL, 0, ALLOT_FOREVER), ALLOT_CANCELLED);
    allot_future *stopped = allot_submit(executor, count, NULL, 0, 0, NULL);
    CHECK_STATUS(allot_stop(stopped, 0), ALLOT_OK);
    CHECK_STATUS(allot_get(stopped, NULL, 0, ALLOT_FOREVER), ALLOT_STOPPED);
    CHECK(atomic_load(&ran) == 0);
    allot_release(cancelled), allot_release(stopped);
    return ALLOT_OK;
}

static void what_was_cancelled_or_stopped_before_does_not_run(void)
{
    in_a_worker(1, join_ended);
}

static allot_status join_stopping(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    allot_future *future = allot_submit(executor, stop_oneself, NULL, 0, 0, NULL);
    atomic_store(&own, future);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_STOPPED);
    allot_release(future);
    return ALLOT_OK;
}

static void one_that_is_stopped_while_it_runs_ends_so(void)
{
    in_a_worker(1, join_stopping);
}

static void *wait_outside(void *of)
{
    allot_future *future = of;
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    allot_release(future);
    return NULL;
}

static void note(allot_future *future, void *user)
{
    (void)user;
    CHECK(allot_done(future));
    atomic_fetch_add(&ran, 1);
}

/* While it runs, others come to wait for it. */
static allot_status be_watched(allot_call *call, const void *in, void *out)
{
    allot_future *self = allot_hold(atomic_load(&own));
    pthread_t *waiter = *(pthread_t *const *)in;
    (void)call, (void)out;
    CHECK_STATUS(allot_on_done(self, note, NULL), ALLOT_OK);
    *waiter = start_thread(wait_outside, self);
    for (int i = 0; i < 1000; i++)
        sched_yield();
    return ALLOT_OK;
}

static allot_status join_watched(allot_call *call, const void *in, void *out)
{
    pthread_t waiter, *pointer = &waiter;
    (void)call, (void)in, (void)out;
    allot_future *future = allot_submit(executor, be_watched, &pointer, sizeof pointer, 0, NULL);
    atomic_store(&own, future);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
    join_thread(waiter);
    allot_release(future);
    return ALLOT_OK;
}

static void others_who_wait_for_it_hear_of_its_end(void)
{
    in_a_worker(1, join_watched);
    CU_ASSERT_EQUAL(atomic_load(&ran), 1); /* closing waits for callbacks */
}

static allot_status join_oldest_first(allot_call *call, const void *in, void *out)
{
    allot_future *row[ROW];
    (void)call, (void)in, (void)out;
    for (int i = 0; i < ROW; i++)
        row[i] = allot_submit(executor, count, NULL, 0, 0, NULL);
    for (int i = 0; i < ROW; i++)
        CHECK_STATUS(allot_wait(row[i], ALLOT_FOREVER), ALLOT_OK);
    CHECK(atomic_load(&ran) == ROW);
    allot_release_all(row, ROW);
    return ALLOT_OK;
}

static void they_may_be_joined_in_any_order(void)
{
    in_a_worker(1, join_oldest_first);
}

static allot_status fib(allot_call *call, const void *in, void *out)
{
    unsigned n = *(const unsigned *)in, half = n - 1, rest = n - 2;
    uint64_t left = 0, right = 0;
    atomic_fetch_add(&ran, 1);
    if (n < 2) {
        *(uint64_t *)out = n;
        return ALLOT_OK;
    }
    allot_future *future = allot_submit(executor, fib, &half, sizeof half, sizeof left, NULL);
    allot_status status = fib(call, &rest, &right);
    allot_status joined = allot_get(future, &left, sizeof left, ALLOT_FOREVER);
    allot_release(future);
    *(uint64_t *)out = left + right;
    return joined == ALLOT_OK ? status : joined;
}

/* With thieves: whoever gets it, each runs once, and the figures count them all. */
static void each_runs_once_and_is_counted_though_others_steal(void)
{
    unsigned n = FIB;
    allot_place_metrics place;
    executor = allot_open(ALLOT_OPTIONS(.threads = 4, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    REQUIRE(executor != NULL);
    for (int i = 0; i < ROUNDS_OF_FIB; i++) {
        uint64_t value = 0;
        atomic_store(&ran, 0);
        allot_future *future = allot_submit(executor, fib, &n, sizeof n, sizeof value, NULL);
        CHECK_STATUS(allot_get(future, &value, sizeof value, ALLOT_FOREVER), ALLOT_OK);
        allot_release(future);
        CHECK(value == 987 && atomic_load(&ran) == 3193);
    }
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    CHECK_STATUS(allot_get_place_metrics(executor, 0, &place, sizeof place), ALLOT_OK);
    CU_ASSERT_EQUAL(place.succeeded, ROUNDS_OF_FIB * 1597); /* of 3193 calls these are tasks */
    CHECK(place.failed == 0 && place.cancelled == 0 && place.queued == 0 && place.running == 0);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static const test_fact facts[] = {
    { "arguments and results of any size arrive", arguments_and_results_of_any_size_arrive },
    { "errors arrive with what was said", errors_arrive_with_what_was_said },
    { "what was cancelled or stopped before does not run",
      what_was_cancelled_or_stopped_before_does_not_run },
    { "one that is stopped while it runs ends so", one_that_is_stopped_while_it_runs_ends_so },
    { "others who wait for it hear of its end", others_who_wait_for_it_hear_of_its_end },
    { "they may be joined in any order", they_may_be_joined_in_any_order },
    { "each runs once and is counted though others steal",
      each_runs_once_and_is_counted_though_others_steal },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "join", .facts = facts };
    return watched_main(argc, argv, &suite, 1);
}
