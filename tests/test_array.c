/* Arrays: what include/allot/array.h says of making, mapping, views, transfers and what failed launches
 * leave. */
#include "core/array.h"
#include "probe_kernels.h"
#include "support.h"
#include <sched.h>
#include <string.h>
#include <unistd.h>

static allot_executor *executor;

static void open_executor(void)
{
    if (!executor)
        executor = allot_open(ALLOT_OPTIONS(.threads = 2, .processes = 1));
    if (!executor) {
        fprintf(stderr, "allot_open: %s\n", allot_open_error());
        exit(EXIT_FAILURE);
    }
}

/* ---- Types ---- */

static void types_have_sizes_and_names(void)
{
#define CHECK_TYPE(name, size, cl, text)                                                                     \
    CU_ASSERT_EQUAL(allot_type_size(ALLOT_##name), size);                                                    \
    CU_ASSERT_STRING_EQUAL(allot_type_name(ALLOT_##name), text);                                             \
    CU_ASSERT_EQUAL(allot_type_named(text), ALLOT_##name);
    ALLOT_TYPE_LIST(CHECK_TYPE)
#undef CHECK_TYPE
    const allot_type none[] = { ALLOT_NO_TYPE, (allot_type)99, (allot_type)-1 };
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(allot_type_size(none[i]), 0);
        CU_ASSERT_STRING_EQUAL(allot_type_name(none[i]), "?");
    }
    CU_ASSERT_EQUAL(allot_type_named("f33"), ALLOT_NO_TYPE);
    CU_ASSERT_EQUAL(allot_type_named(""), ALLOT_NO_TYPE);
    CU_ASSERT_EQUAL(allot_type_named(NULL), ALLOT_NO_TYPE);
}

/* ---- Making ---- */

static void new_is_zero_and_aligned(void)
{
    const size_t counts[] = { 1, 7, 1024, 1025, 100000 };
    for (size_t i = 0; i < 5; i++) {
        allot_array *array = allot_array_new(executor, ALLOT_I32, counts[i]);
        REQUIRE(array != NULL);
        CU_ASSERT_EQUAL(allot_array_count(array), counts[i]);
        CU_ASSERT_EQUAL(allot_array_type(array), ALLOT_I32);
        const int32_t *data = allot_array_map(array, ALLOT_READ);
        REQUIRE(data != NULL);
        CU_ASSERT_EQUAL((uintptr_t)data % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
        int32_t any = 0;
        for (size_t j = 0; j < counts[i]; j++)
            any |= data[j];
        CU_ASSERT_EQUAL(any, 0);
        CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
        allot_array_release(array);
    }
}

/* Makes an array full of `value` and compares its second element's bytes. */
static void check_full(allot_type type, double value, const void *expected)
{
    allot_array *array = allot_array_full(executor, type, 3, value);
    CU_ASSERT_PTR_NOT_NULL(array);
    if (!array)
        return;
    const unsigned char *data = allot_array_map(array, ALLOT_READ);
    size_t size = allot_type_size(type);
    CHECK(data && memcmp(data + size, expected, size) == 0 && memcmp(data + 2 * size, expected, size) == 0);
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    allot_array_release(array);
}

static void full_converts_as_c_does(void)
{
    check_full(ALLOT_I8, -5.9, &(int8_t){ -5 });
    check_full(ALLOT_U8, 255, &(uint8_t){ 255 });
    check_full(ALLOT_I16, -32768, &(int16_t){ -32768 });
    check_full(ALLOT_U32, 4294967295.0, &(uint32_t){ UINT32_MAX });
    check_full(ALLOT_I64, -9223372036854775808.0, &(int64_t){ INT64_MIN });
    check_full(ALLOT_U64, 1e19, &(uint64_t){ 10000000000000000000u });
    check_full(ALLOT_F16, 0.5, &(uint16_t){ 0x3800 });
    check_full(ALLOT_F16, 65504, &(uint16_t){ 0x7bff });
    check_full(ALLOT_F32, 0.1, &(float){ 0.1f });
    check_full(ALLOT_F64, 0.1, &(double){ 0.1 });
    check_full(ALLOT_C32, 2.5, (float[]){ 2.5f, 0 });
    check_full(ALLOT_C64, 2.5, (double[]){ 2.5, 0 });
}

static void full_refuses_what_does_not_fit(void)
{
    const struct {
        allot_type type;
        double value;
    } bad[] = {
        { ALLOT_I8, 128 },        { ALLOT_U8, -1 },      { ALLOT_U8, 256 },
        { ALLOT_I32, 3e9 },       { ALLOT_U64, 1.9e19 }, { ALLOT_I64, 9223372036854775808.0 },
        { ALLOT_U16, 0.0 / 0.0 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_PTR_NULL(allot_array_full(executor, bad[i].type, 2, bad[i].value));
        CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
        CHECK(allot_last_error()[0] != '\0');
    }
}

static void from_copies(void)
{
    double data[100];
    for (int i = 0; i < 100; i++)
        data[i] = i * 0.25;
    allot_array *array = allot_array_from(executor, ALLOT_F64, 100, data);
    REQUIRE(array != NULL);
    data[50] = -1;
    const double *mapped = allot_array_map(array, ALLOT_READ);
    CHECK(mapped && mapped[0] == 0 && mapped[50] == 12.5 && mapped[99] == 24.75);
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    allot_array_release(array);
}

static void a_count_of_0_is_fine(void)
{
    allot_array *arrays[] = {
        allot_array_new(executor, ALLOT_F32, 0),
        allot_array_full(executor, ALLOT_F32, 0, 1),
        allot_array_from(executor, ALLOT_F32, 0, NULL),
    };
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_PTR_NOT_NULL(arrays[i]);
        CU_ASSERT_EQUAL(allot_array_count(arrays[i]), 0);
        CU_ASSERT_PTR_NOT_NULL(allot_array_map(arrays[i], ALLOT_READ_WRITE));
        CHECK_STATUS(allot_array_unmap(arrays[i]), ALLOT_OK);
        allot_array_release(arrays[i]);
    }
}

static void absurd_counts_are_refused(void)
{
    const size_t counts[] = { SIZE_MAX, SIZE_MAX / 8, SIZE_MAX / 8 + 1, (size_t)1 << 60 };
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_PTR_NULL(allot_array_new(executor, ALLOT_F64, counts[i]));
        CHECK(allot_last_status() == ALLOT_TOO_LARGE || allot_last_status() == ALLOT_NO_MEMORY);
        CHECK(allot_last_error()[0] != '\0');
    }
}

/* ---- Wrapped memory ---- */

static void count_free(void *data, void *user)
{
    (void)data;
    atomic_fetch_add((_Atomic uint32_t *)user, 1);
}

static void wrapping_copies_nothing(void)
{
    static _Atomic uint32_t freed;
    static uint32_t memory[1000];
    for (uint32_t i = 0; i < 1000; i++)
        memory[i] = i;
    allot_array *array = allot_array_wrap(executor, ALLOT_U32, 1000, memory, count_free, (void *)&freed);
    REQUIRE(array != NULL);
    uint32_t *mapped = allot_array_map(array, ALLOT_READ_WRITE);
    CU_ASSERT_PTR_EQUAL(mapped, memory);
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    CHECK_STATUS(finish(allot_launch(executor, probe_kernel(PROBE_SLOW), allot_range(1000),
                                     ALLOT_ARGS(allot_inout(array), allot_u32(1)),
                                     ALLOT_HINTS(.place = ALLOT_THREAD))),
                 ALLOT_OK);
    CU_ASSERT_PTR_EQUAL(allot_array_map(array, ALLOT_READ), memory);
    CU_ASSERT_EQUAL(memory[77], probe_slow_value(77, 1));
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    allot_array_hold(array);
    allot_array_release(array);
    CU_ASSERT_EQUAL(freed, 0);
    allot_array_release(array);
    await_count(&freed, 1); /* the launch may let go of it a moment after its future is done */
}

static void an_array_is_let_go_when_its_launch_is_done(void)
{
    static _Atomic uint32_t freed;
    static uint32_t memory[16];
    allot_array *array = allot_array_wrap(executor, ALLOT_U32, 16, memory, count_free, (void *)&freed);
    allot_future *future =
        allot_launch(executor, probe_kernel(PROBE_SLOW), allot_range(16),
                     ALLOT_ARGS(allot_inout(array), allot_u32(1)), ALLOT_HINTS(.place = ALLOT_THREAD));
    allot_array_release(array);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
    for (int64_t end = now_ns() + 2 * SECOND; freed == 0 && now_ns() < end;)
        sched_yield();
    CU_ASSERT_EQUAL(freed, 1); /* though the future is still held */
    allot_release(future);
    await_count(&freed, 1);
}

static void wrapped_memory_is_freed_after_its_last_launch(void)
{
    static _Atomic uint32_t freed;
    static float memory[4];
    test_gate gate = gate_create();
    allot_array *array = allot_array_wrap(executor, ALLOT_F32, 4, memory, count_free, (void *)&freed);
    REQUIRE(array != NULL);
    allot_future *future =
        allot_launch(executor, probe_kernel(PROBE_GATE), allot_range(1),
                     ALLOT_ARGS(allot_inout_view(allot_view_1d(array, 0, 1)), allot_u64(gate.key)),
                     ALLOT_HINTS(.place = ALLOT_THREAD));
    allot_array_release(array);
    gate_await(&gate, 1);
    CU_ASSERT_EQUAL(freed, 0);
    gate_open(&gate);
    CHECK_STATUS(finish(future), ALLOT_OK);
    await_count(&freed, 1);
    gate_destroy(&gate);
}

static void odd_addresses_are_refused(void)
{
    static _Alignas(16) char memory[64];
    CU_ASSERT_PTR_NULL(allot_array_wrap(executor, ALLOT_F64, 4, memory + 4, NULL, NULL));
    CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    CU_ASSERT_PTR_NULL(allot_array_wrap(executor, ALLOT_F64, 4, NULL, NULL, NULL));
    CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    allot_array *array = allot_array_wrap(executor, ALLOT_U8, 3, memory + 5, NULL, NULL); /* no hook: fine */
    CU_ASSERT_PTR_NOT_NULL(array);
    allot_array_release(array);
}

/* ---- Mapping ---- */

static void maps_see_writes(void)
{
    allot_array *array = allot_array_new(executor, ALLOT_U32, 10);
    uint32_t *data = allot_array_map(array, ALLOT_WRITE);
    REQUIRE(data != NULL);
    for (uint32_t i = 0; i < 10; i++)
        data[i] = 100 + i;
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    data = allot_array_map(array, ALLOT_READ_WRITE);
    CHECK(data && data[3] == 103);
    data[3] = 7;
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    const uint32_t *first = allot_array_map(array, ALLOT_READ), *second = allot_array_map(array, ALLOT_READ);
    CU_ASSERT_PTR_EQUAL(first, second); /* readers together */
    CHECK(second && second[3] == 7);
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    CHECK_STATUS(allot_array_unmap(array), ALLOT_INVALID);
    allot_array_release(array);
}

static void bad_access_is_refused(void)
{
    allot_array *array = allot_array_new(executor, ALLOT_U32, 10);
    const int bad[] = { 0, 4, -1, 7 };
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_PTR_NULL(allot_array_map(array, (allot_access)bad[i]));
        CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    }
    CHECK_STATUS(allot_array_unmap(array), ALLOT_INVALID);
    allot_array_release(array);
}

static void a_map_waits_for_launches_before_it(void)
{
    allot_array *array = allot_array_full(executor, ALLOT_U32, 1000, 5);
    for (int i = 0; i < ROUNDS(200); i++) {
        allot_future *future = allot_launch(executor, probe_kernel(PROBE_FILL), allot_range(1000),
                                            ALLOT_ARGS(allot_out(array), allot_u32((uint32_t)i)), NULL);
        const uint32_t *data = allot_array_map(array, ALLOT_READ);
        REQUIRE(data != NULL);
        CHECK(allot_done(future));
        CHECK(data[0] == (uint32_t)i && data[999] == (uint32_t)i + 999);
        CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
        CHECK_STATUS(finish(future), ALLOT_OK);
    }
    allot_array_release(array);
}

static void a_launch_waits_for_the_unmap(void)
{
    allot_array *array = allot_array_full(executor, ALLOT_U32, 10, 5),
                *other = allot_array_new(executor, ALLOT_U32, 10);
    const uint32_t *data = allot_array_map(array, ALLOT_READ);
    REQUIRE(data != NULL);
    allot_future *reader = allot_launch(executor, probe_kernel(PROBE_REVERSE), allot_range(10),
                                        ALLOT_ARGS(allot_in(array), allot_out(other)), NULL);
    CHECK_STATUS(finish(reader), ALLOT_OK); /* readers do not wait for readers */
    allot_future *writer = allot_launch(executor, probe_kernel(PROBE_FILL), allot_range(10),
                                        ALLOT_ARGS(allot_out(array), allot_u32(50)), NULL);
    CHECK_STATUS(allot_wait(writer, 20 * MILLISECOND), ALLOT_TIMEOUT);
    CU_ASSERT_EQUAL(allot_future_state(writer), ALLOT_STATE_PENDING);
    CHECK(data[0] == 5 && data[9] == 5);
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    CHECK_STATUS(finish(writer), ALLOT_OK);
    data = allot_array_map(array, ALLOT_READ);
    CHECK(data && data[0] == 50 && data[9] == 59);
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    allot_array_release(array), allot_array_release(other);
}

static void *unmap_it(void *array)
{
    return allot_array_unmap(array) == ALLOT_OK ? NULL : array;
}

static void another_thread_can_unmap(void)
{
    allot_array *array = allot_array_new(executor, ALLOT_U32, 10);
    CU_ASSERT_PTR_NOT_NULL(allot_array_map(array, ALLOT_READ_WRITE));
    void *wrong = NULL;
    pthread_join(start_thread(unmap_it, array), &wrong);
    CU_ASSERT_PTR_NULL(wrong);
    CHECK_STATUS(allot_array_unmap(array), ALLOT_INVALID);
    allot_array_release(array);
}

static void an_array_may_be_released_while_mapped(void)
{
    allot_array *array = allot_array_new(executor, ALLOT_U32, 10);
    uint32_t *data = allot_array_map(array, ALLOT_READ_WRITE);
    REQUIRE(data != NULL);
    allot_array_hold(array);
    allot_array_release(array);
    data[0] = 3;
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    allot_array_release(array);
}

/* ---- Transfers ---- */

static allot_array_stats stats_of(const allot_array *array)
{
    allot_array_stats stats = { .size = sizeof stats };
    CHECK_STATUS(allot_array_get_stats(array, &stats), ALLOT_OK);
    CU_ASSERT_EQUAL(stats.size, sizeof stats);
    return stats;
}

static void the_host_moves_nothing(void)
{
    allot_array *array = allot_array_full(executor, ALLOT_U32, 1000, 1);
    const allot_kind kinds[] = { ALLOT_THREAD, ALLOT_INLINE };
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(finish(allot_launch(executor, probe_kernel(PROBE_SLOW), allot_range(1000),
                                         ALLOT_ARGS(allot_inout(array), allot_u32(1)),
                                         ALLOT_HINTS(.place = kinds[i]))),
                     ALLOT_OK);
    CU_ASSERT_PTR_NOT_NULL(allot_array_map(array, ALLOT_READ));
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    allot_array_stats stats = stats_of(array);
    CHECK(stats.bytes_to == 0 && stats.bytes_from == 0 && stats.transfers == 0);
    allot_array_release(array);
}

static allot_status launch_on(const char *place_id, allot_view view, uint32_t value)
{
    return finish(allot_launch(executor, probe_kernel(PROBE_FILL), allot_range(view.shape[0]),
                               ALLOT_ARGS(allot_out_view(view), allot_u32(value)),
                               ALLOT_HINTS(.place_id = place_id)));
}

/* A device that has a memory of its own, or at least is a device; "" if there is none. */
static const char *device_id(bool *shares_memory)
{
    static allot_place_info infos[16];
    for (size_t i = 0; i < 16; i++)
        infos[i].size = sizeof infos[i];
    size_t count = allot_places(executor, infos, 16);
    for (size_t i = 0; i < count && i < 16; i++)
        if (infos[i].kind == ALLOT_OPENCL && infos[i].state != ALLOT_PLACE_ASIDE) {
            *shares_memory = infos[i].shares_memory;
            return infos[i].id;
        }
    return "";
}

static void nothing_moves_twice(void)
{
    bool shares = false;
    const char *device = device_id(&shares);
    if (!device[0]) {
        printf("no device here; ");
        return;
    }
    enum {
        N = 4096
    };
    allot_array *x = allot_array_full(executor, ALLOT_U32, N, 3),
                *y = allot_array_new(executor, ALLOT_U32, N);
    for (int i = 0; i < 3; i++) { /* x goes there once, y never: it is overwritten */
        CHECK_STATUS(
            finish(allot_launch(executor, probe_kernel(PROBE_REVERSE), allot_range(N),
                                ALLOT_ARGS(allot_in(x), allot_out(y)), ALLOT_HINTS(.place_id = device))),
            ALLOT_OK);
        CHECK(stats_of(x).bytes_to <= N * 4 && stats_of(y).bytes_to == 0);
        CHECK(shares || stats_of(x).bytes_to == N * 4);
    }
    CU_ASSERT_EQUAL(stats_of(y).bytes_from, 0);
    for (int i = 0; i < 2; i++) { /* and comes back once */
        const uint32_t *data = allot_array_map(y, ALLOT_READ);
        CHECK(data && data[0] == 3 && data[N - 1] == 3);
        CHECK_STATUS(allot_array_unmap(y), ALLOT_OK);
        CU_ASSERT_EQUAL(stats_of(y).bytes_from, shares ? 0 : N * 4);
    }
    CHECK_STATUS(launch_on(device, allot_view_1d(y, 100, 50), 9), ALLOT_OK);
    const uint32_t *data = allot_array_map(y, ALLOT_READ); /* only the part that changed */
    CHECK(data && data[99] == 3 && data[100] == 9 && data[149] == 58 && data[150] == 3);
    CHECK_STATUS(allot_array_unmap(y), ALLOT_OK);
    CU_ASSERT_EQUAL(stats_of(y).bytes_from, shares ? 0 : N * 4 + 50 * 4);
    allot_array_release(x), allot_array_release(y);
}

/* ---- Views ---- */

static void views_say_what_they_are_made_of(void)
{
    allot_array *array = allot_array_new(executor, ALLOT_U32, 60);
    allot_view view = allot_view_all(array);
    CHECK(view.array == array && view.offset == 0 && view.rank == 1 && view.shape[0] == 60 &&
          view.stride[0] == 1);
    view = allot_view_1d(array, 5, 10);
    CHECK(view.offset == 5 && view.rank == 1 && view.shape[0] == 10 && view.stride[0] == 1);
    view = allot_view_2d(array, 3, 4, 5, 12);
    CHECK(view.offset == 3 && view.rank == 2 && view.shape[0] == 4 && view.shape[1] == 5);
    CHECK(view.stride[0] == 12 && view.stride[1] == 1);
    view = allot_view_3d(array, 1, 2, 3, 4);
    CHECK(view.rank == 3 && view.shape[0] == 2 && view.shape[1] == 3 && view.shape[2] == 4);
    CHECK(view.stride[0] == 12 && view.stride[1] == 4 && view.stride[2] == 1);
    allot_array_release(array);
}

static void strided_views_touch_only_their_elements(void)
{
    const char *places[] = { "thread", "inline", "" };
    bool shares;
    places[2] = device_id(&shares);
    for (int p = 0; p < 3 && places[p][0]; p++) {
        allot_array *array = allot_array_full(executor, ALLOT_U32, 60, 1);
        allot_view view = allot_view_2d(array, 3, 4, 5, 12); /* rows of 5 in rows of 12 */
        CHECK_STATUS(finish(allot_launch(executor, probe_kernel(PROBE_AFFINE), allot_range_2d(4, 5),
                                         ALLOT_ARGS(allot_inout_view(view), allot_u32(10), allot_u32(7)),
                                         ALLOT_HINTS(.place_id = places[p]))),
                     ALLOT_OK);
        const uint32_t *data = allot_array_map(array, ALLOT_READ);
        REQUIRE(data != NULL);
        for (size_t i = 0; i < 60; i++) {
            bool touched = i >= 3 && (i - 3) / 12 < 4 && (i - 3) % 12 < 5;
            CU_ASSERT_EQUAL(data[i], touched ? 17 : 1);
        }
        CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
        allot_array_release(array);
    }
}

static void a_column_is_a_view_too(void)
{
    allot_array *array = allot_array_new(executor, ALLOT_U32, 20);
    allot_view column = {
        .array = array, .offset = 2, .rank = 1, .shape = { 4, 1, 1 }, .stride = { 5, 1, 1 }
    };
    CHECK_STATUS(launch_on("thread", column, 40), ALLOT_OK);
    const uint32_t *data = allot_array_map(array, ALLOT_READ);
    REQUIRE(data != NULL);
    for (uint32_t i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(data[i], i % 5 == 2 ? 40 + i / 5 : 0);
    CHECK_STATUS(allot_array_unmap(array), ALLOT_OK);
    allot_array_release(array);
}

/* ---- What a failed launch leaves ---- */

static allot_future *fail_on(allot_view view)
{
    return allot_launch(executor, probe_kernel(PROBE_FAIL), allot_range(view.shape[0]),
                        ALLOT_ARGS(allot_inout_view(view), allot_i32(ALLOT_USER + 3)),
                        ALLOT_HINTS(.place = ALLOT_THREAD));
}

static allot_future *square_on(allot_view from, allot_view to)
{
    return allot_launch(executor, probe_kernel(PROBE_SQUARE), allot_range(from.shape[0]),
                        ALLOT_ARGS(allot_in_view(from), allot_out_view(to)), NULL);
}

static void a_failed_launch_spoils_what_it_should_write(void)
{
    allot_array *x = allot_array_full(executor, ALLOT_F32, 100, 2),
                *y = allot_array_new(executor, ALLOT_F32, 100);
    CHECK_STATUS(finish(fail_on(allot_view_1d(x, 20, 10))), (allot_status)(ALLOT_USER + 3));
    allot_future *reader = square_on(allot_view_all(x), allot_view_all(y));
    CHECK_STATUS(allot_get(reader, NULL, 0, ALLOT_FOREVER), ALLOT_DEPENDENCY);
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(reader), FAIL_TEXT));
    allot_release(reader);
    allot_array *z = allot_array_new(executor, ALLOT_F32, 100);
    reader = square_on(allot_view_all(y), allot_view_all(z)); /* of what came of it: said once */
    CHECK_STATUS(allot_get(reader, NULL, 0, ALLOT_FOREVER), ALLOT_DEPENDENCY);
    const char *said = strstr(allot_future_error(reader), "never written");
    CHECK(said && !strstr(said + 1, "never written") && strstr(said, FAIL_TEXT));
    allot_release(reader);
    allot_array_release(z);
    const allot_access reads[] = { ALLOT_READ, ALLOT_READ_WRITE };
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_PTR_NULL(allot_array_map(x, reads[i]));
        CHECK_STATUS(allot_last_status(), ALLOT_DEPENDENCY);
        CU_ASSERT_PTR_NOT_NULL(strstr(allot_last_error(), FAIL_TEXT));
        CU_ASSERT_PTR_NULL(allot_array_map(y, reads[i])); /* it was not written either */
        CHECK_STATUS(allot_last_status(), ALLOT_DEPENDENCY);
    }
    /* What lies beside the spoilt part is as it was. */
    CHECK_STATUS(finish(square_on(allot_view_1d(x, 0, 20), allot_view_1d(y, 0, 20))), ALLOT_OK);
    CHECK_STATUS(finish(square_on(allot_view_1d(x, 30, 70), allot_view_1d(y, 30, 70))), ALLOT_OK);
    CHECK_STATUS(finish(square_on(allot_view_1d(x, 29, 2), allot_view_1d(y, 29, 2))), ALLOT_DEPENDENCY);
    allot_array_release(x), allot_array_release(y);
}

static void writing_again_heals(void)
{
    allot_array *x = allot_array_full(executor, ALLOT_F32, 100, 2),
                *y = allot_array_full(executor, ALLOT_F32, 100, 3);
    CHECK_STATUS(finish(fail_on(allot_view_1d(x, 20, 10))), (allot_status)(ALLOT_USER + 3));
    CHECK_STATUS(finish(square_on(allot_view_1d(y, 0, 10), allot_view_1d(x, 20, 10))), ALLOT_OK);
    const float *data = allot_array_map(x, ALLOT_READ);
    CHECK(data && data[19] == 2 && data[20] == 9 && data[29] == 9 && data[30] == 2);
    CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
    CHECK_STATUS(finish(fail_on(allot_view_1d(x, 20, 10))), (allot_status)(ALLOT_USER + 3));
    float *written = allot_array_map(x, ALLOT_WRITE); /* mapping for writing makes it usable again */
    REQUIRE(written != NULL);
    for (int i = 0; i < 100; i++)
        written[i] = 1;
    CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
    CHECK_STATUS(finish(square_on(allot_view_all(x), allot_view_all(y))), ALLOT_OK);
    allot_array_release(x), allot_array_release(y);
}

static void a_cancelled_launch_spoils_too(void)
{
    allot_array *x = allot_array_full(executor, ALLOT_F32, 4, 2),
                *y = allot_array_full(executor, ALLOT_F32, 4, 3);
    test_gate gate = gate_create();
    allot_future *before = allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, NULL);
    allot_future *writer =
        allot_launch(executor, probe_kernel(PROBE_SQUARE), allot_range(4),
                     ALLOT_ARGS(allot_in(x), allot_out(y)), ALLOT_HINTS(.after = &before, .after_count = 1));
    allot_future *reader = square_on(allot_view_all(y), allot_view_all(x));
    CHECK(allot_cancel(writer));
    gate_open(&gate); /* a cancelled launch still stands between those before and those after it */
    CHECK_STATUS(allot_get(reader, NULL, 0, ALLOT_FOREVER), ALLOT_DEPENDENCY);
    CHECK_STATUS(finish(before), ALLOT_OK);
    CHECK_STATUS(finish(writer), ALLOT_CANCELLED);
    allot_release(reader);
    CU_ASSERT_PTR_NULL(allot_array_map(y, ALLOT_READ));
    CHECK_STATUS(allot_last_status(), ALLOT_DEPENDENCY);
    gate_destroy(&gate);
    allot_array_release(x), allot_array_release(y);
}

/* ---- A memory of the test's own ---- */

typedef struct plain_copy {
    al_copy base; /* first */
    unsigned char bytes[64];
} plain_copy;

static allot_status plain_create(al_memory *memory, allot_array *array, al_copy **copy, al_failure *failure)
{
    (void)memory, (void)array, (void)failure;
    *copy = calloc(1, sizeof(plain_copy));
    return *copy ? ALLOT_OK : ALLOT_NO_MEMORY;
}

static allot_status plain_upload(al_copy *copy, size_t begin, size_t end, al_failure *failure)
{
    (void)failure;
    memcpy(((plain_copy *)copy)->bytes + begin, copy->array->host + begin, end - begin);
    return ALLOT_OK;
}

static allot_status plain_download(al_copy *copy, size_t begin, size_t end, al_failure *failure)
{
    (void)failure;
    memcpy(copy->array->host + begin, ((plain_copy *)copy)->bytes + begin, end - begin);
    return ALLOT_OK;
}

static void plain_destroy(al_copy *copy)
{
    free(copy);
}

static const al_memory_ops plain_ops = { plain_create, plain_upload, plain_download, plain_destroy };

/* Fills the array with sevens that are current in the memory alone. */
static void fill_there(allot_array *array, al_memory *memory)
{
    al_copy *copy = NULL;
    CHECK_STATUS(al_array_acquire(array, memory, 0, array->size_bytes, ALLOT_WRITE, &copy, NULL, NULL),
                 ALLOT_OK);
    REQUIRE(copy != NULL);
    memset(((plain_copy *)copy)->bytes, 7, array->size_bytes);
    al_array_publish(array, memory, 0, array->size_bytes);
}

static void a_memory_that_goes_away_brings_its_data_back(void)
{
    allot_array *x = allot_array_new(executor, ALLOT_U8, 16);
    al_memory memory;
    al_memory_init(&memory, &plain_ops);
    fill_there(x, &memory);
    al_memory_fini(&memory);
    const uint8_t *data = allot_array_map(x, ALLOT_READ);
    CHECK(data && data[0] == 7 && data[15] == 7);
    CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
    allot_array_release(x);
}

static void a_memory_that_goes_away_spares_what_is_being_written(void)
{
    allot_array *x = allot_array_new(executor, ALLOT_U8, 16);
    al_memory memory;
    al_memory_init(&memory, &plain_ops);
    fill_there(x, &memory);
    uint8_t *data = allot_array_map(x, ALLOT_WRITE);
    REQUIRE(data != NULL);
    memset(data, 1, 16);
    al_memory_fini(
        &memory); /* an executor that closes while another thread, or another executor's task, writes */
    CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
    data = allot_array_map(x, ALLOT_READ);
    CHECK(data && data[0] == 1 && data[15] == 1);
    CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
    allot_array_release(x);
}

static void the_root_cause_travels(void)
{
    enum {
        LENGTH = 6
    };
    allot_array *arrays[LENGTH];
    allot_future *futures[LENGTH];
    for (int i = 0; i < LENGTH; i++)
        arrays[i] = allot_array_full(executor, ALLOT_F32, 10, 1);
    futures[0] = fail_on(allot_view_all(arrays[0]));
    for (int i = 1; i < LENGTH; i++)
        futures[i] = square_on(allot_view_all(arrays[i - 1]), allot_view_all(arrays[i]));
    CHECK_STATUS(allot_wait_all(futures, LENGTH, ALLOT_FOREVER), ALLOT_OK);
    for (int i = 1; i < LENGTH; i++) {
        CHECK_STATUS(allot_future_status(futures[i]), ALLOT_DEPENDENCY);
        CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(futures[i]), FAIL_TEXT));
    }
    CU_ASSERT_PTR_NULL(allot_array_map(arrays[LENGTH - 1], ALLOT_READ));
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_last_error(), FAIL_TEXT));
    allot_release_all(futures, LENGTH);
    for (int i = 0; i < LENGTH; i++)
        allot_array_release(arrays[i]);
}

static const test_fact facts[] = {
    { "types have sizes and names", types_have_sizes_and_names },
    { "a new array is zero and page aligned", new_is_zero_and_aligned },
    { "full converts as C does", full_converts_as_c_does },
    { "full refuses what the type cannot hold", full_refuses_what_does_not_fit },
    { "from copies", from_copies },
    { "B16 a count of 0 is fine", a_count_of_0_is_fine },
    { "B15 absurd counts are refused", absurd_counts_are_refused },
    { "wrapping copies nothing and frees once", wrapping_copies_nothing },
    { "B5 wrapped memory is freed after its last launch", wrapped_memory_is_freed_after_its_last_launch },
    { "an array is held until its launch is done, not until its future is released",
      an_array_is_let_go_when_its_launch_is_done },
    { "wrapping refuses odd addresses", odd_addresses_are_refused },
    { "a map sees what was written, readers map together", maps_see_writes },
    { "a bad access and an unmap too many are refused", bad_access_is_refused },
    { "a map waits for the launches before it", a_map_waits_for_launches_before_it },
    { "a launch that conflicts waits for the unmap, a reader does not", a_launch_waits_for_the_unmap },
    { "another thread can unmap", another_thread_can_unmap },
    { "an array is usable while it is held", an_array_may_be_released_while_mapped },
    { "places that work on the host's memory move nothing", the_host_moves_nothing },
    { "nothing moves twice, and only what changed moves", nothing_moves_twice },
    { "views say what they are made of", views_say_what_they_are_made_of },
    { "strided views touch only their own elements", strided_views_touch_only_their_elements },
    { "a column is a view too", a_column_is_a_view_too },
    { "a failed launch spoils what it should have written, nothing else",
      a_failed_launch_spoils_what_it_should_write },
    { "writing again heals", writing_again_heals },
    { "a cancelled launch spoils too", a_cancelled_launch_spoils_too },
    { "the root cause travels along", the_root_cause_travels },
    { "a memory that goes away brings its data back", a_memory_that_goes_away_brings_its_data_back },
    { "a memory that goes away spares what is being written",
      a_memory_that_goes_away_spares_what_is_being_written },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "array", .facts = facts, .prepare = open_executor };
    int result = watched_main(argc, argv, &suite, 1);
    allot_close(executor);
    probe_kernels_free();
    return result;
}
