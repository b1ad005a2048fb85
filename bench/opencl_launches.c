#include "opencl.h"
#include "opencl_raw.h"
#include "opencl_task.h"
#include <stdlib.h>

#define LAUNCHES 2000
#define BATCHES  5

static const char empty_text[] = "kernel void empty(void)\n{\n}\n";

static size_t launches(const bench_round *round)
{
    return bench_count(round, LAUNCHES);
}

/* ---- One at a time ---- */

static const allot_kernel *empty_kernel(void)
{
    static allot_kernel *kernel;
    if (!kernel)
        kernel = allot_kernel_create(ALLOT_KERNEL(.name = "empty", .opencl_source = empty_text));
    return kernel;
}

static bool launch(bench_round *round, const char *place_id)
{
    const allot_hints *hints = ALLOT_HINTS(.place = ALLOT_OPENCL, .place_id = place_id);
    allot_future *future = allot_launch(ours_executor(round), empty_kernel(), allot_range(1), NULL, 0, hints);
    allot_status status = allot_get(future, NULL, 0, ALLOT_FOREVER);
    if (status != ALLOT_OK)
        bench_fail(round, "a launch failed: %s", allot_future_error(future));
    allot_release(future);
    return status == ALLOT_OK;
}

void opencl_launch(bench_round *round)
{
    const allot_place_info *device = ours_place(round, ALLOT_OPENCL);
    size_t count = launches(round), warming = count / 10;
    int64_t *latencies_ns = bench_allocate(count, sizeof *latencies_ns);
    bool fine = device != NULL;
    for (size_t i = 0; fine && i < count + warming; i++) {
        int64_t start_ns = bench_now_ns();
        fine = launch(round, device->id);
        if (i >= warming)
            latencies_ns[i - warming] = bench_now_ns() - start_ns;
    }
    bench_record_latencies(round, latencies_ns, count);
    free(latencies_ns);
}

/* Of the raw calls, and whatever must stay for the next round. */
static cl_kernel raw_kernel(bench_round *round, const char *text, const char *name)
{
    static cl_kernel kernel;
    const opencl_raw *raw = opencl_raw_device(round);
    if (raw && !kernel)
        kernel = opencl_raw_kernel(round, raw, text, name);
    return raw ? kernel : NULL;
}

void opencl_launch_raw(bench_round *round)
{
    cl_kernel kernel = raw_kernel(round, empty_text, "empty");
    size_t count = launches(round), warming = count / 10, failed = 0;
    if (!kernel)
        return;
    cl_command_queue queue = opencl_raw_device(round)->queues[0];
    int64_t *latencies_ns = bench_allocate(count, sizeof *latencies_ns);
    for (size_t i = 0; i < count + warming; i++) {
        int64_t start_ns = bench_now_ns();
        bool fine =
            opencl_raw_run(queue, kernel, 1, NULL, NULL) == CL_SUCCESS && clFinish(queue) == CL_SUCCESS;
        failed += !fine;
        if (i >= warming)
            latencies_ns[i - warming] = bench_now_ns() - start_ns;
    }
    if (failed)
        bench_fail(round, "%zu launches failed", failed);
    bench_record_latencies(round, latencies_ns, count);
    free(latencies_ns);
}

/* ---- A thousand, then a wait for all ---- */

/* The kernel of each launch and what it is given: the numbers' arrays, or nothing. */
typedef struct batch {
    allot_executor *executor;
    const allot_kernel *kernel;
    const allot_hints *hints;
    allot_array **numbers;
} batch;

static bool run_batch(bench_round *round, const batch *it)
{
    allot_future *futures[OPENCL_TASKS];
    size_t failed = 0;
    for (size_t i = 0; i < OPENCL_TASKS; i++) {
        const allot_arg argument = it->numbers ? allot_inout(it->numbers[i]) : (allot_arg){ 0 };
        futures[i] =
            allot_launch(it->executor, it->kernel, allot_range(1), &argument, it->numbers ? 1 : 0, it->hints);
    }
    allot_wait_all(futures, OPENCL_TASKS, ALLOT_FOREVER);
    for (size_t i = 0; i < OPENCL_TASKS; i++)
        failed += allot_future_status(futures[i]) != ALLOT_OK;
    allot_release_all(futures, OPENCL_TASKS);
    if (failed)
        bench_fail(round, "%zu launches failed", failed);
    return !failed;
}

/* The middle of several, ns a launch. */
static void time_batches(bench_round *round, bool (*run)(bench_round *round, const void *it), const void *it)
{
    int64_t times_ns[BATCHES];
    bool fine = run(round, it);
    for (size_t i = 0; fine && i < BATCHES; i++) {
        int64_t start_ns = bench_now_ns();
        fine = run(round, it);
        times_ns[i] = bench_now_ns() - start_ns;
    }
    if (fine)
        bench_record(round, "", (double)bench_middle(times_ns, BATCHES) / OPENCL_TASKS);
}

static bool run_ours(bench_round *round, const void *it)
{
    return run_batch(round, it);
}

void opencl_batch(bench_round *round)
{
    const allot_place_info *device = ours_place(round, ALLOT_OPENCL);
    if (!device)
        return;
    const batch it = { ours_executor(round), empty_kernel(), ALLOT_HINTS(.place_id = device->id), NULL };
    time_batches(round, run_ours, &it);
}

typedef struct raw_batch {
    cl_command_queue queue;
    cl_kernel kernel;
    cl_mem *numbers; /* NULL: it takes none */
} raw_batch;

static bool run_raw(bench_round *round, const void *user)
{
    const raw_batch *it = user;
    cl_event events[OPENCL_TASKS];
    cl_uint count = 0;
    for (cl_int code = CL_SUCCESS; code == CL_SUCCESS && count < OPENCL_TASKS;) {
        if (it->numbers)
            code = clSetKernelArg(it->kernel, 0, sizeof(cl_mem), &it->numbers[count]);
        if (code == CL_SUCCESS)
            code = opencl_raw_run(it->queue, it->kernel, 1, NULL, &events[count]);
        count += code == CL_SUCCESS;
    }
    bool fine = count == OPENCL_TASKS && clWaitForEvents(count, events) == CL_SUCCESS;
    for (cl_uint i = 0; i < count; i++)
        clReleaseEvent(events[i]);
    if (!fine)
        bench_fail(round, "one of %u raw launches failed", (unsigned)count);
    return fine;
}

void opencl_batch_raw(bench_round *round)
{
    cl_kernel kernel = raw_kernel(round, empty_text, "empty");
    if (!kernel)
        return;
    const raw_batch it = { opencl_raw_device(round)->queues[0], kernel, NULL };
    time_batches(round, run_raw, &it);
}

/* ---- Each with a number of its own ---- */

static const allot_kernel *bump_kernel(void)
{
    static const allot_param params[] = {
        { .name = "x", .access = ALLOT_READ_WRITE, .type = ALLOT_I32, .distribution = ALLOT_SLICED }
    };
    static allot_kernel *kernel;
    if (!kernel)
        kernel = allot_kernel_create(ALLOT_KERNEL(.name = OPENCL_TASK_NAME, .params = params,
                                                  .param_count = 1, .opencl_source = OPENCL_TASK_TEXT));
    return kernel;
}

/* Each number has been added to once by every batch so far, the one before the clock's counted. */
static bool check_number(bench_round *round, int found, int expected)
{
    if (found != expected)
        bench_fail(round, "a number is %d after %d batches", found, expected);
    return found == expected;
}

void opencl_task(bench_round *round)
{
    static allot_array *numbers[OPENCL_TASKS];
    static int batches;
    const allot_place_info *device = ours_place(round, ALLOT_OPENCL);
    allot_executor *executor = ours_executor(round);
    for (size_t i = 0; device && i < OPENCL_TASKS && !numbers[OPENCL_TASKS - 1]; i++)
        numbers[i] = allot_array_full(executor, ALLOT_I32, 1, 0);
    if (!device || !numbers[OPENCL_TASKS - 1])
        return;
    const batch it = { executor, bump_kernel(), ALLOT_HINTS(.place_id = device->id), numbers };
    time_batches(round, run_ours, &it);
    batches += BATCHES + 1;
    for (size_t i = 0, fine = 1; fine && i < OPENCL_TASKS; i++) {
        const int *number = allot_array_map(numbers[i], ALLOT_READ);
        fine = check_number(round, number ? *number : -1, batches);
        allot_array_unmap(numbers[i]);
    }
}

static bool make_numbers(bench_round *round, const opencl_raw *raw, cl_mem *numbers)
{
    const int none = 0;
    bool fine = true;
    for (size_t i = 0; fine && i < OPENCL_TASKS; i++)
        fine = (numbers[i] = opencl_raw_buffer(round, raw, 0, sizeof none)) &&
               clEnqueueWriteBuffer(raw->queues[0], numbers[i], CL_TRUE, 0, sizeof none, &none, 0, NULL,
                                    NULL) == CL_SUCCESS;
    return fine;
}

void opencl_task_raw(bench_round *round)
{
    static cl_mem numbers[OPENCL_TASKS];
    static int batches;
    cl_kernel kernel = raw_kernel(round, OPENCL_TASK_TEXT, OPENCL_TASK_NAME);
    const opencl_raw *raw = kernel ? opencl_raw_device(round) : NULL;
    if (!raw || (!numbers[0] && !make_numbers(round, raw, numbers)))
        return;
    const raw_batch it = { raw->queues[0], kernel, numbers };
    time_batches(round, run_raw, &it);
    batches += BATCHES + 1;
    for (size_t i = 0, fine = 1; fine && i < OPENCL_TASKS; i++) {
        int number = -1;
        clEnqueueReadBuffer(raw->queues[0], numbers[i], CL_TRUE, 0, sizeof number, &number, 0, NULL, NULL);
        fine = check_number(round, number, batches);
    }
}
