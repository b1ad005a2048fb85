/* Self-tests of kernels: a device's variant that computes wrongly is not used, and says so. */
#include "command.h"
#include "core/trial.h"
#include "support.h"
#include <allot/numeric.h>
#include <dirent.h>

enum {
    N = 1000
};

/* ---- A kernel with a variant for CPUs, which counts its calls, and one for devices, right or not ---- */

static _Atomic uint32_t cpu_calls;

static allot_status plus_one(allot_call *call, const allot_part *part)
{
    (void)call;
    atomic_fetch_add(&cpu_calls, 1);
    for (size_t i = part->begin; i < part->end; i++) {
        if (part->type == ALLOT_F32)
            ((float *)part->args[1].data)[i] = ((const float *)part->args[0].data)[i] + 1;
        else
            ((int32_t *)part->args[1].data)[i] = ((const int32_t *)part->args[0].data)[i] + 1;
    }
    return ALLOT_OK;
}

static const allot_param params[] = {
    { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_SLICED },
    { .name = "y", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
};
static const allot_selftest_arg test_args[] = { { .shape = { 77 } }, { .shape = { 77 } } };
static const allot_selftest selftest = { .range = { 1, { 77 } }, .args = test_args };

#define RIGHT_TEXT                                                                                           \
    "__kernel void plus(__global const T *x, __global T *y)\n"                                               \
    "{ y[get_global_id(0)] = x[get_global_id(0)] + 1; }\n"
/* Wrong at one index alone. */
#define WRONG_TEXT                                                                                           \
    "__kernel void plus(__global const T *x, __global T *y)\n"                                               \
    "{ y[get_global_id(0)] = x[get_global_id(0)] + (get_global_id(0) == 42 ? 3 : 1); }\n"

static allot_kernel *make_kernel(const char *text)
{
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = "plus", .params = params, .param_count = 2, .cpu = plus_one,
                                         .opencl_source = text, .selftest = &selftest));
    REQUIRE(kernel != NULL);
    return kernel;
}

typedef struct fixture {
    allot_executor *executor;
    allot_array *x, *y;
} fixture;

static void begin_of(fixture *it, allot_type type, const char *policy)
{
    it->executor = allot_open(
        ALLOT_OPTIONS(.threads = 1, .places = ALLOT_KIND_BIT(ALLOT_THREAD) | ALLOT_KIND_BIT(ALLOT_OPENCL),
                      .policy = policy));
    REQUIRE(it->executor != NULL);
    it->x = allot_array_full(it->executor, type, N, 2);
    it->y = allot_array_full(it->executor, type, N, 0);
    atomic_store(&cpu_calls, 0);
}

static void begin(fixture *it, const char *policy)
{
    begin_of(it, ALLOT_F32, policy);
}

static void end(fixture *it)
{
    allot_array_release(it->x);
    allot_array_release(it->y);
    CHECK_STATUS(allot_close(it->executor), ALLOT_OK);
}

/* Done, and still to be released. There may be more devices than the first one, which is that asked for. */
static allot_future *launch(fixture *it, allot_kernel *kernel, allot_kind kind)
{
    allot_future *future =
        allot_launch(it->executor, kernel, allot_range(N), ALLOT_ARGS(allot_in(it->x), allot_out(it->y)),
                     ALLOT_HINTS(.place = kind, .place_id = kind == ALLOT_OPENCL ? "opencl:0" : NULL));
    CHECK_STATUS(allot_wait(future, 60 * SECOND), ALLOT_OK);
    return future;
}

static void expect_error(allot_future *future, allot_status status, const char *words)
{
    CHECK_STATUS(allot_future_status(future), status);
    expect_text(allot_future_error(future), words);
    allot_release(future);
}

static void message_of_device(fixture *it, char message[256])
{
    allot_place_info infos[16];
    for (size_t i = 0; i < 16; i++)
        infos[i].size = sizeof infos[0];
    size_t count = allot_places(it->executor, infos, 16);
    message[0] = '\0';
    for (size_t i = 0; i < count && i < 16; i++)
        if (strcmp(infos[i].id, "opencl:0") == 0)
            snprintf(message, 256, "%s", infos[i].message);
}

/* ---- On a device ---- */

static void what_is_right_is_used(void)
{
    fixture it;
    allot_kernel *kernel = make_kernel(RIGHT_TEXT);
    char message[256];
    begin(&it, NULL);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(finish(launch(&it, kernel, ALLOT_OPENCL)), ALLOT_OK);
        CHECK(all_are(it.y, N, 3));
    }
    CU_ASSERT_EQUAL(atomic_load(&cpu_calls), 1); /* the test, once */
    message_of_device(&it, message);
    CU_ASSERT_STRING_EQUAL(message, "");
    allot_kernel_release(kernel);
    end(&it);
}

static void what_is_wrong_is_refused(void)
{
    fixture it;
    allot_kernel *kernel = make_kernel(WRONG_TEXT);
    char message[256];
    begin(&it, NULL);
    expect_error(launch(&it, kernel, ALLOT_OPENCL), ALLOT_DEVICE, "plus (f32) computes wrongly on");
    expect_error(launch(&it, kernel, ALLOT_OPENCL), ALLOT_NO_PLACE, "computes wrongly");
    CU_ASSERT_EQUAL(atomic_load(&cpu_calls), 1);
    message_of_device(&it, message);
    expect_text(message, "plus (f32) computes wrongly");
    allot_kernel_release(kernel);
    kernel = make_kernel(RIGHT_TEXT); /* nothing is wrong with the device */
    CHECK_STATUS(finish(launch(&it, kernel, ALLOT_OPENCL)), ALLOT_OK);
    CHECK(all_are(it.y, N, 3));
    allot_kernel_release(kernel);
    end(&it);
}

static void what_is_wrong_runs_elsewhere(void)
{
    fixture it;
    allot_kernel *kernel = make_kernel(WRONG_TEXT);
    begin(&it, "fixed:opencl:0");
    REQUIRE(has_place(it.executor, ALLOT_OPENCL)); /* it waits for the device */
    allot_future *first = launch(&it, kernel, ALLOT_ANYWHERE);
    CHECK_STATUS(allot_future_status(first), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(allot_future_place(first), "thread");
    CU_ASSERT_STRING_EQUAL(allot_future_decision(first)->retried_on, "thread");
    expect_text(allot_future_decision(first)->retried_why, "element 42 of y is");
    CHECK(all_are(it.y, N, 3));
    allot_release(first);
    allot_future *second = launch(&it, kernel, ALLOT_ANYWHERE);
    const allot_decision *decision = allot_future_decision(second);
    CHECK_STATUS(allot_future_status(second), ALLOT_OK);
    for (size_t i = 0; i < decision->candidate_count; i++)
        if (strcmp(decision->candidates[i].place, "opencl:0") == 0)
            expect_text(decision->candidates[i].reason, "computes wrongly");
    allot_release(second);
    allot_kernel_release(kernel);
    end(&it);
}

static void each_element_type_is_tested(void)
{
    fixture it;
    allot_kernel *kernel = make_kernel("__kernel void plus(__global const T *x, __global T *y)\n"
                                       "#ifdef T_i32\n"
                                       "{ y[get_global_id(0)] = x[get_global_id(0)] + 2; }\n"
                                       "#else\n"
                                       "{ y[get_global_id(0)] = x[get_global_id(0)] + 1; }\n"
                                       "#endif\n");
    begin(&it, NULL);
    CHECK_STATUS(finish(launch(&it, kernel, ALLOT_OPENCL)), ALLOT_OK);
    end(&it);
    begin_of(&it, ALLOT_I32, NULL);
    expect_error(launch(&it, kernel, ALLOT_OPENCL), ALLOT_DEVICE, "plus (i32) computes wrongly on");
    end(&it);
    allot_kernel_release(kernel);
}

static void can_be_switched_off(void)
{
    fixture it;
    allot_kernel *kernel = make_kernel(WRONG_TEXT);
    setenv("ALLOT_SELFTEST", "off", 1);
    begin(&it, NULL);
    CHECK_STATUS(finish(launch(&it, kernel, ALLOT_OPENCL)), ALLOT_OK);
    CU_ASSERT_EQUAL(atomic_load(&cpu_calls), 0);
    unsetenv("ALLOT_SELFTEST");
    allot_kernel_release(kernel);
    end(&it);
}

static void use_once(const char *text, allot_status expected, uint32_t tests)
{
    fixture it;
    allot_kernel *kernel = make_kernel(text);
    begin(&it, NULL);
    CHECK_STATUS(finish(launch(&it, kernel, ALLOT_OPENCL)), expected);
    CU_ASSERT_EQUAL(atomic_load(&cpu_calls), tests);
    allot_kernel_release(kernel);
    end(&it);
}

static size_t each_note(const char *write)
{
    size_t count = 0;
    char path[600];
    DIR *directory = opendir(in_folder("programs"));
    for (struct dirent *it; directory && (it = readdir(directory));) {
        if (!strstr(it->d_name, ".note"))
            continue;
        count++;
        snprintf(path, sizeof path, "%s/programs/%s", folder(), it->d_name);
        if (write)
            write_file(path, write, strlen(write));
    }
    if (directory)
        closedir(directory);
    return count;
}

static void outcomes_are_kept(void)
{
    fixture it;
    char message[256];
    setenv("ALLOT_PROGRAMS", in_folder("programs"), 1);
    use_once(RIGHT_TEXT, ALLOT_OK, 1);
    use_once(RIGHT_TEXT, ALLOT_OK, 0);
    each_note("rubbish");
    use_once(RIGHT_TEXT, ALLOT_OK, 1);
    use_once(WRONG_TEXT, ALLOT_DEVICE, 1);
    use_once(WRONG_TEXT, ALLOT_DEVICE, 0);
    CU_ASSERT_EQUAL(each_note(NULL), 2);
    begin(&it, NULL); /* it says so before the kernel is used */
    message_of_device(&it, message);
    expect_text(message, "plus (f32) computes wrongly");
    end(&it);
    setenv("ALLOT_PROGRAMS", "off", 1);
}

/* ---- Every form of parameter ---- */

typedef struct factors {
    int32_t by, plus[4];
} factors;

static allot_status scale_rows(allot_call *call, const allot_part *part)
{
    (void)call;
    const allot_value *x = &part->args[0], *y = &part->args[1];
    const factors *with = part->args[2].data;
    int32_t *sum = part->args[5].data;
    for (size_t i = part->begin; i < part->end; i++)
        for (size_t j = 0; j < part->range.size[1]; j++) {
            const int32_t value = ((const int32_t *)x->data)[i * x->stride[0] + j * x->stride[1]];
            ((int32_t *)y->data)[i * y->stride[0] + j * y->stride[1]] +=
                value * with->by + with->plus[3] + *(const int32_t *)part->args[3].data;
            *sum += value;
        }
    return ALLOT_OK;
}

static void every_form_of_parameter_can_be_tested(void)
{
    static const char text[] =
        "typedef struct { int by, plus[4]; } factors;\n"
        "__kernel void scale(__global const int *x, allot_layout at, __global int *y, allot_layout to,\n"
        "                    factors with, int more, __local int *room, __global int *sum)\n"
        "{\n"
        "    size_t i = get_global_id(0), j = get_global_id(1);\n"
        "    size_t l = get_local_id(0) * get_local_size(1) + get_local_id(1);\n"
        "    size_t group = get_group_id(0) + get_num_groups(0) * get_group_id(1);\n"
        "    int value = x[i * at.stride[0] + j * at.stride[1]];\n"
        "    y[i * to.stride[0] + j * to.stride[1]] += value * with.by + with.plus[3] + more;\n"
        "    room[l] = value;\n"
        "    barrier(CLK_LOCAL_MEM_FENCE);\n"
        "    if (l == 0) {\n"
        "        int all = 0;\n"
        "        for (size_t k = 0; k < get_local_size(0) * get_local_size(1); k++)\n"
        "            all += room[k];\n"
        "        sum[group] = all;\n"
        "    }\n"
        "}\n";
    static const allot_param all[] = {
        { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_SLICED, .rank = 2, .strided = true },
        { .name = "y", .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED, .rank = 2, .strided = true },
        { .name = "with", .bytes = sizeof(factors) },
        { .name = "more" },
        { .name = "room", .local = true },
        { .name = "sum", .access = ALLOT_WRITE, .distribution = ALLOT_REDUCED, .reduce = ALLOT_SUM },
    };
    static const factors with = { 3, { 0, 0, 0, 5 } };
    static const allot_selftest_arg args[] = {
        { .shape = { 8, 6 } }, { .shape = { 8, 6 } }, { .data = &with },
        { .value = 7 },        { .shape = { 1024 } }, { .shape = { 1 } },
    };
    static const allot_selftest test = { .range = { 2, { 8, 6 } }, .args = args };
    fixture it;
    allot_kernel *kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = "scale", .params = all, .param_count = 6, .cpu = scale_rows,
                                         .opencl_source = text, .selftest = &test));
    REQUIRE(kernel != NULL);
    begin_of(&it, ALLOT_I32, NULL);
    allot_view x = allot_view_2d(it.x, 0, 8, 6, 6), y = allot_view_2d(it.y, 0, 8, 6, 6);
    allot_array *sum = allot_array_full(it.executor, ALLOT_I32, 1, 0);
    allot_future *future =
        allot_launch(it.executor, kernel, allot_range_2d(8, 6),
                     ALLOT_ARGS(allot_in_view(x), allot_inout_view(y), allot_bytes(&with, sizeof with),
                                allot_i32(7), allot_local(1024), allot_out(sum)),
                     ALLOT_HINTS(.place = ALLOT_OPENCL));
    CHECK_STATUS(allot_wait(future, 60 * SECOND), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(allot_future_error(future), "");
    allot_release(future);
    allot_array_release(sum);
    allot_kernel_release(kernel);
    end(&it);
}

/* ---- The sample kernels' own ---- */

static const allot_kernel *sample(size_t index)
{
    switch (index) {
    case 0:
        return allot_axpy();
    case 1:
        return allot_dot();
    case 2:
        return allot_gemm();
    case 3:
        return allot_spmv();
    case 4:
        return allot_conv2d();
    default:
        return allot_conv2d_separable();
    }
}

enum {
    SAMPLES = 6
};

static void sample_kernels_have_problems_that_tell(void)
{
    static const allot_type types[] = { ALLOT_F32, ALLOT_F64 };
    for (size_t i = 0; i < 2 * SAMPLES; i++) {
        al_failure failure = { 0 };
        char what[200];
        al_launch *one = al_trial_create(sample(i / 2), types[i % 2], &failure);
        al_launch *other = one ? al_trial_create(sample(i / 2), types[i % 2], &failure) : NULL;
        CU_ASSERT_PTR_NULL(failure.message);
        REQUIRE(other != NULL);
        CHECK_STATUS(al_trial_run(one, &failure), ALLOT_OK);
        CHECK(!al_trial_agree(one, other, what, sizeof what)); /* it was not run */
        CHECK_STATUS(al_trial_run(other, &failure), ALLOT_OK);
        CHECK(al_trial_agree(one, other, what, sizeof what));
        al_launch_destroy(one);
        al_launch_destroy(other);
    }
}

static void sample_kernels_are_right_here(void)
{
    static const char *const names[SAMPLES] = { "axpy", "dot", "gemm", "spmv", "conv2d", "conv2d_separable" };
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s/programs'", folder());
    REQUIRE(system(command) == 0);
    setenv("ALLOT_PROGRAMS", in_folder("programs"), 1);
    for (size_t i = 0; i < SAMPLES; i++) {
        const outcome *got = ALLOT_RUN("run", names[i], "-n", "100", "--place", "opencl:0");
        expect_code(got, 0);
        CHECK(strstr(got->err, "wrongly") == NULL);
    }
    CU_ASSERT_EQUAL(each_note(NULL), SAMPLES); /* each was tested, and decided */
    setenv("ALLOT_PROGRAMS", "off", 1);
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "a variant that is right is tested once, and used", what_is_right_is_used },
        { "one that is wrong is not used there", what_is_wrong_is_refused },
        { "its launch runs elsewhere, and the decisions say why", what_is_wrong_runs_elsewhere },
        { "each element type is tested", each_element_type_is_tested },
        { "tests can be left out", can_be_switched_off },
        { "outcomes are kept on disk", outcomes_are_kept },
        { "every form of parameter can be tested", every_form_of_parameter_can_be_tested },
        { "the sample kernels' problems tell right from wrong", sample_kernels_have_problems_that_tell },
        { "the sample kernels are right here", sample_kernels_are_right_here },
        { NULL, NULL },
    };
    setenv("ALLOT_PROGRAMS", "off", 1);
    setenv("ALLOT_LOG", "error", 0);
    setenv("TEST_WATCHDOG_S", "120", 0);
    unsetenv("ALLOT_SELFTEST");
    allot_executor *executor = allot_open(NULL);
    bool there = executor && has_place(executor, ALLOT_OPENCL);
    allot_close(executor);
    if (!there)
        return test_skip("no OpenCL device");
    int result = watched_main(argc, argv, &(const watched_suite){ "self-tests", facts, NULL }, 1);
    remove_folder();
    return result;
}
