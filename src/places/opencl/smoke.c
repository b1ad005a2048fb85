#include "places/opencl/smoke.h"
#include "places/opencl/error.h"
#include "places/opencl/icd.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PLATFORMS_MAX 16
#define DEVICES_MAX   16 /* that compute, of one platform */
#define COUNT         256

static const char text[] = "__kernel void allot_smoke(__global const uint *x, __global uint *y)\n"
                           "{\n"
                           "    size_t i = get_global_id(0);\n"
                           "    y[i] = x[i] * x[i] + (uint)i;\n"
                           "}\n";

/* What a device was made to hold; each is released if it is there. */
typedef struct trial {
    al_smoke *smoke;
    char name[128];
    cl_context context;
    cl_command_queue queue;
    cl_program program;
    cl_kernel kernel;
    cl_mem x, y;
} trial;

__attribute__((format(printf, 2, 3))) static void tell_where(al_smoke *smoke, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(smoke->where, sizeof smoke->where, format, values);
    va_end(values);
}

/* The first thing that is wrong is the one that is told. */
static bool went_well(trial *it, cl_int code, const char *call)
{
    if (code != CL_SUCCESS && !it->smoke->wrong[0])
        snprintf(it->smoke->wrong, sizeof it->smoke->wrong, "%s: %s: %s (%d)", it->name, call,
                 al_opencl_error_name(code), (int)code);
    return code == CL_SUCCESS;
}

static bool build(trial *it, cl_platform_id platform, cl_device_id device)
{
    const char *texts[] = { text };
    cl_int code;
    it->context = al_icd_context(platform, device, &code);
    if (!went_well(it, code, "clCreateContext"))
        return false;
    it->queue = clCreateCommandQueue(it->context, device, 0, &code);
    if (!went_well(it, code, "clCreateCommandQueue"))
        return false;
    tell_where(it->smoke, "while a kernel was built for %s", it->name);
    it->program = clCreateProgramWithSource(it->context, 1, texts, NULL, &code);
    if (!went_well(it, code, "clCreateProgramWithSource") ||
        !went_well(it, clBuildProgram(it->program, 1, &device, "", NULL, NULL), "clBuildProgram"))
        return false;
    it->kernel = clCreateKernel(it->program, "allot_smoke", &code);
    return went_well(it, code, "clCreateKernel");
}

static bool compute(trial *it, const cl_uint *x, cl_uint *y)
{
    const size_t count = COUNT, bytes = COUNT * sizeof *x;
    cl_int code, other;
    tell_where(it->smoke, "while a kernel ran on %s", it->name);
    it->x = clCreateBuffer(it->context, CL_MEM_READ_ONLY, bytes, NULL, &code);
    it->y = clCreateBuffer(it->context, CL_MEM_READ_WRITE, bytes, NULL, &other);
    if (!went_well(it, code ? code : other, "clCreateBuffer"))
        return false;
    code = clEnqueueWriteBuffer(it->queue, it->x, CL_TRUE, 0, bytes, x, 0, NULL, NULL);
    if (!went_well(it, code, "clEnqueueWriteBuffer"))
        return false;
    code = clSetKernelArg(it->kernel, 0, sizeof it->x, &it->x);
    if (code == CL_SUCCESS)
        code = clSetKernelArg(it->kernel, 1, sizeof it->y, &it->y);
    if (!went_well(it, code, "clSetKernelArg"))
        return false;
    code = clEnqueueNDRangeKernel(it->queue, it->kernel, 1, NULL, &count, NULL, 0, NULL, NULL);
    if (!went_well(it, code, "clEnqueueNDRangeKernel"))
        return false;
    code = clEnqueueReadBuffer(it->queue, it->y, CL_TRUE, 0, bytes, y, 0, NULL, NULL);
    return went_well(it, code, "clEnqueueReadBuffer");
}

static void check(trial *it)
{
    cl_uint x[COUNT], y[COUNT] = { 0 };
    bool right = true;
    for (cl_uint i = 0; i < COUNT; i++)
        x[i] = 3 * i + 1;
    if (!compute(it, x, y))
        return;
    for (cl_uint i = 0; i < COUNT; i++)
        right = right && y[i] == x[i] * x[i] + i;
    if (!right && !it->smoke->wrong[0])
        snprintf(it->smoke->wrong, sizeof it->smoke->wrong, "%s computes wrongly", it->name);
}

static void release(trial *it)
{
    tell_where(it->smoke, "while the objects of %s were released", it->name);
    if (it->x)
        clReleaseMemObject(it->x);
    if (it->y)
        clReleaseMemObject(it->y);
    if (it->kernel)
        clReleaseKernel(it->kernel);
    if (it->program)
        clReleaseProgram(it->program);
    if (it->queue)
        clReleaseCommandQueue(it->queue);
    if (it->context)
        clReleaseContext(it->context);
}

static void try_device(al_smoke *smoke, cl_platform_id platform, cl_device_id device)
{
    trial it = { .smoke = smoke };
    tell_where(smoke, "while its devices were described");
    if (clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof it.name - 1, it.name, NULL) != CL_SUCCESS)
        snprintf(it.name, sizeof it.name, "a device");
    tell_where(smoke, "while %s was opened", it.name);
    if (build(&it, platform, device))
        check(&it);
    release(&it);
}

static void try_platform(al_smoke *smoke, cl_platform_id platform)
{
    cl_device_id devices[DEVICES_MAX];
    cl_uint count = 0;
    tell_where(smoke, "while its devices were listed");
    if (al_icd_devices(platform, DEVICES_MAX, devices, &count) != CL_SUCCESS)
        return; /* no device is no fault; the search says what else it is */
    smoke->devices += (int32_t)count;
    for (cl_uint i = 0; i < count && i < DEVICES_MAX; i++)
        try_device(smoke, platform, devices[i]);
}

void al_smoke_run(void *of)
{
    al_smoke *smoke = of;
    cl_platform_id platforms[PLATFORMS_MAX];
    tell_where(smoke, "while it was loaded");
    size_t count = al_icd_open(smoke->library, platforms, PLATFORMS_MAX, smoke->wrong, sizeof smoke->wrong,
                               smoke->path, sizeof smoke->path);
    smoke->loaded = count > 0 || !smoke->wrong[0];
    al_icd_go_around(platforms, count);
    for (size_t i = 0; i < count; i++)
        try_platform(smoke, platforms[i]);
}
