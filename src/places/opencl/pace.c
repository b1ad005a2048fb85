#include "places/opencl/pace.h"
#include "base/clock.h"
#include "base/log.h"
#include "placement/model.h"
#include "places/opencl/opencl.h"
#include <stdlib.h>
#include <string.h>

#define ENOUGH     4 /* times what next to nothing takes: then it is no longer overhead in the main; */
#define ENOUGH_NS  INT64_C(1000000)  /* at least so long; */
#define LONG_NS    INT64_C(20000000) /* or so long anyhow */
#define REPEATS    5                 /* of which the least counts: others use the machine too, */
#define REPEATS_NS INT64_C(50000000) /* within so long a time */
#define GROWTH     8
#define STEPS      5
#define WINDOW     256 /* elements that an item of the second kernel reads */

/* Reading and writing; and computing as most kernels do, with what caches hold: a device may be fast at the
 * one and not at the other. */
static const char text[] =
    "__kernel void " AL_PROBE_PREFIX "triad(__global const float *x, __global float *y)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    y[i] = 0.5f * x[i] + y[i];\n"
    "}\n"
    "__kernel void " AL_PROBE_PREFIX "window(__global const float *x, __global float *y)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    float sum = 0.0f;\n"
    "    for (int k = 0; k < 256; k++)\n"
    "        sum += (k + 0.5f) * x[i + k];\n"
    "    y[i] = sum;\n"
    "}\n";

/* The first size is next to nothing, the last some ten megabytes: what the fastest devices do in as long as a
 * launch takes. */
static const struct probe {
    const char *kernel;
    size_t first_items;
    allot_work item; /* what one is */
} probes[] = { { AL_PROBE_PREFIX "triad", 512, { .flops = 2, .bytes = 12 } },
               { AL_PROBE_PREFIX "window", 64, { .flops = 2 * WINDOW, .bytes = 8 } } };

_Static_assert(2 * sizeof probes / sizeof probes[0] == AL_PACES, "two sizes of each");

/* What is made on the device; each is released if it is there. */
typedef struct bench {
    const al_opencl_device *device;
    cl_command_queue queue;
    cl_program program;
    cl_kernel kernel;
    cl_mem x, y;
} bench;

static bool build(bench *it)
{
    const char *texts[] = { text };
    cl_int code;
    it->queue = clCreateCommandQueue(it->device->context, it->device->id, 0, &code);
    if (code == CL_SUCCESS)
        it->program = clCreateProgramWithSource(it->device->context, 1, texts, NULL, &code);
    return code == CL_SUCCESS &&
           clBuildProgram(it->program, 1, &it->device->id, "", NULL, NULL) == CL_SUCCESS;
}

static void release_arrays(bench *it)
{
    if (it->x)
        clReleaseMemObject(it->x);
    if (it->y)
        clReleaseMemObject(it->y);
    it->x = it->y = NULL;
}

static void release(bench *it)
{
    if (it->queue)
        clFinish(it->queue);
    release_arrays(it);
    if (it->kernel)
        clReleaseKernel(it->kernel);
    if (it->program)
        clReleaseProgram(it->program);
    if (it->queue)
        clReleaseCommandQueue(it->queue);
}

static cl_mem make_array(const bench *it, size_t bytes, cl_int *code)
{
    void *zeros = calloc(1, bytes); /* what lies there might be slow to compute with */
    cl_mem array = NULL;
    *code = CL_OUT_OF_HOST_MEMORY;
    if (zeros)
        array =
            clCreateBuffer(it->device->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, bytes, zeros, code);
    free(zeros);
    return array;
}

static bool make_arrays(bench *it, size_t items)
{
    cl_int code;
    release_arrays(it);
    it->x = make_array(it, (items + WINDOW) * sizeof(float), &code);
    if (code == CL_SUCCESS)
        it->y = make_array(it, items * sizeof(float), &code);
    return code == CL_SUCCESS && clSetKernelArg(it->kernel, 0, sizeof it->x, &it->x) == CL_SUCCESS &&
           clSetKernelArg(it->kernel, 1, sizeof it->y, &it->y) == CL_SUCCESS;
}

static int64_t run_ns(const bench *it, size_t items)
{
    int64_t began_ns = al_clock_now_ns();
    cl_int code = clEnqueueNDRangeKernel(it->queue, it->kernel, 1, NULL, &items, NULL, 0, NULL, NULL);
    if (code == CL_SUCCESS)
        code = clFinish(it->queue);
    return code == CL_SUCCESS ? al_clock_now_ns() - began_ns : -1;
}

/* The first run is not counted: drivers may compile in it. Negative: it could not be done. */
static int64_t time_ns(bench *it, size_t items)
{
    int64_t least_ns = make_arrays(it, items) ? run_ns(it, items) : -1, spent_ns = 0;
    for (int i = 0; i < REPEATS && least_ns >= 0 && spent_ns < REPEATS_NS; i++) {
        int64_t took_ns = run_ns(it, items);
        least_ns = i && took_ns > least_ns ? least_ns : took_ns;
        spent_ns += took_ns;
    }
    return least_ns;
}

static al_pace pace_of(const struct probe *probe, size_t items, int64_t took_ns)
{
    return (al_pace){ .kernel = probe->kernel,
                      .work = { probe->item.flops * (double)items, probe->item.bytes * (double)items },
                      .run_s = (double)took_ns * 1e-9 };
}

static bool is_enough(int64_t took_ns, int64_t small_ns)
{
    return took_ns >= LONG_NS || (took_ns >= ENOUGH_NS && took_ns >= ENOUGH * small_ns);
}

/* A small size, for what a launch takes, and the first larger one that takes long enough. */
static bool measure(bench *it, const struct probe *probe, al_pace paces[2])
{
    cl_int code;
    size_t items = probe->first_items;
    it->kernel = clCreateKernel(it->program, probe->kernel, &code);
    int64_t small_ns = code == CL_SUCCESS ? time_ns(it, items) : -1, took_ns = small_ns;
    for (int step = 1; step < STEPS && took_ns >= 0 && (step == 1 || !is_enough(took_ns, small_ns)); step++) {
        took_ns = time_ns(it, items *= GROWTH);
        small_ns = took_ns < small_ns ? took_ns : small_ns; /* something had held it up */
    }
    paces[0] = pace_of(probe, probe->first_items, small_ns);
    paces[1] = pace_of(probe, items, took_ns);
    if (it->kernel)
        clReleaseKernel(it->kernel);
    it->kernel = NULL;
    return took_ns > 0 && small_ns > 0;
}

void al_opencl_pace_measure(al_opencl *self)
{
    al_pace paces[AL_PACES];
    bench it = { .device = &self->device };
    bool fine = build(&it);
    for (size_t i = 0; fine && i < sizeof probes / sizeof probes[0]; i++)
        fine = measure(&it, &probes[i], &paces[2 * i]);
    release(&it);
    if (!fine) {
        al_log(AL_LOG_INFO, "how fast %s is could not be measured", self->device.name);
        atomic_store(&self->place.paced, AL_PACE_TOLD); /* there is nothing to tell */
        return;
    }
    for (size_t i = 0; i < AL_PACES; i++)
        al_log(AL_LOG_INFO, "%s: %s of %g flops and %g bytes takes %g s", self->device.name, paces[i].kernel,
               paces[i].work.flops, paces[i].work.bytes, paces[i].run_s);
    memcpy(self->place.paces, paces, sizeof paces);
    atomic_store_explicit(&self->place.paced, AL_PACE_TAKEN,
                          memory_order_release); /* pairs with telling it */
}
