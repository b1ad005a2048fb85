/* What OpenCL may do to a program, done on purpose by the layer in opencl_layer/: each call fails once, each
 * command ends badly once, the device is lost at each call. A future then ends with an error or with the
 * right data, the executor can be closed, and every object is released.
 *
 * A sweep takes every STRIDE-th call; with --all each of them, with more codes (scripts/nightly). Under
 * memcheck, where a run takes seconds, the further the fewer. */
#include "opencl_layer/layer.h"
#include "probe_kernels.h"
#include "support.h"
#include <allot/numeric.h>
#include <string.h>

#define STRIDE (TEST_SANITIZED ? 25 : 9)
/* Seconds in which the program itself ran: while it is stopped, or the machine is, nothing hangs. */
#define PATIENCE_S 60  /* for one future, behind an executor's start, on a machine that is busy with else */
#define HANGS_S    150 /* one run takes a tenth of a second */
#define CALLS_MAX  5000

static const opencl_layer *layer;
static bool all;

/* ---- Patience ---- */

static _Atomic unsigned taken_s; /* by the run that goes on */
static _Atomic bool running;

static void *end_what_hangs(void *unused)
{
    (void)unused;
    for (;;) {
        sleep(1); /* however long it is stopped meanwhile */
        if (!atomic_load(&running) || atomic_fetch_add(&taken_s, 1) < HANGS_S)
            continue;
        fprintf(stderr, "\nHANG: a run has taken %d s\n", HANGS_S);
        abort();
    }
    return NULL;
}

static void begin_run(void)
{
    atomic_store(&taken_s, 0);
    atomic_store(&running, true);
}

static void end_run(void)
{
    atomic_store(&running, false);
}

static allot_status wait_for(allot_future *future)
{
    allot_status status = ALLOT_TIMEOUT;
    for (int waited_s = 0; status == ALLOT_TIMEOUT && waited_s < PATIENCE_S; waited_s++)
        status = allot_wait(future, SECOND);
    return status;
}

/* ---- Everything at once ---- */

enum {
    N = 4096,
    ALIGNED = 1024, /* where a sub-buffer may begin, in elements */
    ODD = 3
};

typedef struct workload {
    allot_executor *executor;
    float wrapped[N + 1]; /* from its second element on: no page begins there, so it is copied */
    allot_array *x, *y, *z, *sum, *copied;
    size_t ok, failed;
} workload;

static uint64_t budget_bytes; /* of device memory; 0: all */

static allot_executor *open_executor(void)
{
    allot_executor *executor =
        allot_open(ALLOT_OPTIONS(.threads = 1, .device_memory_bytes = budget_bytes,
                                 .places = ALLOT_KIND_BIT(ALLOT_THREAD) | ALLOT_KIND_BIT(ALLOT_OPENCL)));
    REQUIRE(executor != NULL);
    return executor;
}

static void begin(workload *it)
{
    *it = (workload){ .executor = open_executor() };
    float values[N];
    for (size_t i = 0; i < N; i++)
        values[i] = it->wrapped[i + 1] = (float)(i % 100);
    it->x = allot_array_from(it->executor, ALLOT_F32, N, values);
    it->y = allot_array_from(it->executor, ALLOT_F32, N, values);
    it->z = allot_array_full(it->executor, ALLOT_F32, N, -1);
    it->sum = allot_array_full(it->executor, ALLOT_F32, 1, -1);
    it->copied = allot_array_wrap(it->executor, ALLOT_F32, N, it->wrapped + 1, NULL, NULL);
    REQUIRE(it->x && it->y && it->z && it->sum && it->copied);
}

/* Also when it failed: what was refused must be gone as well. */
static void end(workload *it)
{
    allot_array_release(it->x);
    allot_array_release(it->y);
    allot_array_release(it->z);
    allot_array_release(it->sum);
    allot_array_release(it->copied);
    CHECK_STATUS(allot_close(it->executor), ALLOT_OK);
}

static allot_future *launch_on(workload *it, allot_kind kind, const allot_kernel *kernel, size_t n,
                               const allot_arg *args, size_t count)
{
    return allot_launch(it->executor, kernel, allot_range(n), args, count, ALLOT_HINTS(.place = kind));
}

/* True if it is over and went well; one that did not says why. */
static bool went_well(workload *it, allot_future *future)
{
    CHECK_STATUS(wait_for(future), ALLOT_OK);
    allot_status status = allot_future_status(future);
    CHECK(status == ALLOT_OK || strlen(allot_future_error(future)) > 10);
    *(status == ALLOT_OK ? &it->ok : &it->failed) += 1;
    allot_release(future);
    return status == ALLOT_OK;
}

static float value_of(size_t i)
{
    return (float)(i % 100);
}

/* Right wherever it can be read; one that cannot says so. */
static void check_array(allot_array *array, bool written, float (*expected)(size_t))
{
    const float *data = allot_array_map(array, ALLOT_READ);
    bool right = true;
    if (!data)
        return;
    CHECK(written); /* else it would be stale data without a word */
    for (size_t i = 0; i < allot_array_count(array); i++)
        right = right && data[i] == expected(i);
    CHECK(right);
    allot_array_unmap(array);
}

static float squared(size_t i)
{
    return value_of(i) * value_of(i);
}

static float added(size_t i)
{
    bool aligned = i >= ALIGNED && i < 2 * ALIGNED, odd = i >= 2 * ALIGNED + ODD && i < 3 * ALIGNED;
    return value_of(i) + (aligned ? 2 * value_of(i - ALIGNED) : odd ? 3 * value_of(i) : 0);
}

static float scaled(size_t i)
{
    return value_of(i) + 4 * value_of(i);
}

static float summed(size_t i)
{
    double sum = 0;
    for (size_t k = 0; k < N; k++)
        sum += (double)value_of(k) * value_of(k);
    return (float)sum + 0 * (float)i;
}

/* Sub-buffers, staged views, copies both ways, a reduction, a use on the CPU between two on the device, a
 * cancelled launch. */
static void use_everything(workload *it)
{
    const allot_kernel *square = probe_kernel(PROBE_SQUARE);
    const allot_view to_aligned = allot_view_1d(it->y, ALIGNED, ALIGNED);
    const allot_view from_start = allot_view_1d(it->x, 0, ALIGNED);
    const allot_view to_odd = allot_view_1d(it->y, 2 * ALIGNED + ODD, ALIGNED - ODD);
    const allot_view from_odd = allot_view_1d(it->x, 2 * ALIGNED + ODD, ALIGNED - ODD);
    allot_future *const futures[] = {
        launch_on(it, ALLOT_OPENCL, square, N, ALLOT_ARGS(allot_in(it->x), allot_out(it->z))),
        launch_on(it, ALLOT_OPENCL, allot_axpy(), ALIGNED,
                  ALLOT_ARGS(allot_f32(2), allot_in_view(from_start), allot_inout_view(to_aligned))),
        launch_on(it, ALLOT_OPENCL, allot_axpy(), ALIGNED - ODD,
                  ALLOT_ARGS(allot_f32(3), allot_in_view(from_odd), allot_inout_view(to_odd))),
        launch_on(it, ALLOT_OPENCL, allot_dot(), N,
                  ALLOT_ARGS(allot_in(it->x), allot_in(it->x), allot_out(it->sum))),
        launch_on(it, ALLOT_THREAD, allot_axpy(), N,
                  ALLOT_ARGS(allot_f32(1), allot_in(it->x), allot_inout(it->copied))),
        launch_on(it, ALLOT_OPENCL, allot_axpy(), N,
                  ALLOT_ARGS(allot_f32(3), allot_in(it->x), allot_inout(it->copied))),
    };
    allot_future *cancelled =
        launch_on(it, ALLOT_OPENCL, square, N, ALLOT_ARGS(allot_in(it->z), allot_out(it->x)));
    bool is_cancelled = allot_cancel(cancelled);
    bool ok[sizeof futures / sizeof futures[0]];
    for (size_t i = 0; i < sizeof ok / sizeof ok[0]; i++)
        ok[i] = went_well(it, futures[i]);
    CHECK_STATUS(wait_for(cancelled), ALLOT_OK);
    CHECK(!is_cancelled || allot_cancelled(cancelled));
    allot_release(cancelled);
    check_array(it->z, ok[0], squared);
    check_array(it->y, ok[1] && ok[2], added);
    check_array(it->sum, ok[3], summed);
    check_array(it->copied, ok[4] && ok[5], scaled);
}

/* ---- Sweeps ---- */

static void check_nothing_left(const char *what, uint64_t k, cl_int code)
{
    static const char *const kinds[] = { "contexts", "queues",   "programs", "kernels",
                                         "buffers",  "samplers", "events" };
    for (int i = 0; i < LAYER_KINDS; i++)
        if (layer->live((opencl_layer_kind)i))
            printf("\n  %s %llu (%d): %zu %s are left\n", what, (unsigned long long)k, (int)code,
                   layer->live((opencl_layer_kind)i), kinds[i]);
    if (layer->misuses())
        printf("\n  %s %llu (%d): %llu uses after release\n", what, (unsigned long long)k, (int)code,
               (unsigned long long)layer->misuses());
    CHECK(layer->live(LAYER_KINDS) == 0);
    CHECK(layer->misuses() == 0);
}

typedef enum fault {
    CALL_FAILS,
    DEVICE_IS_LOST,
    EVENT_ENDS
} fault;

static void arm(fault which, uint64_t k, cl_int code)
{
    layer->reset();
    if (which == CALL_FAILS)
        layer->fail(NULL, k, code);
    else if (which == DEVICE_IS_LOST)
        layer->lose(NULL, k);
    else
        layer->end(k, code);
}

/* What a fault makes wait is said with --all: a sweep has many of them. */
static void say_if_slow(const char *what, uint64_t k, cl_int code, int64_t began_ns)
{
    int64_t took_ns = now_ns() - began_ns;
    if (all && took_ns > SECOND / 2)
        printf("\n  %s %llu (%d) took %.1f s\n", what, (unsigned long long)k, (int)code,
               (double)took_ns / 1e9);
}

/* One run of everything with a fault at k; false: it was over before. */
static bool runs_with(fault which, uint64_t k, cl_int code)
{
    static const char *const names[] = { "call", "lost at call", "command" };
    unsigned before = CU_get_number_of_failures();
    int64_t began_ns = now_ns();
    workload it;
    begin_run();
    arm(which, k, code);
    begin(&it);
    use_everything(&it);
    end(&it);
    bool injected = layer->injected() != 0;
    check_nothing_left(names[which], k, code);
    if (CU_get_number_of_failures() != before)
        printf("\n  at %s %llu (%d): %zu went well, %zu failed\n", names[which], (unsigned long long)k,
               (int)code, it.ok, it.failed);
    say_if_slow(names[which], k, code, began_ns);
    end_run();
    return injected;
}

static uint64_t after(uint64_t k, uint64_t stride)
{
    return k + (all ? 1 : under_valgrind() ? (stride + 1) / 2 + k / 4 : stride);
}

static void sweep(fault which, cl_int code, uint64_t stride)
{
    uint64_t k = 1, last = 0, runs = 0;
    while (k < CALLS_MAX && runs_with(which, k, code)) {
        last = k;
        k = after(k, stride);
        runs++;
    }
    CHECK(runs > 5 && k < CALLS_MAX);
    printf("%llu runs, up to %llu ", (unsigned long long)runs, (unsigned long long)last);
}

static void nothing_is_left_without_faults(void)
{
    workload it;
    for (int round = 0; round < 3; round++) {
        layer->reset();
        begin(&it);
        use_everything(&it);
        end(&it);
        CHECK(it.failed == 0);
        check_nothing_left("round", (uint64_t)round, 0);
    }
}

static void any_call_may_fail(void)
{
    sweep(CALL_FAILS, CL_OUT_OF_RESOURCES, STRIDE);
    if (!all)
        return;
    sweep(CALL_FAILS, CL_OUT_OF_HOST_MEMORY, STRIDE);
    sweep(CALL_FAILS, CL_INVALID_VALUE, STRIDE);
    sweep(CALL_FAILS, CL_DEVICE_NOT_AVAILABLE, STRIDE);
}

static void the_device_may_be_lost(void)
{
    sweep(DEVICE_IS_LOST, CL_DEVICE_NOT_AVAILABLE, 2 * STRIDE);
}

static void any_event_may_end_badly(void)
{
    sweep(EVENT_ENDS, CL_OUT_OF_RESOURCES, 1);
    if (all)
        sweep(EVENT_ENDS, CL_MEM_OBJECT_ALLOCATION_FAILURE, 1);
}

/* ---- What an error says ---- */

static bool fails_with(const char *call, uint64_t k, cl_int code, const char *words)
{
    workload it;
    begin(&it);
    const allot_kernel *square = probe_kernel(PROBE_SQUARE);
    /* Everything is warm, and only the second launch meets the fault. */
    CHECK_STATUS(finish(launch_on(&it, ALLOT_OPENCL, square, N, ALLOT_ARGS(allot_in(it.x), allot_out(it.y)))),
                 ALLOT_OK);
    layer->reset();
    if (call)
        layer->fail(call, k, code);
    else
        layer->end(k, code);
    allot_future *future =
        launch_on(&it, ALLOT_OPENCL, square, N, ALLOT_ARGS(allot_in(it.x), allot_out(it.z)));
    CHECK_STATUS(wait_for(future), ALLOT_OK);
    CHECK_STATUS(allot_future_status(future), ALLOT_DEVICE);
    bool says = strstr(allot_future_error(future), words) != NULL;
    if (!says)
        printf("\n  not '%s': %s\n", words, allot_future_error(future));
    allot_release(future);
    /* On that future only. */
    CHECK_STATUS(finish(launch_on(&it, ALLOT_OPENCL, square, N, ALLOT_ARGS(allot_in(it.x), allot_out(it.z)))),
                 ALLOT_OK);
    check_array(it.z, true, squared);
    end(&it);
    check_nothing_left("after", k, code);
    return says;
}

static void an_error_names_call_code_and_device(void)
{
    CHECK(fails_with("clEnqueueNDRangeKernel", 1, CL_OUT_OF_RESOURCES,
                     "square: clEnqueueNDRangeKernel: CL_OUT_OF_RESOURCES (-5) on "));
    CHECK(fails_with("clSetKernelArg", 1, CL_OUT_OF_HOST_MEMORY,
                     "square: clSetKernelArg for parameter x: CL_OUT_OF_HOST_MEMORY (-6) on "));
    CHECK(fails_with(NULL, 1, CL_OUT_OF_RESOURCES, "square ended with CL_OUT_OF_RESOURCES (-5) on "));
}

/* ---- Once more, on the CPU ---- */

static allot_work hard_work(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)type;
    (void)range;
    (void)args;
    return (allot_work){ 1e11, 8 }; /* says that the CPU would take minutes: one run on the device says not */
}

static allot_status shift(allot_call *call, const allot_part *part)
{
    (void)call;
    for (size_t i = part->begin; i < part->end; i++)
        ((float *)part->args[1].data)[i] = ((const float *)part->args[0].data)[i] + 1;
    return ALLOT_OK;
}

static allot_status shift_in_place(allot_call *call, const allot_part *part)
{
    (void)call;
    for (size_t i = part->begin; i < part->end; i++)
        ((float *)part->args[0].data)[i] += 1;
    return ALLOT_OK;
}

static const allot_param shift_params[] = {
    { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_SLICED },
    { .name = "y", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
};
static const allot_param shift_in_place_params[] = {
    { .name = "y", .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED },
};

static allot_kernel *make_shift(void)
{
    return allot_kernel_create(ALLOT_KERNEL(.name = "shift", .params = shift_params, .param_count = 2,
                                            .cpu = shift, .work = hard_work,
                                            .opencl_source =
                                                "kernel void shift(global const T *x, global T *y)\n"
                                                "{ y[get_global_id(0)] = x[get_global_id(0)] + 1; }\n"));
}

static allot_kernel *make_shift_in_place(void)
{
    return allot_kernel_create(ALLOT_KERNEL(.name = "shift_in_place", .params = shift_in_place_params,
                                            .param_count = 1, .cpu = shift_in_place, .work = hard_work,
                                            .opencl_source = "kernel void shift_in_place(global T *y)\n"
                                                             "{ y[get_global_id(0)] += 1; }\n"));
}

static float value_plus_1(size_t i)
{
    return value_of(i) + 1;
}

static float value_plus_2(size_t i)
{
    return value_of(i) + 2;
}

/* A launch with no hints, which goes to the device since that is known to be fast. */
static allot_future *launch_freely(workload *it, const allot_kernel *kernel, const allot_arg *args,
                                   size_t count)
{
    allot_future *future = allot_launch(it->executor, kernel, allot_range(N), args, count, NULL);
    CHECK_STATUS(wait_for(future), ALLOT_OK);
    const allot_decision *decision = allot_future_decision(future);
    REQUIRE(decision && decision->chosen >= 0);
    bool on_device = strncmp(decision->candidates[decision->chosen].place, "opencl", 6) == 0;
    CHECK(on_device);
    if (!on_device)
        allot_explain(future, stdout);
    return future;
}

/* Runs a kernel of that name on the device so often that the model knows it there, whatever the first run
 * took. */
static void teach(workload *it, allot_kernel *kernel, const allot_arg *args, size_t count)
{
    for (int i = 0; i < 20; i++)
        CHECK_STATUS(finish(launch_on(it, ALLOT_OPENCL, kernel, N, args, count)), ALLOT_OK);
    allot_kernel_release(kernel);
}

/* No callback is registered where the driver is asked. */
static bool is_asked(void)
{
    const char *wait = getenv("ALLOT_OPENCL_WAIT");
    return wait && !strcmp(wait, "ask");
}

static void what_a_device_fails_at_runs_on_the_cpu(void)
{
    static const struct {
        const char *call; /* NULL: the kernel's event */
        const char *words;
    } faults[] = {
        { "clEnqueueNDRangeKernel", "clEnqueueNDRangeKernel" },
        { "clCreateKernel", "clCreateKernel" },
        { NULL, "ended with" },
        { "clSetEventCallback", "clSetEventCallback" },
    };
    size_t count = sizeof faults / sizeof faults[0] - is_asked();
    workload it;
    allot_kernel *kernel = make_shift();
    for (size_t i = 0; i < count; i++) {
        begin(&it);
        teach(&it, make_shift(), ALLOT_ARGS(allot_in(it.x), allot_out(it.y)));
        layer->reset();
        if (faults[i].call)
            layer->fail(faults[i].call, 1, CL_OUT_OF_RESOURCES);
        else
            layer->end(1, CL_OUT_OF_RESOURCES);
        allot_future *future = launch_freely(&it, kernel, ALLOT_ARGS(allot_in(it.x), allot_out(it.z)));
        CHECK_STATUS(allot_future_status(future), ALLOT_OK);
        CHECK(layer->injected() == 1);
        CHECK(strcmp(allot_future_place(future), "thread") == 0);
        const allot_decision *decision = allot_future_decision(future);
        CHECK(strcmp(decision->retried_on, "thread") == 0);
        CHECK(strstr(decision->retried_why, faults[i].words) != NULL);
        check_array(it.z, true, value_plus_1);
        allot_release(future);
        end(&it);
        check_nothing_left("retry", i, 0);
    }
    allot_kernel_release(kernel);
}

/* What the kernel may have half written is not begun from. */
static void what_is_half_written_is_not_begun_from(void)
{
    workload it;
    allot_kernel *kernel = make_shift_in_place();
    for (int wrapped = 0; wrapped < 2; wrapped++) {
        begin(&it);
        allot_array *array = wrapped ? it.copied : it.y;
        teach(&it, make_shift_in_place(), ALLOT_ARGS(allot_inout(it.z)));
        CHECK_STATUS(finish(launch_on(&it, ALLOT_OPENCL, kernel, N, ALLOT_ARGS(allot_inout(array)))),
                     ALLOT_OK);
        check_array(array, true, value_plus_1); /* brings it to the host as well */
        layer->reset();
        layer->fail("clSetEventCallback", 1, CL_OUT_OF_RESOURCES); /* the kernel has run all the same */
        allot_future *future = launch_freely(&it, kernel, ALLOT_ARGS(allot_inout(array)));
        bool retried = allot_future_status(future) == ALLOT_OK;
        /* The wrapped array is a copy on the device: the host's is as it was. Shared pages are not. */
        if (wrapped)
            CHECK(retried);
        check_array(array, retried, value_plus_2);
        if (!retried) {
            CHECK_STATUS(allot_future_status(future), ALLOT_DEVICE);
            CHECK(allot_array_map(array, ALLOT_READ) == NULL);
        }
        allot_release(future);
        end(&it);
        check_nothing_left("in place", (uint64_t)wrapped, 0);
    }
    allot_kernel_release(kernel);
}

static void who_asks_for_the_device_gets_its_error(void)
{
    workload it;
    begin(&it);
    allot_kernel *kernel = make_shift();
    CHECK_STATUS(finish(launch_on(&it, ALLOT_OPENCL, kernel, N, ALLOT_ARGS(allot_in(it.x), allot_out(it.z)))),
                 ALLOT_OK);
    layer->reset();
    layer->end(1, CL_OUT_OF_RESOURCES);
    CHECK_STATUS(finish(launch_on(&it, ALLOT_OPENCL, kernel, N, ALLOT_ARGS(allot_in(it.x), allot_out(it.z)))),
                 ALLOT_DEVICE);
    allot_kernel_release(kernel);
    end(&it);
}

/* ---- Aside, and back ---- */

static allot_place_state state_of_device(allot_executor *executor, char *message)
{
    allot_place_info infos[16] = { { .size = sizeof infos[0] } };
    for (size_t i = 0; i < 16; i++)
        infos[i].size = sizeof infos[0];
    size_t count = allot_places(executor, infos, 16);
    for (size_t i = 0; i < count && i < 16; i++)
        if (infos[i].kind == ALLOT_OPENCL) {
            snprintf(message, sizeof infos[i].message, "%s", infos[i].message);
            return infos[i].state;
        }
    return ALLOT_PLACE_COLD;
}

static bool comes_back(allot_executor *executor)
{
    char message[256];
    begin_run();
    while (state_of_device(executor, message) != ALLOT_PLACE_READY && atomic_load(&taken_s) < PATIENCE_S)
        sched_yield();
    end_run();
    return state_of_device(executor, message) == ALLOT_PLACE_READY;
}

/* On the first device, also where there are others. */
static allot_future *launch_on_first(workload *it, const allot_kernel *kernel, size_t n,
                                     const allot_arg *args, size_t count)
{
    return allot_launch(it->executor, kernel, allot_range(n), args, count,
                        ALLOT_HINTS(.place_id = "opencl:0"));
}

static void a_lost_device_is_set_aside_and_opened_anew(void)
{
    workload it;
    char message[256] = "";
    const allot_kernel *square = probe_kernel(PROBE_SQUARE);
    begin(&it);
    CHECK_STATUS(finish(launch_on_first(&it, square, N, ALLOT_ARGS(allot_in(it.x), allot_out(it.y)))),
                 ALLOT_OK);
    layer->reset();
    layer->lose(NULL, 1);
    CHECK_STATUS(finish(launch_on_first(&it, square, N, ALLOT_ARGS(allot_in(it.x), allot_out(it.z)))),
                 ALLOT_DEVICE);
    CHECK(state_of_device(it.executor, message) == ALLOT_PLACE_ASIDE);
    CHECK(strstr(message, "CL_DEVICE_NOT_AVAILABLE") != NULL);
    CHECK_STATUS(finish(launch_on_first(&it, square, N, ALLOT_ARGS(allot_in(it.x), allot_out(it.z)))),
                 ALLOT_NO_PLACE);
    /* It is there again, but its old context is not: the first write of a probe fails once more. */
    layer->reset();
    layer->fail("clEnqueueWriteBuffer", 1, CL_DEVICE_NOT_AVAILABLE);
    CHECK(comes_back(it.executor));
    uint64_t contexts = layer->calls("clCreateContext");
    CHECK(contexts == 1);
    CHECK_STATUS(finish(launch_on_first(&it, square, N, ALLOT_ARGS(allot_in(it.x), allot_out(it.z)))),
                 ALLOT_OK);
    check_array(it.z, true, squared);
    check_array(it.y, true, squared); /* was there alone, and brought back in time */
    end(&it);
    check_nothing_left("anew", 0, 0);
}

static void a_device_that_fails_in_a_row_is_set_aside(void)
{
    workload it;
    char message[256] = "";
    const allot_kernel *square = probe_kernel(PROBE_SQUARE);
    int failures = 0;
    begin(&it);
    CHECK_STATUS(finish(launch_on_first(&it, square, N, ALLOT_ARGS(allot_in(it.x), allot_out(it.z)))),
                 ALLOT_OK);
    while (failures < 20 && state_of_device(it.executor, message) == ALLOT_PLACE_READY) {
        layer->reset();
        layer->fail("clEnqueueNDRangeKernel", 1, CL_OUT_OF_RESOURCES);
        CHECK_STATUS(finish(launch_on_first(&it, square, N, ALLOT_ARGS(allot_in(it.x), allot_out(it.z)))),
                     ALLOT_DEVICE);
        failures++;
    }
    CHECK(failures == 8);
    CHECK(strstr(message, "square: clEnqueueNDRangeKernel: CL_OUT_OF_RESOURCES") != NULL);
    layer->reset();
    CHECK(comes_back(it.executor));
    CHECK_STATUS(finish(launch_on_first(&it, square, N, ALLOT_ARGS(allot_in(it.x), allot_out(it.z)))),
                 ALLOT_OK);
    check_array(it.z, true, squared);
    end(&it);
    check_nothing_left("in a row", 0, 0);
}

/* ---- Late ---- */

static float through_the_chain(size_t i)
{
    float value = value_of(i);
    for (int link = 0; link < 6; link++)
        value += 1;
    return value;
}

/* Each link reads what the one before wrote, on another queue or device, or on the CPU. */
static void data_arrives_whatever_is_late(void)
{
    if (strstr(getenv("POCL_DEVICES"), "basic")) {
        printf("not on PoCL's basic device, which locks up when a command waits for a user event ");
        return;
    }
    allot_kernel *kernel = make_shift();
    for (int round = 0; round < (all ? 50 : ROUNDS(10)); round++) {
        workload it;
        layer->reset();
        begin(&it);
        allot_place_info infos[16];
        for (size_t i = 0; i < 16; i++)
            infos[i].size = sizeof infos[0];
        size_t count = allot_places(it.executor, infos, 16);
        REQUIRE(count >= 2 && count <= 16);
        layer->delay(2000);
        allot_array *turns[] = { it.x, it.copied, it.z };
        allot_future *last = NULL;
        for (size_t link = 0; link < 6; link++) {
            const allot_place_info *place = &infos[(link + (size_t)round) % count];
            allot_release(last);
            last = allot_launch(it.executor, kernel, allot_range(N),
                                ALLOT_ARGS(allot_in(turns[link % 3]), allot_out(turns[(link + 1) % 3])),
                                ALLOT_HINTS(.place_id = place->id));
        }
        CHECK_STATUS(finish(last), ALLOT_OK);
        check_array(it.x, true, through_the_chain);
        end(&it);
        layer->reset();
        check_nothing_left("late", (uint64_t)round, 0);
    }
    allot_kernel_release(kernel);
}

/* ---- Tiles ---- */

enum {
    TILES = 6
};

/* Memory that no page begins in is copied, one tile beside the other's kernel. */
typedef struct tiles {
    float from[TILES][N + 1], to[TILES][N + 1];
    allot_array *x[TILES], *y[TILES];
} tiles;

static void make_tiles(workload *it, tiles *all_tiles)
{
    for (size_t t = 0; t < TILES; t++) {
        for (size_t i = 0; i < N; i++)
            all_tiles->from[t][i + 1] = value_of(i);
        all_tiles->x[t] = allot_array_wrap(it->executor, ALLOT_F32, N, all_tiles->from[t] + 1, NULL, NULL);
        all_tiles->y[t] = allot_array_wrap(it->executor, ALLOT_F32, N, all_tiles->to[t] + 1, NULL, NULL);
        REQUIRE(all_tiles->x[t] && all_tiles->y[t]);
    }
}

/* The host writes each tile anew, so that it goes there anew. */
static void run_tiles(workload *it, tiles *all_tiles)
{
    const allot_kernel *square = probe_kernel(PROBE_SQUARE);
    allot_future *futures[TILES];
    for (size_t t = 0; t < TILES; t++) {
        float *x = allot_array_map(all_tiles->x[t], ALLOT_WRITE);
        REQUIRE(x != NULL);
        for (size_t i = 0; i < N; i++)
            x[i] = value_of(i);
        allot_array_unmap(all_tiles->x[t]);
        futures[t] = launch_on(it, ALLOT_OPENCL, square, N,
                               ALLOT_ARGS(allot_in(all_tiles->x[t]), allot_out(all_tiles->y[t])));
    }
    for (size_t t = 0; t < TILES; t++)
        check_array(all_tiles->y[t], went_well(it, futures[t]), squared);
}

static bool tiles_run_with(fault which, uint64_t k, cl_int code)
{
    static tiles all_tiles;
    int64_t began_ns = now_ns();
    unsigned before = CU_get_number_of_failures();
    workload it;
    begin_run();
    arm(which, k, code);
    if (!strstr(getenv("POCL_DEVICES"), "basic"))
        layer->delay(1000); /* so that there are others on their way */
    begin(&it);
    make_tiles(&it, &all_tiles);
    for (int round = 0; round < 2; round++)
        run_tiles(&it, &all_tiles);
    allot_metrics metrics = { .size = sizeof metrics };
    allot_get_metrics(it.executor, &metrics);
    CHECK(it.failed || (metrics.evictions > 0) == (budget_bytes > 0));
    for (size_t t = 0; t < TILES; t++) {
        allot_array_release(all_tiles.x[t]);
        allot_array_release(all_tiles.y[t]);
    }
    end(&it);
    bool injected = layer->injected() != 0;
    layer->reset();
    check_nothing_left("tiles, fault", k, code);
    if (CU_get_number_of_failures() != before)
        printf("\n  with tiles, fault %d at %llu: %zu went well, %zu failed\n", (int)which,
               (unsigned long long)k, it.ok, it.failed);
    say_if_slow("tiles, fault at", k, code, began_ns);
    end_run();
    return injected;
}

static void sweep_tiles(void)
{
    static const fault faults[] = { EVENT_ENDS, CALL_FAILS, DEVICE_IS_LOST };
    static const uint64_t strides[] = { TEST_SANITIZED ? 5 : 2, 2 * STRIDE + 1, 6 * STRIDE + 1 };
    CHECK(!tiles_run_with(EVENT_ENDS, CALLS_MAX, CL_OUT_OF_RESOURCES)); /* nothing does */
    for (size_t f = 0; f < 3; f++) {
        uint64_t k = 1;
        cl_int code = faults[f] == DEVICE_IS_LOST ? CL_DEVICE_NOT_AVAILABLE : CL_OUT_OF_RESOURCES;
        while (k < CALLS_MAX && tiles_run_with(faults[f], k, code))
            k = after(k, strides[f]);
        CHECK(k > 5 && k < CALLS_MAX);
        printf("up to %llu ", (unsigned long long)k);
    }
}

static void tiles_arrive_whatever_fails(void)
{
    sweep_tiles();
}

/* Each tile's launch makes others' copies go, of which half must be brought back. */
static void copies_go_and_nothing_is_lost_whatever_fails(void)
{
    budget_bytes = 3 * N * sizeof(float);
    sweep_tiles();
    budget_bytes = 0;
}

static const test_fact facts[] = {
    { "I11 no object is left, and none used after release", nothing_is_left_without_faults },
    { "I5 any call may fail", any_call_may_fail },
    { "I5 the device may be lost at any call", the_device_may_be_lost },
    { "I6 any event may end badly", any_event_may_end_badly },
    { "I5 I6 an error names call, code and device, on that future only",
      an_error_names_call_code_and_device },
    { "what a device fails at runs on the CPU, and the decision says so",
      what_a_device_fails_at_runs_on_the_cpu },
    { "what is half written is not begun from", what_is_half_written_is_not_begun_from },
    { "who asks for the device gets its error", who_asks_for_the_device_gets_its_error },
    { "a lost device is set aside, and opened anew later", a_lost_device_is_set_aside_and_opened_anew },
    { "a device that fails eight times in a row is set aside", a_device_that_fails_in_a_row_is_set_aside },
    { "I8 data arrives whatever is late", data_arrives_whatever_is_late },
    { "I5 I6 I8 tiles go up, through a kernel and down beside each other, whatever fails",
      tiles_arrive_whatever_fails },
    { "I5 I6 copies make room for others, and no data is lost, whatever fails",
      copies_go_and_nothing_is_lost_whatever_fails },
    { NULL, NULL },
};

static bool has_device(void)
{
    allot_executor *executor = allot_open(NULL);
    bool there = has_place(executor, ALLOT_OPENCL);
    allot_close(executor);
    return there;
}

/* The loader and the drivers read their environment once, when they are first called. */
int main(int argc, char **argv)
{
    all = argc > 1 && strcmp(argv[1], "--all") == 0;
    setenv("OPENCL_LAYERS", TEST_BINARY_DIR "/tests/libopencl_layer.so", 0);
    setenv("POCL_DEVICES", "pthread", 0);
    setenv("ALLOT_LOG", "error", 0);
    layer = opencl_layer_find();
    if (!layer)
        return test_skip("this OpenCL loader takes no layers");
    if (!has_device())
        return test_skip("no OpenCL device");
    pthread_detach(start_thread(end_what_hangs, NULL));
    int result = test_main("faults of OpenCL", facts);
    probe_kernels_free();
    return result;
}
