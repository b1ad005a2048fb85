/* Bad input: NULL, absurd counts, overflowing sizes, wrong arguments. A status and a message that names what
 * is wrong; never a crash. */
#include "probe_kernels.h"
#include "support.h"
#include <string.h>

static allot_executor *executor;
static allot_array *x, *y, *words; /* f32[100], f32[100], u32[100] */

static void prepare(void)
{
    if (executor)
        return;
    executor = allot_open(ALLOT_OPTIONS(.threads = 1));
    if (!executor) {
        fprintf(stderr, "allot_open: %s\n", allot_open_error());
        exit(EXIT_FAILURE);
    }
    x = allot_array_full(executor, ALLOT_F32, 100, 2);
    y = allot_array_new(executor, ALLOT_F32, 100);
    words = allot_array_new(executor, ALLOT_U32, 100);
}

static bool contains(const char *text, const char *word)
{
    bool found = text && strstr(text, word);
    if (!found)
        printf("\n    no \"%s\" in \"%s\"", word, text ? text : "(NULL)");
    return found;
}

/* The future is refused with INVALID, and the message contains `word`. */
static void check_refused(allot_future *future, const char *word)
{
    REQUIRE(future != NULL);
    CHECK(allot_done(future));
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_INVALID);
    CHECK(contains(allot_future_error(future), word));
    allot_release(future);
}

static allot_future *square(allot_ndrange range, allot_arg a, allot_arg b)
{
    return allot_launch(executor, probe_kernel(PROBE_SQUARE), range, ALLOT_ARGS(a, b), NULL);
}

/* ---- Submissions ---- */

static void missing_pieces_of_a_submission_are_refused(void)
{
    check_refused(allot_submit(NULL, task_nothing, NULL, 0, 0, NULL), "");
    check_refused(allot_submit(executor, NULL, NULL, 0, 0, NULL), "function");
    check_refused(allot_submit(executor, task_nothing, NULL, 100, 0, NULL), "");
    allot_future *none[1] = { NULL };
    check_refused(
        allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.after = none, .after_count = 1)),
        "after");
    check_refused(
        allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.after = NULL, .after_count = 2)),
        "after");
    check_refused(allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.place = (allot_kind)99)),
                  "99");
    check_refused(allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.place = (allot_kind)-1)),
                  "-1");
    allot_hints unsized = { .size = 0 };
    check_refused(allot_submit(executor, task_nothing, NULL, 0, 0, &unsized), "size");
    CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.deadline_ns = -5))),
                 ALLOT_DEADLINE);
}

static void absurd_sizes_are_refused(void)
{
    char byte = 0;
    const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 8, SIZE_MAX / 2, (size_t)1 << 60 };
    for (int i = 0; i < 4; i++) {
        allot_future *refused[2] = {
            allot_submit(executor, task_nothing, NULL, 0, sizes[i], NULL),
            i < 2 ? allot_submit(executor, task_nothing, &byte, sizes[i], 0, NULL)
                  : NULL, /* the others might be read */
        };
        for (int j = 0; j < 2; j++) {
            allot_status status = refused[j] ? allot_future_status(refused[j]) : ALLOT_TOO_LARGE;
            CHECK(status == ALLOT_TOO_LARGE || status == ALLOT_NO_MEMORY);
        }
        allot_release_all(refused, 2);
    }
}

static void a_newer_callers_longer_structs_are_taken(void)
{
    struct {
        allot_hints hints;
        char more[64];
    } longer = { .hints = { .size = sizeof longer, .place = ALLOT_INLINE } };
    allot_future *future = allot_submit(executor, task_nothing, NULL, 0, 0, &longer.hints);
    CHECK_STATUS(finish(future), ALLOT_OK);
    struct {
        allot_array_stats stats;
        char more[64];
    } stats = { .stats = { .size = sizeof stats } };
    CHECK_STATUS(allot_array_get_stats(x, &stats.stats), ALLOT_OK);
}

static void an_older_callers_shorter_structs_are_taken(void)
{
    /* As compiled against a header whose hints ended after `forbid`: what lies behind is not read. */
    allot_hints hints;
    memset(&hints, 0xff, sizeof hints);
    hints.size = offsetof(allot_hints, priority), hints.place = ALLOT_INLINE, hints.place_id = NULL,
    hints.forbid = 0;
    allot_future *future = allot_submit(executor, task_nothing, NULL, 0, 0, &hints);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(allot_future_place(future), "inline");
    allot_release(future);
    struct {
        size_t size;
        uint64_t bytes_to;
        uint64_t canary;
    } stats = { .size = 16, .canary = 7 };
    CHECK_STATUS(allot_array_get_stats(x, (allot_array_stats *)(void *)&stats), ALLOT_OK);
    CU_ASSERT_EQUAL(stats.canary, 7);
    CU_ASSERT_EQUAL(stats.size, 16);
    allot_options options;
    memset(&options, 0xff, sizeof options);
    options.size = offsetof(allot_options, processes), options.threads = 1;
    allot_executor *other = allot_open(&options);
    CU_ASSERT_PTR_NOT_NULL(other);
    allot_close(other);
}

static void bad_options_are_refused(void)
{
    allot_options options = { .size = 0 };
    CU_ASSERT_PTR_NULL(allot_open(&options));
    CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_open_error(), "size"));
    CU_ASSERT_PTR_NULL(allot_open(ALLOT_OPTIONS(.threads = -3)));
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_open_error(), "threads"));
    CU_ASSERT_PTR_NULL(allot_open(ALLOT_OPTIONS(.processes = 5000)));
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_open_error(), "processes"));
}

static void null_executors_and_arrays_are_reported(void)
{
    CHECK_STATUS(allot_shutdown(NULL, ALLOT_DRAIN), ALLOT_INVALID);
    CHECK_STATUS(allot_shutdown(executor, (allot_shutdown_mode)9), ALLOT_INVALID);
    CHECK_STATUS(allot_close(NULL), ALLOT_OK);
    CU_ASSERT_PTR_NULL(allot_array_new(NULL, ALLOT_F32, 4));
    CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    CU_ASSERT_PTR_NULL(allot_array_new(executor, ALLOT_NO_TYPE, 4));
    CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    CU_ASSERT_PTR_NULL(allot_array_new(executor, (allot_type)99, 4));
    CU_ASSERT_PTR_NULL(allot_array_from(executor, ALLOT_F32, 4, NULL));
    CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    CU_ASSERT_PTR_NULL(allot_array_map(NULL, ALLOT_READ));
    CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    CHECK_STATUS(allot_array_unmap(NULL), ALLOT_INVALID);
    CU_ASSERT_PTR_NULL(allot_array_hold(NULL));
    CU_ASSERT_EQUAL(allot_array_count(NULL), 0);
    CU_ASSERT_EQUAL(allot_array_type(NULL), ALLOT_NO_TYPE);
    CHECK_STATUS(allot_array_get_stats(NULL, &(allot_array_stats){ .size = sizeof(allot_array_stats) }),
                 ALLOT_INVALID);
    CHECK_STATUS(allot_array_get_stats(x, NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_array_get_stats(x, &(allot_array_stats){ .size = 0 }), ALLOT_INVALID);
    allot_array_release(NULL);
    CHECK_STATUS(allot_get_topology(NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_get_topology(&(allot_topology){ .size = 0 }), ALLOT_INVALID);
    CHECK_STATUS(allot_trace_start(NULL), ALLOT_INVALID);
    CU_ASSERT_STRING_EQUAL(allot_kind_name((allot_kind)77), "?");
    CU_ASSERT_STRING_EQUAL(allot_kind_name(ALLOT_ANYWHERE), "anywhere");
    allot_options_init(NULL), allot_hints_init(NULL), allot_kernel_desc_init(NULL);
}

/* ---- Launches ---- */

static void missing_pieces_of_a_launch_are_refused(void)
{
    allot_kernel *kernel = probe_kernel(PROBE_SQUARE);
    check_refused(allot_launch(NULL, kernel, allot_range(1), ALLOT_ARGS(allot_in(x), allot_out(y)), NULL),
                  "");
    check_refused(allot_launch(executor, NULL, allot_range(1), ALLOT_ARGS(allot_in(x), allot_out(y)), NULL),
                  "kernel");
    check_refused(allot_launch(executor, kernel, allot_range(1), NULL, 2, NULL), "arg");
    check_refused(allot_launch(executor, kernel, allot_range(1), NULL, 0, NULL), "2");
    check_refused(allot_launch(executor, kernel, allot_range(1), ALLOT_ARGS(allot_in(x)), NULL), "2");
    check_refused(allot_launch(executor, kernel, allot_range(1),
                               ALLOT_ARGS(allot_in(x), allot_out(y), allot_f32(1)), NULL),
                  "2");
    check_refused(square(allot_range(1), allot_in(NULL), allot_out(y)), "x");
}

static void wrong_arguments_are_named(void)
{
    allot_array *doubles = allot_array_new(executor, ALLOT_F64, 100);
    check_refused(square(allot_range(1), allot_in(x), allot_in(y)), "y"); /* the access */
    check_refused(square(allot_range(1), allot_out(x), allot_out(y)), "x");
    check_refused(square(allot_range(1), allot_in(x), allot_inout(y)), "y");
    check_refused(square(allot_range(1), allot_in(x), allot_f32(3)), "y");        /* a scalar for an array */
    check_refused(square(allot_range(1), allot_in(x), allot_out(doubles)), "y");  /* T is f32 */
    check_refused(square(allot_range(1), allot_in(words), allot_out(words)), ""); /* T may not be u32 */
    check_refused(square(allot_range(1), allot_in(words), allot_out(y)), "");
    check_refused(allot_launch(executor, probe_kernel(PROBE_SLOW), allot_range(1),
                               ALLOT_ARGS(allot_inout(words), allot_in(x)), NULL),
                  "rounds"); /* an array for a scalar */
    check_refused(allot_launch(executor, probe_kernel(PROBE_SLOW), allot_range(1),
                               ALLOT_ARGS(allot_inout(words), allot_f32(1)), NULL),
                  "rounds"); /* the scalar's type */
    check_refused(allot_launch(executor, probe_kernel(PROBE_SLOW), allot_range(1),
                               ALLOT_ARGS(allot_inout(x), allot_u32(1)), NULL),
                  "y");
    allot_array_release(doubles);
}

static void views_that_do_not_fit_are_named(void)
{
    const allot_view bad[] = {
        allot_view_1d(x, 90, 11),      /* ends behind its array */
        allot_view_1d(x, 101, 0 + 1),  /* begins behind it */
        allot_view_1d(x, SIZE_MAX, 2), /* overflows */
        allot_view_1d(x, 1, SIZE_MAX),
        { .array = x, .offset = 0, .rank = 1, .shape = { 20 }, .stride = { SIZE_MAX / 8 } },
        { .array = x, .offset = 0, .rank = 0, .shape = { 20 }, .stride = { 1 } },
        { .array = x, .offset = 0, .rank = 4, .shape = { 20, 1, 1 }, .stride = { 1, 1, 1 } },
        { .array = x,
          .offset = 0,
          .rank = 2,
          .shape = { 4, 5, 1 },
          .stride = { 5, 1, 1 } }, /* the parameter has one dimension */
        { .array = x,
          .offset = 0,
          .rank = 1,
          .shape = { 20, 1, 1 },
          .stride = { 2, 1, 1 } }, /* and takes no strides */
        allot_view_1d(x, 0, 9),    /* shorter than the range */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_refused(square(allot_range(10), allot_in_view(bad[i]), allot_out(y)), "x");
    const allot_view overlapping = { .array = words, .rank = 2, .shape = { 4, 5, 1 }, .stride = { 4, 1, 1 } };
    check_refused(allot_launch(executor, probe_kernel(PROBE_AFFINE), allot_range_2d(4, 5),
                               ALLOT_ARGS(allot_inout_view(overlapping), allot_u32(1), allot_u32(1)), NULL),
                  "y"); /* elements of a view that is written must not overlap */
    const allot_view standing = { .array = words, .rank = 2, .shape = { 4, 5, 1 }, .stride = { 0, 1, 1 } };
    check_refused(allot_launch(executor, probe_kernel(PROBE_AFFINE), allot_range_2d(4, 5),
                               ALLOT_ARGS(allot_inout_view(standing), allot_u32(1), allot_u32(1)), NULL),
                  "y");
}

static void bad_ranges_are_refused(void)
{
    const allot_ndrange bad[] = {
        { .rank = 0, .size = { 1, 1, 1 } },
        { .rank = 4, .size = { 1, 1, 1 } },
        { .rank = SIZE_MAX, .size = { 1, 1, 1 } },
        allot_range(101),
        allot_range(SIZE_MAX),
        allot_range_2d(SIZE_MAX, SIZE_MAX),
        allot_range_3d(SIZE_MAX, 3, 3),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_refused(square(bad[i], allot_in(x), allot_out(y)), "");
    const allot_ndrange empty[] = { allot_range(0), allot_range_2d(0, 5), allot_range_2d(5, 0),
                                    allot_range_3d(1, 0, 1) };
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        CHECK_STATUS(finish(square(empty[i], allot_in(x), allot_out(y))), ALLOT_OK);
}

static void a_refused_launch_spoils_nothing(void)
{
    check_refused(square(allot_range(10), allot_in_view(allot_view_1d(x, 0, 9)), allot_out(y)), "x");
    const float *data = allot_array_map(y, ALLOT_READ);
    CU_ASSERT_PTR_NOT_NULL(data);
    CHECK_STATUS(allot_array_unmap(y), ALLOT_OK);
}

/* ---- Kernels ---- */

static allot_status do_nothing(allot_call *call, const allot_part *part)
{
    (void)call, (void)part;
    return ALLOT_OK;
}

static void check_no_kernel(const allot_kernel_desc *desc, const char *word)
{
    CU_ASSERT_PTR_NULL(allot_kernel_create(desc));
    CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    CHECK(contains(allot_last_error(), word));
}

/* The element type is known at the launch only. */
static void bad_reductions_are_refused(void)
{
    static const allot_param params[] = {
        { .name = "x", .access = ALLOT_READ },
        { .name = "total", .access = ALLOT_WRITE, .distribution = ALLOT_REDUCED },
    };
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = "k", .cpu = do_nothing, .params = params, .param_count = 2));
    REQUIRE(kernel != NULL);
    allot_array *complex_in = allot_array_new(executor, ALLOT_C32, 4);
    allot_array *complex_out = allot_array_new(executor, ALLOT_C32, 4);
    check_refused(allot_launch(executor, kernel, allot_range(4),
                               ALLOT_ARGS(allot_in(complex_in), allot_out(complex_out)), NULL),
                  "parameter total");
    check_refused(allot_launch(executor, kernel, allot_range(4),
                               ALLOT_ARGS(allot_in(x), allot_out_view((allot_view){ y, 0, 1, { 4 }, { 2 } })),
                               NULL),
                  "parameter total");
    check_refused(
        allot_launch(executor, kernel, allot_range(4), ALLOT_ARGS(allot_in(x), allot_inout(y)), NULL),
        "parameter total");
    check_refused(allot_launch(executor, kernel, allot_range(4), ALLOT_ARGS(allot_in(x), allot_out(x)), NULL),
                  "parameter total");
    allot_array_release(complex_in), allot_array_release(complex_out);
    allot_kernel_release(kernel);
}

static void bad_kernels_are_refused(void)
{
    static const allot_param good[] = { { .name = "y", .access = ALLOT_READ_WRITE } };
    static const allot_param nameless[] = { { .access = ALLOT_READ_WRITE } };
    static const allot_param odd_access[] = { { .name = "odd", .access = (allot_access)9 } };
    static const allot_param odd_type[] = { { .name = "odd", .type = (allot_type)77, .access = ALLOT_READ } };
    static const allot_param odd_rank[] = { { .name = "odd", .access = ALLOT_READ, .rank = 4 } };
    static const allot_param odd_distribution[] = {
        { .name = "odd", .access = ALLOT_READ, .distribution = (allot_distribution)9 }
    };
    static const allot_param halo_write[] = {
        { .name = "odd", .access = ALLOT_WRITE, .distribution = ALLOT_HALO, .before = 1 }
    };
    static const allot_param reduced_read[] = {
        { .name = "odd", .access = ALLOT_READ_WRITE, .distribution = ALLOT_REDUCED }
    };
    static const allot_param reduced_oddly[] = {
        { .name = "odd", .access = ALLOT_WRITE, .distribution = ALLOT_REDUCED, .reduce = (allot_reduce)9 }
    };
    static const allot_param reduced_halves[] = {
        { .name = "odd", .type = ALLOT_F16, .access = ALLOT_WRITE, .distribution = ALLOT_REDUCED }
    };
    static const allot_param reduced_strides[] = {
        { .name = "odd", .access = ALLOT_WRITE, .distribution = ALLOT_REDUCED, .strided = true }
    };
    static allot_param many[100];
    for (int i = 0; i < 100; i++)
        many[i] = good[0];
    check_no_kernel(NULL, "");
    check_no_kernel(&(allot_kernel_desc){ .size = 0, .name = "k", .cpu = do_nothing }, "size");
    check_no_kernel(ALLOT_KERNEL(.cpu = do_nothing, .params = good, .param_count = 1), "name");
    check_no_kernel(ALLOT_KERNEL(.name = "", .cpu = do_nothing, .params = good, .param_count = 1), "name");
    check_no_kernel(ALLOT_KERNEL(.name = "k", .params = good, .param_count = 1), "variant");
    check_no_kernel(ALLOT_KERNEL(.name = "k", .cpu = do_nothing, .param_count = 1), "param");
    check_no_kernel(ALLOT_KERNEL(.name = "k", .cpu = do_nothing, .params = nameless, .param_count = 1),
                    "name");
    check_no_kernel(ALLOT_KERNEL(.name = "k", .cpu = do_nothing, .params = odd_access, .param_count = 1),
                    "odd");
    check_no_kernel(ALLOT_KERNEL(.name = "k", .cpu = do_nothing, .params = odd_type, .param_count = 1),
                    "odd");
    check_no_kernel(ALLOT_KERNEL(.name = "k", .cpu = do_nothing, .params = odd_rank, .param_count = 1),
                    "odd");
    check_no_kernel(
        ALLOT_KERNEL(.name = "k", .cpu = do_nothing, .params = odd_distribution, .param_count = 1), "odd");
    check_no_kernel(ALLOT_KERNEL(.name = "k", .cpu = do_nothing, .params = halo_write, .param_count = 1),
                    "odd");
    const allot_param *bad_reductions[] = { reduced_read, reduced_oddly, reduced_halves, reduced_strides };
    for (int i = 0; i < 4; i++)
        check_no_kernel(
            ALLOT_KERNEL(.name = "k", .cpu = do_nothing, .params = bad_reductions[i], .param_count = 1),
            "(odd)");
    check_no_kernel(ALLOT_KERNEL(.name = "k", .cpu = do_nothing, .params = many, .param_count = 100),
                    "param");
    check_no_kernel(ALLOT_KERNEL(.name = "k", .cpu = do_nothing, .params = good, .param_count = SIZE_MAX),
                    "param");
    allot_kernel_release(NULL);
    CU_ASSERT_PTR_NULL(allot_kernel_hold(NULL));
    CU_ASSERT_PTR_NOT_NULL(allot_kernel_name(probe_kernel(PROBE_BLUR)));
    (void)allot_kernel_name(NULL);
    allot_work work = allot_kernel_work(NULL, allot_range(1), NULL, 0);
    CHECK(work.flops == 0 && work.bytes == 0);
    work =
        allot_kernel_work(probe_kernel(PROBE_SQUARE), allot_range(10), ALLOT_ARGS(allot_in(x), allot_f32(2)));
    CHECK(work.flops == 0 && work.bytes == 0);
    work = allot_kernel_work(probe_kernel(PROBE_SQUARE), allot_range(100),
                             ALLOT_ARGS(allot_in(x), allot_out(y)));
    CHECK(work.flops == 100 && work.bytes == 800);
}

static void a_kernel_that_no_place_can_run_says_so(void)
{
    static const allot_param params[] = { { .name = "y", .access = ALLOT_READ_WRITE } };
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = "only_devices", .params = params, .param_count = 1,
                                         .opencl_source = "kernel void only_devices(global T *y) { }"));
    REQUIRE(kernel != NULL);
    allot_future *refused = allot_launch(executor, kernel, allot_range(1), ALLOT_ARGS(allot_inout(x)),
                                         ALLOT_HINTS(.place = ALLOT_THREAD));
    CHECK_STATUS(allot_get(refused, NULL, 0, ALLOT_FOREVER), ALLOT_NO_PLACE);
    CHECK(allot_future_error(refused)[0] != '\0');
    allot_release(refused);
    allot_kernel_release(kernel);
    allot_array_map(x, ALLOT_WRITE); /* the launch may have left it unusable */
    allot_array_unmap(x);
}

static const test_fact facts[] = {
    { "A4 missing pieces of a submission are refused", missing_pieces_of_a_submission_are_refused },
    { "B15 absurd sizes are refused", absurd_sizes_are_refused },
    { "structs of a newer caller, longer, are taken", a_newer_callers_longer_structs_are_taken },
    { "structs of an older caller, shorter, are taken and not overrun",
      an_older_callers_shorter_structs_are_taken },
    { "A1 A2 bad options are refused by name", bad_options_are_refused },
    { "A4 NULL executors and arrays are reported", null_executors_and_arrays_are_reported },
    { "I2 missing pieces of a launch are refused", missing_pieces_of_a_launch_are_refused },
    { "I2 wrong arguments are refused by name", wrong_arguments_are_named },
    { "views that do not fit are refused by name", views_that_do_not_fit_are_named },
    { "B16 I3 bad ranges are refused, empty ones succeed", bad_ranges_are_refused },
    { "a refused launch spoils nothing", a_refused_launch_spoils_nothing },
    { "bad arguments of a reduction are refused by name", bad_reductions_are_refused },
    { "bad kernels are refused by name", bad_kernels_are_refused },
    { "a kernel that no place can run says so", a_kernel_that_no_place_can_run_says_so },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "bad input", .facts = facts, .prepare = prepare };
    int result = watched_main(argc, argv, &suite, 1);
    allot_array_release(x), allot_array_release(y), allot_array_release(words);
    allot_close(executor);
    probe_kernels_free();
    return result;
}
