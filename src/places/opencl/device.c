#include "places/opencl/device.h"
#include "places/opencl/error.h"
#include "places/opencl/icd.h"
#include "places/opencl/locality.h"
#include "places/opencl/pages.h"
#include <allot/place.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local unsigned here __attribute__((tls_model("initial-exec")));

unsigned al_opencl_enter(unsigned what)
{
    unsigned before = here;
    here |= what;
    return before;
}

void al_opencl_leave(unsigned before)
{
    here = before;
}

unsigned al_opencl_here(void)
{
    return here;
}

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

static uint32_t types_of(cl_device_type type)
{
    uint32_t types = (type & CL_DEVICE_TYPE_CPU ? ALLOT_DEVICE_CPU : 0) |
                     (type & CL_DEVICE_TYPE_GPU ? ALLOT_DEVICE_GPU : 0) |
                     (type & CL_DEVICE_TYPE_ACCELERATOR ? ALLOT_DEVICE_ACCELERATOR : 0);
    return types ? types : ALLOT_DEVICE_CUSTOM;
}

static void describe_limits(al_opencl_device *device)
{
    cl_uint units = 1, align_bits = 1024;
    cl_ulong memory = 0, largest = 0, local_memory = 0;
    cl_bool unified = CL_FALSE;
    size_t group = 1, local[16] = { 1, 1, 1 };
    ask(device->id, CL_DEVICE_MAX_COMPUTE_UNITS, &units, sizeof units);
    ask(device->id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, &align_bits, sizeof align_bits);
    ask(device->id, CL_DEVICE_GLOBAL_MEM_SIZE, &memory, sizeof memory);
    ask(device->id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, &largest, sizeof largest);
    ask(device->id, CL_DEVICE_LOCAL_MEM_SIZE, &local_memory, sizeof local_memory);
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
    device->local_bytes = local_memory;
    memcpy(device->max_local, local, sizeof device->max_local);
}

void al_opencl_device_describe(al_opencl_device *device, cl_platform_id platform, cl_device_id id)
{
    char platform_name[256] = "", version[256];
    cl_device_type type = 0;
    *device = (al_opencl_device){ .id = id, .platform = platform };
    ask_text(id, CL_DEVICE_NAME, device->name, sizeof device->name);
    ask_text(id, CL_DRIVER_VERSION, version, sizeof version);
    if (al_icd_platform_info(platform, CL_PLATFORM_NAME, sizeof platform_name - 1, platform_name) !=
        CL_SUCCESS)
        platform_name[0] = '\0';
    snprintf(device->driver, sizeof device->driver, "%.63s %.63s", platform_name, version);
    ask(id, CL_DEVICE_TYPE, &type, sizeof type);
    device->types = types_of(type);
    describe_limits(device);
    /* llvmpipe says that it is a CPU too; a simulator says that it is everything. */
    device->on_cpu = (type & CL_DEVICE_TYPE_CPU) != 0;
    device->unified = device->unified || device->on_cpu;
    device->node = device->on_cpu ? -1 : al_opencl_node_of(id);
    atomic_init(&device->shares_pages, device->unified);
    device->has_f64 = has_extension(id, "cl_khr_fp64");
    device->has_f16 = has_extension(id, "cl_khr_fp16");
}

/* ---- Open and close ---- */

static cl_int make_queues(al_opencl_device *device, const char **call)
{
    cl_int code;
    *call = "clCreateCommandQueue";
    device->compute = clCreateCommandQueue(device->context, device->id, 0, &code);
    if (code == CL_SUCCESS)
        device->upload = clCreateCommandQueue(device->context, device->id, 0, &code);
    if (code == CL_SUCCESS)
        device->download = clCreateCommandQueue(device->context, device->id, 0, &code);
    if (code != CL_SUCCESS)
        return code;
    *call = "clCreateBuffer";
    device->dummy = clCreateBuffer(device->context, CL_MEM_READ_WRITE, 64, NULL, &code);
    return code;
}

allot_status al_opencl_device_open(al_opencl_device *device, al_failure *failure)
{
    cl_int code;
    const char *call = "clCreateContext";
    device->context = al_icd_context(device->platform, device->id, &code);
    if (code == CL_SUCCESS)
        code = make_queues(device, &call);
    if (code != CL_SUCCESS)
        return al_opencl_error(failure, call, code, device->name);
    device->shares_pages = device->unified && al_opencl_pages_work(device);
    return ALLOT_OK;
}

static cl_int finish(cl_command_queue queue)
{
    cl_int code = clFinish(queue);
    return code == CL_SUCCESS ? code : clFinish(queue);
}

cl_int al_opencl_device_settle(al_opencl_device *device)
{
    cl_int uploads = finish(device->upload), code = finish(device->compute);
    return uploads == CL_SUCCESS ? code : uploads;
}

void al_opencl_device_flush(cl_command_queue queue)
{
    if (clFlush(queue) != CL_SUCCESS)
        finish(queue);
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
    close_queue(&device->upload);
    close_queue(&device->compute);
    close_queue(&device->download);
    if (device->context)
        clReleaseContext(device->context);
    device->context = NULL;
}
