/* The isolated lane: a device's kernel in a worker process, which a driver that crashes or never comes back
 * takes with it, and nothing else. */
#include "probe_kernels.h"
#include "support.h"
#include <allot/numeric.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    N = 1000
};

static allot_executor *open_executor(void)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 1, .processes = 1));
    REQUIRE(executor != NULL);
    return executor;
}

static void wait_for(allot_future *future)
{
    CHECK_STATUS(allot_wait(future, 90 * SECOND), ALLOT_OK);
    if (allot_future_status(future) != ALLOT_OK)
        printf("\n    %s", allot_future_error(future));
}

/* ---- Kernels for devices alone: y = what the expression says ---- */

static const allot_param params[] = {
    { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_SLICED },
    { .name = "y", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
};

static allot_kernel *device_kernel(const char *text)
{
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "probe", .params = params, .param_count = 2, .opencl_source = text));
    REQUIRE(kernel != NULL);
    return kernel;
}

#define TEXT(body) "__kernel void probe(__global const T *x, __global T *y)\n{\n" body "}\n"

/* Runs it with 3 in x; true if it went well and y is all `expected`. */
static allot_status run(allot_executor *executor, const char *text, const allot_hints *hints, float expected,
                        char *error, size_t error_size)
{
    allot_kernel *kernel = device_kernel(text);
    allot_array *x = allot_array_full(executor, ALLOT_F32, N, 3),
                *y = allot_array_full(executor, ALLOT_F32, N, 0);
    allot_future *future =
        allot_launch(executor, kernel, allot_range(N), ALLOT_ARGS(allot_in(x), allot_out(y)), hints);
    CHECK_STATUS(allot_wait(future, 90 * SECOND), ALLOT_OK);
    allot_status status = allot_future_status(future);
    snprintf(error, error_size, "%s", allot_future_error(future));
    if (status == ALLOT_OK) {
        CU_ASSERT_STRING_EQUAL(allot_future_place(future), "process");
        CHECK(all_are(y, N, expected));
    }
    allot_release(future);
    allot_array_release(x);
    allot_array_release(y);
    allot_kernel_release(kernel);
    return status;
}

/* ---- Facts ---- */

static void a_kernel_without_a_c_variant_runs_in_a_worker(void)
{
    char error[1000];
    allot_executor *executor = open_executor();
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(run(executor, TEXT("y[get_global_id(0)] = 2 * x[get_global_id(0)];\n"),
                         ALLOT_HINTS(.isolate = true), 6, error, sizeof error),
                     ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(error, "");
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void one_with_a_c_variant_runs_its_device_variant_where_that_is_asked_for(void)
{
    allot_executor *executor = open_executor();
    const allot_hints *ways[] = { ALLOT_HINTS(.isolate = true, .place = ALLOT_OPENCL),
                                  ALLOT_HINTS(.isolate = true, .place_id = "opencl:0") };
    for (size_t i = 0; i < 2; i++) {
        allot_array *x = allot_array_full(executor, ALLOT_F32, N, 3),
                    *y = allot_array_full(executor, ALLOT_F32, N, 4);
        allot_future *future = allot_launch(executor, allot_axpy(), allot_range(N),
                                            ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y)), ways[i]);
        wait_for(future);
        CHECK_STATUS(allot_future_status(future), ALLOT_OK);
        CU_ASSERT_STRING_EQUAL(allot_future_place(future), "process");
        CU_ASSERT_STRING_EQUAL(allot_future_decision(future)->task, "axpy (isolated)");
        CHECK(all_are(y, N, 10));
        allot_release(future);
        allot_array_release(x);
        allot_array_release(y);
    }
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- Plain functions beside them ---- */

static allot_status answer(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    *(int *)out = 42;
    return ALLOT_OK;
}

static allot_status start_a_program(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    char name[] = "true", *arguments[] = { name, NULL };
    pid_t pid;
    *(int *)out = posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ);
    if (!*(int *)out)
        waitpid(pid, NULL, 0);
    return ALLOT_OK;
}

/* In a worker: 0, or the error number. */
static int call_a_program(allot_executor *executor)
{
    int error = -1;
    allot_future *future =
        allot_submit(executor, start_a_program, NULL, 0, sizeof error, ALLOT_HINTS(.place = ALLOT_PROCESS));
    CHECK_STATUS(allot_get(future, &error, sizeof error, 60 * SECOND), ALLOT_OK);
    allot_release(future);
    return error;
}

/* Views, strides, reductions, structs, integers. */
static void every_form_of_argument_travels(void)
{
    static const char text[] =
        "typedef struct { int by; float plus; } factors;\n"
        "__kernel void scale(__global const T *x, allot_layout at, __global T *y, allot_layout to,\n"
        "                    factors with, uint more, __local T *room, __global T *sum)\n"
        "{\n"
        "    size_t i = get_global_id(0), j = get_global_id(1);\n"
        "    size_t l = get_local_id(0) * get_local_size(1) + get_local_id(1);\n"
        "    size_t group = get_group_id(0) + get_num_groups(0) * get_group_id(1);\n"
        "    T value = x[i * at.stride[0] + j * at.stride[1]];\n"
        "    y[i * to.stride[0] + j * to.stride[1]] += value * with.by + with.plus + more;\n"
        "    room[l] = value;\n"
        "    barrier(CLK_LOCAL_MEM_FENCE);\n"
        "    if (l == 0) {\n"
        "        T all = 0;\n"
        "        for (size_t k = 0; k < get_local_size(0) * get_local_size(1); k++)\n"
        "            all += room[k];\n"
        "        sum[group] = all;\n"
        "    }\n"
        "}\n";
    static const struct {
        int32_t by;
        float plus;
    } with = { 3, 0.5f };
    static const allot_param all[] = {
        { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_SLICED, .rank = 2, .strided = true },
        { .name = "y", .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED, .rank = 2, .strided = true },
        { .name = "with", .bytes = sizeof with },
        { .name = "more", .type = ALLOT_U32 },
        { .name = "room", .local = true },
        { .name = "sum", .access = ALLOT_WRITE, .distribution = ALLOT_REDUCED, .reduce = ALLOT_SUM },
    };
    allot_executor *executor = open_executor();
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "scale", .params = all, .param_count = 6, .opencl_source = text));
    allot_array *x = allot_array_full(executor, ALLOT_F32, 100, 2),
                *y = allot_array_full(executor, ALLOT_F32, 100, 1);
    allot_array *sum = allot_array_full(executor, ALLOT_F32, 1, -7);
    allot_view from = allot_view_2d(x, 5, 8, 6, 10), to = allot_view_2d(y, 11, 8, 6, 9);
    allot_future *future =
        allot_launch(executor, kernel, allot_range_2d(8, 6),
                     ALLOT_ARGS(allot_in_view(from), allot_inout_view(to), allot_bytes(&with, sizeof with),
                                allot_u32(4), allot_local(4096), allot_out(sum)),
                     ALLOT_HINTS(.isolate = true));
    wait_for(future);
    CHECK_STATUS(allot_future_status(future), ALLOT_OK);
    const float *data = allot_array_map(y, ALLOT_READ), *total = allot_array_map(sum, ALLOT_READ);
    REQUIRE(data && total);
    CU_ASSERT_EQUAL(*total, 96);
    for (size_t i = 0; i < 100; i++) {
        bool inside = i >= 11 && (i - 11) / 9 < 8 && (i - 11) % 9 < 6;
        CHECK(data[i] == (inside ? 1 + 2 * 3 + 0.5f + 4 : 1));
    }
    allot_array_unmap(y);
    allot_array_unmap(sum);
    allot_release(future);
    allot_array_release(x), allot_array_release(y), allot_array_release(sum);
    allot_kernel_release(kernel);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void a_crash_costs_the_worker_alone(void)
{
    char error[1000];
    allot_executor *executor = open_executor();
    const allot_hints *hints = ALLOT_HINTS(.isolate = true);
    if (has_simulator(executor)) {
        printf("not on oclgrind, where no kernel crashes ");
        allot_close(executor);
        return;
    }
    CHECK_STATUS(run(executor,
                     TEXT("((volatile __global T *)(x[0] == 3 ? (size_t)16 : (size_t)y))[0] = 1;\n"), hints,
                     0, error, sizeof error),
                 ALLOT_WORKER_DIED);
    CHECK(TEST_SANITIZED || strstr(error, "SIGSEGV") != NULL); /* sanitizers end the worker themselves */
    CHECK_STATUS(run(executor, TEXT("y[get_global_id(0)] = 7;\n"), hints, 7, error, sizeof error), ALLOT_OK);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* The driver never comes back: only the end of its process ends it. */
static void a_hang_ends_with_the_deadline_or_a_stop(void)
{
    static const char endless[] = TEXT("volatile __global T *there = y;\n"
                                       "while (x[0] == 3)\n"
                                       "    there[get_global_id(0)] += 1;\n");
    char error[1000];
    allot_executor *executor = open_executor();
    CHECK_STATUS(run(executor, endless,
                     ALLOT_HINTS(.isolate = true, .deadline_ns = 4 * SECOND, .grace_ns = SECOND / 10), 0,
                     error, sizeof error),
                 ALLOT_DEADLINE);
    CHECK_STATUS(run(executor, TEXT("y[get_global_id(0)] = 7;\n"), ALLOT_HINTS(.isolate = true), 7, error,
                     sizeof error),
                 ALLOT_OK);
    allot_kernel *kernel = device_kernel(endless);
    allot_array *x = allot_array_full(executor, ALLOT_F32, N, 3),
                *y = allot_array_full(executor, ALLOT_F32, N, 0);
    allot_future *future = allot_launch(executor, kernel, allot_range(N),
                                        ALLOT_ARGS(allot_in(x), allot_out(y)), ALLOT_HINTS(.isolate = true));
    while (!allot_running(future) && !allot_done(future))
        sched_yield();
    allot_stop(future, SECOND / 10);
    CHECK_STATUS(allot_wait(future, 60 * SECOND), ALLOT_OK);
    CHECK_STATUS(allot_future_status(future), ALLOT_STOPPED);
    allot_release(future);
    allot_array_release(x);
    allot_array_release(y);
    allot_kernel_release(kernel);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void what_does_not_build_says_why(void)
{
    char error[2000];
    allot_executor *executor = open_executor();
    CHECK_STATUS(
        run(executor, TEXT("this is no OpenCL;\n"), ALLOT_HINTS(.isolate = true), 0, error, sizeof error),
        ALLOT_BUILD);
    CHECK(strstr(error, "does not build on") != NULL);
    CHECK_STATUS(run(executor, TEXT("y[get_global_id(0)] = 7;\n"),
                     ALLOT_HINTS(.isolate = true, .place_id = "opencl:77"), 0, error, sizeof error),
                 ALLOT_NO_DEVICE);
    CHECK(strstr(error, "opencl:77") != NULL);
    CHECK_STATUS(run(executor, TEXT("y[get_global_id(0)] = 7;\n"),
                     ALLOT_HINTS(.isolate = true, .place_id = "opencl:cloud"), 0, error, sizeof error),
                 ALLOT_NO_DEVICE);
    CHECK(strstr(error, "opencl:cloud: no such device in a worker process (devices: opencl:0 (") != NULL);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- What its worker may still do ---- */

#if defined __x86_64__
/* A system call by its number, from inside a kernel: CPU devices alone run that. */
static const char call_text[] =
    "__kernel void probe(__global long *y, long number, long a, long b)\n"
    "{\n"
    "    long result;\n"
    "    __asm__ volatile(\"syscall\" : \"=a\"(result) : \"a\"(number), \"D\"(a), \"S\"(b), \"d\"(0L)\n"
    "                     : \"rcx\", \"r11\", \"memory\");\n"
    "    y[get_global_id(0)] = result;\n"
    "}\n";
static const allot_param call_params[] = {
    { .name = "y", .type = ALLOT_I64, .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
    { .name = "number", .type = ALLOT_I64 },
    { .name = "a", .type = ALLOT_I64 },
    { .name = "b", .type = ALLOT_I64 },
};

enum {
    NOT_HERE = INT32_MIN /* the device runs no such thing */
};

static allot_kernel *make_caller(void)
{
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "probe", .params = call_params, .param_count = 4, .opencl_source = call_text));
    REQUIRE(kernel != NULL);
    return kernel;
}

/* What the call returned: negative error numbers. */
static int64_t call_inside(allot_executor *executor, allot_kernel *kernel, long number, int64_t a, int64_t b)
{
    allot_array *y = allot_array_full(executor, ALLOT_I64, 1, 0);
    allot_future *future =
        allot_launch(executor, kernel, allot_range(1),
                     ALLOT_ARGS(allot_out(y), allot_i64(number), allot_i64(a), allot_i64(b)),
                     ALLOT_HINTS(.isolate = true));
    CHECK_STATUS(allot_wait(future, 90 * SECOND), ALLOT_OK);
    int64_t result = NOT_HERE;
    if (allot_future_status(future) == ALLOT_OK) {
        const int64_t *data = allot_array_map(y, ALLOT_READ);
        REQUIRE(data != NULL);
        result = *data;
        allot_array_unmap(y);
    } else {
        CHECK_STATUS(allot_future_status(future), ALLOT_BUILD);
    }
    allot_release(future);
    allot_array_release(y);
    return result;
}

/* Whether filters work at all: not under Valgrind, which knows no such call. */
static bool has_filters(void)
{
    allot_executor *executor =
        allot_open(ALLOT_OPTIONS(.threads = 1, .processes = 1,
                                 .places = ALLOT_KIND_BIT(ALLOT_THREAD) | ALLOT_KIND_BIT(ALLOT_PROCESS),
                                 .process = ALLOT_PROCESS_OPTIONS(.no_exec = true)));
    bool there = executor && call_a_program(executor) == EPERM;
    allot_close(executor);
    return there;
}

static void a_kernel_that_ran_before_starts_nothing(void)
{
    allot_executor *executor = open_executor();
    allot_kernel *caller = make_caller();
    char error[1000];
    int64_t first = call_inside(executor, caller, SYS_execve, 0, 0), worker = 0;
    if (first != NOT_HERE && has_filters()) {
        CU_ASSERT_EQUAL(first, -EFAULT); /* a linker may still have had to run */
        CU_ASSERT_EQUAL(call_inside(executor, caller, SYS_execve, 0, 0), -EPERM);
        CU_ASSERT_EQUAL(call_inside(executor, caller, SYS_fork, 0, 0), -EPERM);
        CU_ASSERT_EQUAL(call_inside(executor, caller, SYS_clone, SIGCHLD, 0), -EPERM);
        CU_ASSERT_EQUAL(call_inside(executor, caller, SYS_clone3, 0, 0), -ENOSYS);
        CU_ASSERT_EQUAL(call_inside(executor, caller, SYS_socket, AF_INET, SOCK_STREAM), -EPERM);
        worker = call_inside(executor, caller, SYS_getpid, 0, 0);
        CU_ASSERT_EQUAL(call_inside(executor, caller, SYS_getpid, 0, 0), worker);
    } else {
        printf("skipped: no kernel can try, or nothing forbids it ");
    }
    /* Others are built by another worker, */
    CHECK_STATUS(run(executor, TEXT("y[get_global_id(0)] = 7;\n"), ALLOT_HINTS(.isolate = true), 7, error,
                     sizeof error),
                 ALLOT_OK);
    if (worker)
        CHECK(call_inside(executor, caller, SYS_getpid, 0, 0) != NOT_HERE);
    /* and plain functions have all their rights. */
    CU_ASSERT_EQUAL(call_a_program(executor), 0);
    allot_kernel_release(caller);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void no_kernel_opens_the_network(void)
{
    allot_executor *executor = open_executor();
    allot_kernel *caller = make_caller();
    int64_t first = call_inside(executor, caller, SYS_socket, AF_INET, SOCK_STREAM);
    if (first != NOT_HERE && has_filters())
        CU_ASSERT_EQUAL(first, -EPERM);
    allot_kernel_release(caller);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}
#endif

/* By turns, in one worker at a time: each change may cost a worker, and no launch. */
static void unlike_kernels_and_functions_take_turns(void)
{
    char error[1000];
    allot_executor *executor = open_executor();
    const allot_hints *hints = ALLOT_HINTS(.isolate = true);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(run(executor, TEXT("y[get_global_id(0)] = 7;\n"), hints, 7, error, sizeof error),
                     ALLOT_OK);
        CHECK_STATUS(run(executor, TEXT("y[get_global_id(0)] = x[get_global_id(0)];\n"), hints, 3, error,
                         sizeof error),
                     ALLOT_OK);
        CU_ASSERT_EQUAL(call_a_program(executor), 0);
    }
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* Many at once, so that workers are given several ahead, of which they hand some back. */
static void what_is_handed_back_is_lost_nowhere(void)
{
    enum {
        LAUNCHES = 24
    };
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 1, .processes = 2));
    REQUIRE(executor != NULL);
    allot_kernel *kernels[] = { device_kernel(TEXT("y[get_global_id(0)] = 7;\n")),
                                device_kernel(TEXT("y[get_global_id(0)] = x[get_global_id(0)];\n")) };
    allot_array *x = allot_array_full(executor, ALLOT_F32, N, 3), *y[LAUNCHES];
    allot_future *futures[2 * LAUNCHES];
    for (size_t i = 0; i < LAUNCHES; i++) {
        y[i] = allot_array_full(executor, ALLOT_F32, N, 0);
        futures[i] = allot_launch(executor, kernels[i / 2 % 2], allot_range(N),
                                  ALLOT_ARGS(allot_in(x), allot_out(y[i])), ALLOT_HINTS(.isolate = true));
        futures[LAUNCHES + i] =
            allot_submit(executor, answer, NULL, 0, sizeof(int), ALLOT_HINTS(.place = ALLOT_PROCESS));
    }
    CHECK_STATUS(allot_wait_all(futures, 2 * LAUNCHES, 100 * SECOND), ALLOT_OK);
    for (size_t i = 0; i < LAUNCHES; i++) {
        int got = 0;
        CHECK_STATUS(allot_future_status(futures[i]), ALLOT_OK);
        CHECK(all_are(y[i], N, i / 2 % 2 ? 3 : 7));
        CHECK_STATUS(allot_get(futures[LAUNCHES + i], &got, sizeof got, 0), ALLOT_OK);
        CU_ASSERT_EQUAL(got, 42);
        allot_array_release(y[i]);
    }
    allot_release_all(futures, 2 * LAUNCHES);
    allot_array_release(x);
    allot_kernel_release(kernels[0]), allot_kernel_release(kernels[1]);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "a kernel without a C variant runs in a worker", a_kernel_without_a_c_variant_runs_in_a_worker },
        { "one with a C variant runs its device variant where that is asked for",
          one_with_a_c_variant_runs_its_device_variant_where_that_is_asked_for },
        { "every form of argument travels", every_form_of_argument_travels },
        { "a crash costs the worker alone", a_crash_costs_the_worker_alone },
        { "a hang ends with the deadline, or a stop", a_hang_ends_with_the_deadline_or_a_stop },
        { "what does not build says why", what_does_not_build_says_why },
#if defined __x86_64__
        { "no kernel opens the network", no_kernel_opens_the_network },
        { "one that has run before starts no process and no program there",
          a_kernel_that_ran_before_starts_nothing },
#endif
        { "unlike kernels and functions take turns", unlike_kernels_and_functions_take_turns },
        { "what a worker hands back is lost nowhere", what_is_handed_back_is_lost_nowhere },
        { NULL, NULL },
    };
    setenv("POCL_DEVICES", "pthread", 0);
    setenv("TEST_WATCHDOG_S", "200", 0);
    setenv("ALLOT_LOG", "error", 0);
    allot_executor *executor = allot_open(NULL);
    bool there = executor && has_place(executor, ALLOT_OPENCL);
    allot_close(executor);
    if (!there)
        return test_skip("no OpenCL device");
    return watched_main(argc, argv, &(const watched_suite){ "the isolated lane", facts, NULL }, 1);
}
