/* Work-group sizes that nobody gave: the ones that are tried are legal, the fastest stays, trials cost no
 * more than their share, and results stay what they are. */
#include "command.h"
#include "places/opencl/tune.h"
#include "support.h"

/* ---- A device that is not there: what a launch takes is made up here ---- */

static const allot_param one_number[] = { { .name = "a" } };

typedef struct imagined {
    al_opencl_device device;
    al_opencl_limits limits;
    al_opencl_tuning tuning;
    al_opencl_tune_how how;
    allot_kernel *kernel;
    al_launch *launch;
    double variant_ns[AL_OPENCL_VARIANTS], compile_ns; /* what they take; a new shape's more */
    bool ran[AL_OPENCL_VARIANTS];
    double busy_ns, lost_ns;
    al_opencl_trial last;
} imagined;

static void end(imagined *it)
{
    al_launch_destroy(it->launch);
    allot_kernel_release(it->kernel);
}

static void set_range(imagined *it, allot_ndrange range)
{
    allot_status status;
    al_failure failure = { 0 };
    const allot_arg arg = allot_f32(1);
    al_launch_destroy(it->launch);
    it->launch = al_launch_create(it->kernel, range, &arg, 1, &status, &failure);
    REQUIRE(it->launch != NULL);
}

/* Each launch takes 1 ms; variant 3 half of that, variant 2 three times as much. */
static void begin(imagined *it)
{
    *it = (imagined){ .device = { .max_group = 1024, .max_local = { 1024, 1024, 64 }, .compute_units = 4 },
                      .limits = { .open = true, .multiple = 32 } };
    for (size_t v = 0; v < AL_OPENCL_VARIANTS; v++)
        it->variant_ns[v] = v == 3 ? 5e5 : v == 2 ? 3e6 : 1e6;
    it->kernel = allot_kernel_create(ALLOT_KERNEL(.name = "imagined", .params = one_number, .param_count = 1,
                                                  .opencl_source = "kernel void imagined(T a) {}"));
    REQUIRE(it->kernel != NULL);
    set_range(it, allot_range_2d(512, 512));
}

static void run(imagined *it)
{
    al_opencl_sizes sizes;
    al_opencl_tune_next(&it->tuning, it->how, it->launch, &it->device, &it->limits, &sizes, &it->last);
    size_t v = it->last.variant;
    it->last.cold = !it->ran[v];
    al_opencl_tune_begin(&it->tuning, &it->last);
    double ran_ns = it->variant_ns[v] + (it->ran[v] ? 0 : it->compile_ns);
    it->ran[v] = true;
    al_opencl_tune_end(&it->tuning, &it->last, (int64_t)ran_ns);
    it->busy_ns += ran_ns;
    it->lost_ns += v && ran_ns > it->variant_ns[0] ? ran_ns - it->variant_ns[0] : 0;
}

static size_t others_that_ran(const imagined *it)
{
    size_t count = 0;
    for (size_t v = 1; v < AL_OPENCL_VARIANTS; v++)
        count += it->ran[v];
    return count;
}

/* ---- Which sizes ---- */

static void check_sizes(const imagined *it, const al_opencl_sizes *sizes)
{
    size_t items = sizes->local[0] * sizes->local[1] * sizes->local[2];
    CHECK(items <= it->device.max_group && items % it->limits.multiple == 0);
    for (size_t d = 0; d < 3; d++) {
        size_t in_groups = sizes->global[d] - (d ? 0 : sizes->rest);
        CHECK(sizes->local[d] >= 1 && sizes->local[d] <= it->device.max_local[d]);
        CHECK(in_groups % sizes->local[d] == 0);
        CHECK(sizes->global[d] == it->launch->range.size[d]);
    }
}

static void what_is_tried_is_legal(void)
{
    static const size_t extents[] = { 1, 2, 31, 32, 100, 1000, 1024, 65536, 99991 };
    enum {
        EXTENTS = sizeof extents / sizeof extents[0]
    };
    size_t others = 0;
    imagined it;
    begin(&it);
    for (size_t i = 0; i < EXTENTS * EXTENTS * 3; i++) {
        size_t x = extents[i % EXTENTS], y = extents[i / EXTENTS % EXTENTS], rank = i / EXTENTS / EXTENTS + 1;
        set_range(&it, rank == 1   ? allot_range(x)
                       : rank == 2 ? allot_range_2d(x, y)
                                   : allot_range_3d(x, y, 64));
        for (size_t v = 1; v < AL_OPENCL_VARIANTS; v++) {
            al_opencl_sizes sizes;
            if (!al_opencl_sizes_variant(it.launch, &it.device, &it.limits, v, &sizes))
                continue;
            check_sizes(&it, &sizes);
            others++;
        }
    }
    CHECK(others > 100);
    end(&it);
}

static void the_fastest_stays(void)
{
    imagined it;
    begin(&it);
    for (int i = 0; i < 2000; i++)
        run(&it);
    CU_ASSERT_EQUAL(it.last.variant, 3);
    CU_ASSERT_STRING_EQUAL(it.last.words, "the fastest of those tried");
    CU_ASSERT_EQUAL(others_that_ran(&it), AL_OPENCL_VARIANTS - 1);
    CHECK(it.lost_ns <= 0.06 * it.busy_ns);
    end(&it);
}

static void no_gain_leaves_the_standard_size(void)
{
    imagined it;
    begin(&it);
    it.variant_ns[3] = 0.97e6; /* that may be chance */
    for (int i = 0; i < 2000; i++)
        run(&it);
    CU_ASSERT_EQUAL(it.last.variant, 0);
    end(&it);
}

/* ---- What it may cost ---- */

static void trials_wait_until_they_pay(void)
{
    imagined it;
    begin(&it);
    it.device.on_cpu = true;
    it.compile_ns = 60e6;
    for (int i = 0; i < 300; i++)
        run(&it);
    CU_ASSERT_EQUAL(others_that_ran(&it), 0);
    for (int i = 0; i < 30000; i++) {
        run(&it);
        CHECK(it.lost_ns <= 0.06 * it.busy_ns);
    }
    CU_ASSERT_EQUAL(it.last.variant, 3);
    end(&it);
}

static void short_launches_are_left_alone(void)
{
    imagined it;
    begin(&it);
    for (size_t v = 0; v < AL_OPENCL_VARIANTS; v++)
        it.variant_ns[v] /= 100;
    for (int i = 0; i < 1000; i++)
        run(&it);
    CU_ASSERT_EQUAL(others_that_ran(&it), 0);
    CU_ASSERT_STRING_EQUAL(it.last.words, "chosen");
    end(&it);
}

static void can_be_switched_off(void)
{
    imagined it;
    begin(&it);
    it.how = AL_OPENCL_TUNE_NEVER;
    for (int i = 0; i < 1000; i++)
        run(&it);
    CU_ASSERT_EQUAL(others_that_ran(&it), 0);
    end(&it);
}

static void one_trial_at_a_time(void)
{
    imagined it;
    begin(&it);
    it.how = AL_OPENCL_TUNE_ALWAYS;
    while (it.last.variant == 0)
        run(&it);
    al_opencl_sizes sizes;
    al_opencl_trial first, second;
    al_opencl_tune_next(&it.tuning, it.how, it.launch, &it.device, &it.limits, &sizes, &first);
    al_opencl_tune_begin(&it.tuning, &first);
    al_opencl_tune_next(&it.tuning, it.how, it.launch, &it.device, &it.limits, &sizes, &second);
    CHECK(first.variant != 0 && second.variant == 0);
    al_opencl_tune_end(&it.tuning, &first, -1); /* it failed: the next one tries it again */
    al_opencl_tune_next(&it.tuning, it.how, it.launch, &it.device, &it.limits, &sizes, &second);
    CU_ASSERT_EQUAL(second.variant, first.variant);
    second.refused = true; /* the driver takes no such groups: that is that */
    al_opencl_tune_begin(&it.tuning, &second);
    al_opencl_tune_end(&it.tuning, &second, 1000);
    al_opencl_tune_next(&it.tuning, it.how, it.launch, &it.device, &it.limits, &sizes, &second);
    CHECK(second.variant > first.variant);
    end(&it);
}

/* ---- What becomes of it ---- */

static void what_became_slow_is_looked_at_anew(void)
{
    imagined it;
    begin(&it);
    for (int i = 0; i < 2000; i++)
        run(&it);
    CU_ASSERT_EQUAL(it.last.variant, 3);
    it.variant_ns[3] = 4e6;
    for (int i = 0; i < 4000; i++)
        run(&it);
    CHECK(it.last.variant != 3);
    CU_ASSERT_STRING_EQUAL(it.last.words, "the fastest of those tried");
    end(&it);
}

static void classes_of_ranges_are_apart(void)
{
    imagined it;
    begin(&it);
    for (int i = 0; i < 2000; i++)
        run(&it);
    set_range(&it, allot_range_2d(4096, 64));
    run(&it);
    CU_ASSERT_EQUAL(it.last.variant, 0);
    for (size_t k = 0; k < 40; k++) { /* more than there is room for */
        set_range(&it, allot_range((size_t)1 << k));
        run(&it);
    }
    CHECK(it.tuning.count <= AL_OPENCL_CLASSES);
    set_range(&it, allot_range_2d(512, 512));
    run(&it);
    CU_ASSERT_EQUAL(it.last.variant, 3);
    end(&it);
}

static void is_written_and_read(void)
{
    static const char *const damaged[] = { "",
                                           "groups",
                                           "groups 2: 2/9/9/0=3",
                                           "groups 1: 2/9/9/0=99",
                                           "groups 1: 7/9/9/0=3",
                                           "groups 1: 2/9/9",
                                           "groups 1:2/999/9/0=3" };
    char text[400];
    imagined it;
    begin(&it);
    for (int i = 0; i < 2000; i++)
        run(&it);
    al_opencl_tune_write(&it.tuning, text, sizeof text);
    it.tuning = (al_opencl_tuning){ 0 };
    al_opencl_tune_read(&it.tuning, text);
    run(&it);
    CU_ASSERT_EQUAL(it.last.variant, 3);
    CU_ASSERT_STRING_EQUAL(it.last.words, "the fastest in an earlier run");
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        it.tuning = (al_opencl_tuning){ 0 };
        al_opencl_tune_read(&it.tuning, damaged[i]);
        CU_ASSERT_EQUAL(it.tuning.count, 0);
    }
    end(&it);
}

/* ---- On a device ---- */

static const allot_param params[] = {
    { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_SLICED },
    { .name = "y", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
};

/* Long enough a launch that a size can matter. */
#define STEPS                                                                                                \
    "    for (int k = 0; k < 400; k++)\n"                                                                    \
    "        v = v * 3 + (int)i;\n"
#define OPEN_TEXT                                                                                            \
    "kernel void turn(global const T *x, global T *y)\n{\n    size_t i = get_global_id(0);\n    T v = "      \
    "x[i];\n" STEPS "    y[i] = v;\n}\n"
#define BOUND_TEXT                                                                                           \
    "kernel void turn(global const T *x, global T *y)\n{\n    size_t i = get_global_id(0);\n    T v = "      \
    "x[i];\n" STEPS "    y[i] = get_local_size(0) ? v : 0;\n}\n"

enum {
    N = 99991 /* a prime: no group divides it */
};

static int32_t turned(int32_t x, int32_t i)
{
    uint32_t v = (uint32_t)x;
    for (int k = 0; k < 400; k++)
        v = v * 3 + (uint32_t)i;
    return (int32_t)v;
}

static bool is_right(allot_array *y)
{
    const int32_t *data = allot_array_map(y, ALLOT_READ);
    REQUIRE(data != NULL);
    bool right = true;
    for (int32_t i = 0; i < N && right; i += i % 100 ? 1 : 97) /* all kinds of places, not all */
        right = data[i] == turned(7, i);
    right = right && data[N - 1] == turned(7, N - 1);
    allot_array_unmap(y);
    return right;
}

/* Launches until the words say that it is settled, or `most` times; each result is checked. The last launch's
 * future, to be released. */
static allot_future *launch_until(allot_executor *executor, const char *text, const char *words, int most)
{
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "turn", .params = params, .param_count = 2, .opencl_source = text));
    allot_array *x = allot_array_full(executor, ALLOT_I32, N, 7), *y = NULL;
    allot_future *future = NULL;
    bool reached = false;
    REQUIRE(kernel && x);
    for (int i = 0; i < most && !reached; i++) {
        allot_release(future);
        allot_array_release(y);
        y = allot_array_full(executor, ALLOT_I32, N, 0);
        future = allot_launch(executor, kernel, allot_range(N), ALLOT_ARGS(allot_in(x), allot_out(y)),
                              ALLOT_HINTS(.place = ALLOT_OPENCL));
        CHECK_STATUS(allot_wait(future, 60 * SECOND), ALLOT_OK);
        CHECK_STATUS(allot_future_status(future), ALLOT_OK);
        REQUIRE(is_right(y));
        reached = strcmp(allot_future_decision(future)->work_group_from, words) == 0;
    }
    allot_array_release(x);
    allot_array_release(y);
    allot_kernel_release(kernel);
    return future;
}

static allot_executor *open_executor(void)
{
    allot_executor *executor = allot_open(
        ALLOT_OPTIONS(.threads = 1, .places = ALLOT_KIND_BIT(ALLOT_THREAD) | ALLOT_KIND_BIT(ALLOT_OPENCL)));
    REQUIRE(executor != NULL);
    return executor;
}

static void expect_explained(allot_future *future, const char *words)
{
    char *text = NULL, line[100];
    size_t size = 0;
    const allot_decision *decision = allot_future_decision(future);
    FILE *stream = open_memstream(&text, &size);
    REQUIRE(stream != NULL);
    CHECK_STATUS(allot_explain(future, stream), ALLOT_OK);
    fclose(stream);
    snprintf(line, sizeof line, "Work-groups of %zu x 1 x 1 (%s).", decision->work_group[0], words);
    expect_text(text, line);
    CU_ASSERT_STRING_EQUAL(decision->work_group_from, words);
    CHECK(decision->work_group[0] >= 1 && decision->work_group[0] <= 2048);
    free(text);
    allot_release(future);
}

static void results_stay_right_while_sizes_are_tried(void)
{
    const char *words = "the fastest of those tried";
    setenv("ALLOT_TUNE", "always", 1);
    allot_executor *executor = open_executor();
    expect_explained(launch_until(executor, OPEN_TEXT, words, 200), words);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    unsetenv("ALLOT_TUNE");
}

static void what_depends_on_its_groups_is_not_tuned(void)
{
    setenv("ALLOT_TUNE", "always", 1);
    allot_executor *executor = open_executor();
    expect_explained(launch_until(executor, BOUND_TEXT, "on trial", 40), "chosen");
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    unsetenv("ALLOT_TUNE");
}

static void what_was_found_is_kept(void)
{
    const char *words = "the fastest of those tried", *again = "the fastest in an earlier run";
    setenv("ALLOT_PROGRAMS", in_folder("programs"), 1);
    setenv("ALLOT_TUNE", "always", 1);
    allot_executor *executor = open_executor();
    allot_future *future = launch_until(executor, OPEN_TEXT, words, 200);
    size_t group = allot_future_decision(future)->work_group[0];
    allot_release(future);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    unsetenv("ALLOT_TUNE");
    executor = open_executor();
    future = launch_until(executor, OPEN_TEXT, again, 1);
    CU_ASSERT_EQUAL(allot_future_decision(future)->work_group[0], group);
    expect_explained(future, again);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    setenv("ALLOT_PROGRAMS", "off", 1);
}

int main(int argc, char **argv)
{
    static const test_fact imagined_facts[] = {
        { "sizes that are tried are legal", what_is_tried_is_legal },
        { "the fastest of them stays", the_fastest_stays },
        { "no gain leaves the standard size", no_gain_leaves_the_standard_size },
        { "where a trial is dear it waits until it pays", trials_wait_until_they_pay },
        { "short launches are left alone", short_launches_are_left_alone },
        { "tuning can be switched off", can_be_switched_off },
        { "one launch at a time tries", one_trial_at_a_time },
        { "what became slow is looked at anew", what_became_slow_is_looked_at_anew },
        { "each class of ranges has its own size", classes_of_ranges_are_apart },
        { "what was found is written and read", is_written_and_read },
        { NULL, NULL },
    };
    static const test_fact device_facts[] = {
        { "results stay right while sizes are tried", results_stay_right_while_sizes_are_tried },
        { "what depends on its groups is not tuned", what_depends_on_its_groups_is_not_tuned },
        { "what was found is kept from run to run", what_was_found_is_kept },
        { NULL, NULL },
    };
    static const watched_suite suites[] = { { "work-group sizes", imagined_facts, NULL },
                                            { "work-group sizes on a device", device_facts, NULL } };
    setenv("POCL_DEVICES", "pthread", 0);
    setenv("ALLOT_PROGRAMS", "off", 1);
    setenv("ALLOT_LOG", "error", 0);
    setenv("TEST_WATCHDOG_S", "120", 0);
    unsetenv("ALLOT_TUNE");
    allot_executor *executor = allot_open(NULL);
    bool there = executor && has_place(executor, ALLOT_OPENCL);
    allot_close(executor);
    int result = watched_main(argc, argv, suites, there ? 2 : 1);
    remove_folder();
    return result == 0 && !there ? test_skip("no OpenCL device") : result;
}
