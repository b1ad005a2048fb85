#include "opencl_raw.h"
#include <string.h>

#define DEVICES_MAX 32

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

static bool bring_up(opencl_raw *raw, cl_device_id device)
{
    cl_int error = CL_SUCCESS;
    raw->context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
    for (size_t i = 0; error == CL_SUCCESS && i < OPENCL_QUEUES; i++)
        raw->queues[i] = clCreateCommandQueue(raw->context, device, 0, &error);
    if (error == CL_SUCCESS)
        raw->device = device;
    return error == CL_SUCCESS;
}

const opencl_raw *opencl_raw_device(bench_round *round)
{
    static opencl_raw kept;
    const allot_place_info *place = kept.device ? NULL : ours_place(round, ALLOT_OPENCL);
    cl_device_id device = place ? find_device(place->name) : NULL;
    if (place && (!device || !bring_up(&kept, device)))
        bench_fail(round, "the raw calls do not bring up %s", place->name);
    return kept.device ? &kept : NULL;
}

cl_kernel opencl_raw_kernel(bench_round *round, const opencl_raw *raw, const char *text, const char *name)
{
    cl_int error;
    cl_kernel kernel = NULL;
    cl_program program = clCreateProgramWithSource(raw->context, 1, &text, NULL, &error);
    if (error == CL_SUCCESS)
        error = clBuildProgram(program, 1, &raw->device, "", NULL, NULL);
    if (error == CL_SUCCESS)
        kernel = clCreateKernel(program, name, &error);
    if (error != CL_SUCCESS)
        bench_fail(round, "the raw calls do not build %s (%d)", name, (int)error);
    return kernel;
}

cl_mem opencl_raw_buffer(bench_round *round, const opencl_raw *raw, cl_mem_flags flags, size_t bytes)
{
    cl_int error;
    cl_mem buffer = clCreateBuffer(raw->context, CL_MEM_READ_WRITE | flags, bytes, NULL, &error);
    if (error != CL_SUCCESS)
        bench_fail(round, "clCreateBuffer: %d", (int)error);
    return error == CL_SUCCESS ? buffer : NULL;
}

cl_int opencl_raw_run(cl_command_queue queue, cl_kernel kernel, size_t items, const cl_event *after,
                      cl_event *done)
{
    return clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, NULL, after ? 1 : 0, after, done);
}
