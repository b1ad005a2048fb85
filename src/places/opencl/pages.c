#include "places/opencl/pages.h"
#include <stdlib.h>
#include <string.h>

/* What is mapped must be unmapped: one more try. */
static cl_int unmap(cl_command_queue queue, cl_mem buffer, void *at, cl_event *after, cl_event *done)
{
    cl_uint count = after ? 1 : 0;
    cl_int code = clEnqueueUnmapMemObject(queue, buffer, at, count, after, done);
    if (code != CL_SUCCESS)
        (void)clEnqueueUnmapMemObject(queue, buffer, at, count, after, NULL);
    return code;
}

/* A range that is said to be overwritten is not fetched: mapping it moves nothing, unmapping it publishes. */
cl_int al_opencl_pages_announce(al_opencl_device *device, cl_mem buffer, size_t begin, size_t end,
                                cl_event *announced, const char **call)
{
    cl_int code;
    cl_event mapped, done;
    *call = "clEnqueueMapBuffer";
    void *at =
        clEnqueueMapBuffer(device->compute, buffer, CL_FALSE, CL_MAP_WRITE_INVALIDATE_REGION, begin,
                           end - begin, *announced ? 1 : 0, *announced ? announced : NULL, &mapped, &code);
    if (code != CL_SUCCESS)
        return code;
    *call = "clEnqueueUnmapMemObject";
    code = unmap(device->compute, buffer, at, &mapped, &done);
    clReleaseEvent(mapped);
    if (code != CL_SUCCESS)
        return code;
    if (*announced)
        clReleaseEvent(*announced);
    *announced = done;
    return CL_SUCCESS;
}

cl_int al_opencl_pages_reveal(al_opencl_device *device, cl_mem buffer, size_t begin, size_t end,
                              const char **call)
{
    cl_int code;
    *call = "clEnqueueMapBuffer";
    void *at = clEnqueueMapBuffer(device->download, buffer, CL_TRUE, CL_MAP_READ, begin, end - begin, 0, NULL,
                                  NULL, &code);
    if (code != CL_SUCCESS)
        return code;
    *call = "clEnqueueUnmapMemObject";
    code = unmap(device->download, buffer, at, NULL, NULL);
    return code == CL_SUCCESS ? clFlush(device->download) : code;
}

/* ---- The trial ----
 * Drivers may keep a copy of their own behind CL_MEM_USE_HOST_PTR, some hand out another address when such a
 * buffer is mapped, and Mesa's rusticl (22.3) refuses to unmap what was mapped again before an earlier unmap
 * was done. So several rounds are tried; a device that fails one gets copies. */

#define ROUNDS      4
#define PROBE_BYTES 4096
#define ROUND_BYTES (PROBE_BYTES / ROUNDS)

typedef struct probe {
    al_opencl_device *device;
    cl_mem over_pages, plain;
    unsigned char *page, *seen;
} probe;

static bool device_sees_host(probe *it)
{
    cl_command_queue queue = it->device->compute;
    cl_event announced = NULL;
    const char *call;
    bool said = true;
    for (size_t round = 0; round < ROUNDS && said; round++) {
        memset(it->page + round * ROUND_BYTES, 0x51 + (int)round, ROUND_BYTES);
        said = al_opencl_pages_announce(it->device, it->over_pages, round * ROUND_BYTES,
                                        (round + 1) * ROUND_BYTES, &announced, &call) == CL_SUCCESS;
    }
    if (announced)
        clReleaseEvent(announced);
    return said &&
           clEnqueueCopyBuffer(queue, it->over_pages, it->plain, 0, 0, PROBE_BYTES, 0, NULL, NULL) ==
               CL_SUCCESS &&
           clEnqueueReadBuffer(queue, it->plain, CL_TRUE, 0, PROBE_BYTES, it->seen, 0, NULL, NULL) ==
               CL_SUCCESS &&
           memcmp(it->seen, it->page, PROBE_BYTES) == 0;
}

static bool host_sees_device(probe *it)
{
    cl_command_queue queue = it->device->compute;
    const char *call;
    memset(it->seen, 0xa5, PROBE_BYTES);
    if (clEnqueueWriteBuffer(queue, it->plain, CL_TRUE, 0, PROBE_BYTES, it->seen, 0, NULL, NULL) !=
            CL_SUCCESS ||
        clEnqueueCopyBuffer(queue, it->plain, it->over_pages, 0, 0, PROBE_BYTES, 0, NULL, NULL) !=
            CL_SUCCESS ||
        clFinish(queue) != CL_SUCCESS)
        return false;
    for (size_t round = 0; round < ROUNDS; round++)
        if (al_opencl_pages_reveal(it->device, it->over_pages, round * ROUND_BYTES, (round + 1) * ROUND_BYTES,
                                   &call) != CL_SUCCESS)
            return false;
    return memcmp(it->seen, it->page, PROBE_BYTES) == 0;
}

bool al_opencl_pages_work(al_opencl_device *device)
{
    cl_int code = CL_OUT_OF_HOST_MEMORY, other = CL_OUT_OF_HOST_MEMORY;
    probe it = { device, NULL, NULL, aligned_alloc(PROBE_BYTES, PROBE_BYTES), malloc(PROBE_BYTES) };
    if (it.page && it.seen) {
        it.over_pages = clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, PROBE_BYTES,
                                       it.page, &code);
        it.plain = clCreateBuffer(device->context, CL_MEM_READ_WRITE, PROBE_BYTES, NULL, &other);
    }
    bool works = code == CL_SUCCESS && other == CL_SUCCESS && device_sees_host(&it) && host_sees_device(&it);
    al_opencl_device_settle(device);
    clFinish(device->download);
    if (code == CL_SUCCESS)
        clReleaseMemObject(it.over_pages);
    if (other == CL_SUCCESS)
        clReleaseMemObject(it.plain);
    free(it.page);
    free(it.seen);
    return works;
}
