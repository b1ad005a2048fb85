/* Loops, reductions and fork-join: every index once, errors, refusals, the same bits. */
#include "support.h"
#include <float.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>

static const int crews[] = { 1, 2, 3, 8 };
#define CREWS (sizeof crews / sizeof crews[0])

static const allot_schedule schedules[] = { ALLOT_AUTO, ALLOT_STATIC, ALLOT_DYNAMIC, ALLOT_GUIDED };
static const size_t sizes[] = { 0, 1, 2, 3, 63, 64, 65, 997 };
static const size_t grains[] = { 0, 1, 7, 64, 5000, SIZE_MAX / 2 + 1, SIZE_MAX };
#define COUNT(array) (sizeof(array) / sizeof *(array))

#define INDICES_MAX 4096

static allot_executor *open_crew(int threads)
{
    allot_executor *executor =
        allot_open(ALLOT_OPTIONS(.threads = threads, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    REQUIRE(executor != NULL);
    return executor;
}

static void close_crew(allot_executor *executor)
{
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- Every index once ---- */

typedef struct visits {
    allot_ndrange range;
    _Atomic uint32_t odd; /* blocks that are no part of the range */
    _Atomic uint32_t blocks;
    _Atomic uint8_t seen[INDICES_MAX];
} visits;

static size_t items_of(allot_ndrange range)
{
    size_t items = 1;
    for (size_t d = 0; d < range.rank; d++)
        items *= range.size[d];
    return items;
}

static bool is_part(const allot_block *block, allot_ndrange range)
{
    bool is = block->rank == range.rank;
    for (size_t d = 0; d < 3; d++) {
        size_t end = d < range.rank ? range.size[d] : 1;
        is = is && block->begin[d] < block->end[d] && block->end[d] <= end;
    }
    return is;
}

static allot_status visit(allot_call *call, const allot_block *block, void *user)
{
    visits *to = user;
    size_t rows = to->range.rank > 1 ? to->range.size[1] : 1,
           columns = to->range.rank > 2 ? to->range.size[2] : 1;
    (void)call;
    atomic_fetch_add(&to->blocks, 1);
    if (!is_part(block, to->range)) {
        atomic_fetch_add(&to->odd, 1);
        return ALLOT_OK;
    }
    for (size_t i = block->begin[0]; i < block->end[0]; i++)
        for (size_t j = block->begin[1]; j < block->end[1]; j++)
            for (size_t k = block->begin[2]; k < block->end[2]; k++)
                atomic_fetch_add_explicit(&to->seen[(i * rows + j) * columns + k], 1, memory_order_relaxed);
    return ALLOT_OK;
}

static bool once_each(const visits *to)
{
    size_t items = items_of(to->range);
    bool once = to->odd == 0 && (items || !to->blocks);
    for (size_t i = 0; i < INDICES_MAX && once; i++)
        once = to->seen[i] == (i < items);
    return once;
}

static bool visits_once(allot_executor *executor, allot_ndrange range, const allot_loop *loop)
{
    visits to;
    memset(&to, 0, sizeof to);
    to.range = range;
    bool once = status_is(allot_parallel_for(executor, range, visit, &to, loop), ALLOT_OK) && once_each(&to);
    if (!once && loop)
        printf("\n    %zu: %zu x %zu x %zu, schedule %d, grain %zu, %d workers", range.rank, range.size[0],
               range.size[1], range.size[2], (int)loop->schedule, loop->grain, loop->workers);
    return once;
}

static bool visits_once_on(int threads, allot_ndrange range)
{
    allot_executor *executor = open_crew(threads);
    bool once = visits_once(executor, range, NULL);
    for (size_t s = 0; s < COUNT(schedules); s++)
        for (size_t g = 0; g < COUNT(grains); g++)
            once = visits_once(executor, range, ALLOT_LOOP(.schedule = schedules[s], .grain = grains[g])) &&
                   once;
    close_crew(executor);
    return once;
}

static void every_index_of_a_line_once(void)
{
    for (size_t c = 0; c < CREWS; c++)
        for (size_t i = 0; i < COUNT(sizes); i++)
            CHECK(visits_once_on(crews[c], allot_range(sizes[i])));
}

static void every_index_of_a_plane_once(void)
{
    for (size_t c = 0; c < CREWS; c++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            CHECK(visits_once_on(crews[c], allot_range_2d(sizes[i], 3)));
            CHECK(visits_once_on(crews[c], allot_range_2d(2, sizes[i])));
        }
        CHECK(visits_once_on(crews[c], allot_range_2d(1, 1000)));
    }
}

static void every_index_of_a_volume_once(void)
{
    for (size_t c = 0; c < CREWS; c++) {
        for (size_t i = 0; i < COUNT(sizes) - 1; i++)
            CHECK(visits_once_on(crews[c], allot_range_3d(3, sizes[i], 5)));
        CHECK(visits_once_on(crews[c], allot_range_3d(2, 3, 500)));
        CHECK(visits_once_on(crews[c], allot_range_3d(1, 1, 1000)));
        CHECK(visits_once_on(crews[c], allot_range_3d(997, 2, 2)));
    }
}

static void fewer_may_take_part(void)
{
    allot_executor *executor = open_crew(8);
    for (int workers = 1; workers < 20; workers += 3)
        for (size_t s = 0; s < COUNT(schedules); s++)
            CHECK(visits_once(executor, allot_range(997),
                              ALLOT_LOOP(.schedule = schedules[s], .workers = workers)));
    close_crew(executor);
}

/* Blocks that are run at once, each for long enough to meet others. */
typedef struct crowd {
    _Atomic uint32_t inside, most;
} crowd;

static allot_status meet(allot_call *call, const allot_block *block, void *user)
{
    crowd *of = user;
    (void)call, (void)block;
    uint32_t inside = atomic_fetch_add(&of->inside, 1) + 1, most = atomic_load(&of->most);
    while (most < inside && !atomic_compare_exchange_weak(&of->most, &most, inside)) {
    }
    for (int64_t until_ns = now_ns() + MILLISECOND / 5; now_ns() < until_ns;) {
    }
    atomic_fetch_sub(&of->inside, 1);
    return ALLOT_OK;
}

static void no_more_workers_than_asked_for(void)
{
    allot_executor *executor = open_crew(8);
    for (size_t s = 0; s < COUNT(schedules); s++) {
        for (int workers = 1; workers <= 3; workers++) {
            crowd of = { 0 };
            CHECK_STATUS(
                allot_parallel_for(executor, allot_range(200), meet, &of,
                                   ALLOT_LOOP(.schedule = schedules[s], .grain = 1, .workers = workers)),
                ALLOT_OK);
            CHECK(of.most <= (uint32_t)workers);
        }
    }
    close_crew(executor);
}

/* Both are inside at once, or this never ends. */
static allot_status await_other(allot_call *call, const allot_block *block, void *user)
{
    (void)call, (void)block;
    atomic_fetch_add((_Atomic uint32_t *)user, 1);
    await_count(user, 2);
    return ALLOT_OK;
}

static void others_take_part(void)
{
    allot_executor *executor = open_crew(2);
    for (int i = 0; i < 10; i++) {
        _Atomic uint32_t arrived = 0;
        CHECK_STATUS(allot_parallel_for(executor, allot_range(2), await_other, (void *)&arrived,
                                        ALLOT_LOOP(.schedule = ALLOT_STATIC)),
                     ALLOT_OK);
    }
    close_crew(executor);
}

/* ---- From where ---- */

static allot_executor *shared;

static allot_status loop_in_task(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    *(bool *)out = visits_once(shared, allot_range_2d(31, 33), ALLOT_LOOP(.schedule = ALLOT_DYNAMIC)) &&
                   visits_once(shared, allot_range(997), NULL) &&
                   visits_once(shared, allot_range(997), ALLOT_LOOP(.schedule = ALLOT_STATIC));
    return ALLOT_OK;
}

static void tasks_may_loop(void)
{
    for (size_t c = 0; c < CREWS; c++) {
        shared = open_crew(crews[c]);
        allot_future *futures[40];
        for (size_t i = 0; i < 40; i++)
            futures[i] = allot_submit(shared, loop_in_task, NULL, 0, sizeof(bool), NULL);
        for (size_t i = 0; i < 40; i++) {
            bool right = false;
            CHECK_STATUS(allot_get(futures[i], &right, sizeof right, ALLOT_FOREVER), ALLOT_OK);
            CHECK(right);
        }
        allot_release_all(futures, 40);
        close_crew(shared);
    }
}

static allot_status count_items(allot_call *call, const allot_block *block, void *user)
{
    (void)call;
    atomic_fetch_add((_Atomic uint32_t *)user, (uint32_t)(block->end[0] - block->begin[0]));
    return ALLOT_OK;
}

static allot_status loop_in_loop(allot_call *call, const allot_block *block, void *user)
{
    allot_status status = ALLOT_OK;
    (void)call;
    for (size_t i = block->begin[0]; i < block->end[0] && status == ALLOT_OK; i++)
        status = allot_parallel_for(shared, allot_range(100), count_items, user,
                                    ALLOT_LOOP(.schedule = schedules[i % COUNT(schedules)]));
    return status;
}

static void loops_may_nest(void)
{
    for (size_t c = 0; c < CREWS; c++) {
        shared = open_crew(crews[c]);
        for (size_t s = 0; s < COUNT(schedules); s++) {
            _Atomic uint32_t items = 0;
            CHECK_STATUS(allot_parallel_for(shared, allot_range(64), loop_in_loop, (void *)&items,
                                            ALLOT_LOOP(.schedule = schedules[s], .grain = 1)),
                         ALLOT_OK);
            CHECK(items == 6400);
        }
        close_crew(shared);
    }
}

#define LOOPERS 24 /* more than there are slots for teams */

static void *loop_again_and_again(void *of)
{
    bool *right = of;
    *right = true;
    for (int i = 0; i < ROUNDS(50) && *right; i++)
        *right = visits_once(shared, allot_range(997), ALLOT_LOOP(.schedule = schedules[i % 4], .grain = 3));
    return NULL;
}

static void many_threads_loop_at_once(void)
{
    for (size_t c = 0; c < CREWS; c++) {
        bool right[LOOPERS] = { false };
        shared = open_crew(crews[c]);
        run_threads(LOOPERS, loop_again_and_again, right, sizeof *right);
        for (size_t i = 0; i < LOOPERS; i++)
            CHECK(right[i]);
        close_crew(shared);
    }
}

/* ---- Errors ---- */

typedef struct trouble {
    size_t at;
    _Atomic bool failed;
    _Atomic uint32_t blocks;
} trouble;

static allot_status fail_at(allot_call *call, const allot_block *block, void *user)
{
    trouble *of = user;
    atomic_fetch_add(&of->blocks, 1);
    if (of->at < block->begin[0] || of->at >= block->end[0])
        return ALLOT_OK;
    atomic_store(&of->failed, true);
    return allot_fail(call, ALLOT_USER + 7, "item %zu is odd", of->at);
}

static void the_first_error_is_told(void)
{
    for (size_t c = 0; c < CREWS; c++) {
        allot_executor *executor = open_crew(crews[c]);
        for (size_t s = 0; s < COUNT(schedules); s++) {
            for (size_t at = 0; at < 1000; at += 333) {
                trouble of = { .at = at };
                CHECK_STATUS(allot_parallel_for(executor, allot_range(1000), fail_at, &of,
                                                ALLOT_LOOP(.schedule = schedules[s])),
                             ALLOT_USER + 7);
                char text[64];
                snprintf(text, sizeof text, "item %zu is odd", at);
                CHECK(strstr(allot_last_error(), text) != NULL);
                CHECK_STATUS(allot_last_status(), ALLOT_USER + 7);
                CHECK(visits_once(executor, allot_range(997), ALLOT_LOOP(.schedule = schedules[s])));
            }
        }
        CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, NULL)), ALLOT_OK);
        close_crew(executor);
    }
}

static void nothing_is_begun_after_an_error(void)
{
    allot_executor *executor = open_crew(1);
    const allot_schedule in_order[] = { ALLOT_DYNAMIC, ALLOT_GUIDED };
    for (size_t s = 0; s < COUNT(in_order); s++) {
        trouble of = { .at = 0 };
        CHECK_STATUS(allot_parallel_for(executor, allot_range(1000), fail_at, &of,
                                        ALLOT_LOOP(.schedule = in_order[s], .grain = 1)),
                     ALLOT_USER + 7);
        CHECK(of.blocks == 1);
    }
    close_crew(executor);
}

/* The row of one waits until another one has failed, and then for so long that this must be known. */
static allot_status fail_beside(allot_call *call, const allot_block *block, void *user)
{
    trouble *of = user;
    if (atomic_load(&of->failed))
        atomic_fetch_add(&of->blocks, 1);
    if (block->begin[0] == 12) {
        atomic_store(&of->failed, true);
        return allot_fail(call, ALLOT_USER, "the second half is bad");
    }
    while (!atomic_load(&of->failed))
        sched_yield();
    for (int64_t until_ns = now_ns() + 100 * MILLISECOND; now_ns() < until_ns;)
        sched_yield();
    return ALLOT_OK;
}

static void an_error_ends_the_rows_of_others(void)
{
    allot_executor *executor = open_crew(8);
    trouble of = { 0 };
    CHECK_STATUS(allot_parallel_for(executor, allot_range_2d(24, 32), fail_beside, &of,
                                    ALLOT_LOOP(.schedule = ALLOT_STATIC)),
                 ALLOT_USER);
    CHECK(of.blocks <= 8); /* one a worker at most: each has three rows */
    close_crew(executor);
}

static allot_status body_fine(allot_call *call, const allot_block *block, void *user)
{
    (void)call, (void)block, (void)user;
    return ALLOT_OK;
}

static bool refused(allot_status actual, allot_status expected, const char *text)
{
    bool told = strstr(allot_last_error(), text) != NULL;
    if (!told)
        printf("\n    '%s' does not say '%s'", allot_last_error(), text);
    return status_is(actual, expected) && told && allot_last_status() == expected;
}

#define REFUSED(call, status, text) CHECK(refused((call), (status), (text)))

static void an_empty_range_may_be_large(void)
{
    allot_executor *e = open_crew(2);
    const allot_ndrange huge = { .rank = 3, .size = { SIZE_MAX / 2, 3, 0 } };
    CHECK_STATUS(allot_parallel_for(e, huge, body_fine, NULL, NULL), ALLOT_OK);
    CHECK_STATUS(allot_close(e), ALLOT_OK);
}

static void bad_loops_are_refused(void)
{
    allot_executor *e = open_crew(2);
    allot_ndrange none = { 0 }, four = { .rank = 4, .size = { 1, 1, 1 } };
    allot_ndrange huge = { .rank = 3, .size = { SIZE_MAX / 2, 3, 1 } };
    REFUSED(allot_parallel_for(NULL, allot_range(1), body_fine, NULL, NULL), ALLOT_INVALID,
            "executor is NULL");
    REFUSED(allot_parallel_for(e, allot_range(1), NULL, NULL, NULL), ALLOT_INVALID, "body is NULL");
    REFUSED(allot_parallel_for(e, none, body_fine, NULL, NULL), ALLOT_INVALID, "0 dimensions");
    REFUSED(allot_parallel_for(e, four, body_fine, NULL, NULL), ALLOT_INVALID, "4 dimensions");
    REFUSED(allot_parallel_for(e, huge, body_fine, NULL, NULL), ALLOT_TOO_LARGE, "2^64");
    REFUSED(allot_parallel_for(e, allot_range(1), body_fine, NULL, &(allot_loop){ 0 }), ALLOT_INVALID,
            "size is 0");
    REFUSED(allot_parallel_for(e, allot_range(1), body_fine, NULL, ALLOT_LOOP(.workers = -1)), ALLOT_INVALID,
            "-1 workers");
    REFUSED(allot_parallel_for(e, allot_range(1), body_fine, NULL, ALLOT_LOOP(.schedule = (allot_schedule)9)),
            ALLOT_INVALID, "9 is no schedule");
    allot_loop_init(NULL);
    allot_loop loop;
    allot_loop_init(&loop);
    CHECK(visits_once(e, allot_range(65), &loop));
    loop.size = offsetof(allot_loop, grain), loop.workers = -1; /* an older header's: it ends before */
    CHECK(visits_once(e, allot_range(65), &loop));
    close_crew(e);
}

static void sum_doubles(void *into, const void *from, void *user);
static allot_status sum_block(allot_call *call, const allot_block *block, void *user, void *accumulator);
static allot_status fib(allot_call *call, const void *in, void *out);

static void bad_reductions_and_branches_are_refused(void)
{
    allot_executor *e = open_crew(2);
    double value = 5;
    allot_branch empty = { 0 }, full = { .function = task_nothing };
    REFUSED(allot_parallel_reduce(e, allot_range(1), NULL, sum_doubles, &value, 8, NULL, NULL), ALLOT_INVALID,
            "body is NULL");
    REFUSED(allot_parallel_reduce(e, allot_range(1), sum_block, NULL, &value, 8, NULL, NULL), ALLOT_INVALID,
            "combine is NULL");
    REFUSED(allot_parallel_reduce(e, allot_range(1), sum_block, sum_doubles, NULL, 8, NULL, NULL),
            ALLOT_INVALID, "value is NULL");
    REFUSED(allot_parallel_reduce(e, allot_range(1), sum_block, sum_doubles, &value, 0, NULL, NULL),
            ALLOT_INVALID, "no size");
    REFUSED(allot_parallel_reduce(e, allot_range(1), sum_block, sum_doubles, &value, SIZE_MAX, NULL, NULL),
            ALLOT_NO_MEMORY, "no memory");
    CHECK(value == 5);
    REFUSED(allot_fork_join(NULL, &full, &full), ALLOT_INVALID, "executor is NULL");
    REFUSED(allot_fork_join(e, NULL, &full), ALLOT_INVALID, "branch is NULL");
    REFUSED(allot_fork_join(e, &full, NULL), ALLOT_INVALID, "branch is NULL");
    REFUSED(allot_fork_join(e, &full, &empty), ALLOT_INVALID, "function is NULL");
    close_crew(e);
}

static void without_threads_the_caller_does_it_all(void)
{
    shared = allot_open(ALLOT_OPTIONS(.places = ALLOT_KIND_BIT(ALLOT_INLINE)));
    REQUIRE(shared != NULL);
    int before = count_threads();
    for (size_t s = 0; s < COUNT(schedules); s++)
        CHECK(
            visits_once(shared, allot_range_2d(31, 33), ALLOT_LOOP(.schedule = schedules[s], .workers = 4)));
    double items[100], sum = 0;
    for (size_t i = 0; i < 100; i++)
        items[i] = (double)i;
    CHECK_STATUS(allot_parallel_reduce(shared, allot_range(100), sum_block, sum_doubles, &sum, sizeof sum,
                                       items, NULL),
                 ALLOT_OK);
    CHECK(sum == 4950);
    uint64_t n = 15, of = 0;
    allot_branch branch = { fib, &n, &of, sizeof n, sizeof of }, nothing = { .function = task_nothing };
    CHECK_STATUS(allot_fork_join(shared, &branch, &nothing), ALLOT_OK);
    CHECK(of == 610);
    CHECK(count_threads() <= before);
    close_crew(shared);
}

static void after_shutdown_all_are_refused(void)
{
    allot_executor *e = open_crew(2);
    double value = 5;
    allot_branch full = { .function = task_nothing };
    CHECK(visits_once(e, allot_range(65), NULL));
    CHECK_STATUS(allot_shutdown(e, ALLOT_DRAIN), ALLOT_OK);
    REFUSED(allot_parallel_for(e, allot_range(9), body_fine, NULL, NULL), ALLOT_SHUTDOWN, "shut down");
    REFUSED(allot_parallel_reduce(e, allot_range(9), sum_block, sum_doubles, &value, 8, NULL, NULL),
            ALLOT_SHUTDOWN, "shut down");
    REFUSED(allot_fork_join(e, &full, &full), ALLOT_SHUTDOWN, "shut down");
    CHECK(value == 5);
    close_crew(e);
}

static bool refused_in_child(allot_executor *e)
{
    double value = 5;
    allot_branch full = { .function = task_nothing };
    return allot_parallel_for(e, allot_range(9), body_fine, NULL, NULL) == ALLOT_FORKED &&
           allot_parallel_reduce(e, allot_range(9), sum_block, sum_doubles, &value, 8, NULL, NULL) ==
               ALLOT_FORKED &&
           allot_fork_join(e, &full, &full) == ALLOT_FORKED &&
           allot_resize(e, "thread", 1, 1) == ALLOT_FORKED &&
           allot_spawn(e, task_nothing, NULL, 0, NULL) == ALLOT_FORKED && allot_trim() == 0;
}

static void in_a_forked_child_all_are_refused(void)
{
    static allot_executor *e; /* found there by who looks for leaks in the child */
    e = open_crew(2);
    CHECK(visits_once(e, allot_range(65), NULL));
    fflush(stdout);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        alarm(10);
        _exit(refused_in_child(e) ? 42 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    close_crew(e);
}

/* ---- Reductions ---- */

static void sum_doubles(void *into, const void *from, void *user)
{
    (void)user;
    *(double *)into += *(const double *)from;
}

static allot_status sum_block(allot_call *call, const allot_block *block, void *user, void *accumulator)
{
    const double *items = user;
    (void)call;
    for (size_t i = block->begin[0]; i < block->end[0]; i++)
        *(double *)accumulator += items[i];
    return ALLOT_OK;
}

static void sums_are_right(void)
{
    static double items[INDICES_MAX];
    for (size_t i = 0; i < INDICES_MAX; i++)
        items[i] = (double)(i % 64);
    for (size_t c = 0; c < CREWS; c++) {
        allot_executor *executor = open_crew(crews[c]);
        for (size_t s = 0; s < COUNT(schedules); s++) {
            for (size_t i = 0; i < COUNT(sizes) * 2; i++) {
                size_t count = sizes[i / 2];
                double sum = 0, expected = 0;
                for (size_t j = 0; j < count; j++)
                    expected += items[j];
                CHECK_STATUS(allot_parallel_reduce(
                                 executor, allot_range(count), sum_block, sum_doubles, &sum, sizeof sum,
                                 items,
                                 ALLOT_LOOP(.schedule = schedules[s], .grain = 3, .deterministic = i % 2)),
                             ALLOT_OK);
                CHECK(sum == expected);
            }
        }
        close_crew(executor);
    }
}

/* What lies least, and where: a value of an odd size. */
typedef struct least {
    float value;
    uint32_t at[2];
} least;

static void lesser(void *into, const void *from, void *user)
{
    least *a = into;
    const least *b = from;
    (void)user;
    if (b->value < a->value)
        *a = *b;
}

static float valley(size_t i, size_t j)
{
    float x = (float)i - 17, y = (float)j - 4;
    return x * x + y * y;
}

static allot_status least_of(allot_call *call, const allot_block *block, void *user, void *accumulator)
{
    (void)call;
    for (size_t i = block->begin[0]; i < block->end[0]; i++)
        for (size_t j = block->begin[1]; j < block->end[1]; j++)
            lesser(accumulator, &(least){ valley(i, j), { (uint32_t)i, (uint32_t)j } }, user);
    return ALLOT_OK;
}

static void the_least_is_found(void)
{
    for (size_t c = 0; c < CREWS; c++) {
        allot_executor *executor = open_crew(crews[c]);
        for (int deterministic = 0; deterministic < 2; deterministic++) {
            least found = { .value = FLT_MAX };
            CHECK_STATUS(allot_parallel_reduce(executor, allot_range_2d(40, 9), least_of, lesser, &found,
                                               sizeof found, NULL,
                                               ALLOT_LOOP(.deterministic = deterministic)),
                         ALLOT_OK);
            CHECK(found.value == 0 && found.at[0] == 17 && found.at[1] == 4);
        }
        close_crew(executor);
    }
}

/* A run of indices; joined to anything but the next one it is broken. */
typedef struct span {
    size_t begin, end;
    bool empty, broken;
} span;

static void append(void *into, const void *from, void *user)
{
    span *a = into;
    const span *b = from;
    (void)user;
    if (b->empty)
        return;
    if (a->empty)
        *a = *b;
    else if (b->begin != a->end || b->broken)
        a->broken = true;
    else
        a->end = b->end;
}

static allot_status span_of(allot_call *call, const allot_block *block, void *user, void *accumulator)
{
    (void)call;
    append(accumulator, &(span){ block->begin[0], block->end[0], false, false }, user);
    return ALLOT_OK;
}

static void a_deterministic_one_keeps_the_order(void)
{
    for (size_t c = 0; c < CREWS; c++) {
        allot_executor *executor = open_crew(crews[c]);
        for (size_t i = 1; i < COUNT(sizes); i++) {
            for (size_t grain = 0; grain < 3; grain++) {
                span all = { .empty = true };
                CHECK_STATUS(allot_parallel_reduce(executor, allot_range(sizes[i]), span_of, append, &all,
                                                   sizeof all, NULL,
                                                   ALLOT_LOOP(.deterministic = true, .grain = grain)),
                             ALLOT_OK);
                CHECK(!all.empty && !all.broken && all.begin == 0 && all.end == sizes[i]);
            }
        }
        close_crew(executor);
    }
}

#define MANY 100003

static allot_status sum_floats(allot_call *call, const allot_block *block, void *user, void *accumulator)
{
    const float *items = user;
    (void)call;
    for (size_t i = block->begin[0]; i < block->end[0]; i++)
        *(float *)accumulator += items[i];
    return ALLOT_OK;
}

static void add_floats(void *into, const void *from, void *user)
{
    (void)user;
    *(float *)into += *(const float *)from;
}

static void a_deterministic_one_has_the_same_bits(void)
{
    static float items[MANY];
    for (size_t i = 0; i < MANY; i++)
        items[i] = sinf((float)i) * powf(10, (float)(i % 9));
    uint32_t expected[2] = { 0 };
    for (size_t c = 0; c < CREWS; c++) {
        allot_executor *executor = open_crew(crews[c]);
        for (int i = 0; i < 100; i++) {
            for (size_t g = 0; g < 2; g++) {
                float sum = 0;
                CHECK_STATUS(allot_parallel_reduce(
                                 executor, allot_range(MANY), sum_floats, add_floats, &sum, sizeof sum, items,
                                 ALLOT_LOOP(.deterministic = true, .grain = g * 7777, .workers = i % 3,
                                            .schedule = schedules[i % 4])),
                             ALLOT_OK);
                uint32_t bits;
                memcpy(&bits, &sum, sizeof bits);
                if (!c && !i)
                    expected[g] = bits;
                CHECK(bits == expected[g]);
            }
        }
        close_crew(executor);
    }
    CHECK(expected[0] != expected[1]); /* else these items would show nothing */
}

static allot_status never_empty(allot_call *call, const allot_block *block, void *user, void *accumulator)
{
    (void)user;
    *(double *)accumulator += 1;
    for (size_t d = 0; d < 3; d++)
        if (block->begin[d] >= block->end[d])
            return allot_fail(call, ALLOT_FAILED, "an empty block");
    return ALLOT_OK;
}

static void of_an_empty_range_the_identity_is_left(void)
{
    allot_executor *executor = open_crew(2);
    const allot_ndrange ranges[] = { allot_range(0), allot_range_2d(5, 0), allot_range_2d(0, 5),
                                     allot_range_3d(4, 4, 0) };
    for (size_t i = 0; i < COUNT(ranges) * 2; i++) {
        double value = 0;
        CHECK_STATUS(allot_parallel_reduce(executor, ranges[i / 2], never_empty, sum_doubles, &value,
                                           sizeof value, NULL, ALLOT_LOOP(.deterministic = i % 2)),
                     ALLOT_OK);
        CHECK(value == 0);
    }
    close_crew(executor);
}

static allot_status reduce_fails(allot_call *call, const allot_block *block, void *user, void *accumulator)
{
    *(double *)accumulator = 1;
    return fail_at(call, block, user);
}

static void a_failed_one_leaves_the_value(void)
{
    allot_executor *executor = open_crew(3);
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        double value = 5;
        trouble of = { .at = 500 };
        REFUSED(allot_parallel_reduce(executor, allot_range(1000), reduce_fails, sum_doubles, &value,
                                      sizeof value, &of,
                                      ALLOT_LOOP(.deterministic = deterministic, .grain = 10)),
                ALLOT_USER + 7, "item 500 is odd");
        CHECK(value == 5);
    }
    close_crew(executor);
}

static void *resize_meanwhile(void *of)
{
    for (int i = 0; !atomic_load((_Atomic bool *)of); i++)
        allot_resize(shared, "thread", 1 + i % 2 * 7, 1 + i % 2 * 7);
    return NULL;
}

static void the_pool_may_be_resized_meanwhile(void)
{
    static double items[INDICES_MAX];
    _Atomic bool enough = false;
    shared = open_crew(1);
    for (size_t i = 0; i < INDICES_MAX; i++)
        items[i] = 1;
    pthread_t thread = start_thread(resize_meanwhile, (void *)&enough);
    for (int i = 0; i < ROUNDS(3000); i++) {
        double sum = 0;
        CHECK_STATUS(allot_parallel_reduce(shared, allot_range(INDICES_MAX), sum_block, sum_doubles, &sum,
                                           sizeof sum, items, ALLOT_LOOP(.schedule = schedules[i % 4])),
                     ALLOT_OK);
        CHECK(sum == INDICES_MAX);
    }
    atomic_store(&enough, true);
    join_thread(thread);
    close_crew(shared);
}

/* ---- Fork-join ---- */

static allot_status fib(allot_call *call, const void *in, void *out)
{
    uint64_t n = *(const uint64_t *)in, less[2] = { n - 1, n - 2 }, of[2] = { 0 };
    if (allot_call_in_size(call) != sizeof n || allot_call_out_size(call) != sizeof of[0])
        return allot_fail(call, ALLOT_FAILED, "the sizes are not told");
    if (n < 2) {
        *(uint64_t *)out = n;
        return ALLOT_OK;
    }
    allot_branch first = { fib, &less[0], &of[0], sizeof n, sizeof of[0] };
    allot_branch second = { fib, &less[1], &of[1], sizeof n, sizeof of[0] };
    allot_status status = allot_fork_join(shared, &first, &second);
    *(uint64_t *)out = of[0] + of[1];
    return status;
}

static void fib_is_right(void)
{
    for (size_t c = 0; c < CREWS; c++) {
        uint64_t n = TEST_SANITIZED ? 15 : 22, out[4] = { 0 };
        shared = open_crew(crews[c]);
        allot_future *future = allot_submit(shared, fib, &n, sizeof n, sizeof n, NULL);
        CHECK_STATUS(allot_get(future, out, sizeof n, ALLOT_FOREVER), ALLOT_OK);
        CHECK(out[0] == (TEST_SANITIZED ? 610 : 17711));
        allot_release(future);
        allot_branch first = { fib, &n, &out[1], sizeof n, sizeof n };
        allot_branch second = { fib, &n, &out[2], sizeof n, sizeof n };
        CHECK_STATUS(allot_fork_join(shared, &first, &second), ALLOT_OK); /* from outside */
        CHECK(out[1] == out[0] && out[2] == out[0]);
        close_crew(shared);
    }
}

typedef struct level {
    uint32_t depth;
} level;

static allot_status descend(allot_call *call, const void *in, void *out)
{
    level below = { ((const level *)in)->depth - 1 };
    uint32_t count = 0;
    (void)call;
    if (below.depth) {
        allot_branch first = { descend, &below, &count, sizeof below, sizeof count };
        allot_branch second = { .function = task_nothing };
        allot_status status = allot_fork_join(shared, &first, &second);
        if (status != ALLOT_OK)
            return status;
    }
    *(uint32_t *)out = count + 1;
    return ALLOT_OK;
}

static void recursion_may_be_deep(void)
{
    for (size_t c = 0; c < CREWS; c++) {
        level top = { TEST_SANITIZED ? 1000 : 10000 };
        uint32_t count = 0;
        shared = open_crew(crews[c]);
        allot_future *future = allot_submit(shared, descend, &top, sizeof top, sizeof count, NULL);
        CHECK_STATUS(allot_get(future, &count, sizeof count, ALLOT_FOREVER), ALLOT_OK);
        CHECK(count == top.depth);
        allot_release(future);
        close_crew(shared);
    }
}

static const allot_status codes[] = { ALLOT_OK, ALLOT_USER + 1, ALLOT_USER + 2 };

static allot_status end_so(allot_call *call, const void *in, void *out)
{
    allot_status status = codes[*(const int *)in];
    atomic_fetch_add((_Atomic uint32_t *)out, 1);
    return status == ALLOT_OK ? status : allot_fail(call, status, "branch of code %d", (int)status);
}

/* Both run, and the first one's error goes before the second one's. */
static bool ends_right(int first, int second)
{
    _Atomic uint32_t runs = 0;
    allot_branch a = { end_so, &first, (void *)&runs, sizeof first, 0 };
    allot_branch b = { end_so, &second, (void *)&runs, sizeof second, 0 };
    allot_status expected = first ? codes[first] : codes[second];
    char text[32];
    snprintf(text, sizeof text, "code %d", (int)expected);
    allot_status status = allot_fork_join(shared, &a, &b);
    return runs == 2 && status == expected && (status == ALLOT_OK || strstr(allot_last_error(), text));
}

static allot_status all_ends(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    bool right = true;
    for (int i = 0; i < ROUNDS(2000); i++)
        right = ends_right(i % 3, i / 3 % 3) && right;
    return right ? ALLOT_OK : ALLOT_FAILED;
}

static void errors_of_both_branches(void)
{
    for (size_t c = 0; c < CREWS; c++) {
        shared = open_crew(crews[c]);
        CHECK_STATUS(finish(allot_submit(shared, all_ends, NULL, 0, 0, NULL)), ALLOT_OK);
        CHECK_STATUS(all_ends(NULL, NULL, NULL), ALLOT_OK); /* from outside */
        close_crew(shared);
    }
}

static allot_status arrive_and_wait(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    _Atomic uint32_t *arrived = *(_Atomic uint32_t *const *)in;
    atomic_fetch_add(arrived, 1);
    await_count(arrived, 2);
    return ALLOT_OK;
}

static allot_status fork_both(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    _Atomic uint32_t arrived = 0, *at = &arrived;
    allot_branch branch = { arrive_and_wait, &at, NULL, sizeof at, 0 };
    return allot_fork_join(shared, &branch, &branch);
}

static void a_branch_is_stolen(void)
{
    shared = open_crew(2);
    for (int i = 0; i < ROUNDS(100); i++)
        CHECK_STATUS(finish(allot_submit(shared, fork_both, NULL, 0, 0, NULL)), ALLOT_OK);
    for (int i = 0; i < ROUNDS(100); i++)
        CHECK_STATUS(fork_both(NULL, NULL, NULL), ALLOT_OK);
    close_crew(shared);
}

/* Leaves tasks of its own above the second branch, some of which it does not wait for. */
static allot_status submit_and_wait(allot_call *call, const void *in, void *out)
{
    double three = 3, nine = 0;
    (void)call, (void)in;
    allot_future *future = allot_submit(shared, task_square, &three, sizeof three, sizeof nine, NULL);
    allot_release(allot_submit(shared, task_nothing, NULL, 0, 0, NULL));
    allot_status status = allot_get(future, &nine, sizeof nine, ALLOT_FOREVER);
    allot_release(future);
    allot_release(allot_submit(shared, task_nothing, NULL, 0, 0, NULL));
    *(double *)out = nine;
    return status;
}

static allot_status fork_submitting(allot_call *call, const void *in, void *out)
{
    double nines[2] = { 0 };
    (void)call, (void)in, (void)out;
    allot_branch first = { submit_and_wait, NULL, &nines[0], 0, sizeof nines[0] };
    allot_branch second = { submit_and_wait, NULL, &nines[1], 0, sizeof nines[1] };
    allot_status status = allot_fork_join(shared, &first, &second);
    return status == ALLOT_OK && (nines[0] != 9 || nines[1] != 9) ? ALLOT_FAILED : status;
}

static void branches_may_submit_and_wait(void)
{
    for (size_t c = 0; c < CREWS; c++) {
        shared = open_crew(crews[c]);
        for (int i = 0; i < ROUNDS(500); i++) {
            CHECK_STATUS(finish(allot_submit(shared, fork_submitting, NULL, 0, 0, NULL)), ALLOT_OK);
            CHECK_STATUS(fork_submitting(NULL, NULL, NULL), ALLOT_OK);
        }
        close_crew(shared);
    }
}

typedef struct held_branch {
    uint64_t key;
    _Atomic uint32_t *runs;
} held_branch;

static allot_status hold_first(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    const held_branch *held = in;
    if (held->key)
        gate_pass(held->key);
    atomic_fetch_add(held->runs, 1);
    return ALLOT_OK;
}

static allot_status fork_held(allot_call *call, const void *in, void *out)
{
    held_branch first = *(const held_branch *)in, second = { 0, first.runs };
    (void)call, (void)out;
    allot_branch a = { hold_first, &first, NULL, sizeof first, 0 },
                 b = { hold_first, &second, NULL, sizeof second, 0 };
    return allot_fork_join(shared, &a, &b);
}

static void *cancel_pending(void *of)
{
    (void)of;
    allot_shutdown(shared, ALLOT_NO_WAIT);
    allot_shutdown(shared, ALLOT_CANCEL_PENDING);
    return NULL;
}

/* A branch is not pending: it is a part of what runs. */
static void a_shutdown_takes_no_branch(void)
{
    for (int i = 0; i < 20; i++) {
        test_gate gate = gate_create();
        _Atomic uint32_t runs = 0;
        shared = open_crew(1);
        held_branch held = { gate.key, &runs };
        allot_future *future = allot_submit(shared, fork_held, &held, sizeof held, 0, NULL);
        gate_await(&gate, 1);
        allot_future *queued = allot_submit(shared, task_nothing, NULL, 0, 0, NULL);
        pthread_t thread = start_thread(cancel_pending, NULL);
        CHECK_STATUS(allot_wait(queued, ALLOT_FOREVER),
                     ALLOT_OK); /* it was cancelled: so may the branch have been */
        CHECK(allot_cancelled(queued));
        for (int64_t until_ns = now_ns() + 5 * MILLISECOND; now_ns() < until_ns;)
            sched_yield();
        gate_open(&gate);
        join_thread(thread);
        CHECK_STATUS(finish(future), ALLOT_OK);
        CHECK(runs == 2);
        allot_release(queued);
        close_crew(shared);
        gate_destroy(&gate);
    }
}

static const test_fact facts[] = {
    { "every index of a line once, whatever schedule, grain and workers", every_index_of_a_line_once },
    { "every index of a plane once", every_index_of_a_plane_once },
    { "every index of a volume once", every_index_of_a_volume_once },
    { "fewer may take part", fewer_may_take_part },
    { "no more workers than asked for", no_more_workers_than_asked_for },
    { "others take part", others_take_part },
    { "tasks may loop", tasks_may_loop },
    { "loops may nest", loops_may_nest },
    { "many threads loop at once", many_threads_loop_at_once },
    { "the first error is told, with its message, and the pool goes on", the_first_error_is_told },
    { "nothing is begun after an error", nothing_is_begun_after_an_error },
    { "an error ends the rows of others", an_error_ends_the_rows_of_others },
    { "an empty range may be large in other dimensions", an_empty_range_may_be_large },
    { "bad loops are refused with a text", bad_loops_are_refused },
    { "bad reductions and branches are refused with a text", bad_reductions_and_branches_are_refused },
    { "without threads the caller does it all", without_threads_the_caller_does_it_all },
    { "after shutdown all are refused", after_shutdown_all_are_refused },
    { "in a forked child all are refused", in_a_forked_child_all_are_refused },
    { "sums are right", sums_are_right },
    { "the least is found, and where", the_least_is_found },
    { "a deterministic reduction keeps the order", a_deterministic_one_keeps_the_order },
    { "F11 a deterministic reduction of floats has the same bits over 100 runs and 1, 2, 3, 8 workers",
      a_deterministic_one_has_the_same_bits },
    { "of an empty range the identity is left", of_an_empty_range_the_identity_is_left },
    { "a failed reduction leaves the value", a_failed_one_leaves_the_value },
    { "the pool may be resized while it reduces", the_pool_may_be_resized_meanwhile },
    { "fork-join: Fibonacci, from a task and from outside", fib_is_right },
    { "fork-join: recursion may be deep", recursion_may_be_deep },
    { "fork-join: both run, the first one's error goes before", errors_of_both_branches },
    { "fork-join: a branch is stolen", a_branch_is_stolen },
    { "fork-join: branches may submit and wait", branches_may_submit_and_wait },
    { "fork-join: a shutdown takes no branch", a_shutdown_takes_no_branch },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "parallel", .facts = facts };
    return watched_main(argc, argv, &suite, 1);
}
