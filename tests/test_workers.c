/* How many workers there are, and what they take first. */
#include "support.h"
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

static int workers_of(allot_executor *executor)
{
    allot_metrics metrics = { .size = sizeof metrics };
    CHECK_STATUS(allot_get_metrics(executor, &metrics), ALLOT_OK);
    for (size_t i = 0; i < metrics.place_count && i < ALLOT_METRICS_PLACES_MAX; i++)
        if (strcmp(metrics.places[i].id, "thread") == 0)
            return metrics.places[i].workers;
    return -1;
}

/* The watchdog ends it if it never comes to that. */
static void await_workers(allot_executor *executor, int count)
{
    while (workers_of(executor) != count)
        sched_yield();
}

static allot_executor *open_with(const allot_options *options)
{
    allot_executor *executor = allot_open(options);
    REQUIRE(executor != NULL);
    return executor;
}

static _Atomic uint32_t runs;

static allot_status count_run(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    atomic_fetch_add(&runs, 1);
    return ALLOT_OK;
}

static void resize_while_work_runs(void)
{
    const int sizes[] = { 12, 2, 1, 12, 6, 1, 8, 5 };
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 3));
    uint32_t spawned = 0;
    atomic_store(&runs, 0);
    for (int round = 0; round < ROUNDS(20); round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            CHECK_STATUS(allot_spawn_many(executor, count_run, NULL, 0, 500, NULL, NULL), ALLOT_OK);
            CHECK_STATUS(allot_resize(executor, "thread", sizes[i], sizes[i]), ALLOT_OK);
            CHECK_STATUS(allot_spawn_many(executor, count_run, NULL, 0, 500, NULL, NULL), ALLOT_OK);
            spawned += 1000;
            await_workers(executor, sizes[i]);
        }
    }
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    CHECK(atomic_load(&runs) == spawned);
}

static void fill(allot_executor *executor, test_gate *gate, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        CHECK_STATUS(allot_spawn(executor, task_gate, &gate->key, sizeof gate->key, NULL), ALLOT_OK);
    gate_await(gate, count);
}

static void idle_workers_leave_and_come_back(void)
{
    allot_executor *executor =
        open_with(ALLOT_OPTIONS(.threads = 1, .threads_max = 4, .idle_ns = 5 * MILLISECOND));
    for (int i = 0; i < 5; i++) {
        test_gate gate = gate_create();
        fill(executor, &gate, 4);
        CHECK(workers_of(executor) == 4);
        gate_open(&gate);
        await_workers(executor, 1);
        await_count(&gate.page->left, 4);
        CHECK(atomic_load(&gate.page->most_inside) == 4);
        gate_destroy(&gate);
    }
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void there_are_never_more_than_the_most(void)
{
    test_gate gate = gate_create();
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1, .threads_max = 3));
    fill(executor, &gate, 3);
    for (int i = 0; i < 20; i++)
        CHECK_STATUS(allot_spawn(executor, task_gate, &gate.key, sizeof gate.key, NULL), ALLOT_OK);
    for (int64_t until_ns = now_ns() + 20 * MILLISECOND; now_ns() < until_ns;)
        CHECK(workers_of(executor) <= 3);
    gate_open(&gate);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    CHECK(atomic_load(&gate.page->most_inside) == 3 && atomic_load(&gate.page->left) == 23);
    gate_destroy(&gate);
}

/* Holds the only worker, twice over, and says to the pool that it does. */
static allot_status block(allot_call *call, const void *in, void *out)
{
    allot_blocking_begin();
    allot_blocking_begin();
    allot_blocking_end();
    task_gate(call, in, out);
    allot_blocking_end();
    return ALLOT_OK;
}

static void a_blocking_task_lets_others_run(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    allot_blocking_begin(); /* nothing outside of tasks */
    allot_blocking_end();
    for (int i = 0; i < 20; i++) {
        test_gate gate = gate_create();
        for (int j = 0; j < 3; j++)
            CHECK_STATUS(allot_spawn(executor, block, &gate.key, sizeof gate.key, NULL), ALLOT_OK);
        gate_await(&gate, 3);
        CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, NULL)), ALLOT_OK);
        gate_open(&gate);
        await_count(&gate.page->left, 3);
        await_workers(executor, 1); /* those who stood in leave */
        gate_destroy(&gate);
    }
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static allot_status begin_blocking(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    allot_blocking_begin();
    allot_blocking_begin();
    return ALLOT_OK;
}

static void a_task_ends_what_it_leaves_open(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    for (int i = 0; i < 50; i++) {
        CHECK_STATUS(finish(allot_submit(executor, begin_blocking, NULL, 0, 0, NULL)), ALLOT_OK);
        CHECK_STATUS(allot_spawn_many(executor, begin_blocking, NULL, 0, 5, NULL, NULL), ALLOT_OK);
    }
    await_workers(executor, 1);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- Priorities ---- */

static _Atomic int order[300];
static _Atomic uint32_t ordered;

static allot_status note_order(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    atomic_store(&order[atomic_fetch_add(&ordered, 1)], *(const int *)in);
    return ALLOT_OK;
}

static uint32_t sum_of_ranks(int priority)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 300; i++)
        sum += atomic_load(&order[i]) == priority ? i : 0;
    return sum / 100;
}

static void high_goes_before_normal_before_low(void)
{
    test_gate gate = gate_create();
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 1));
    fill(executor, &gate, 1);
    atomic_store(&ordered, 0);
    for (int i = 0; i < 300; i++) {
        int priority = i % 3 - 1;
        CHECK_STATUS(
            allot_spawn(executor, note_order, &priority, sizeof priority, ALLOT_HINTS(.priority = priority)),
            ALLOT_OK);
    }
    gate_open(&gate);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    CHECK(atomic_load(&ordered) == 300);
    /* On average: now and then one goes first that would starve. */
    CHECK(sum_of_ranks(1) < 70 && sum_of_ranks(0) > 120 && sum_of_ranks(0) < 180 && sum_of_ranks(-1) > 230);
    gate_destroy(&gate);
}

static allot_executor *shared;
static _Atomic bool low_ran;

static allot_status be_low(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    atomic_store(&low_ran, true);
    return ALLOT_OK;
}

/* Ends when the low one has run, and else goes on for ever. */
static allot_status be_high_again(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    int priority = *(const int *)in;
    return atomic_load(&low_ran)
               ? ALLOT_OK
               : allot_spawn(shared, be_high_again, in, sizeof priority, ALLOT_HINTS(.priority = priority));
}

static void nothing_starves(void)
{
    const int above[] = { 1, 0 };
    for (size_t i = 0; i < 2; i++) {
        shared = open_with(ALLOT_OPTIONS(.threads = 1));
        atomic_store(&low_ran, false);
        for (int j = 0; j < 3; j++)
            CHECK_STATUS(allot_spawn(shared, be_high_again, &above[i], sizeof *above,
                                     ALLOT_HINTS(.priority = above[i])),
                         ALLOT_OK);
        CHECK_STATUS(finish(allot_submit(shared, be_low, NULL, 0, 0, ALLOT_HINTS(.priority = -1))), ALLOT_OK);
        while (allot_shutdown(shared, ALLOT_DRAIN) != ALLOT_OK) {
        }
        CHECK_STATUS(allot_close(shared), ALLOT_OK);
    }
}

/* ---- What it costs ---- */

static int64_t cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static void an_idle_pool_uses_no_cpu(void)
{
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 8));
    CHECK_STATUS(allot_spawn_many(executor, task_nothing, NULL, 0, 1000, NULL, NULL), ALLOT_OK);
    CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, NULL)), ALLOT_OK);
    usleep(100000); /* what is measured is a length of time: until the last has gone to sleep, and then */
    int64_t before_ns = cpu_ns();
    sleep(3);
    CHECK(cpu_ns() - before_ns < 10 * MILLISECOND * (TEST_SANITIZED ? 10 : 1));
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void trim_gives_memory_back(void)
{
    enum {
        MANY = 100000
    };
    static allot_future *futures[MANY];
    allot_executor *executor = open_with(ALLOT_OPTIONS(.threads = 2));
    CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, NULL)), ALLOT_OK);
    memset(futures, 1, sizeof futures);
    allot_trim();
    size_t before = resident_bytes();
    allot_submit_many(executor, task_nothing, NULL, 0, 0, MANY, NULL, futures);
    CHECK_STATUS(allot_wait_all(futures, MANY, ALLOT_FOREVER), ALLOT_OK);
    allot_release_all(futures, MANY);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    size_t given = allot_trim();
    if (!TEST_SANITIZED) {
        CHECK(given > 8u << 20); /* of 100,000 blocks of 128 bytes */
        CHECK(resident_bytes() < before + (4u << 20));
    }
}

/* ---- Arguments ---- */

static bool refused(allot_status actual, allot_status expected, const char *text)
{
    return status_is(actual, expected) && allot_last_status() == expected && strstr(allot_last_error(), text);
}

static void bad_sizes_are_refused(void)
{
    allot_executor *e = open_with(ALLOT_OPTIONS(.threads = 2));
    CHECK(refused(allot_resize(NULL, "thread", 1, 1), ALLOT_INVALID, "executor is NULL"));
    CHECK(refused(allot_resize(e, NULL, 1, 1), ALLOT_INVALID, "place is NULL"));
    CHECK(refused(allot_resize(e, "thread", 0, 1), ALLOT_INVALID, "0 to 1"));
    CHECK(refused(allot_resize(e, "thread", 3, 2), ALLOT_INVALID, "3 to 2"));
    CHECK(refused(allot_resize(e, "thread", 1, ALLOT_WORKERS_MAX + 1), ALLOT_INVALID, "1 to 1025"));
    CHECK(refused(allot_resize(e, "threads", 1, 1), ALLOT_NOT_FOUND, "'threads'"));
    CHECK(refused(allot_resize(e, "inline", 1, 1), ALLOT_UNSUPPORTED, "'inline'"));
    CHECK_STATUS(allot_resize(e, "thread", 3, 3), ALLOT_OK); /* before it has started */
    CHECK_STATUS(finish(allot_submit(e, task_nothing, NULL, 0, 0, NULL)), ALLOT_OK);
    CHECK(workers_of(e) == 3);
    CHECK_STATUS(allot_close(e), ALLOT_OK);
    CHECK(!allot_open(ALLOT_OPTIONS(.threads = 3, .threads_max = 2)));
    CHECK(!allot_open(ALLOT_OPTIONS(.threads_max = -1)));
}

static void near_is_harmless(void)
{
    allot_executor *e = open_with(ALLOT_OPTIONS(.threads = 3, .bind_threads = true));
    allot_array *array = allot_array_full(e, ALLOT_F32, 1000, 1);
    const allot_hints *hints[] = { ALLOT_HINTS(.near = array), ALLOT_HINTS(.near_node = 1),
                                   ALLOT_HINTS(.near_node = 1000000), ALLOT_HINTS(.near_node = -5) };
    for (size_t i = 0; i < 400; i++) {
        double three = 3, nine = 0;
        allot_future *future = allot_submit(e, task_square, &three, sizeof three, sizeof nine, hints[i % 4]);
        CHECK_STATUS(allot_get(future, &nine, sizeof nine, ALLOT_FOREVER), ALLOT_OK);
        CHECK(nine == 9);
        allot_release(future);
    }
    allot_array_release(array);
    CHECK_STATUS(allot_close(e), ALLOT_OK);
}

static allot_status wait_for_next(allot_call *call, const void *in, void *out)
{
    int left = *(const int *)in - 1;
    (void)call, (void)out;
    if (!left)
        return ALLOT_OK;
    allot_future *next = allot_submit(shared, wait_for_next, &left, sizeof left, 0, NULL);
    allot_wait(next, ALLOT_FOREVER);
    allot_status status = allot_future_status(next);
    allot_release(next);
    return status;
}

static void nested_waits_do_not_overflow_the_stack(void)
{
    for (int threads = 1; threads < 4; threads++) {
        int depth = ROUNDS(100000);
        shared = open_with(ALLOT_OPTIONS(.threads = threads));
        CHECK_STATUS(finish(allot_submit(shared, wait_for_next, &depth, sizeof depth, 0, NULL)), ALLOT_OK);
        CHECK_STATUS(allot_close(shared), ALLOT_OK);
    }
}

/* Some lie down while others are woken: all must hear of the end. */
static void closing_ends_all_who_sleep(void)
{
    for (int round = 0; round < ROUNDS(5000); round++) {
        allot_executor *executor =
            open_with(ALLOT_OPTIONS(.threads = 4, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
        for (int i = 0; i < round % 5; i++)
            allot_release(allot_submit(executor, task_nothing, NULL, 0, 0, NULL));
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
    }
}

static const test_fact facts[] = {
    { "G16 sizes 12, 2, 1, 12, 6, 1, 8, 5 while work runs: no task is lost, each takes effect",
      resize_while_work_runs },
    { "G2 closing ends all workers who sleep", closing_ends_all_who_sleep },
    { "G15 idle workers leave and come back", idle_workers_leave_and_come_back },
    { "B2 there are never more workers than the most", there_are_never_more_than_the_most },
    { "a blocking task lets others run on a pool of one", a_blocking_task_lets_others_run },
    { "a task's end ends its blocking", a_task_ends_what_it_leaves_open },
    { "high priority goes before normal before low", high_goes_before_normal_before_low },
    { "nothing starves", nothing_starves },
    { "an idle pool uses no CPU", an_idle_pool_uses_no_cpu },
    { "B14 the memory of many futures is given back", trim_gives_memory_back },
    { "bad sizes are refused with a text", bad_sizes_are_refused },
    { "a wish for a memory node is harmless where there is one", near_is_harmless },
    { "B12 a hundred thousand nested waits do not overflow the stack",
      nested_waits_do_not_overflow_the_stack },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "workers", .facts = facts };
    return watched_main(argc, argv, &suite, 1);
}
