#include "places/opencl/pages.h"
#include "base/clock.h"
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

static cl_int await(cl_event event)
{
    cl_int code = clWaitForEvents(1, &event), state = CL_COMPLETE;
    if (code == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST &&
        clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL) == CL_SUCCESS &&
        state < CL_COMPLETE)
        code = state;
    return code;
}

/* Both are with the driver before the first is waited for: its thread is woken once. The end of the second is
 * waited for too, since the pages, or another buffer over them, must not meet a mapping that still holds. */
cl_int al_opencl_pages_reveal(al_opencl_device *device, cl_mem buffer, size_t begin, size_t end,
                              const char **call)
{
    cl_int code, unmapped;
    cl_event mapped, done;
    *call = "clEnqueueMapBuffer";
    void *at = clEnqueueMapBuffer(device->download, buffer, CL_FALSE, CL_MAP_READ, begin, end - begin, 0,
                                  NULL, &mapped, &code);
    if (code != CL_SUCCESS)
        return code;
    unmapped = unmap(device->download, buffer, at, NULL, &done);
    if (unmapped == CL_SUCCESS) {
        (void)await(done); /* what the host sees was decided by the mapping */
        clReleaseEvent(done);
    }
    code = await(mapped);
    clReleaseEvent(mapped);
    if (code != CL_SUCCESS || unmapped == CL_SUCCESS)
        return code;
    *call = "clEnqueueUnmapMemObject";
    return unmapped;
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
    probe it = { device, NULL, NULL, aligned_alloc(PROBE_BYTES, PROBE_BYTES), calloc(1, PROBE_BYTES) };
    if (it.page && it.seen) {
        it.over_pages = clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, PROBE_BYTES,
                                       it.page, &code);
        /* Zeros: what an earlier trial left in the device's memory is no answer, where a copy does not
         * happen. */
        it.plain = clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, PROBE_BYTES,
                                  it.seen, &other);
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

/* ---- Pinned pages ----
 * A driver copies from pages that may move through pinned ones of its own, at the speed of one core (NVIDIA
 * 580 on an H100: 7 GB/s in and 14 out, 54 both ways once they are pinned, which takes about as long as a
 * copy at 20 GB/s). */

#define PIN_TRIAL_BYTES  ((size_t)4 << 20)
#define PIN_TRIAL_ROUNDS 3
#define PIN_PAYS         1.5 /* times as fast */

cl_mem al_opencl_pages_pin(al_opencl_device *device, void *host, size_t bytes)
{
    cl_int code;
    cl_mem pin = clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, bytes, host, &code);
    return code == CL_SUCCESS ? pin : NULL;
}

/* The fastest write of several. */
static int64_t time_writes(al_opencl_device *device, cl_mem buffer, const void *host)
{
    int64_t least_ns = INT64_MAX;
    for (int i = 0; i < PIN_TRIAL_ROUNDS; i++) {
        int64_t start_ns = al_clock_now_ns();
        if (clEnqueueWriteBuffer(device->upload, buffer, CL_TRUE, 0, PIN_TRIAL_BYTES, host, 0, NULL, NULL) !=
            CL_SUCCESS)
            return 0;
        int64_t took_ns = al_clock_now_ns() - start_ns;
        least_ns = took_ns < least_ns ? took_ns : least_ns;
    }
    return least_ns;
}

static bool is_faster_pinned(al_opencl_device *device, cl_mem buffer, void *host)
{
    int64_t plain_ns = time_writes(device, buffer, host);
    cl_mem pin = plain_ns ? al_opencl_pages_pin(device, host, PIN_TRIAL_BYTES) : NULL;
    int64_t pinned_ns = pin ? time_writes(device, buffer, host) : 0;
    if (pin)
        clReleaseMemObject(pin);
    return pinned_ns && (double)plain_ns > PIN_PAYS * (double)pinned_ns;
}

static bool try_pins(al_opencl_device *device)
{
    cl_int code = CL_OUT_OF_HOST_MEMORY;
    void *host = aligned_alloc(PROBE_BYTES, PIN_TRIAL_BYTES);
    cl_mem buffer =
        host ? clCreateBuffer(device->context, CL_MEM_READ_WRITE, PIN_TRIAL_BYTES, NULL, &code) : NULL;
    bool pay = false;
    if (code == CL_SUCCESS) {
        memset(host, 1, PIN_TRIAL_BYTES);
        pay = is_faster_pinned(device, buffer, host);
        clReleaseMemObject(buffer);
    }
    free(host);
    return pay;
}

/* Two that try at once come to the same answer. */
bool al_opencl_pages_pins_pay(al_opencl_device *device)
{
    if (device->shares_pages)
        return false;
    if (atomic_load_explicit(&device->pinning, memory_order_relaxed) == AL_OPENCL_PINS_UNTRIED)
        atomic_store_explicit(&device->pinning, try_pins(device) ? AL_OPENCL_PINS_PAY : AL_OPENCL_PINS_DO_NOT,
                              memory_order_relaxed);
    return atomic_load_explicit(&device->pinning, memory_order_relaxed) == AL_OPENCL_PINS_PAY;
}
