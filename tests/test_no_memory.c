/* Memory that runs out: each allocation of a use of the library fails in turn. Every call answers all the
 * same, and what was submitted ends. */
#include "probe_kernels.h"
#include "support.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The program's own malloc() and calloc(), which fail once the countdown has run out; the library is linked
 * statically, so it gets these. A sanitizer has its own. */
#if !TEST_SANITIZED && defined(__GLIBC__)
#define CAN_FAIL 1
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);

static _Atomic long countdown = -1; /* allocations that still succeed; below 0: all of them */
static _Thread_local bool counted;  /* this thread's allocations count */

static bool fails(void)
{
    if (!counted || atomic_load(&countdown) < 0)
        return false;
    if (atomic_load(&countdown) > 0 && atomic_fetch_sub(&countdown, 1) > 0)
        return false;
    errno = ENOMEM;
    return true;
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

static void fail_from(long successes)
{
    atomic_store(&countdown, successes);
    counted = successes >= 0;
}
#else
#define CAN_FAIL 0
static void fail_from(long successes)
{
    (void)successes;
}
#endif

enum {
    MOST = 40
}; /* no step below needs that many allocations */

static allot_executor *executor;

static void ignore(allot_future *future, void *user)
{
    (void)future, (void)user;
}

/* With its threads there: one that cannot be started is another matter. The thread for callbacks starts with
 * the first future that is not done yet when it is given one. */
static void open_executor(void)
{
    if (executor)
        return;
    executor = allot_open(ALLOT_OPTIONS(.threads = 1));
    if (!executor)
        abort();
    test_gate gate = gate_create();
    allot_future *first = allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, NULL);
    finish(allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.place = ALLOT_INLINE)));
    CHECK_STATUS(allot_on_done(first, ignore, NULL), ALLOT_OK);
    gate_open(&gate);
    CHECK_STATUS(finish(first), ALLOT_OK);
    gate_destroy(&gate);
}

static bool fits(allot_status status)
{
    bool fit = status == ALLOT_OK || status == ALLOT_NO_MEMORY;
    if (!fit)
        printf("\n    %s", allot_status_name(status));
    return fit;
}

static void submissions_end(void)
{
    for (long i = 0; i < MOST; i++) {
        double three = 3;
        fail_from(i);
        allot_future *first = allot_submit(executor, task_square, &three, sizeof three, sizeof three, NULL);
        allot_future *second = allot_submit(executor, task_square, &three, sizeof three, sizeof three,
                                            ALLOT_HINTS(.place = ALLOT_INLINE));
        fail_from(-1);
        REQUIRE(first && second);
        CHECK(fits(finish(first)));
        CHECK(fits(finish(second)));
    }
}

static void who_depends_on_a_refused_task_ends(void)
{
    for (long i = 0; i < MOST; i++) {
        fail_from(i);
        allot_future *first = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
        fail_from(-1);
        allot_future *second =
            allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.after = &first, .after_count = 1));
        allot_status status =
            allot_wait(second, 2 * SECOND) == ALLOT_OK ? allot_future_status(second) : ALLOT_TIMEOUT;
        CHECK_STATUS(status, allot_future_status(first) == ALLOT_OK ? ALLOT_OK : ALLOT_DEPENDENCY);
        allot_release(first), allot_release(second);
    }
}

static void note(allot_future *future, void *user)
{
    (void)future;
    atomic_fetch_add((_Atomic uint32_t *)user, 1);
}

static void callbacks_are_called_or_refused(void)
{
    for (long i = 0; i < MOST; i++) {
        static _Atomic uint32_t calls;
        uint32_t before = calls;
        fail_from(i);
        allot_future *future = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
        allot_status status = allot_on_done(future, note, (void *)&calls);
        fail_from(-1);
        CHECK(fits(status));
        CHECK(fits(finish(future)));
        if (status == ALLOT_OK)
            await_count(&calls, before + 1);
    }
}

static void launches_end(void)
{
    for (long i = 0; i < MOST; i++) {
        allot_array *x = allot_array_full(executor, ALLOT_F32, 100, 3),
                    *y = allot_array_new(executor, ALLOT_F32, 100);
        REQUIRE(x && y);
        fail_from(i);
        allot_future *first =
            allot_launch(executor, probe_kernel(PROBE_SQUARE), allot_range(100),
                         ALLOT_ARGS(allot_in(x), allot_out(y)), ALLOT_HINTS(.place = ALLOT_THREAD));
        allot_future *second =
            allot_launch(executor, probe_kernel(PROBE_SQUARE), allot_range(100),
                         ALLOT_ARGS(allot_in(y), allot_out(x)), ALLOT_HINTS(.place = ALLOT_THREAD));
        const float *data = allot_array_map(x, ALLOT_READ);
        allot_status mapped = data ? ALLOT_OK : allot_last_status();
        fail_from(-1);
        CHECK(mapped == ALLOT_OK || mapped == ALLOT_NO_MEMORY || mapped == ALLOT_DEPENDENCY);
        allot_status status = finish(first);
        CHECK(fits(status));
        allot_status then = finish(second);
        CHECK(fits(then) || then == ALLOT_DEPENDENCY);
        if (data)
            CHECK(data[99] == (then != ALLOT_OK ? 3.0F : status == ALLOT_OK ? 81.0F : 0.0F));
        if (data)
            CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
        allot_array_release(x), allot_array_release(y);
    }
}

static void makers_report(void)
{
    for (long i = 0; i < MOST; i++) {
        fail_from(i);
        allot_array *array = allot_array_full(executor, ALLOT_F32, 100, 3);
        allot_status status = array ? ALLOT_OK : allot_last_status();
        allot_executor *other = allot_open(ALLOT_OPTIONS(.threads = 1));
        allot_status opened = other ? ALLOT_OK : allot_last_status();
        allot_future *future = other ? allot_submit(other, task_nothing, NULL, 0, 0, NULL) : NULL;
        fail_from(-1);
        CHECK(fits(status) && fits(opened));
        allot_status end = future ? finish(future) : ALLOT_OK;
        CHECK(fits(end) || end == ALLOT_NO_PLACE);
        CHECK_STATUS(allot_close(other), ALLOT_OK);
        allot_array_release(array);
    }
}

static void maps_end(void)
{
    for (long i = 0; i < MOST; i++) {
        double inputs[6] = { 0, 1, 2, 3, 4, 5 }, value = -1;
        fail_from(i);
        allot_future *map = allot_map(executor, task_square, inputs, sizeof *inputs, sizeof *inputs, 6,
                                      ALLOT_HINTS(.chunk = 2));
        fail_from(-1);
        allot_status whole =
            allot_wait(map, 2 * SECOND) == ALLOT_OK ? allot_future_status(map) : ALLOT_TIMEOUT;
        CHECK(fits(whole));
        for (size_t j = 0; j < 6; j++) {
            allot_status status = allot_map_item(map, j, &value, sizeof value, 0);
            CHECK(fits(status) && (status == ALLOT_OK || whole != ALLOT_OK));
            CHECK(status != ALLOT_OK || value == (double)(j * j));
        }
        allot_release(map);
    }
}

static void as_completed_gives_what_was_added(void)
{
    for (long i = 0; i < MOST; i++) {
        allot_future *futures[3];
        for (size_t j = 0; j < 3; j++)
            futures[j] = allot_submit(executor, task_nothing, NULL, 0, 0, NULL);
        fail_from(i);
        allot_as_completed *ended = allot_as_completed_create(futures, 2);
        allot_status made = ended ? ALLOT_OK : allot_last_status();
        allot_status added = ended ? allot_as_completed_add(ended, futures[2]) : ALLOT_NO_MEMORY;
        fail_from(-1);
        CHECK(fits(made) && fits(added));
        size_t count = 0;
        while (ended && allot_as_completed_next(ended, NULL, NULL, 2 * SECOND) == ALLOT_OK)
            count++;
        CU_ASSERT_EQUAL(count, made != ALLOT_OK ? 0 : added != ALLOT_OK ? 2 : 3);
        allot_as_completed_destroy(ended);
        for (size_t j = 0; j < 3; j++)
            CHECK_STATUS(finish(futures[j]), ALLOT_OK);
    }
}

static const test_fact facts[] = {
    { "submissions end, if only as refused", submissions_end },
    { "who depends on a refused task ends", who_depends_on_a_refused_task_ends },
    { "callbacks are called or refused", callbacks_are_called_or_refused },
    { "launches end and never leave stale data as good", launches_end },
    { "maps end, and their items with them", maps_end },
    { "as-completed gives what was added", as_completed_gives_what_was_added },
    { "makers report", makers_report },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    if (!CAN_FAIL)
        return test_skip("a sanitizer has its own allocator");
    watched_suite suite = { .name = "no memory", .facts = facts, .prepare = open_executor };
    for (int i = 0; i < PROBES; i++)
        probe_kernel((probe)i);
    int result = watched_main(argc, argv, &suite, 1);
    alarm(20); /* a task that never ends shows here too */
    allot_close(executor);
    probe_kernels_free();
    return result;
}
