/* Kernels of the user's own on devices: structs, local memory and offsets among their arguments; text as it
 * is, binaries, SPIR-V. */
#include "support.h"
#include <string.h>

#define N 1024

typedef struct settings {
    float factor;
    int32_t shift;
    double table[4]; /* larger than what travels with numbers */
} settings;

#define SETTINGS_TEXT                                                                                        \
    "typedef struct { float factor; int shift; double table[4]; } settings;\n"                               \
    "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n"

static const char own_text[] =
    SETTINGS_TEXT "kernel void own(settings s, global float *out, local int *turned) {\n"
                  "    size_t l = get_local_id(0), n = get_local_size(0);\n"
                  "    turned[n - 1 - l] = (int)l;\n"
                  "    barrier(CLK_LOCAL_MEM_FENCE);\n"
                  "    out[get_global_id(0)] = s.factor * turned[l] + s.shift + (float)s.table[3];\n"
                  "}\n";

static const allot_param own_params[] = { { .name = "settings", .type = ALLOT_U8, .bytes = sizeof(settings) },
                                          { .name = "out", .type = ALLOT_F32, .access = ALLOT_WRITE },
                                          { .name = "turned", .local = true } };

static allot_executor *executor;

static allot_future *launch(const allot_kernel *kernel, allot_ndrange range, const allot_arg *args,
                            size_t count)
{
    return allot_launch(executor, kernel, range, args, count, ALLOT_HINTS(.place = ALLOT_OPENCL));
}

static allot_kernel *own_kernel(void)
{
    return allot_kernel_create(ALLOT_KERNEL(.name = "own", .params = own_params, .param_count = 3,
                                            .opencl_source = own_text, .opencl_plain = true,
                                            .local = { 16 }));
}

static void gives_structs_and_local_memory(void)
{
    allot_kernel *kernel = own_kernel();
    allot_array *out = allot_array_new(executor, ALLOT_F32, N);
    settings what = { 0.5f, 3, { 0, 0, 0, 100 } };
    allot_future *future = launch(
        kernel, allot_range(N), ALLOT_ARGS(allot_bytes(&what, sizeof what), allot_out(out), allot_local(64)));
    what = (settings){ 0 }; /* the launch has its own */
    CHECK_STATUS(finish(future), ALLOT_OK);
    const float *numbers = allot_array_map(out, ALLOT_READ);
    REQUIRE(numbers != NULL);
    size_t right = 0;
    for (size_t i = 0; i < N; i++)
        right += numbers[i] == 0.5f * (float)(15 - i % 16) + 103;
    CU_ASSERT_EQUAL(right, N);
    allot_array_unmap(out);
    allot_array_release(out);
    allot_kernel_release(kernel);
}

static void expect_refused(allot_future *future, allot_status status, const char *part)
{
    allot_wait(future, ALLOT_FOREVER);
    CHECK_STATUS(allot_future_status(future), status);
    if (!strstr(allot_future_error(future), part))
        printf("\n    no '%s' in '%s'", part, allot_future_error(future));
    CHECK(strstr(allot_future_error(future), part) != NULL);
    allot_release(future);
}

static void refuses_arguments_that_do_not_fit(void)
{
    allot_kernel *kernel = own_kernel();
    allot_array *out = allot_array_new(executor, ALLOT_F32, N);
    settings what = { 0 };
    allot_arg whole = allot_bytes(&what, sizeof what), half = allot_bytes(&what, 8), room = allot_local(64);
    allot_ndrange range = allot_range(N);
    expect_refused(launch(kernel, range, ALLOT_ARGS(half, allot_out(out), room)), ALLOT_INVALID,
                   "parameter settings: it is a struct of 40 bytes, and 8 were given");
    expect_refused(launch(kernel, range, ALLOT_ARGS(allot_f32(1), allot_out(out), room)), ALLOT_INVALID,
                   "allot_bytes() takes it");
    expect_refused(launch(kernel, range, ALLOT_ARGS(whole, allot_out(out), allot_local(0))), ALLOT_INVALID,
                   "parameter turned: it is local memory");
    expect_refused(launch(kernel, range, ALLOT_ARGS(whole, allot_out(out), allot_i32(4))), ALLOT_INVALID,
                   "parameter turned: it is local memory");
    expect_refused(launch(kernel, range, ALLOT_ARGS(whole, room, room)), ALLOT_INVALID, "parameter out");
    expect_refused(launch(kernel, range, ALLOT_ARGS(whole, allot_out(out), allot_local((size_t)1 << 40))),
                   ALLOT_INVALID, "bytes of local memory are more than");
    allot_array_release(out);
    allot_kernel_release(kernel);
}

/* The entry is looked at after the build, before anything runs. */
static void checks_the_entry_by_name(void)
{
    static const char text[] = "kernel void two(global float *x, int much) { x[get_global_id(0)] = much; }";
    static const allot_param one[] = { { .name = "data", .type = ALLOT_F32, .access = ALLOT_WRITE } };
    static const allot_param wrong[] = { { .name = "data", .type = ALLOT_F32, .access = ALLOT_WRITE },
                                         { .name = "room", .local = true } };
    allot_array *x = allot_array_new(executor, ALLOT_F32, 4);
    allot_kernel *few = allot_kernel_create(
        ALLOT_KERNEL(.name = "two", .params = one, .param_count = 1, .opencl_source = text));
    allot_kernel *local = allot_kernel_create(
        ALLOT_KERNEL(.name = "two", .params = wrong, .param_count = 2, .opencl_source = text));
    expect_refused(launch(few, allot_range(4), ALLOT_ARGS(allot_out(x))), ALLOT_INVALID, "takes 2 arguments");
    expect_refused(launch(local, allot_range(4), ALLOT_ARGS(allot_out(x), allot_local(4))), ALLOT_INVALID,
                   "parameter room: it is local memory");
    allot_kernel_release(few);
    allot_kernel_release(local);
    allot_array_release(x);
}

/* Bits that mean something else are not right because they are as many. */
static void checks_what_numbers_mean(void)
{
    static const char text[] = "kernel void mixed(global float *x, int much, global uint *y, float more)\n"
                               "{ x[get_global_id(0)] = much + more + y[0]; }";
    static const struct {
        allot_type types[4];
        const char *words; /* NULL: that is right */
    } cases[] = {
        { { ALLOT_F32, ALLOT_I32, ALLOT_U32, ALLOT_F32 }, NULL },
        { { ALLOT_F32, ALLOT_U32, ALLOT_I32, ALLOT_F32 }, NULL }, /* signs are the kernel's own affair */
        { { ALLOT_I32, ALLOT_I32, ALLOT_U32, ALLOT_F32 },
          "parameter x: it is an array of i32, and entry mixed has" },
        { { ALLOT_F32, ALLOT_F32, ALLOT_U32, ALLOT_F32 }, "parameter much: it is a number of type f32" },
        { { ALLOT_F32, ALLOT_I32, ALLOT_F32, ALLOT_F32 }, "parameter y: it is an array of f32" },
        { { ALLOT_F32, ALLOT_I32, ALLOT_U32, ALLOT_I32 }, "parameter more: it is a number of type i32" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const allot_type *types = cases[i].types;
        const allot_param params[] = { { .name = "x", .type = types[0], .access = ALLOT_WRITE },
                                       { .name = "much", .type = types[1] },
                                       { .name = "y", .type = types[2], .access = ALLOT_READ },
                                       { .name = "more", .type = types[3] } };
        allot_array *x = allot_array_full(executor, types[0], 4, 0),
                    *y = allot_array_full(executor, types[2], 4, 0);
        allot_kernel *kernel = allot_kernel_create(
            ALLOT_KERNEL(.name = "mixed", .params = params, .param_count = 4, .opencl_source = text));
        allot_arg much = types[1] == ALLOT_F32 ? allot_f32(1) : allot_i64(1),
                  more = types[3] == ALLOT_F32 ? allot_f32(1) : allot_i64(1);
        allot_future *future =
            launch(kernel, allot_range(4), ALLOT_ARGS(allot_out(x), much, allot_in(y), more));
        if (cases[i].words)
            expect_refused(future, ALLOT_INVALID, cases[i].words);
        else
            CHECK_STATUS(finish(future), ALLOT_OK);
        allot_kernel_release(kernel);
        allot_array_release(x);
        allot_array_release(y);
    }
}

static const char numbers_text[] = "kernel void number(global uint *out) { size_t i = get_global_id(0);\n"
                                   "    out[i + 100 * get_global_id(1)] = 1 + i + 1000 * get_global_id(1); }";
static const allot_param numbers_params[] = {
    { .name = "out", .type = ALLOT_U32, .access = ALLOT_READ_WRITE }
};

static void counts_from_an_offset(void)
{
    allot_kernel *kernel = allot_kernel_create(ALLOT_KERNEL(.name = "number", .params = numbers_params,
                                                            .param_count = 1, .opencl_source = numbers_text));
    allot_array *out = allot_array_new(executor, ALLOT_U32, 500);
    allot_ndrange range = { 2, { 37, 2 }, { 10, 3 } };
    CHECK_STATUS(finish(launch(kernel, range, ALLOT_ARGS(allot_inout(out)))), ALLOT_OK);
    const uint32_t *numbers = allot_array_map(out, ALLOT_READ);
    REQUIRE(numbers != NULL);
    size_t right = 0;
    for (size_t i = 0; i < 500; i++) {
        size_t x = i % 100, y = i / 100;
        bool inside = x >= 10 && x < 47 && y >= 3 && y < 5;
        right += numbers[i] == (inside ? 1 + x + 1000 * y : 0);
    }
    CU_ASSERT_EQUAL(right, 500);
    allot_array_unmap(out);
    allot_array_release(out);
    allot_kernel_release(kernel);
}

static allot_status nothing(allot_call *call, const allot_part *part)
{
    (void)call, (void)part;
    return ALLOT_OK;
}

static void refuses_offsets_without_meaning(void)
{
    static const allot_param sliced[] = {
        { .name = "x", .type = ALLOT_U32, .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED }
    };
    allot_array *x = allot_array_new(executor, ALLOT_U32, 100);
    allot_kernel *slices = allot_kernel_create(
        ALLOT_KERNEL(.name = "slices", .params = sliced, .param_count = 1, .cpu = nothing));
    allot_kernel *whole = allot_kernel_create(
        ALLOT_KERNEL(.name = "whole", .params = numbers_params, .param_count = 1, .cpu = nothing));
    allot_ndrange from_1 = { 1, { 4 }, { 1 } }, too_many = { 1, { 4 }, { 0, 1 } },
                  over = { 1, { 4 }, { SIZE_MAX } };
    const allot_hints *any = NULL;
    expect_refused(allot_launch(executor, slices, from_1, ALLOT_ARGS(allot_inout(x)), any), ALLOT_INVALID,
                   "parameter x: the range has an offset");
    expect_refused(allot_launch(executor, whole, too_many, ALLOT_ARGS(allot_inout(x)), any), ALLOT_INVALID,
                   "offset in dimension 1");
    expect_refused(allot_launch(executor, whole, over, ALLOT_ARGS(allot_inout(x)), any), ALLOT_INVALID,
                   "offset in dimension 0");
    expect_refused(
        allot_launch(executor, whole, from_1, ALLOT_ARGS(allot_inout(x)), ALLOT_HINTS(.place = ALLOT_THREAD)),
        ALLOT_NO_PLACE, "only devices count from");
    allot_kernel_release(slices);
    allot_kernel_release(whole);
    allot_array_release(x);
}

static void refuses_what_is_no_program(void)
{
    static const unsigned char noise[64] = "no binary of any driver";
    allot_array *x = allot_array_new(executor, ALLOT_U32, 4);
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = "noise", .params = numbers_params, .param_count = 1,
                                         .opencl_program = noise, .opencl_program_bytes = sizeof noise));
    REQUIRE(kernel != NULL);
    expect_refused(launch(kernel, allot_range(4), ALLOT_ARGS(allot_inout(x))), ALLOT_BUILD, "no binary");
    allot_kernel_release(kernel);
    CU_ASSERT_PTR_NULL(
        allot_kernel_create(ALLOT_KERNEL(.name = "both", .opencl_source = numbers_text,
                                         .opencl_program = noise, .opencl_program_bytes = 64)));
    CU_ASSERT_PTR_NULL(allot_kernel_create(
        ALLOT_KERNEL(.name = "short", .opencl_program = noise, .opencl_program_bytes = 3)));
    allot_array_release(x);
}

/* The header of a SPIR-V module and nothing else: devices without SPIR-V say so before they look at it,
 * others refuse it. */
static void says_who_takes_no_spirv(void)
{
    static const uint32_t module[] = { 0x07230203, 0x00010000, 0, 1, 0 };
    allot_array *x = allot_array_new(executor, ALLOT_U32, 4);
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = "module", .params = numbers_params, .param_count = 1,
                                         .opencl_program = module, .opencl_program_bytes = sizeof module));
    allot_future *future = launch(kernel, allot_range(4), ALLOT_ARGS(allot_inout(x)));
    allot_wait(future, ALLOT_FOREVER);
    allot_status status = allot_future_status(future);
    CHECK(status != ALLOT_OK);
    if (status == ALLOT_NO_PLACE)
        CHECK(strstr(allot_future_error(future), "takes no SPIR-V") != NULL);
    allot_release(future);
    allot_kernel_release(kernel);
    allot_array_release(x);
}

static void refuses_bad_descriptors(void)
{
    static const allot_param bad[][1] = {
        { { .name = "x", .type = ALLOT_F32, .access = ALLOT_READ, .local = true } },
        { { .name = "x", .type = ALLOT_F32, .access = ALLOT_READ, .bytes = 8 } },
        { { .name = "x", .bytes = 65537 } },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_PTR_NULL(allot_kernel_create(
            ALLOT_KERNEL(.name = "bad", .params = bad[i], .param_count = 1, .opencl_source = "kernel")));
}

static const test_fact facts[] = {
    { "gives structs by value and local memory", gives_structs_and_local_memory },
    { "refuses arguments that do not fit, by name", refuses_arguments_that_do_not_fit },
    { "checks the program's entry before it runs", checks_the_entry_by_name },
    { "checks what its numbers mean", checks_what_numbers_mean },
    { "counts from an offset", counts_from_an_offset },
    { "refuses offsets without meaning", refuses_offsets_without_meaning },
    { "refuses what is no program", refuses_what_is_no_program },
    { "says which device takes no SPIR-V", says_who_takes_no_spirv },
    { "refuses descriptors of structs and local memory that make no sense", refuses_bad_descriptors },
    { NULL, NULL },
};

static const watched_suite suites[] = { { "kernels of one's own", facts, NULL } };

int main(int argc, char **argv)
{
    executor = allot_open(NULL);
    if (!executor || !has_place(executor, ALLOT_OPENCL)) {
        allot_close(executor);
        return test_skip("no OpenCL device");
    }
    int code = watched_main(argc, argv, suites, 1);
    allot_close(executor);
    return code;
}
