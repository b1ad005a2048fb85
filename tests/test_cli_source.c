/* `allot run --source`: a kernel of one's own from a file, its arguments from the command line. */
#include "command.h"
#include "support.h"

static const char text[] =
    "typedef struct { float factor; int shift; } settings;\n"
    "kernel void scale(settings s, global const float *x, global float *y, local int *room) {\n"
    "    room[get_local_id(0)] = s.shift;\n"
    "    size_t i = get_global_id(0);\n"
    "    y[i] = s.factor * x[i] + room[get_local_id(0)] + MORE;\n"
    "}\n"
    "kernel void add(global float *y, double much) { y[get_global_id(0)] += much; }\n"
    "kernel void stuck(global volatile int *y) { while (!y[0]) ; }\n";

static const char *source(void)
{
    const char *path = in_folder("own.cl");
    write_file(path, text, sizeof text - 1);
    return path;
}

static const char *input(void)
{
    const float x[] = { 1, 2, 3, 4 };
    const char *path = in_folder("x.f32");
    write_file(path, x, sizeof x);
    return path;
}

static const char *argument(const char *before, const char *path)
{
    static char texts[4][300];
    static size_t next;
    char *at = texts[next++ % 4];
    snprintf(at, sizeof texts[0], "%s%s", before, path);
    return at;
}

static void expect_floats(const char *path, const float *expected, size_t count)
{
    static char data[4096];
    size_t size = read_file(path, data, sizeof data);
    CU_ASSERT_FATAL(size > count * sizeof *expected);
    CU_ASSERT_EQUAL(memcmp(data + size - count * sizeof *expected, expected, count * sizeof *expected), 0);
}

static void runs_a_kernel_from_a_file(void)
{
    const float expected[] = { 0.5f + 17, 1 + 17, 1.5f + 17, 2 + 17 };
    const char *y = in_folder("y.npy");
    const outcome *got =
        ALLOT_RUN("run", "--source", source(), "--entry", "scale", "--arg", "struct:f32:0.5,i32:7", "--arg",
                  argument("in:", input()), "--arg", argument("y=out:float32:4:", y), "--arg", "local:16",
                  "--global", "4", "--local", "4", "--define", "MORE=10", "--repeat", "2");
    expect_code(got, 0);
    expect_text(got->out, "scale of");
    expect_text(got->out, "least 17.5, greatest 19");
    expect_text(got->out, "not verified");
    expect_floats(y, expected, 4);
}

/* What is read and written begins anew before each launch: the result is that of one. */
static void runs_inout_from_its_first_state(void)
{
    const float expected[] = { 3, 4, 5, 6 };
    const char *y = in_folder("sum.npy"), *x = input();
    char both[400];
    snprintf(both, sizeof both, "inout:%s:%s", x, y);
    const outcome *got =
        ALLOT_RUN("run", "--source", source(), "--entry", "add", "--arg", both, "--arg", "f64:2", "--global",
                  "4", "--option", "-DMORE=0", "--repeat", "5", "--json");
    expect_code(got, 0);
    json_t *json = parse_json(got->out);
    json_t *output = json_array_get(json_object_get(json, "outputs"), 0);
    CU_ASSERT_DOUBLE_EQUAL(json_number_value(json_object_get(output, "mean")), 4.5, 1e-12);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json, "runs")), 5);
    json_decref(json);
    expect_floats(y, expected, 4);
}

static void runs_apart(void)
{
    const char *own = source(), *x = input();
    const outcome *got =
        ALLOT_RUN("run", "--source", own, "--entry", "add", "--arg", argument("inout:", x), "--arg", "f64:2",
                  "--global", "4", "--define", "MORE=0", "--isolate", "--timeout", "100");
    expect_code(got, 0);
    expect_text(got->out, "least 3, greatest 6");
    got = ALLOT_RUN("run", "--source", own, "--entry", "stuck", "--arg", "out:i32:1", "--global", "1",
                    "--define", "MORE=0", "--isolate", "--timeout", "3");
    expect_code(got, 1);
    expect_text(got->err, "deadline");
}

static void says_of_nothing_that_it_is_empty(void)
{
    const outcome *got = ALLOT_RUN("run", "--source", source(), "--entry", "add", "--arg", "inout:f32:0",
                                   "--arg", "f64:2", "--global", "0", "--define", "MORE=0");
    expect_code(got, 0);
    expect_text(got->out, "f32 0: empty");
}

/* Nothing is filled for a launch that is refused, and nothing twice for one that is not. */
static void refuses_an_array_too_large_before_it_is_filled(void)
{
    size_t i;
    const json_t *place;
    const outcome *got = ALLOT_RUN("info", "--json");
    json_t *info = parse_json(got->out);
    char array[60] = "";
    json_array_foreach(json_object_get(info, "places"), i, place)
    {
        if (strcmp(json_string_value(json_object_get(place, "id")), "opencl:0") == 0)
            snprintf(array, sizeof array, "inout:u8:%lld",
                     (long long)json_integer_value(json_object_get(place, "max_array_bytes")) + 4096);
    }
    json_decref(info);
    got = ALLOT_RUN("run", "--source", source(), "--entry", "add", "--arg", array, "--arg", "f64:2",
                    "--global", "4", "--define", "MORE=0", "--place", "opencl:0");
    expect_code(got, 4);
    CU_ASSERT(got->resident_kib < 1024 * 1024);
}

/* A module's first words, which are all that is looked at before a device refuses it. */
static const char *module(void)
{
    static const uint32_t words[] = { 0x07230203, 0x00010000, 0, 1, 0 };
    const char *path = in_folder("module.spv");
    write_file(path, words, sizeof words);
    return path;
}

static void says_what_is_wrong(void)
{
    const char *own = source();
    const struct {
        const char *arguments[12];
        int code;
        const char *part;
    } cases[] = {
        { { "--source", own, "--global", "4" }, 2, "--entry names its kernel function" },
        { { "--source", own, "--entry", "add" }, 2, "--global says" },
        { { "--entry", "add" }, 2, "--source FILE names it" },
        { { "axpy", "--source", own }, 2, "one of your own" },
        { { "--source", own, "-n", "4" }, 2, "are for sample kernels" },
        { { "--source", own, "--type", "f64" }, 2, "are for sample kernels" },
        { { "--source", own, "--timeout", "0" }, 2, "seconds above 0" },
        { { "--source", own, "--timeout", "nan" }, 2, "seconds above 0" },
        { { "--isolate", "axpy" }, 2, "one of your own" },
        { { "--source", own, "--constant", "7" }, 2, "give ID:TYPE:VALUE" },
        { { "--source", own, "--constant", "x:u32:5" }, 2, "give ID:TYPE:VALUE" },
        { { "--source", own, "--constant", "7:u8:256" }, 2, "give ID:TYPE:VALUE" },
        { { "--source", own, "--constant", "4294967296:u8:1" }, 2, "give ID:TYPE:VALUE" },
        { { "--source", own, "--entry", "add", "--global", "1", "--constant", "7:u32:5" },
          2,
          "--define sets macros" },
        { { "--source", module(), "--entry", "add", "--global", "1", "--constant", "7:u32:5", "--place",
            "opencl:0" },
          4,
          "takes no SPIR-V" },
        { { "--source", own, "--global", "4x4x4x4" }, 2, "1 to 3 sizes" },
        { { "--source", own, "--global", "4y" }, 2, "whole number" },
        { { "--source", own, "--arg", "f33:1" }, 2, "begins with none of" },
        { { "--source", own, "--arg", "i8:200" }, 2, "does not fit" },
        { { "--source", own, "--arg", "i32:1.5" }, 2, "no whole number" },
        { { "--source", own, "--arg", "f32:" }, 2, "no decimal number" },
        { { "--source", own, "--arg", "out:x.npy" }, 2, "out:TYPE:SHAPE" },
        { { "--source", own, "--arg", "out:f32:" }, 2, "shape is missing" },
        { { "--source", own, "--arg", "out:f32:-3" }, 2, "shape" },
        { { "--source", own, "--arg", "out:f32:99999999999x99999999999" }, 2, "too large" },
        { { "--source", own, "--arg", "out:f32:4:y.txt" }, 2, "must end in" },
        { { "--source", own, "--arg", "in:" }, 2, "name is missing" },
        { { "--source", own, "--arg", "local:0" }, 2, "local:BYTES" },
        { { "--source", own, "--arg", "struct:f32" }, 2, "TYPE:VALUE" },
        { { "--source", "/nonexistent.cl", "--entry", "a", "--global", "1" }, 3, "/nonexistent.cl" },
        { { "--source", own, "--entry", "add", "--global", "1", "--arg", "in:/nonexistent.npy" },
          3,
          "/nonexistent.npy" },
        { { "--source", own, "--entry", "add", "--global", "1", "--define", "MORE=x" }, 3, "does not build" },
        { { "--source", own, "--entry", "gone", "--global", "1", "--define", "MORE=0" }, 3, "it has: " },
        { { "--source", own, "--entry", "add", "--global", "1", "--define", "MORE=0" },
          3,
          "takes 2 arguments" },
        { { "--source", own, "--entry", "add", "--global", "1", "--place", "thread" }, 4, "no C variant" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *all[16] = { "run" };
        memcpy(all + 1, cases[i].arguments, sizeof cases[i].arguments);
        const outcome *got = run_program(COMMAND, all);
        expect_code(got, cases[i].code);
        expect_text(got->err, cases[i].part);
    }
}

static const test_fact facts[] = {
    { "runs a kernel from a file", runs_a_kernel_from_a_file },
    { "runs what is read and written from its first state", runs_inout_from_its_first_state },
    { "runs a kernel in a process of its own", runs_apart },
    { "says of nothing that it is empty", says_of_nothing_that_it_is_empty },
    { "refuses an array that is too large before it is filled",
      refuses_an_array_too_large_before_it_is_filled },
    { "says what is wrong", says_what_is_wrong },
    { NULL, NULL },
};

int main(void)
{
    allot_executor *executor = allot_open(NULL);
    bool has_device = executor && has_place(executor, ALLOT_OPENCL);
    allot_close(executor);
    if (!has_device)
        return test_skip("no OpenCL device");
    int code = test_main("allot run --source", facts);
    remove_folder();
    return code;
}
