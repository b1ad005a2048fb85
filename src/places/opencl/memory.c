#include "places/opencl/memory.h"
#include "places/opencl/error.h"
#include "places/opencl/pages.h"
#include <stdlib.h>
#include <unistd.h>

typedef struct buffer_copy {
    al_copy copy;
    cl_mem buffer; /* NULL for an array of no bytes */
} buffer_copy;

static al_opencl_device *device_of(const al_copy *copy)
{
    return ((al_opencl_memory *)copy->memory)->device;
}

/* ---- The table of a memory ---- */

static bool can_share(const al_opencl_device *device, const allot_array *array)
{
    return device->shares_pages && (uintptr_t)array->host % (uintptr_t)sysconf(_SC_PAGESIZE) == 0;
}

static allot_status make_buffer(buffer_copy *copy, al_opencl_device *device, allot_array *array,
                                al_failure *failure)
{
    cl_int code = CL_SUCCESS;
    if (array->size_bytes > device->max_buffer_bytes)
        return al_failure_set(failure, ALLOT_TOO_LARGE,
                              "an array of %zu bytes is larger than the largest buffer of %s, %llu bytes",
                              array->size_bytes, device->name, (unsigned long long)device->max_buffer_bytes);
    copy->copy.shares_pages = can_share(device, array);
    if (array->size_bytes) {
        cl_mem_flags flags = CL_MEM_READ_WRITE | (copy->copy.shares_pages ? CL_MEM_USE_HOST_PTR : 0);
        copy->buffer = clCreateBuffer(device->context, flags, array->size_bytes,
                                      copy->copy.shares_pages ? array->host : NULL, &code);
    }
    return code == CL_SUCCESS ? ALLOT_OK : al_opencl_error(failure, "clCreateBuffer", code, device->name);
}

static allot_status create(al_memory *memory, allot_array *array, al_copy **copy, al_failure *failure)
{
    al_opencl_memory_sweep((al_opencl_memory *)memory); /* there may be no room before */
    buffer_copy *made = calloc(1, sizeof *made);
    if (!made)
        return al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
    allot_status status = make_buffer(made, ((al_opencl_memory *)memory)->device, array, failure);
    if (status != ALLOT_OK) {
        free(made);
        return status;
    }
    *copy = &made->copy;
    return ALLOT_OK;
}

static void free_copy(al_copy *copy)
{
    buffer_copy *mine = (buffer_copy *)copy;
    if (mine->buffer)
        clReleaseMemObject(mine->buffer);
    free(mine);
}

/* The end of one launch may let go of the last reference to any array. */
static void destroy(al_copy *copy)
{
    if (!(al_opencl_here() & AL_OPENCL_CALLED_BACK)) {
        free_copy(copy);
        return;
    }
    al_opencl_memory *memory = (al_opencl_memory *)copy->memory;
    copy->next_of_array = atomic_load_explicit(&memory->graves, memory_order_relaxed);
    /* release: pairs with the sweep, which reads the copy. */
    while (!atomic_compare_exchange_weak_explicit(&memory->graves, &copy->next_of_array, copy,
                                                  memory_order_release, memory_order_relaxed)) {
    }
}

void al_opencl_memory_sweep(al_opencl_memory *memory)
{
    if (!al_opencl_memory_has_graves(memory))
        return;
    al_copy *copy = atomic_exchange_explicit(&memory->graves, NULL, memory_order_acquire);
    while (copy) {
        al_copy *next = copy->next_of_array;
        free_copy(copy);
        copy = next;
    }
}

static allot_status upload(al_copy *copy, size_t begin, size_t end, al_failure *failure)
{
    al_opencl_device *device = device_of(copy);
    cl_mem buffer = ((buffer_copy *)copy)->buffer;
    const char *call = "clEnqueueWriteBuffer";
    cl_int code;
    if (copy->shares_pages)
        code = al_opencl_pages_announce(device, buffer, begin, end, &call);
    else
        code = clEnqueueWriteBuffer(device->transfer, buffer, CL_TRUE, begin, end - begin,
                                    copy->array->host + begin, 0, NULL, NULL);
    return code == CL_SUCCESS ? ALLOT_OK : al_opencl_error(failure, call, code, device->name);
}

static allot_status download(al_copy *copy, size_t begin, size_t end, al_failure *failure)
{
    al_opencl_device *device = device_of(copy);
    cl_mem buffer = ((buffer_copy *)copy)->buffer;
    const char *call = "clEnqueueReadBuffer";
    cl_int code;
    if (copy->shares_pages)
        code = al_opencl_pages_reveal(device, buffer, begin, end, &call);
    else
        code = clEnqueueReadBuffer(device->transfer, buffer, CL_TRUE, begin, end - begin,
                                   copy->array->host + begin, 0, NULL, NULL);
    return code == CL_SUCCESS ? ALLOT_OK : al_opencl_error(failure, call, code, device->name);
}

static const al_memory_ops memory_ops = { create, upload, download, destroy };

void al_opencl_memory_init(al_opencl_memory *memory, al_opencl_device *device)
{
    al_memory_init(&memory->base, &memory_ops);
    memory->device = device;
    atomic_init(&memory->graves, NULL);
}

void al_opencl_memory_fini(al_opencl_memory *memory)
{
    al_memory_fini(&memory->base);
    al_opencl_memory_sweep(memory);
}

bool al_opencl_memory_ready(al_opencl_memory *memory, const al_argument *argument)
{
    allot_array *array = argument->view.array;
    pthread_mutex_lock(&array->lock);
    al_copy *copy = array->moving ? NULL : array->copies;
    while (copy && copy->memory != &memory->base)
        copy = copy->next_of_array;
    bool ready =
        copy &&
        (!(argument->access & ALLOT_READ) || al_ranges_has(&copy->valid, argument->begin, argument->end) ||
         (copy->shares_pages && al_ranges_has(&array->host_valid, argument->begin, argument->end)));
    pthread_mutex_unlock(&array->lock);
    return ready;
}

/* ---- Views ---- */

static cl_int make_sub_buffer(al_opencl_view *view, const char **call)
{
    const cl_buffer_region region = { view->offset, view->bytes };
    cl_int code;
    *call = "clCreateSubBuffer";
    view->buffer = clCreateSubBuffer(view->whole, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    view->owned = code == CL_SUCCESS;
    return code;
}

static cl_int stage(al_opencl_view *view, al_opencl_device *device, bool reads, const char **call)
{
    cl_int code;
    *call = "clCreateBuffer";
    view->buffer = clCreateBuffer(device->context, CL_MEM_READ_WRITE, view->bytes, NULL, &code);
    view->owned = view->staged = code == CL_SUCCESS;
    if (code != CL_SUCCESS || !reads)
        return code;
    *call = "clEnqueueCopyBuffer";
    return clEnqueueCopyBuffer(device->compute, view->whole, view->buffer, view->offset, 0, view->bytes, 0,
                               NULL, NULL);
}

cl_int al_opencl_view_init(al_opencl_view *view, al_opencl_memory *memory, al_copy *copy,
                           const al_argument *argument, const char **call)
{
    al_opencl_device *device = memory->device;
    *view = (al_opencl_view){ .buffer = device->dummy };
    if (argument->begin == argument->end)
        return CL_SUCCESS;
    view->whole = view->buffer = ((buffer_copy *)copy)->buffer;
    view->offset = argument->begin;
    view->bytes = argument->end - argument->begin;
    if (view->offset == 0)
        return CL_SUCCESS;
    if (view->offset % device->base_align_bytes == 0)
        return make_sub_buffer(view, call);
    return stage(view, device, (argument->access & ALLOT_READ) != 0, call);
}

cl_int al_opencl_view_accumulate(al_opencl_view *view, al_opencl_memory *memory, const al_accumulators *own,
                                 const char **call)
{
    cl_int code = CL_SUCCESS;
    *view = (al_opencl_view){ .buffer = memory->device->dummy };
    view->bytes = own->count * own->stride_bytes;
    if (view->bytes == 0)
        return CL_SUCCESS;
    *call = "clCreateBuffer";
    view->buffer = clCreateBuffer(memory->device->context, CL_MEM_READ_WRITE, view->bytes, NULL, &code);
    view->owned = code == CL_SUCCESS;
    return code;
}

void al_opencl_view_fini(al_opencl_view *view)
{
    if (view->owned)
        clReleaseMemObject(view->buffer);
    view->owned = false;
}
