/* The built command, as a user meets it: its words, its exit codes, its figures, its files. */
#include "command.h"

#include <sched.h>

static void use_sample_data(void)
{
    setenv("ALLOT_DATA", TEST_DATA, 1);
}

static void says_what_it_is(void)
{
    const outcome *got = ALLOT_RUN("--version");
    expect_code(got, 0);
    expect_text(got->out, "allot 0.1.0\n");
    static const char *const helps[][3] = {
        { "--help" },        { "help", "run" },       { "info", "--help" },
        { "run", "--help" }, { "compare", "--help" }, { "model", "--help" }
    };
    for (size_t i = 0; i < sizeof helps / sizeof helps[0]; i++) {
        got = run_program(COMMAND, (const char *const[]){ helps[i][0], helps[i][1], NULL });
        expect_code(got, 0);
        expect_text(got->out, "Exit codes:");
        CU_ASSERT_STRING_EQUAL(got->err, "");
    }
}

static void tells_a_mistake_in_the_command_line(void)
{
    static const struct {
        const char *words[5];
        const char *message;
    } cases[] = {
        { { NULL }, "name a command: info, run, compare" },
        { { "fly" }, "unknown command 'fly': info, run, compare" },
        { { "info", "me" }, "'me' is one word too many" },
        { { "run" }, "name a kernel: axpy, dot, gemm, spmv, conv2d, conv2d_separable are there" },
        { { "run", "axpyy" },
          "unknown kernel 'axpyy': axpy, dot, gemm, spmv, conv2d, conv2d_separable are there" },
        { { "run", "axpy", "gemm" }, "'gemm' is one word too many" },
        { { "run", "axpy", "--wings" }, "unrecognized option '--wings'" },
        { { "run", "axpy", "--place" }, "requires an argument" },
        { { "run", "axpy", "--type", "f16" }, "--type 'f16': f32 and f64 are there" },
        { { "run", "axpy", "-n", "-5" }, "-n '-5': give a whole number" },
        { { "run", "axpy", "-n", "" }, "-n '': give a whole number" },
        { { "run", "axpy", "-n", "1e30" }, "-n 1e30: too large" },
        { { "run", "axpy", "-n", "1e15" }, "choose a smaller n" },
        { { "run", "gemm", "-n", "9e15" }, "choose a smaller n" },
        { { "run", "spmv", "-n", "9e15" }, "choose a smaller n" },
        { { "run", "axpy", "--repeat", "0" }, "--repeat '0': give a whole number from 1 to 100000" },
        { { "run", "axpy", "--repeat", "many" }, "--repeat 'many': give a whole number from 1" },
        { { "run", "axpy", "--repeat", "-1" }, "--repeat '-1': give a whole number from 1 to 100000" },
        { { "compare", "--kernels", "axpy,,gemm" }, "--kernels 'axpy,,gemm': a name is missing" },
        { { "compare", "--places", "thread," }, "--places 'thread,': a name is missing" },
        { { "compare", "--places", "" }, "--places: the list is empty" },
        { { "compare", "--kernels", "axpy,fly" }, "unknown kernel 'fly'" },
        { { "compare", "--kernels", "" }, "--kernels: the list is empty" },
        { { "compare", "--sizes", "1,x" }, "--sizes 'x': give a whole number" },
        { { "compare", "--sizes", "fly=1" }, "unknown kernel 'fly'" },
        { { "compare", "--type", "f32,i8" }, "--type 'i8'" },
        { { "model" }, "say what to do: show, export FILE, import FILE or reset" },
        { { "model", "fly" }, "'fly' is not one of show, export FILE, import FILE or reset" },
        { { "model", "export" }, "export takes one file" },
        { { "model", "show", "it" }, "show takes no file" },
        { { "compare", "axpy" }, "'axpy' is one word too many" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const outcome *got = run_program(COMMAND, cases[i].words);
        expect_code(got, 2);
        expect_text(got->err, cases[i].message);
        expect_text(got->err, "--help");
        CU_ASSERT_STRING_EQUAL(got->out, "");
    }
}

static void tells_a_place_that_is_not_there(void)
{
    static const char *const places[] = { "cloud",    "opencl:99", "opencl:cloud", "opencl:", "proces",
                                          "thread:1", "0" };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const outcome *got = ALLOT_RUN("run", "axpy", "--place", places[i]);
        char message[100];
        snprintf(message, sizeof message, "no such place '%s': auto, thread", places[i]);
        expect_code(got, 4);
        expect_text(got->err, message);
        got = ALLOT_RUN("compare", "--places", places[i], "--out", in_folder("out"));
        expect_code(got, 4);
        expect_text(got->err, message);
    }
}

static const json_t *place_named(const json_t *info, const char *id)
{
    size_t i;
    const json_t *place;
    json_array_foreach(json_object_get(info, "places"), i, place)
    {
        if (strcmp(json_string_value(json_object_get(place, "id")), id) == 0)
            return place;
    }
    return NULL;
}

/* A device goes by its id, its type, and a part of its name or driver. */
static void finds_devices_by_what_info_shows(void)
{
    size_t i, device_count = 0;
    const json_t *place, *type;
    const outcome *got = ALLOT_RUN("info");
    expect_text(got->out, "  type ");
    got = ALLOT_RUN("info", "--json");
    json_t *info = parse_json(got->out);
    json_array_foreach(json_object_get(info, "places"), i, place)
    {
        char by_name[200], by_type[40];
        bool is_device = strcmp(json_string_value(json_object_get(place, "kind")), "opencl") == 0;
        const json_t *types = json_object_get(place, "types");
        CU_ASSERT_EQUAL(json_array_size(types) > 0, is_device);
        if (!is_device || device_count++)
            continue;
        type = json_array_get(types, 0);
        snprintf(by_name, sizeof by_name, "opencl:%s", json_string_value(json_object_get(place, "name")));
        snprintf(by_type, sizeof by_type, "%s", json_string_value(type));
        const char *const words[] = { by_name, by_type };
        for (size_t w = 0; w < 2; w++) {
            got = ALLOT_RUN("run", "axpy", "-n", "100", "-r", "1", "--json", "--place", words[w]);
            expect_code(got, 0);
            json_t *row = parse_json(got->out);
            CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "place")), words[w]);
            CU_ASSERT_EQUAL(strncmp(json_string_value(json_object_get(row, "chosen")), "opencl:", 7), 0);
            json_decref(row);
        }
        got = ALLOT_RUN("compare", "-k", "axpy", "-n", "100", "-t", "f32", "-r", "1", "--json", "--places",
                        by_type, "--out", in_folder("typed"));
        expect_code(got, 0);
        json_t *rows = parse_json(got->out); /* of each such device, by its id */
        CU_ASSERT_EQUAL(
            strncmp(json_string_value(json_object_get(json_array_get(rows, 0), "place")), "opencl:", 7), 0);
        json_decref(rows);
        snprintf(by_name, sizeof by_name, "%s (%s, ", json_string_value(json_object_get(place, "id")),
                 by_type);
        if (json_array_size(types) == 1)
            expect_text(ALLOT_RUN("run", "axpy", "--place", "opencl:cloud")->err, by_name);
    }
    json_decref(info);
}

static void describes_the_machine(void)
{
    const outcome *got = ALLOT_RUN("info");
    expect_code(got, 0);
    expect_text(got->out, "Places");
    expect_text(got->out, "\n  thread");
    got = ALLOT_RUN("info", "--json");
    expect_code(got, 0);
    json_t *info = parse_json(got->out);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(info, "version")), "0.1.0");
    CU_ASSERT(json_integer_value(json_object_get(json_object_get(info, "topology"), "usable_cpus")) >= 1);
    CU_ASSERT(json_array_size(json_object_get(info, "libraries")) >= 1);
    const json_t *thread = place_named(info, "thread");
    CU_ASSERT_PTR_NOT_NULL_FATAL(thread);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(thread, "kind")), "thread");
    CU_ASSERT(json_integer_value(json_object_get(thread, "workers")) >= 1);
    CU_ASSERT(json_is_string(json_object_get(thread, "name")) &&
              json_is_string(json_object_get(thread, "state")) &&
              json_is_string(json_object_get(thread, "message")));
    json_decref(info);
}

static void does_without_devices(void)
{
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    const outcome *got = ALLOT_RUN("info", "--json");
    expect_code(got, 0);
    json_t *info = parse_json(got->out);
    CU_ASSERT_PTR_NOT_NULL(place_named(info, "thread"));
    CU_ASSERT_PTR_NULL(place_named(info, "opencl:0"));
    CU_ASSERT(json_string_length(json_object_get(info, "devices_message")) > 0);
    json_decref(info);
    expect_code(ALLOT_RUN("run", "axpy", "-n", "100"), 0);
    got = ALLOT_RUN("run", "axpy", "--place", "opencl");
    expect_code(got, 4);
    expect_text(got->err, "no such place 'opencl'");
    unsetenv("OCL_ICD_VENDORS");
}

/* The places that `info` lists, with auto, as "--place" takes them. */
static size_t list_places(char places[][32], size_t capacity)
{
    size_t count = 0, i;
    const json_t *place;
    const outcome *got = ALLOT_RUN("info", "--json");
    json_t *info = parse_json(got->out);
    snprintf(places[count++], 32, "auto");
    json_array_foreach(json_object_get(info, "places"), i, place)
    {
        if (count < capacity)
            snprintf(places[count++], 32, "%s", json_string_value(json_object_get(place, "id")));
    }
    json_decref(info);
    return count;
}

static void expect_good_row(const json_t *row)
{
    static const char *const reals[] = { "median_s", "p10_s",      "p90_s",    "gflops",
                                         "gbytes_s", "transfer_s", "max_error" };
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        CU_ASSERT(json_is_real(json_object_get(row, reals[i])) &&
                  json_real_value(json_object_get(row, reals[i])) >= 0);
    static const char *const texts[] = { "kernel", "type", "place", "chosen", "input" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CU_ASSERT(json_is_string(json_object_get(row, texts[i])));
    CU_ASSERT(json_is_true(json_object_get(row, "verified")));
    CU_ASSERT(json_is_null(json_object_get(row, "error")));
    CU_ASSERT(json_integer_value(json_object_get(row, "runs")) >= 1);
    CU_ASSERT(json_is_integer(json_object_get(row, "n")));
}

static void runs_every_kernel_on_every_place(void)
{
    static const char *const kernels[] = { "axpy", "dot", "gemm", "spmv", "conv2d", "conv2d_separable" };
    char places[16][32];
    size_t count = list_places(places, 16);
    for (size_t p = 0; p < count; p++)
        for (size_t k = 0; k < sizeof kernels / sizeof kernels[0]; k++) {
            const outcome *got = ALLOT_RUN("run", kernels[k], "--place", places[p], "--type",
                                           k % 2 ? "f64" : "f32", "-n", "65", "--repeat", "2", "--json");
            expect_code(got, 0);
            json_t *row = parse_json(got->out);
            expect_good_row(row);
            if (strcmp(places[p], "auto") != 0)
                CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "chosen")), places[p]);
            json_decref(row);
        }
}

static void runs_any_size(void)
{
    static const char *const sizes[] = { "0", "1", "2", "63", "64", "1009" };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        expect_code(ALLOT_RUN("run", "axpy", "-n", sizes[i], "--repeat", "1"), 0);
        expect_code(ALLOT_RUN("run", "spmv", "-n", sizes[i], "--repeat", "1", "--place", "thread"), 0);
    }
    static const char *const others[] = { "dot", "gemm", "conv2d", "conv2d_separable" };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        expect_code(ALLOT_RUN("run", others[i], "-n", "0", "--repeat", "1", "--place", "thread"), 0);
    expect_code(ALLOT_RUN("run", "gemm", "-n", "67", "--repeat", "1", "--place", "thread"), 0);
}

static void explains_and_traces(void)
{
    static char text[1 << 20];
    const outcome *got =
        ALLOT_RUN("run", "axpy", "-n", "1e4", "--explain", "--trace", in_folder("trace.json"));
    expect_code(got, 0);
    expect_text(got->out, "thread");
    expect_text(got->out, "verified");
    read_file(in_folder("trace.json"), text, sizeof text);
    json_decref(parse_json(text));
    got = ALLOT_RUN("run", "axpy", "-n", "1e4", "--explain", "--json");
    expect_code(got, 0);
    json_t *row = parse_json(got->out);
    const json_t *decision = json_object_get(row, "decision");
    CU_ASSERT(json_array_size(json_object_get(decision, "candidates")) >= 1);
    CU_ASSERT(json_is_string(json_object_get(decision, "chosen")));
    json_decref(row);
    expect_code(ALLOT_RUN("run", "axpy", "--trace", "/nonexistent/trace.json"), 1);
}

static void preload(const char *library)
{
    setenv("LD_PRELOAD", library, 1);
    const char *given = getenv("ASAN_OPTIONS");
    char options[300]; /* its runtime does not stand first any more */
    snprintf(options, sizeof options, "%s%sverify_asan_link_order=0", given ? given : "", given ? ":" : "");
    setenv("ASAN_OPTIONS", options, 1);
}

static void reports_a_wrong_result(void)
{
    preload(TEST_BINARY_DIR "/libwrong_reference.so");
    const outcome *got = ALLOT_RUN("run", "axpy", "-n", "100", "--place", "thread");
    expect_code(got, 1);
    expect_text(got->err, "wrong result: element 3 is");
    got = ALLOT_RUN("compare", "--kernels", "axpy", "--sizes", "2,100", "--places", "thread,auto", "--type",
                    "f64", "--repeat", "2", "--json", "--out", in_folder("wrong"));
    unsetenv("LD_PRELOAD");
    expect_code(got, 1);
    expect_text(got->err, "2 of 4 rows failed");
    json_t *rows = parse_json(got->out);
    CU_ASSERT_EQUAL_FATAL(json_array_size(rows), 4);
    expect_good_row(json_array_get(rows, 0));
    CU_ASSERT(json_is_false(json_object_get(json_array_get(rows, 2), "verified")));
    expect_text(json_string_value(json_object_get(json_array_get(rows, 3), "error")), "wrong result");
    json_decref(rows);
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void prints_a_failure_as_json_too(void)
{
    static const struct {
        const char *words[6];
        int code;
        const char *message;
    } cases[] = {
        { { "run", "axpy", "-j", "--place", "cloud" }, 4, "no such place 'cloud'" },
        { { "run", "-j" }, 2, "name a kernel" },
        { { "run", "axpy", "--input", "missing.f32", "--json" }, 3, "missing.f32: No such file" },
        { { "run", "axpy", "-j", "--trace", "/nonexistent/t" }, 1, "/nonexistent/t: cannot be written" },
        { { "compare", "-j", "--places", "cloud" }, 4, "no such place 'cloud'" },
        { { "compare", "--repeat", "0", "-j" }, 2, "--repeat '0'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const outcome *got = run_program(COMMAND, cases[i].words);
        expect_code(got, cases[i].code);
        expect_text(got->err, cases[i].message);
        json_t *object = parse_json(got->out);
        CU_ASSERT_EQUAL(json_object_size(object), 1);
        expect_text(json_string_value(json_object_get(object, "error")), cases[i].message);
        json_decref(object);
    }
}

static void tells_a_trace_that_cannot_be_written_once(void)
{
    const outcome *got = ALLOT_RUN("run", "axpy", "-n", "100", "--trace", "/nonexistent/trace.json");
    expect_code(got, 1);
    CU_ASSERT_STRING_EQUAL(
        got->err, "allot run: /nonexistent/trace.json: cannot be written: No such file or directory\n");
    got = ALLOT_RUN("run", "axpy", "-n", "100", "--place", "thread", "--trace", "/dev/full");
    expect_code(got, 1);
    CU_ASSERT_STRING_EQUAL(got->err, "allot: warning: the trace could not be written in full\n");
    expect_text(got->out, "verified"); /* what was computed is not lost */
}

static void compares_each_place_once_and_finds_no_transfer_there(void)
{
    const outcome *got = ALLOT_RUN("compare", "-j", "-p", "thread,thread", "-k", "axpy,axpy", "-n", "100",
                                   "-t", "f32", "-r", "3", "-o", in_folder("out"));
    expect_code(got, 0);
    json_t *rows = parse_json(got->out);
    CU_ASSERT_EQUAL_FATAL(json_array_size(rows), 1);
    CU_ASSERT_EQUAL(json_real_value(json_object_get(json_array_get(rows, 0), "transfer_s")), 0);
    json_decref(rows);
}

/* An odd number of turns: the median is one of them, whole nanoseconds. */
static void prints_times_without_noise(void)
{
    const outcome *got =
        ALLOT_RUN("run", "axpy", "-n", "100", "--place", "inline", "--repeat", "5", "--json");
    expect_code(got, 0);
    json_t *row = parse_json(got->out);
    double ns = json_real_value(json_object_get(row, "median_s")) * 1e9;
    double whole = (double)(int64_t)(ns + 0.5);
    CU_ASSERT_DOUBLE_EQUAL(ns, whole, 1e-6 * whole);
    json_decref(row);
}

static void refuses_a_folder_that_cannot_be_made_first(void)
{
    static const struct {
        const char *name, *message;
    } cases[] = { { "file", "file: exists and is not a folder" },
                  { "file/below", "file/below: cannot be made: Not a directory" },
                  { "full", "compare.csv: cannot be written: Is a directory" } };
    write_file(in_folder("file"), "x", 1);
    mkdir(in_folder("full"), 0700);
    mkdir(in_folder("full/compare.csv"), 0700);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const outcome *got = ALLOT_RUN("compare", "--out", in_folder(cases[i].name));
        expect_code(got, 1);
        expect_text(got->err, cases[i].message);
        CU_ASSERT_PTR_NULL(strstr(got->err, "[1/")); /* nothing was run */
    }
}

static void compares_everything(void)
{
    static char file[256 * 1024];
    const outcome *got =
        ALLOT_RUN("compare", "--sizes", "axpy=1000,dot=1000,gemm=33,spmv=2003,conv2d=33,conv2d_separable=33",
                  "--repeat", "3", "--json", "--out", in_folder("deep/out"));
    expect_code(got, 0);
    json_t *rows = parse_json(got->out);
    size_t count = json_array_size(rows), i;
    const json_t *row;
    CU_ASSERT(count >= 12 * 2 && count % 12 == 0); /* six kernels, two types; thread and auto at least */
    json_array_foreach(rows, i, row)
    {
        expect_good_row(row);
    }
    expect_text(got->out, "bcsstk13.mtx");
    expect_text(got->out, "ecg_108000.f32");
    expect_text(got->out, "astronaut.ppm");
    read_file(in_folder("deep/out/compare.json"), file, sizeof file);
    CU_ASSERT_STRING_EQUAL(file, got->out);
    read_file(in_folder("deep/out/compare.csv"), file, sizeof file);
    expect_text(file, "kernel,type,place,n,median_s,p10_s,p90_s,gflops,gbytes_s,transfer_s,");
    CU_ASSERT_EQUAL(count_lines(file), count + 1);
    json_decref(rows);
}

static void shows_progress_and_a_table(void)
{
    const outcome *got = ALLOT_RUN("compare", "--kernels", "axpy", "--sizes", "10,1e3", "--places",
                                   "thread,inline,auto", "--repeat", "2", "--out", in_folder("out"));
    expect_code(got, 0);
    expect_text(got->err, "[1/4 ");
    expect_text(got->err, "] axpy f32 n = 10\n");
    expect_text(got->err, "axpy f64 n = 1000\n");
    expect_text(got->out, "GFLOP/s");
    expect_text(got->out, "fastest");
    expect_text(got->out, "notes: median");
}

/* A copy of the program in a folder of its own finds nothing beside itself. */
static void uses_seeded_values_without_data(void)
{
    char copy[300];
    snprintf(copy, sizeof copy, "cp '%s' '%s'", COMMAND, in_folder("allot"));
    CU_ASSERT_EQUAL_FATAL(system(copy), 0);
    unsetenv("ALLOT_DATA");
    const char *const words[] = { "run", "spmv", "--place", "thread", NULL };
    const outcome *got = run_program(in_folder("allot"), words);
    use_sample_data();
    expect_code(got, 0);
    if (!strstr(got->out, "bcsstk13.mtx")) { /* an installed copy's data may be on this machine */
        expect_text(got->err, "bcsstk13.mtx was not found");
        expect_text(got->out, "seeded");
    }
    got = ALLOT_RUN("run", "axpy", "--data", "/nonexistent");
    expect_code(got, 3);
    expect_text(got->err, "no readable ecg_108000.f32 there");
}

static void notices_that_nobody_takes_its_output(void)
{
    const char *const words[] = { "info", NULL };
    char text[500] = "";
    long resident;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC), pipes[2];
    int err = open(in_folder("stderr"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CU_ASSERT_EQUAL(exit_code(start_command(COMMAND, words, full, err), &resident), 1);
    read_file(in_folder("stderr"), text, sizeof text);
    expect_text(text, "cannot write to standard output: No space left");
    CU_ASSERT_EQUAL_FATAL(ftruncate(err, 0), 0);
    CU_ASSERT_EQUAL_FATAL(pipe2(pipes, O_CLOEXEC), 0);
    close(pipes[0]); /* as `head` does */
    CU_ASSERT_EQUAL(exit_code(start_command(COMMAND, words, pipes[1], err), &resident), 1000 + SIGPIPE);
    read_file(in_folder("stderr"), text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "");
    close(pipes[1]);
    close(full);
    close(err);
}

static void ends_when_interrupted(void)
{
    const char *const words[] = { "compare",
                                  "--kernels",
                                  "axpy",
                                  "--places",
                                  "thread,auto",
                                  "--sizes",
                                  "10,1e6",
                                  "--repeat",
                                  "100000",
                                  "--out",
                                  in_folder("interrupted"),
                                  NULL };
    int pipes[2], out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    char text[2000] = "";
    long resident;
    size_t length = 0;
    ssize_t got;
    CU_ASSERT_EQUAL_FATAL(pipe2(pipes, O_CLOEXEC), 0);
    pid_t process = start_command(COMMAND, words, out, pipes[1]);
    close(pipes[1]);
    while (!strstr(text, "[2/4") && (got = read(pipes[0], text + length, sizeof text - 1 - length)) > 0)
        text[length += (size_t)got] = '\0'; /* the first set is complete, the second measured */
    kill(process, SIGINT);
    while ((got = read(pipes[0], text + length, sizeof text - 1 - length)) > 0)
        text[length += (size_t)got] = '\0';
    CU_ASSERT_EQUAL(exit_code(process, &resident), 130);
    expect_text(text, "interrupted\n");
    static char file[8192];
    read_file(in_folder("interrupted/compare.csv"), file, sizeof file);
    CU_ASSERT_EQUAL(count_lines(file), 1 + 2); /* what was complete */
    close(pipes[0]);
    close(out);
}

/* Wherever it was: while the expected result is computed, or while it runs. */
static void says_that_a_run_was_interrupted(void)
{
    const char *const words[] = { "run",    "axpy",    "--repeat",          "100000", "-n", "1e6",
                                  "--json", "--trace", in_folder("t.json"), NULL };
    char text[500] = "", out_text[500] = "";
    long resident;
    int out = open(in_folder("stdout"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int err = open(in_folder("stderr"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    pid_t process = start_command(COMMAND, words, out, err);
    while (access(in_folder("t.json"), F_OK) != 0) /* made when the runs begin */
        sched_yield();
    kill(process, SIGINT);
    CU_ASSERT_EQUAL(exit_code(process, &resident), 130);
    read_file(in_folder("stderr"), text, sizeof text);
    read_file(in_folder("stdout"), out_text, sizeof out_text);
    expect_text(text, "interrupted\n");
    expect_text(out_text, "\"error\": \"interrupted\"");
    json_decref(parse_json(out_text));
    close(out);
    close(err);
}

int main(void)
{
    static const test_fact facts[] = {
        { "says what it is and what it takes", says_what_it_is },
        { "tells a mistake in the command line", tells_a_mistake_in_the_command_line },
        { "tells a place that is not there", tells_a_place_that_is_not_there },
        { "finds devices by the type and name that info shows", finds_devices_by_what_info_shows },
        { "describes the machine", describes_the_machine },
        { "does without devices", does_without_devices },
        { "runs every kernel on every place", runs_every_kernel_on_every_place },
        { "runs any size", runs_any_size },
        { "explains and traces", explains_and_traces },
        { "reports a wrong result", reports_a_wrong_result },
        { "prints a failure as JSON too", prints_a_failure_as_json_too },
        { "tells a trace that cannot be written once", tells_a_trace_that_cannot_be_written_once },
        { "compares each place once, without a transfer where nothing moves",
          compares_each_place_once_and_finds_no_transfer_there },
        { "prints times without noise", prints_times_without_noise },
        { "refuses a folder that cannot be made before it runs", refuses_a_folder_that_cannot_be_made_first },
        { "compares everything", compares_everything },
        { "shows progress and a table", shows_progress_and_a_table },
        { "uses seeded values without data", uses_seeded_values_without_data },
        { "notices that nobody takes its output", notices_that_nobody_takes_its_output },
        { "ends when interrupted", ends_when_interrupted },
        { "says that a run was interrupted", says_that_a_run_was_interrupted },
        { NULL, NULL },
    };
    use_sample_data();
    int code = test_main("cli", facts);
    remove_folder();
    return code;
}
