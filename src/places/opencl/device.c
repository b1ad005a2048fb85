#include "places/opencl/device.h"
#include "places/opencl/error.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096 /* the probe's own; an array's alignment is asked of the system */

/* ---- Questions ---- */

/* Leaves the value as it is where the device does not answer. */
static void ask(cl_device_id id, cl_device_info what, void *value, size_t size)
{
    unsigned char answer[64];
    if (size <= sizeof answer && clGetDeviceInfo(id, what, size, answer, NULL) == CL_SUCCESS)
        memcpy(value, answer, size);
}

static void ask_text(cl_device_id id, cl_device_info what, char *text, size_t size)
{
    char answer[1024] = "";
    if (clGetDeviceInfo(id, what, sizeof answer, answer, NULL) != CL_SUCCESS)
        answer[0] = '\0';
    answer[sizeof answer - 1] = '\0';
    snprintf(text, size, "%s", answer);
}

static bool has_extension(cl_device_id id, const char *name)
{
    size_t size = 0;
    if (clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, 0, NULL, &size) != CL_SUCCESS || size == 0)
        return false;
    char *all = calloc(1, size + 1);
    bool found = all && clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, size, all, NULL) == CL_SUCCESS &&
                 strstr(all, name) != NULL;
    free(all);
    return found;
}

static void describe_limits(al_opencl_device *device)
{
    cl_uint units = 1, align_bits = 1024;
    cl_ulong memory = 0, largest = 0;
    cl_bool unified = CL_FALSE;
    size_t group = 1, local[16] = { 1, 1, 1 };
    ask(device->id, CL_DEVICE_MAX_COMPUTE_UNITS, &units, sizeof units);
    ask(device->id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, &align_bits, sizeof align_bits);
    ask(device->id, CL_DEVICE_GLOBAL_MEM_SIZE, &memory, sizeof memory);
    ask(device->id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, &largest, sizeof largest);
    ask(device->id, CL_DEVICE_HOST_UNIFIED_MEMORY, &unified, sizeof unified);
    ask(device->id, CL_DEVICE_MAX_WORK_GROUP_SIZE, &group, sizeof group);
    /* A device may have more than three dimensions; only the first three count here. */
    clGetDeviceInfo(device->id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof local, local, NULL);
    device->compute_units = (int)units;
    device->base_align_bytes = align_bits >= 8 ? align_bits / 8 : 1;
    device->memory_bytes = memory;
    device->max_buffer_bytes = largest;
    device->unified = unified == CL_TRUE;
    device->max_group = group;
    memcpy(device->max_local, local, sizeof device->max_local);
}

void al_opencl_device_describe(al_opencl_device *device, cl_platform_id platform, cl_device_id id)
{
    char platform_name[256] = "", version[256];
    cl_device_type type = 0;
    *device = (al_opencl_device){ .id = id, .platform = platform };
    ask_text(id, CL_DEVICE_NAME, device->name, sizeof device->name);
    ask_text(id, CL_DRIVER_VERSION, version, sizeof version);
    if (clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof platform_name - 1, platform_name, NULL) !=
        CL_SUCCESS)
        platform_name[0] = '\0';
    snprintf(device->driver, sizeof device->driver, "%.63s %.63s", platform_name, version);
    ask(id, CL_DEVICE_TYPE, &type, sizeof type);
    describe_limits(device);
    /* llvmpipe says that it is a CPU too; a simulator says that it is everything. */
    device->on_cpu = (type & CL_DEVICE_TYPE_CPU) != 0;
    device->unified = device->unified || device->on_cpu;
    device->has_f64 = has_extension(id, "cl_khr_fp64");
    device->has_f16 = has_extension(id, "cl_khr_fp16");
}

/* ---- Do buffers over host pages work on those pages? ----
 * Drivers may keep a copy of their own behind CL_MEM_USE_HOST_PTR and some hand out another address when such
 * a buffer is mapped. So it is tried, in both directions, with the very calls that transfers use. */

typedef struct probe {
    al_opencl_device *device;
    cl_mem over_pages, plain;
    unsigned char *page, *seen;
} probe;

static bool map_once(probe *it, cl_map_flags flags)
{
    cl_int code;
    void *at = clEnqueueMapBuffer(it->device->compute, it->over_pages, CL_TRUE, flags, 0, PAGE_BYTES, 0, NULL,
                                  NULL, &code);
    if (code != CL_SUCCESS)
        return false;
    bool same = at == it->page;
    return clEnqueueUnmapMemObject(it->device->compute, it->over_pages, at, 0, NULL, NULL) == CL_SUCCESS &&
           same;
}

static bool device_sees_host(probe *it)
{
    cl_command_queue queue = it->device->compute;
    memset(it->page, 0x5a, PAGE_BYTES);
    return map_once(it, CL_MAP_WRITE_INVALIDATE_REGION) &&
           clEnqueueCopyBuffer(queue, it->over_pages, it->plain, 0, 0, PAGE_BYTES, 0, NULL, NULL) ==
               CL_SUCCESS &&
           clEnqueueReadBuffer(queue, it->plain, CL_TRUE, 0, PAGE_BYTES, it->seen, 0, NULL, NULL) ==
               CL_SUCCESS &&
           memcmp(it->seen, it->page, PAGE_BYTES) == 0;
}

static bool host_sees_device(probe *it)
{
    cl_command_queue queue = it->device->compute;
    memset(it->seen, 0xa5, PAGE_BYTES);
    return clEnqueueWriteBuffer(queue, it->plain, CL_TRUE, 0, PAGE_BYTES, it->seen, 0, NULL, NULL) ==
               CL_SUCCESS &&
           clEnqueueCopyBuffer(queue, it->plain, it->over_pages, 0, 0, PAGE_BYTES, 0, NULL, NULL) ==
               CL_SUCCESS &&
           map_once(it, CL_MAP_READ) && memcmp(it->seen, it->page, PAGE_BYTES) == 0;
}

static bool try_sharing(al_opencl_device *device)
{
    cl_int code = CL_OUT_OF_HOST_MEMORY, other = CL_OUT_OF_HOST_MEMORY;
    probe it = { device, NULL, NULL, aligned_alloc(PAGE_BYTES, PAGE_BYTES), malloc(PAGE_BYTES) };
    if (it.page && it.seen) {
        it.over_pages = clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, PAGE_BYTES,
                                       it.page, &code);
        it.plain = clCreateBuffer(device->context, CL_MEM_READ_WRITE, PAGE_BYTES, NULL, &other);
    }
    bool works = code == CL_SUCCESS && other == CL_SUCCESS && device_sees_host(&it) && host_sees_device(&it);
    clFinish(device->compute);
    if (code == CL_SUCCESS)
        clReleaseMemObject(it.over_pages);
    if (other == CL_SUCCESS)
        clReleaseMemObject(it.plain);
    free(it.page);
    free(it.seen);
    return works;
}

/* ---- Open and close ---- */

static cl_int make_queues(al_opencl_device *device, const char **call)
{
    cl_int code;
    *call = "clCreateCommandQueue";
    device->compute = clCreateCommandQueue(device->context, device->id, 0, &code);
    if (code == CL_SUCCESS)
        device->transfer = clCreateCommandQueue(device->context, device->id, 0, &code);
    if (code != CL_SUCCESS)
        return code;
    *call = "clCreateBuffer";
    device->dummy = clCreateBuffer(device->context, CL_MEM_READ_WRITE, 64, NULL, &code);
    return code;
}

allot_status al_opencl_device_open(al_opencl_device *device, al_failure *failure)
{
    const cl_context_properties properties[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)device->platform,
                                                 0 };
    cl_int code;
    const char *call = "clCreateContext";
    device->context = clCreateContext(properties, 1, &device->id, NULL, NULL, &code);
    if (code == CL_SUCCESS)
        code = make_queues(device, &call);
    if (code != CL_SUCCESS)
        return al_opencl_error(failure, call, code, device->name);
    device->shares_pages = device->unified && try_sharing(device);
    return ALLOT_OK;
}

static void close_queue(cl_command_queue *queue)
{
    if (*queue) {
        clFinish(*queue);
        clReleaseCommandQueue(*queue);
    }
    *queue = NULL;
}

void al_opencl_device_close(al_opencl_device *device)
{
    if (device->dummy)
        clReleaseMemObject(device->dummy);
    device->dummy = NULL;
    close_queue(&device->compute);
    close_queue(&device->transfer);
    if (device->context)
        clReleaseContext(device->context);
    device->context = NULL;
}
