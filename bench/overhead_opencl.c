#include "overhead.h"
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS /* a queue in a way that devices of every version have */
#include <CL/cl.h>
#include <stdlib.h>
#include <string.h>

#define LAUNCHES    2000
#define DEVICES_MAX 32

static const char empty_text[] = "kernel void empty(void)\n{\n}\n";

static size_t launches(const bench_round *round)
{
    return bench_count(round, LAUNCHES);
}

/* ---- Ours ---- */

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

void overhead_opencl_launch(bench_round *round)
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

/* ---- The raw calls ---- */

typedef struct raw {
    cl_context context;
    cl_command_queue queue;
    cl_program program;
    cl_kernel kernel;
} raw;

/* The device of that name on this platform, or NULL. */
static cl_device_id device_named(cl_platform_id platform, const char *name)
{
    cl_device_id devices[DEVICES_MAX];
    cl_uint count = 0;
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, DEVICES_MAX, devices, &count) != CL_SUCCESS)
        return NULL;
    for (cl_uint i = 0; i < count && i < DEVICES_MAX; i++) {
        char found[256] = "";
        clGetDeviceInfo(devices[i], CL_DEVICE_NAME, sizeof found, found, NULL);
        if (!strncmp(found, name, sizeof((allot_place_info *)0)->name - 1))
            return devices[i];
    }
    return NULL;
}

static cl_device_id find_device(const char *name)
{
    cl_platform_id platforms[DEVICES_MAX];
    cl_uint count = 0;
    cl_device_id device = NULL;
    if (clGetPlatformIDs(DEVICES_MAX, platforms, &count) != CL_SUCCESS)
        return NULL;
    for (cl_uint i = 0; !device && i < count && i < DEVICES_MAX; i++)
        device = device_named(platforms[i], name);
    return device;
}

/* Brings up the device; it stays for the life of the program. */
static bool raw_open(raw *r, cl_device_id device)
{
    const char *text = empty_text;
    cl_int error = CL_SUCCESS;
    r->context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
    if (error == CL_SUCCESS)
        r->queue = clCreateCommandQueue(r->context, device, 0, &error);
    if (error == CL_SUCCESS)
        r->program = clCreateProgramWithSource(r->context, 1, &text, NULL, &error);
    if (error == CL_SUCCESS)
        error = clBuildProgram(r->program, 1, &device, "", NULL, NULL);
    if (error == CL_SUCCESS)
        r->kernel = clCreateKernel(r->program, "empty", &error);
    return error == CL_SUCCESS;
}

static raw *raw_device(bench_round *round)
{
    static raw kept;
    const allot_place_info *place = kept.kernel ? NULL : ours_place(round, ALLOT_OPENCL);
    cl_device_id device = place ? find_device(place->name) : NULL;
    if (place && (!device || !raw_open(&kept, device)))
        bench_fail(round, "the raw calls do not bring up %s", place->name);
    return kept.kernel ? &kept : NULL;
}

static bool raw_launch(const raw *r)
{
    const size_t one = 1;
    return clEnqueueNDRangeKernel(r->queue, r->kernel, 1, NULL, &one, NULL, 0, NULL, NULL) == CL_SUCCESS &&
           clFinish(r->queue) == CL_SUCCESS;
}

void overhead_opencl_launch_raw(bench_round *round)
{
    const raw *r = raw_device(round);
    size_t count = launches(round), warming = count / 10, failed = 0;
    if (!r)
        return;
    int64_t *latencies_ns = bench_allocate(count, sizeof *latencies_ns);
    for (size_t i = 0; i < count + warming; i++) {
        int64_t start_ns = bench_now_ns();
        failed += !raw_launch(r);
        if (i >= warming)
            latencies_ns[i - warming] = bench_now_ns() - start_ns;
    }
    if (failed)
        bench_fail(round, "%zu launches failed", failed);
    bench_record_latencies(round, latencies_ns, count);
    free(latencies_ns);
}
