/* The order of launches: overlapping accesses take effect in the order of submission, without the caller
 * waiting. */
#include "probe_kernels.h"
#include "support.h"
#include <string.h>

#define PLACES_MAX 8
static const char *places[PLACES_MAX]; /* ids of places that launches can be spread over */
static size_t place_count;
static allot_executor *executor;

static void open_executor(void)
{
    static allot_place_info infos[PLACES_MAX];
    if (executor)
        return;
    executor = allot_open(ALLOT_OPTIONS(.threads = 2, .processes = 2));
    if (!executor) {
        fprintf(stderr, "allot_open: %s\n", allot_open_error());
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < PLACES_MAX; i++)
        infos[i].size = sizeof infos[i];
    size_t count = allot_places(executor, infos, PLACES_MAX);
    for (size_t i = 0; i < count && i < PLACES_MAX; i++)
        if (infos[i].state != ALLOT_PLACE_ASIDE)
            places[place_count++] = infos[i].id;
}

static allot_future *affine(allot_array *array, uint32_t a, uint32_t b, const char *place)
{
    size_t n = allot_array_count(array);
    return allot_launch(
        executor, probe_kernel(PROBE_AFFINE), allot_range_2d(n, 1),
        ALLOT_ARGS(allot_inout_view(allot_view_2d(array, 0, n, 1, 1)), allot_u32(a), allot_u32(b)),
        ALLOT_HINTS(.place_id = place));
}

static void writers_take_effect_in_order(void)
{
    allot_array *array = allot_array_full(executor, ALLOT_U32, 257, 1);
    uint32_t expected = 1;
    for (uint32_t i = 0; i < (uint32_t)ROUNDS(300); i++) {
        allot_release(affine(array, 2 * i + 3, i, places[i % place_count]));
        expected = (2 * i + 3) * expected + i;
    }
    const uint32_t *data = allot_array_map(array, ALLOT_READ);
    REQUIRE(data != NULL);
    for (int i = 0; i < 257; i++)
        CU_ASSERT_EQUAL(data[i], expected);
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    allot_array_release(array);
}

static allot_future *gate_on(allot_array *array, size_t at, test_gate *gate)
{
    return allot_launch(executor, probe_kernel(PROBE_GATE), allot_range(1),
                        ALLOT_ARGS(allot_inout_view(allot_view_1d(array, at, 1)), allot_u64(gate->key)),
                        ALLOT_HINTS(.place = ALLOT_THREAD));
}

static allot_future *square(allot_array *from, size_t at, size_t count, allot_array *to, size_t to_at)
{
    return allot_launch(executor, probe_kernel(PROBE_SQUARE), allot_range(count),
                        ALLOT_ARGS(allot_in_view(allot_view_1d(from, at, count)),
                                   allot_out_view(allot_view_1d(to, to_at, count))),
                        ALLOT_HINTS(.place = ALLOT_THREAD));
}

static void a_reader_waits_for_the_writer_before_it(void)
{
    allot_array *x = allot_array_full(executor, ALLOT_F32, 10, 2),
                *y = allot_array_new(executor, ALLOT_F32, 10);
    test_gate gate = gate_create();
    allot_future *writer = gate_on(x, 4, &gate);
    allot_future *reader = square(x, 4, 1, y, 0), *beside = square(x, 5, 5, y, 5);
    gate_await(&gate, 1);
    CHECK_STATUS(finish(beside), ALLOT_OK); /* the other elements are free */
    CHECK_STATUS(allot_wait(reader, 10 * MILLISECOND), ALLOT_TIMEOUT);
    CU_ASSERT_EQUAL(allot_future_state(reader), ALLOT_STATE_PENDING);
    gate_open(&gate);
    CHECK_STATUS(finish(reader), ALLOT_OK);
    CHECK_STATUS(finish(writer), ALLOT_OK);
    gate_destroy(&gate);
    allot_array_release(x), allot_array_release(y);
}

/* A kernel that reads its array and meets others there: only if readers run together do all arrive. */
static allot_status meet(allot_call *call, const allot_part *part)
{
    (void)call;
    uint64_t key = *(const uint64_t *)part->args[1].data;
    gate_pass(key);
    return ALLOT_OK;
}

static void readers_run_together(void)
{
    static const allot_param params[] = {
        { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_WHOLE },
        { .name = "key", .type = ALLOT_U64 },
    };
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = "meet", .params = params, .param_count = 2, .cpu = meet));
    allot_array *x = allot_array_new(executor, ALLOT_F32, 10);
    REQUIRE(kernel && x);
    test_gate gate = gate_create();
    allot_future *futures[2];
    for (int i = 0; i < 2; i++)
        futures[i] =
            allot_launch(executor, kernel, allot_range(1), ALLOT_ARGS(allot_in(x), allot_u64(gate.key)),
                         ALLOT_HINTS(.place = ALLOT_THREAD));
    gate_await(&gate, 2);
    gate_open(&gate);
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(finish(futures[i]), ALLOT_OK);
    gate_destroy(&gate);
    allot_array_release(x);
    allot_kernel_release(kernel);
}

static void a_writer_waits_for_the_readers_before_it(void)
{
    allot_array *x = allot_array_full(executor, ALLOT_F32, 10, 2),
                *y = allot_array_new(executor, ALLOT_F32, 10);
    allot_array *z = allot_array_full(executor, ALLOT_F32, 10, 5);
    test_gate gate = gate_create();
    allot_future *hold = gate_on(y, 0, &gate);
    allot_future *reader = square(x, 0, 10, y, 0); /* waits for y */
    allot_future *writer = square(z, 0, 10, x, 0); /* must wait for the reader, which has not started */
    gate_await(&gate, 1);
    CHECK_STATUS(allot_wait(writer, 10 * MILLISECOND), ALLOT_TIMEOUT);
    gate_open(&gate);
    CHECK_STATUS(finish(writer), ALLOT_OK);
    CHECK_STATUS(finish(reader), ALLOT_OK);
    CHECK_STATUS(finish(hold), ALLOT_OK);
    const float *data = allot_array_map(y, ALLOT_READ);
    CHECK(data && data[0] == 4 && data[9] == 4);
    CHECK_STATUS(allot_array_unmap(y), ALLOT_OK);
    data = allot_array_map(x, ALLOT_READ);
    CHECK(data && data[0] == 25 && data[9] == 25);
    CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
    gate_destroy(&gate);
    allot_array_release(x), allot_array_release(y), allot_array_release(z);
}

static void one_array_in_and_out_apart(void)
{
    allot_array *x = allot_array_full(executor, ALLOT_F32, 20, 3);
    CHECK_STATUS(finish(square(x, 0, 10, x, 10)), ALLOT_OK);
    const float *data = allot_array_map(x, ALLOT_READ);
    CHECK(data && data[0] == 3 && data[9] == 3 && data[10] == 9 && data[19] == 9);
    CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
    allot_future *refused = square(x, 0, 10, x, 9);
    CHECK(allot_done(refused));
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(refused), "y"));
    CHECK_STATUS(finish(refused), ALLOT_INVALID);
    allot_array_release(x);
}

static void halo_and_whole_read_beyond_their_index(void)
{
    for (size_t p = 0; p < place_count; p++) {
        enum {
            N = 1000
        };
        allot_array *x = allot_array_new(executor, ALLOT_U32, N),
                    *y = allot_array_new(executor, ALLOT_U32, N);
        allot_hints hints = *ALLOT_HINTS(.place_id = places[p]);
        allot_release(allot_launch(executor, probe_kernel(PROBE_FILL), allot_range(N),
                                   ALLOT_ARGS(allot_out(x), allot_u32(5)), &hints));
        allot_release(allot_launch(executor, probe_kernel(PROBE_BLUR), allot_range(N),
                                   ALLOT_ARGS(allot_in(x), allot_out(y)), &hints));
        allot_release(allot_launch(executor, probe_kernel(PROBE_REVERSE), allot_range(N),
                                   ALLOT_ARGS(allot_in(y), allot_out(x)), &hints));
        const uint32_t *data = allot_array_map(x, ALLOT_READ);
        REQUIRE(data != NULL);
        bool right = data[0] == 1004 + 1003 && data[N - 1] == 5 + 6;
        for (uint32_t i = 1; i + 1 < N; i++)
            right &= data[N - 1 - i] == 3 * (i + 5);
        CHECK(right);
        CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
        allot_array_release(x), allot_array_release(y);
    }
}

static void reads_spread_over_places(void)
{
    enum {
        N = 5000
    };
    allot_array *x = allot_array_full(executor, ALLOT_U32, N, 1), *sums[PLACES_MAX];
    for (size_t i = 0; i < place_count; i++)
        sums[i] = allot_array_new(executor, ALLOT_U32, N);
    for (uint32_t round = 1; round < 20; round++) {
        allot_release(affine(x, 1, 1, places[round % place_count]));
        for (size_t i = 0; i < place_count; i++)
            allot_release(allot_launch(executor, probe_kernel(PROBE_REVERSE), allot_range(N),
                                       ALLOT_ARGS(allot_in(x), allot_out(sums[i])),
                                       ALLOT_HINTS(.place_id = places[i])));
    }
    for (size_t i = 0; i < place_count; i++) {
        const uint32_t *data = allot_array_map(sums[i], ALLOT_READ);
        CHECK(data && data[0] == 20 && data[N / 2] == 20 && data[N - 1] == 20);
        CHECK_STATUS(allot_array_unmap(sums[i]), ALLOT_OK);
        allot_array_release(sums[i]);
    }
    allot_array_release(x);
}

static void after_and_arrays_join(void)
{
    allot_array *x = allot_array_full(executor, ALLOT_U32, 100, 1);
    test_gate gates[2] = { gate_create(), gate_create() };
    allot_future *tasks[2];
    for (int i = 0; i < 2; i++)
        tasks[i] = allot_submit(executor, task_gate, &gates[i].key, sizeof gates[i].key, 0,
                                ALLOT_HINTS(.place = ALLOT_THREAD));
    allot_future *first = allot_launch(executor, probe_kernel(PROBE_FILL), allot_range(100),
                                       ALLOT_ARGS(allot_out(x), allot_u32(7)),
                                       ALLOT_HINTS(.place = ALLOT_INLINE, .after = tasks, .after_count = 2));
    allot_future *second = affine(x, 2, 0, "inline"); /* no hint: the array orders it */
    gate_open(&gates[1]);
    CHECK_STATUS(finish(tasks[1]), ALLOT_OK);
    CHECK_STATUS(allot_wait(second, 10 * MILLISECOND), ALLOT_TIMEOUT);
    gate_open(&gates[0]);
    CHECK_STATUS(finish(second), ALLOT_OK);
    CHECK_STATUS(finish(first), ALLOT_OK);
    CHECK_STATUS(finish(tasks[0]), ALLOT_OK);
    const uint32_t *data = allot_array_map(x, ALLOT_READ);
    CHECK(data && data[0] == 14 && data[99] == 212);
    CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
    gate_destroy(&gates[0]), gate_destroy(&gates[1]);
    allot_array_release(x);
}

static void a_long_chain_does_not_sink_the_stack(void)
{
    allot_array *x = allot_array_new(executor, ALLOT_U32, 1);
    test_gate gate = gate_create();
    allot_future *hold =
        allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, ALLOT_HINTS(.place = ALLOT_THREAD));
    uint32_t length = (uint32_t)ROUNDS(5000);
    allot_future **chain = calloc(length, sizeof(*chain));
    REQUIRE(chain != NULL);
    for (uint32_t i = 0; i < length; i++)
        chain[i] = allot_submit(executor, task_nothing, NULL, 0, 0,
                                ALLOT_HINTS(.after = i ? &chain[i - 1] : &hold, .after_count = 1));
    for (uint32_t i = 0; i < length; i++)
        allot_release(affine(x, 1, 1, "thread"));
    gate_open(&gate);
    CHECK_STATUS(allot_wait_all(chain, length, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_future_status(chain[length - 1]), ALLOT_OK);
    const uint32_t *data = allot_array_map(x, ALLOT_READ);
    CHECK(data && data[0] == length);
    CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
    /* The same where the whole chain falls at once. */
    allot_status error = ALLOT_FAILED;
    test_gate second_gate = gate_create();
    allot_release_all(chain, length);
    allot_future *wait = allot_submit(executor, task_gate, &second_gate.key, sizeof gate.key, 0,
                                      ALLOT_HINTS(.place = ALLOT_THREAD));
    chain[0] = allot_submit(executor, task_fail, &error, sizeof error, 0,
                            ALLOT_HINTS(.after = &wait, .after_count = 1));
    for (uint32_t i = 1; i < length; i++)
        chain[i] = allot_submit(executor, task_nothing, NULL, 0, 0,
                                ALLOT_HINTS(.after = &chain[i - 1], .after_count = 1));
    gate_open(&second_gate);
    CHECK_STATUS(allot_get(chain[length - 1], NULL, 0, ALLOT_FOREVER), ALLOT_DEPENDENCY);
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(chain[length - 1]), FAIL_TEXT));
    CHECK(strlen(allot_future_error(chain[length - 1])) < 4000);
    allot_release_all(chain, length);
    free(chain);
    allot_release(hold), allot_release(wait);
    allot_array_release(x);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    allot_close(executor); /* a gate must outlive its tasks */
    executor = NULL;
    place_count = 0;
    gate_destroy(&gate), gate_destroy(&second_gate);
}

/* What a cancelled writer spoils takes effect in its turn: not for the reader before it. */
static void a_cancelled_writer_does_not_spoil_an_earlier_read(void)
{
    allot_array *x = allot_array_full(executor, ALLOT_F32, 4, 3),
                *y = allot_array_new(executor, ALLOT_F32, 4);
    test_gate gate = gate_create();
    allot_future *hold = gate_on(y, 0, &gate);
    allot_future *reader = square(x, 0, 4, y, 0); /* waits for y */
    allot_future *writer = square(y, 0, 4, x, 0); /* waits for the reader */
    CHECK(allot_cancel(writer));
    gate_open(&gate);
    CHECK_STATUS(finish(reader), ALLOT_OK);
    CHECK_STATUS(finish(writer), ALLOT_CANCELLED);
    CHECK_STATUS(finish(hold), ALLOT_OK);
    CU_ASSERT_PTR_NULL(allot_array_map(x, ALLOT_READ)); /* after it, x is spoilt */
    CHECK_STATUS(allot_last_status(), ALLOT_DEPENDENCY);
    gate_destroy(&gate);
    allot_array_release(x), allot_array_release(y);
}

/* And an earlier write does not make good again what the cancelled one spoils after it. */
static void a_cancelled_writer_spoils_after_an_earlier_write(void)
{
    allot_array *x = allot_array_full(executor, ALLOT_F32, 4, 3),
                *y = allot_array_full(executor, ALLOT_F32, 4, 2);
    test_gate gate = gate_create();
    allot_future *first = gate_on(x, 0, &gate);
    allot_future *second = square(y, 0, 1, x, 0);
    gate_await(&gate, 1);
    CHECK(allot_cancel(second));
    gate_open(&gate);
    CHECK_STATUS(finish(first), ALLOT_OK);
    CHECK_STATUS(finish(second), ALLOT_CANCELLED);
    float *data = allot_array_map(x, ALLOT_READ);
    CU_ASSERT_PTR_NULL(data);
    if (data)
        CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
    gate_destroy(&gate);
    allot_array_release(x), allot_array_release(y);
}

static void many_dependants_of_one_task(void)
{
    test_gate gate = gate_create();
    allot_future *hold =
        allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, ALLOT_HINTS(.place = ALLOT_THREAD));
    enum {
        MANY = 500
    };
    allot_future *fan[MANY];
    for (size_t i = 0; i < MANY; i++) {
        tally_input input = { .key = gate.key, .index = i };
        fan[i] = allot_submit(executor, task_tally, &input, sizeof input, 0,
                              ALLOT_HINTS(.after = &hold, .after_count = 1));
    }
    allot_future *join =
        allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.after = fan, .after_count = MANY));
    gate_await(&gate, 1);
    CHECK(!allot_done(join) && !allot_done(fan[0]));
    gate_open(&gate);
    CHECK_STATUS(finish(join), ALLOT_OK);
    for (size_t i = 0; i < MANY; i++) {
        CHECK(allot_done(fan[i]));
        CU_ASSERT_EQUAL(gate_tally(&gate, i), 1);
    }
    allot_release_all(fan, MANY);
    allot_release(hold);
    gate_destroy(&gate);
}

static void check_unusable(allot_array *array)
{
    CU_ASSERT_PTR_NULL(allot_array_map(array, ALLOT_READ));
    CHECK_STATUS(allot_last_status(), ALLOT_DEPENDENCY);
    allot_array_release(array);
}

static void a_cancelled_writer_harms_nothing_before_it(void)
{
    allot_array *x = allot_array_full(executor, ALLOT_U32, 10, 2);
    test_gate gate = gate_create();
    allot_future *hold =
        allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, ALLOT_HINTS(.place = ALLOT_INLINE));
    gate_await(&gate, 1);
    allot_future *first = affine(x, 3, 0, "inline"), *second = affine(x, 3, 0, "inline");
    CHECK(allot_cancel(second)); /* while the first, which reads what it writes, has not started */
    gate_open(&gate);
    CHECK_STATUS(finish(first), ALLOT_OK);
    CHECK_STATUS(finish(second), ALLOT_CANCELLED);
    CHECK_STATUS(finish(hold), ALLOT_OK);
    check_unusable(x);
    gate_destroy(&gate);
}

static void what_runs_before_it_does_not_stand_in_for_a_cancelled_writer(void)
{
    allot_array *x = allot_array_full(executor, ALLOT_F32, 1, 2);
    test_gate gate = gate_create();
    allot_future *first = gate_on(x, 0, &gate), *second = gate_on(x, 0, &gate);
    gate_await(&gate, 1);
    CHECK(allot_cancel(second));
    gate_open(&gate);
    CHECK_STATUS(finish(first), ALLOT_OK);
    CHECK_STATUS(finish(second), ALLOT_CANCELLED);
    check_unusable(x);
    gate_destroy(&gate);
}

static const test_fact facts[] = {
    { "writers take effect in the order of submission, whatever place runs them",
      writers_take_effect_in_order },
    { "a reader waits for the writer before it, not for what lies beside",
      a_reader_waits_for_the_writer_before_it },
    { "readers run together", readers_run_together },
    { "a writer waits for the readers before it", a_writer_waits_for_the_readers_before_it },
    { "one array may be read and written apart, not where the parts overlap", one_array_in_and_out_apart },
    { "halo and whole parameters see what lies beyond the index", halo_and_whole_read_beyond_their_index },
    { "reads spread over places see the same data", reads_spread_over_places },
    { "hints.after and the order of arrays join", after_and_arrays_join },
    { "a cancelled writer spoils nothing for a reader before it",
      a_cancelled_writer_does_not_spoil_an_earlier_read },
    { "what a cancelled writer spoils stays so after the writer before it",
      a_cancelled_writer_spoils_after_an_earlier_write },
    { "one task may have many dependants, and a task many dependencies", many_dependants_of_one_task },
    { "a cancelled writer harms nothing that was submitted before it",
      a_cancelled_writer_harms_nothing_before_it },
    { "what runs before a cancelled writer does not stand in for it",
      what_runs_before_it_does_not_stand_in_for_a_cancelled_writer },
    { "long chains start and fail without sinking the stack", a_long_chain_does_not_sink_the_stack },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "graph", .facts = facts, .prepare = open_executor };
    int result = watched_main(argc, argv, &suite, 1);
    allot_close(executor);
    probe_kernels_free();
    return result;
}
