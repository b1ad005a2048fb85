/* Programs kept on disk from run to run. The layer in opencl_layer/ counts what the driver was asked to do:
 * compile a text, or take a binary back. */
#include "command.h"
#include "opencl_layer/layer.h"
#include "probe_kernels.h"
#include "support.h"
#include <dirent.h>

enum {
    N = 1000
};

static const opencl_layer *layer;

/* ---- The folder ---- */

static void begin_folder(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s/programs'", folder());
    REQUIRE(system(command) == 0);
    setenv("ALLOT_PROGRAMS", in_folder("programs"), 1);
    unsetenv("ALLOT_PROGRAMS_MB");
}

/* Calls a function, which may be NULL, with the path of each program there; returns how many. */
static size_t each_program(void (*change)(const char *path))
{
    size_t count = 0;
    char path[600];
    DIR *directory = opendir(in_folder("programs"));
    for (struct dirent *it; directory && (it = readdir(directory));) {
        if (!strstr(it->d_name, ".bin"))
            continue;
        count++;
        snprintf(path, sizeof path, "%s/programs/%s", folder(), it->d_name);
        if (change)
            change(path);
    }
    if (directory)
        closedir(directory);
    return count;
}

/* ---- A run of a kernel, in an executor of its own ---- */

static const allot_param params[] = {
    { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_SLICED },
    { .name = "y", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
};

#define TEXT(value)                                                                                          \
    "__kernel void plus(__global const T *x, __global T *y)\n"                                               \
    "{ y[get_global_id(0)] = x[get_global_id(0)] + " value "; }\n"

/* True if it gave x + plus. */
static bool runs(const char *text, const char *options, float plus)
{
    bool right = true;
    layer->reset();
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.places = ALLOT_KIND_BIT(ALLOT_OPENCL)));
    REQUIRE(executor != NULL);
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = "plus", .params = params, .param_count = 2,
                                         .opencl_source = text, .opencl_options = options));
    REQUIRE(kernel != NULL);
    allot_array *x = allot_array_full(executor, ALLOT_F32, N, 2),
                *y = allot_array_full(executor, ALLOT_F32, N, 0);
    CHECK_STATUS(
        finish(allot_launch(executor, kernel, allot_range(N), ALLOT_ARGS(allot_in(x), allot_out(y)), NULL)),
        ALLOT_OK);
    const float *data = allot_array_map(y, ALLOT_READ);
    for (size_t i = 0; data && i < N; i++)
        right = right && data[i] == 2 + plus;
    right = right && data;
    if (data)
        allot_array_unmap(y);
    allot_array_release(x);
    allot_array_release(y);
    allot_kernel_release(kernel);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    CHECK(layer->live(LAYER_KINDS) == 0);
    return right;
}

static bool was_compiled(void)
{
    return layer->calls("clCreateProgramWithSource") > 0;
}

static void check_compiled(const char *text, float plus, bool compiled)
{
    CHECK(runs(text, NULL, plus));
    CHECK(was_compiled() == compiled);
    CHECK((layer->calls("clCreateProgramWithBinary") > 0) == !compiled);
}

/* ---- Facts ---- */

static void is_compiled_once(void)
{
    begin_folder();
    check_compiled(TEXT("1"), 1, true);
    CU_ASSERT_EQUAL(each_program(NULL), 1);
    check_compiled(TEXT("1"), 1, false);
    check_compiled(TEXT("1"), 1, false);
    CU_ASSERT_EQUAL(each_program(NULL), 1);
}

static void tells_programs_apart(void)
{
    begin_folder();
    check_compiled(TEXT("1"), 1, true);
    check_compiled(TEXT("2"), 2, true);
    CHECK(runs(TEXT("VALUE"), "-DVALUE=3", 3));
    CHECK(was_compiled());
    CHECK(runs(TEXT("VALUE"), "-DVALUE=4", 4));
    CHECK(was_compiled());
    CHECK(runs(TEXT("VALUE"), "-DVALUE=3", 3));
    CHECK(!was_compiled());
    setenv("POCL_ANYTHING", "1", 1); /* may change what drivers make of a text */
    check_compiled(TEXT("2"), 2, true);
    unsetenv("POCL_ANYTHING");
    check_compiled(TEXT("2"), 2, false);
}

static void cut_it(const char *path)
{
    CHECK(truncate(path, 100) == 0);
}

static void empty_it(const char *path)
{
    CHECK(truncate(path, 0) == 0);
}

static void flip_a_byte(const char *path)
{
    FILE *file = fopen(path, "r+e");
    REQUIRE(file != NULL);
    fseek(file, -20, SEEK_END);
    int byte = fgetc(file);
    fseek(file, -20, SEEK_END);
    fputc(byte ^ 1, file);
    fclose(file);
}

static void open_to_others(const char *path)
{
    CHECK(chmod(path, 0666) == 0);
}

static void mends_damaged_files(void)
{
    void (*const damages[])(const char *) = { cut_it, empty_it, flip_a_byte, open_to_others };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        begin_folder();
        check_compiled(TEXT("1"), 1, true);
        CU_ASSERT_EQUAL(each_program(damages[i]), 1);
        CHECK(runs(TEXT("1"), NULL, 1));
        CHECK(was_compiled());
        CU_ASSERT_EQUAL(layer->calls("clCreateProgramWithBinary"), 0);
        check_compiled(TEXT("1"), 1, false);
    }
}

/* Any call on the way from the disk fails: then the text is compiled, and the launch never knows. */
static void compiles_where_a_driver_refuses(void)
{
    static const char *const calls[] = { "clCreateProgramWithBinary", "clBuildProgram", "clCreateKernel" };
    begin_folder();
    check_compiled(TEXT("1"), 1, true);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        allot_executor *executor = allot_open(ALLOT_OPTIONS(.places = ALLOT_KIND_BIT(ALLOT_OPENCL)));
        allot_kernel *kernel = allot_kernel_create(
            ALLOT_KERNEL(.name = "plus", .params = params, .param_count = 2, .opencl_source = TEXT("1")));
        allot_array *x = allot_array_full(executor, ALLOT_F32, N, 2);
        allot_array *y = allot_array_full(executor, ALLOT_F32, N, 0);
        CHECK(has_place(executor, ALLOT_OPENCL)); /* the device's own calls are over */
        layer->reset();
        layer->fail(calls[i], 1, CL_INVALID_BINARY);
        CHECK_STATUS(finish(allot_launch(executor, kernel, allot_range(N),
                                         ALLOT_ARGS(allot_in(x), allot_out(y)), NULL)),
                     ALLOT_OK);
        CU_ASSERT_EQUAL(layer->injected(), 1);
        CHECK(was_compiled());
        allot_array_release(x);
        allot_array_release(y);
        allot_kernel_release(kernel);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
        CHECK(layer->live(LAYER_KINDS) == 0);
        check_compiled(TEXT("1"), 1, false); /* it was stored again */
    }
}

static allot_status plus_one(allot_call *call, const allot_part *part)
{
    (void)call;
    for (size_t i = part->begin; i < part->end; i++)
        ((float *)part->args[1].data)[i] = ((const float *)part->args[0].data)[i] + 1;
    return ALLOT_OK;
}

/* A self-test that the device does not get through decides nothing, and leaves nothing behind. */
static void survives_what_fails_in_a_self_test(void)
{
    static const char *const calls[] = { "clCreateCommandQueue", "clCreateBuffer", "clSetKernelArg",
                                         "clEnqueueNDRangeKernel", "clEnqueueReadBuffer" };
    static const allot_selftest_arg test_args[] = { { .shape = { 7 } }, { .shape = { 7 } } };
    static const allot_selftest test = { .range = { 1, { 7 } }, .args = test_args };
    setenv("ALLOT_PROGRAMS", "off", 1);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        allot_executor *executor = allot_open(ALLOT_OPTIONS(.places = ALLOT_KIND_BIT(ALLOT_OPENCL)));
        allot_kernel *kernel =
            allot_kernel_create(ALLOT_KERNEL(.name = "plus", .params = params, .param_count = 2,
                                             .cpu = plus_one, .opencl_source = TEXT("1"), .selftest = &test));
        allot_array *x = allot_array_full(executor, ALLOT_F32, N, 2);
        allot_array *y = allot_array_full(executor, ALLOT_F32, N, 0);
        CHECK(has_place(executor, ALLOT_OPENCL)); /* the device's own calls are over */
        layer->reset();
        layer->fail(calls[i], 1, CL_OUT_OF_RESOURCES);
        CHECK_STATUS(finish(allot_launch(executor, kernel, allot_range(N),
                                         ALLOT_ARGS(allot_in(x), allot_out(y)), NULL)),
                     ALLOT_OK);
        CU_ASSERT_EQUAL(layer->injected(), 1);
        allot_array_release(x);
        allot_array_release(y);
        allot_kernel_release(kernel);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
        CHECK(layer->live(LAYER_KINDS) == 0);
        CHECK(layer->misuses() == 0);
    }
}

static void keeps_no_text_that_includes_files(void)
{
    begin_folder();
    check_compiled("/* #include \"x.h\" */" TEXT("1"), 1, true);
    CU_ASSERT_EQUAL(each_program(NULL), 0);
}

static void keeps_its_limit(void)
{
    struct stat about;
    char path[300];
    begin_folder();
    setenv("ALLOT_PROGRAMS_MB", "0", 1);
    check_compiled(TEXT("1"), 1, true);
    CU_ASSERT_EQUAL(each_program(NULL), 0);
    setenv("ALLOT_PROGRAMS_MB", "100", 1);
    check_compiled(TEXT("1"), 1, true);
    snprintf(path, sizeof path, "%s/programs/%032d.bin", folder(), 7); /* a larger one, used long ago */
    static char large[1 << 20];
    write_file(path, large, sizeof large);
    const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
    utimensat(AT_FDCWD, path, old, 0);
    setenv("ALLOT_PROGRAMS_MB", "1",
           1); /* however little a driver's binaries take, the three are too large */
    check_compiled(TEXT("2"), 2, true);
    CHECK(stat(path, &about) != 0);
    CU_ASSERT_EQUAL(each_program(NULL), 2);
    check_compiled(TEXT("1"), 1, false);
}

static void works_where_nothing_can_be_written(void)
{
    begin_folder();
    setenv("ALLOT_PROGRAMS", "/proc/none", 1);
    check_compiled(TEXT("1"), 1, true);
    check_compiled(TEXT("1"), 1, true);
    write_file(in_folder("programs"), "", 0); /* a file */
    setenv("ALLOT_PROGRAMS", in_folder("programs"), 1);
    check_compiled(TEXT("1"), 1, true);
    CHECK(unlink(in_folder("programs")) == 0);
    setenv("ALLOT_PROGRAMS", "off", 1);
    check_compiled(TEXT("1"), 1, true);
}

enum {
    PROCESSES = 4
};

static void start_and_await(void)
{
    static const char *const arguments[] = { "run", "axpy", "-n", "5000", "--place", "opencl", NULL };
    pid_t processes[PROCESSES];
    long memory;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < PROCESSES; i++)
        processes[i] = start_command(COMMAND, arguments, nowhere, STDERR_FILENO);
    for (int i = 0; i < PROCESSES; i++)
        CU_ASSERT_EQUAL(exit_code(processes[i], &memory), 0);
    close(nowhere);
}

static void serves_processes_at_once(void)
{
    begin_folder();
    for (int round = 0; round < 3; round++) {
        start_and_await();
        CU_ASSERT_EQUAL(each_program(NULL), 1);
    }
    each_program(flip_a_byte); /* they find it damaged at once, too */
    start_and_await();
    CU_ASSERT_EQUAL(each_program(NULL), 1);
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "a program is compiled once, and taken from disk from then on", is_compiled_once },
        { "programs are told apart by text, options and drivers' variables", tells_programs_apart },
        { "a damaged file, or one that others may write, is replaced", mends_damaged_files },
        { "what a driver refuses is compiled", compiles_where_a_driver_refuses },
        { "a device that fails in a self-test is used", survives_what_fails_in_a_self_test },
        { "a text that includes files is not kept", keeps_no_text_that_includes_files },
        { "the folder keeps its limit: what was used longest ago goes", keeps_its_limit },
        { "it works where nothing can be written, and when it is off", works_where_nothing_can_be_written },
        { "several processes share a folder", serves_processes_at_once },
        { NULL, NULL },
    };
    setenv("OPENCL_LAYERS", TEST_BINARY_DIR "/tests/libopencl_layer.so", 0);
    setenv("POCL_DEVICES", "pthread", 0);
    setenv("TEST_WATCHDOG_S", "120", 0);
    layer = opencl_layer_find();
    if (!layer)
        return test_skip("this OpenCL loader takes no layers");
    allot_executor *executor = allot_open(NULL);
    bool there = executor && has_place(executor, ALLOT_OPENCL);
    allot_close(executor);
    if (!there)
        return test_skip("no OpenCL device");
    int result = watched_main(argc, argv, &(const watched_suite){ "programs on disk", facts, NULL }, 1);
    remove_folder();
    return result;
}
