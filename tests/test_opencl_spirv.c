/* Programs in SPIR-V, with specialisation constants, on a device that takes them: PoCL behind a layer that
 * translates them (spirv_layer/), since no driver of Debian 12 does. */
#include "command.h"
#include "support.h"
#include <string.h>
#include <unistd.h>

enum {
    N = 1000
};

/* y[i] = x[i] * factor: as an assembler wrote it (spirv-as --target-env spv1.0). */
static const uint32_t module[] = {
    0x07230203, 0x00010000, 0x00070000, 20,         0,        /* version 1.0, ids below 20 */
    0x00020011, 4,                                            /* OpCapability Addresses */
    0x00020011, 6,                                            /* OpCapability Kernel */
    0x00020011, 11,                                           /* OpCapability Int64 */
    0x0003000e, 2,          2,                                /* OpMemoryModel Physical64 OpenCL */
    0x0006000f, 6,          1,          0x6c616373, 0x65, 2,  /* OpEntryPoint Kernel %1 "scale" %2 */
    0x00040005, 1,          0x6c616373, 0x65,                 /* OpName %1 "scale" */
    0x00040047, 2,          11,         28,                   /* OpDecorate %2 BuiltIn GlobalInvocationId */
    0x00030047, 2,          22,                               /* OpDecorate %2 Constant */
    0x00040047, 3,          1,          7,                    /* OpDecorate %3 SpecId 7 */
    0x00040015, 4,          64,         0,                    /* %4 = OpTypeInt 64 0 */
    0x00040015, 5,          32,         0,                    /* %5 = OpTypeInt 32 0 */
    0x00040032, 5,          3,          3,                    /* %3 = OpSpecConstant %5 3 */
    0x00040017, 6,          4,          3,                    /* %6 = OpTypeVector %4 3 */
    0x00040020, 7,          1,          6,                    /* %7 = OpTypePointer Input %6 */
    0x00020013, 8,                                            /* %8 = OpTypeVoid */
    0x00040020, 9,          5,          5,                    /* %9 = OpTypePointer CrossWorkgroup %5 */
    0x00050021, 10,         8,          9,          9,        /* %10 = OpTypeFunction %8 %9 %9 */
    0x0004003b, 7,          2,          1,                    /* %2 = OpVariable %7 Input */
    0x00050036, 8,          1,          0,          10,       /* %1 = OpFunction %8 None %10 */
    0x00030037, 9,          11,                               /* %11 = OpFunctionParameter %9: x */
    0x00030037, 9,          12,                               /* %12 = OpFunctionParameter %9: y */
    0x000200f8, 13,                                           /* %13 = OpLabel */
    0x0006003d, 6,          14,         2,          2,    32, /* %14 = OpLoad %6 %2 Aligned 32 */
    0x00050051, 4,          15,         14,         0,        /* %15 = OpCompositeExtract %4 %14 0 */
    0x00050046, 9,          16,         11,         15,       /* %16 = OpInBoundsPtrAccessChain %9 %11 %15 */
    0x0006003d, 5,          17,         16,         2,    4,  /* %17 = OpLoad %5 %16 Aligned 4 */
    0x00050084, 5,          18,         17,         3,        /* %18 = OpIMul %5 %17 %3 */
    0x00050046, 9,          19,         12,         15,       /* %19 = OpInBoundsPtrAccessChain %9 %12 %15 */
    0x0005003e, 19,         18,         2,          4,        /* OpStore %19 %18 Aligned 4 */
    0x000100fd, 0x00010038,                                   /* OpReturn, OpFunctionEnd */
};

static const allot_param params[] = {
    { .name = "x", .type = ALLOT_U32, .access = ALLOT_READ, .distribution = ALLOT_SLICED },
    { .name = "y", .type = ALLOT_U32, .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
    { .name = "z", .type = ALLOT_U32 },
};

static allot_executor *executor;

/* Launched with 2 in x: done, and to be released. */
static allot_future *launch(size_t param_count, const char *entry, const allot_constant *constants,
                            size_t constant_count, allot_array *y)
{
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "module", .params = params, .param_count = param_count, .opencl_entry = entry,
                     .opencl_program = module, .opencl_program_bytes = sizeof module,
                     .opencl_constants = constants, .opencl_constant_count = constant_count));
    REQUIRE(kernel != NULL);
    allot_array *x = allot_array_full(executor, ALLOT_U32, N, 2);
    const allot_arg args[] = { allot_in(x), allot_out(y), allot_u32(1) };
    allot_future *future =
        allot_launch(executor, kernel, allot_range(N), args, param_count, ALLOT_HINTS(.place = ALLOT_OPENCL));
    CHECK_STATUS(allot_wait(future, 600 * SECOND), ALLOT_OK);
    allot_array_release(x);
    allot_kernel_release(kernel);
    return future;
}

static size_t equal_to(allot_array *array, uint32_t value)
{
    size_t equal = 0;
    const uint32_t *numbers = allot_array_map(array, ALLOT_READ);
    REQUIRE(numbers != NULL);
    for (size_t i = 0; i < N; i++)
        equal += numbers[i] == value;
    allot_array_unmap(array);
    return equal;
}

static void expect_result(const allot_constant *constants, size_t count, uint32_t value)
{
    allot_array *y = allot_array_full(executor, ALLOT_U32, N, 0);
    allot_future *future = launch(2, "scale", constants, count, y);
    CU_ASSERT_STRING_EQUAL(allot_future_error(future), "");
    CHECK_STATUS(allot_future_status(future), ALLOT_OK);
    CU_ASSERT_EQUAL(equal_to(y, value), N);
    allot_release(future);
    allot_array_release(y);
}

static void expect_error(size_t param_count, const char *entry, const allot_constant *constants, size_t count,
                         allot_status status, const char *words)
{
    allot_array *y = allot_array_full(executor, ALLOT_U32, N, 0);
    allot_future *future = launch(param_count, entry, constants, count, y);
    CHECK_STATUS(allot_future_status(future), status);
    expect_text(allot_future_error(future), words);
    allot_release(future);
    allot_array_release(y);
}

static void a_module_runs(void)
{
    expect_result(NULL, 0, 6);
}

static void constants_are_set(void)
{
    const uint32_t five = 5, seven = 7;
    expect_result(&(const allot_constant){ 7, sizeof five, &five }, 1, 10);
    expect_result(&(const allot_constant){ 7, sizeof seven, &seven }, 1, 14);
    expect_result(NULL, 0, 6);
}

static void constants_that_are_not_there_are_named(void)
{
    const uint64_t five = 5;
    expect_error(2, "scale", &(const allot_constant){ 9, 4, &five }, 1, ALLOT_INVALID,
                 "no specialisation constant 9 of 4 bytes");
    expect_error(2, "scale", &(const allot_constant){ 7, 8, &five }, 1, ALLOT_INVALID,
                 "no specialisation constant 7 of 8 bytes");
}

static void its_entry_is_checked(void)
{
    expect_error(3, "scale", NULL, 0, ALLOT_INVALID, "takes 2 arguments");
    expect_error(2, "scales", NULL, 0, ALLOT_NOT_FOUND, "no kernel function scales (it has: scale");
}

/* 2 in x, 4 times. */
static const char *input(void)
{
    static char file[128 + 16] =
        "\x93NUMPY\x01\0\x76\0{'descr': '<u4', 'fortran_order': False, 'shape': (4,), }";
    const uint32_t twos[] = { 2, 2, 2, 2 };
    for (size_t i = strlen(file + 10) + 10; i < 127; i++)
        file[i] = ' ';
    file[127] = '\n';
    memcpy(file + 128, twos, sizeof twos);
    static char argument[300];
    const char *path = in_folder("x.npy");
    write_file(path, file, sizeof file);
    snprintf(argument, sizeof argument, "in:%s", path);
    return argument;
}

static const outcome *run_module(const char *option, const char *constant)
{
    const char *path = in_folder("scale.spv");
    write_file(path, module, sizeof module);
    return ALLOT_RUN("run", "--source", path, "--entry", "scale", "--arg", input(), "--arg", "out:u32:4",
                     "--global", "4", "--repeat", "1", option, constant);
}

static void the_command_sets_constants(void)
{
    const outcome *got = run_module("--constant", "7:u32:5");
    expect_code(got, 0);
    expect_text(got->out, "u32 4: 10, 10, 10, 10");
    got = run_module(NULL, NULL);
    expect_code(got, 0);
    expect_text(got->out, "u32 4: 6, 6, 6, 6");
    got = run_module("--constant", "9:u32:5");
    expect_code(got, 3);
    expect_text(got->err, "no specialisation constant 9 of 4 bytes");
    got = run_module("--constant", "7:u64:5");
    expect_code(got, 3);
    expect_text(got->err, "no specialisation constant 7 of 8 bytes");
}

static const test_fact facts[] = {
    { "a module in SPIR-V runs", a_module_runs },
    { "specialisation constants are set", constants_are_set },
    { "constants that are not there are named", constants_that_are_not_there_are_named },
    { "its entry is checked before it runs", its_entry_is_checked },
    { "the command sets specialisation constants", the_command_sets_constants },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    setenv("POCL_DEVICES", "basic", 0);
    setenv("OPENCL_LAYERS", TEST_BINARY_DIR "/tests/libspirv_layer.so", 1);
    setenv("ALLOT_PROGRAMS", "off", 1);
    setenv("TEST_WATCHDOG_S", "120", 0);
    if (access("/usr/bin/llvm-spirv-14", X_OK) != 0)
        return test_skip("no llvm-spirv-14");
    executor = allot_open(ALLOT_OPTIONS(.threads = 1));
    allot_place_info infos[16];
    bool is_pocl = false;
    for (size_t i = 0; i < 16; i++)
        infos[i].size = sizeof infos[0];
    size_t count = executor && has_place(executor, ALLOT_OPENCL) ? allot_places(executor, infos, 16) : 0;
    for (size_t i = 0; i < count && i < 16; i++)
        is_pocl =
            is_pocl || (strcmp(infos[i].id, "opencl:0") == 0 && strncmp(infos[i].name, "basic", 5) == 0);
    if (!is_pocl) {
        allot_close(executor);
        return test_skip("no PoCL");
    }
    int code = watched_main(argc, argv, &(const watched_suite){ "SPIR-V", facts, NULL }, 1);
    allot_close(executor);
    remove_folder();
    return code;
}
