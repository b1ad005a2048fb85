#include "places/opencl/memory.h"
#include "base/clock.h"
#include "base/thread.h"
#include "places/opencl/error.h"
#include "places/opencl/pages.h"
#include "places/opencl/room.h"
#include <stdlib.h>
#include <unistd.h>

typedef al_opencl_copy buffer_copy;

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
    copy->copy.shares_pages = copy->room_bytes == 0;
    if (array->size_bytes) {
        cl_mem_flags flags = CL_MEM_READ_WRITE | (copy->copy.shares_pages ? CL_MEM_USE_HOST_PTR : 0);
        copy->buffer = clCreateBuffer(device->context, flags, array->size_bytes,
                                      copy->copy.shares_pages ? array->host : NULL, &code);
    }
    return code == CL_SUCCESS ? ALLOT_OK : al_opencl_error(failure, "clCreateBuffer", code, device->name);
}

/* The host's pages of what is large are pinned where that makes copies faster; else, or where the driver
 * refuses, all works as well. */
#define PIN_LEAST_BYTES ((size_t)1 << 20)
static void pin_host(buffer_copy *copy, al_opencl_device *device, const allot_array *array)
{
    if (!copy->copy.shares_pages && array->size_bytes >= PIN_LEAST_BYTES && al_opencl_pages_pins_pay(device))
        copy->pin = al_opencl_pages_pin(device, array->host, array->size_bytes);
}

size_t al_opencl_memory_needs(const al_opencl_memory *memory, const allot_array *array)
{
    return can_share(memory->device, array) ? 0 : array->size_bytes;
}

static void note_use(al_opencl_memory *memory, buffer_copy *copy)
{
    uint64_t use = atomic_fetch_add_explicit(&memory->uses, 1, memory_order_relaxed) + 1;
    atomic_store_explicit(&copy->used, use, memory_order_relaxed);
}

static allot_status create(al_memory *base, allot_array *array, al_copy **copy, al_failure *failure)
{
    al_opencl_memory *memory = (al_opencl_memory *)base;
    al_opencl_memory_sweep(memory); /* there may be no room before */
    buffer_copy *made = calloc(1, sizeof *made);
    if (!made)
        return al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
    made->room_bytes = al_opencl_memory_needs(memory, array);
    note_use(memory, made);
    allot_status status =
        made->room_bytes ? al_opencl_room_take(memory, made->room_bytes, failure) : ALLOT_OK;
    bool taken = status == ALLOT_OK;
    if (taken)
        status = make_buffer(made, memory->device, array, failure);
    if (status != ALLOT_OK) {
        al_opencl_room_give(memory, taken ? made->room_bytes : 0);
        free(made);
        return status;
    }
    pin_host(made, memory->device, array);
    *copy = &made->copy;
    return ALLOT_OK;
}

static void free_copy(al_copy *copy)
{
    buffer_copy *mine = (buffer_copy *)copy;
    if (mine->announced)
        clReleaseEvent(mine->announced);
    if (mine->buffer)
        clReleaseMemObject(mine->buffer);
    if (mine->pin)
        clReleaseMemObject(mine->pin);
    al_opencl_room_give((al_opencl_memory *)copy->memory, mine->room_bytes);
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

static al_opencl_memory *memory_of(const buffer_copy *copy)
{
    return (al_opencl_memory *)copy->copy.memory;
}

/* How it ended; above CL_COMPLETE: it is on its way, or the driver does not say. */
static cl_int state_of(cl_event event)
{
    cl_int state = CL_QUEUED;
    if (clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL) != CL_SUCCESS)
        state = CL_QUEUED;
    return state;
}

/* A write that whoever uses the buffer waits for. As al_opencl_pages_announce() does. */
static cl_int send(const buffer_copy *copy, size_t begin, size_t end, cl_event *announced, const char **call)
{
    cl_command_queue queue = device_of(&copy->copy)->upload;
    cl_event sent;
    *call = "clEnqueueWriteBuffer";
    cl_int code = clEnqueueWriteBuffer(queue, copy->buffer, CL_FALSE, begin, end - begin,
                                       copy->copy.array->host + begin, *announced ? 1 : 0,
                                       *announced ? announced : NULL, &sent);
    if (code != CL_SUCCESS)
        return code;
    al_opencl_device_flush(queue);
    if (*announced)
        clReleaseEvent(*announced);
    *announced = sent;
    return CL_SUCCESS;
}

/* By the copy's mover, who alone announces. What was announced before and failed is an earlier launch's
 * affair, which may have wanted other bytes than this one: none of them counts any more. */
static cl_int announce(buffer_copy *copy, size_t begin, size_t end, const char **call)
{
    pthread_mutex_t *lock = &memory_of(copy)->announcing;
    pthread_mutex_lock(lock);
    cl_event announced = copy->announced;
    copy->announced = NULL;
    pthread_mutex_unlock(lock);
    cl_int before = announced ? state_of(announced) : CL_COMPLETE;
    if (before < CL_COMPLETE)
        al_array_doubt(copy->copy.array, copy->copy.memory, 0, copy->copy.array->size_bytes);
    if (announced && before <= CL_COMPLETE) {
        clReleaseEvent(announced);
        announced = NULL;
    }
    cl_int code = copy->copy.shares_pages ? al_opencl_pages_announce(device_of(&copy->copy), copy->buffer,
                                                                     begin, end, &announced, call)
                                          : send(copy, begin, end, &announced, call);
    pthread_mutex_lock(lock);
    copy->announced = announced;
    pthread_mutex_unlock(lock);
    return code;
}

_Atomic uint64_t *al_opencl_memory_rate(al_opencl_memory *memory, size_t bytes)
{
    return &memory->fs_per_byte[(63 - __builtin_clzll(bytes | 1)) / 2];
}

/* Behind other launches an upload is left to the driver, and its launch to the event. What uploads take is
 * learned from those that are waited for: where nothing would be gained, and one in so many. */
#define WAITED_FOR 16
static bool is_left_to_driver(al_opencl_memory *memory, size_t bytes)
{
    return memory->leaves && atomic_load_explicit(&memory->busy, memory_order_relaxed) &&
           atomic_load_explicit(al_opencl_memory_rate(memory, bytes), memory_order_relaxed) &&
           (atomic_fetch_add_explicit(&memory->uploads, 1, memory_order_relaxed) + 1) % WAITED_FOR != 0;
}

/* One upload after the other. */
static void expect(buffer_copy *copy, size_t bytes)
{
    al_opencl_memory *memory = memory_of(copy);
    int64_t now_ns = al_clock_now_ns(),
            sent_ns = atomic_load_explicit(&memory->sent_ns, memory_order_relaxed);
    double each_ns =
        (double)atomic_load_explicit(al_opencl_memory_rate(memory, bytes), memory_order_relaxed) * 1e-6;
    copy->copy.expected_ns = 1 + (int64_t)((double)bytes * each_ns);
    sent_ns = (sent_ns > now_ns ? sent_ns : now_ns) + copy->copy.expected_ns;
    atomic_store_explicit(&memory->sent_ns, sent_ns, memory_order_relaxed);
    pthread_mutex_lock(&memory->announcing);
    copy->sent_ns = sent_ns;
    pthread_mutex_unlock(&memory->announcing);
}

/* Those on their way would count as this one's time. */
static void let_earlier_end(al_opencl_memory *memory)
{
    if (atomic_load_explicit(&memory->sent_ns, memory_order_relaxed) <= al_clock_now_ns())
        return;
    (void)clFinish(memory->device->upload); /* if that fails, so does this one */
    atomic_store_explicit(&memory->sent_ns, 0, memory_order_relaxed);
}

static cl_int write_and_wait(buffer_copy *copy, size_t begin, size_t end)
{
    al_opencl_memory *memory = memory_of(copy);
    pthread_mutex_lock(&memory->uploading);
    let_earlier_end(memory);
    int64_t start_ns = al_clock_now_ns();
    cl_int code = clEnqueueWriteBuffer(memory->device->upload, copy->buffer, CL_TRUE, begin, end - begin,
                                       copy->copy.array->host + begin, 0, NULL, NULL);
    pthread_mutex_unlock(&memory->uploading);
    double took_ns = (double)(al_clock_now_ns() - start_ns);
    copy->copy.expected_ns = 0;
    if (code == CL_SUCCESS)
        atomic_store_explicit(al_opencl_memory_rate(memory, end - begin),
                              1 + (uint64_t)(took_ns * 1e6 / (double)(end - begin)), memory_order_relaxed);
    return code;
}

static allot_status upload(al_copy *copy, size_t begin, size_t end, al_failure *failure)
{
    al_opencl_memory *memory = (al_opencl_memory *)copy->memory;
    buffer_copy *mine = (buffer_copy *)copy;
    const char *call = "clEnqueueWriteBuffer";
    bool left = !copy->shares_pages && is_left_to_driver(memory, end - begin);
    cl_int code =
        copy->shares_pages || left ? announce(mine, begin, end, &call) : write_and_wait(mine, begin, end);
    if (left)
        expect(mine, end - begin);
    return code == CL_SUCCESS ? ALLOT_OK : al_opencl_error(failure, call, code, memory->device->name);
}

static allot_status download(al_copy *copy, size_t begin, size_t end, al_failure *failure)
{
    al_opencl_device *device = device_of(copy);
    pthread_mutex_t *one_by_one = &((al_opencl_memory *)copy->memory)->downloading;
    cl_mem buffer = ((buffer_copy *)copy)->buffer;
    const char *call = "clEnqueueReadBuffer";
    cl_int code;
    pthread_mutex_lock(one_by_one);
    if (copy->shares_pages)
        code = al_opencl_pages_reveal(device, buffer, begin, end, &call);
    else
        code = clEnqueueReadBuffer(device->download, buffer, CL_TRUE, begin, end - begin,
                                   copy->array->host + begin, 0, NULL, NULL);
    pthread_mutex_unlock(one_by_one);
    return code == CL_SUCCESS ? ALLOT_OK : al_opencl_error(failure, call, code, device->name);
}

static const al_memory_ops memory_ops = { create, upload, download, destroy };

void al_opencl_memory_init(al_opencl_memory *memory, al_opencl_device *device)
{
    al_memory_init(&memory->base, &memory_ops);
    memory->device = device;
    memory->leaves = false;
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&memory->uploading, &recursive);
    pthread_mutex_init(&memory->downloading, &recursive);
    pthread_mutexattr_destroy(&recursive);
    pthread_mutex_init(&memory->announcing, NULL);
    atomic_init(&memory->graves, NULL);
    atomic_init(&memory->uses, 0);
    atomic_init(&memory->wanting, false);
    memory->budget_bytes = device->memory_bytes;
    memory->room_bytes = 0;
    pthread_mutex_init(&memory->room, NULL);
    al_condition_init(&memory->roomier);
    atomic_init(&memory->busy, false);
    atomic_init(&memory->uploads, 0);
    for (size_t i = 0; i < AL_OPENCL_RATES; i++)
        atomic_init(&memory->fs_per_byte[i], 0);
    atomic_init(&memory->sent_ns, 0);
}

void al_opencl_memory_fini(al_opencl_memory *memory)
{
    al_memory_fini(&memory->base);
    al_opencl_memory_sweep(memory);
    pthread_mutex_destroy(&memory->uploading);
    pthread_mutex_destroy(&memory->downloading);
    pthread_mutex_destroy(&memory->announcing);
    pthread_mutex_destroy(&memory->room);
    pthread_cond_destroy(&memory->roomier);
}

void al_opencl_memory_clear(al_opencl_memory *memory)
{
    al_memory_clear(&memory->base);
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
    cl_event before = view->after, copied;
    *call = "clCreateBuffer";
    view->buffer = clCreateBuffer(device->context, CL_MEM_READ_WRITE, view->bytes, NULL, &code);
    view->owned = view->staged = code == CL_SUCCESS;
    if (code != CL_SUCCESS || !reads)
        return code;
    *call = "clEnqueueCopyBuffer";
    code = clEnqueueCopyBuffer(device->compute, view->whole, view->buffer, view->offset, 0, view->bytes,
                               before ? 1 : 0, before ? &before : NULL, &copied);
    if (code != CL_SUCCESS)
        return code;
    if (before)
        clReleaseEvent(before);
    view->after = copied;
    return CL_SUCCESS;
}

/* The host's writes that the device was told of, or was sent: still on their way, over, or failed (below 0).
 */
static cl_int look_at_announced(al_opencl_view *view, buffer_copy *copy, const char **call)
{
    cl_int code = CL_SUCCESS;
    pthread_mutex_lock(&memory_of(copy)->announcing);
    cl_event announced = copy->announced;
    cl_int state = announced ? state_of(announced) : CL_QUEUED;
    bool over = announced && state <= CL_COMPLETE;
    if (over)
        copy->announced = NULL;
    else if (announced && (code = clRetainEvent(announced)) == CL_SUCCESS)
        view->after = announced;
    view->sent_ns = over || copy->copy.shares_pages ? 0 : copy->sent_ns;
    pthread_mutex_unlock(&memory_of(copy)->announcing);
    *call = !over                     ? "clRetainEvent"
            : copy->copy.shares_pages ? "clEnqueueUnmapMemObject"
                                      : "clEnqueueWriteBuffer";
    if (over)
        clReleaseEvent(announced);
    return over && state < CL_COMPLETE ? state : code;
}

/* As announce() does, after the launch's arrays were acquired. */
static bool announce_anew(buffer_copy *copy, const al_argument *argument)
{
    allot_array *array = copy->copy.array;
    al_array_doubt(array, copy->copy.memory, 0, array->size_bytes);
    return !(argument->access & ALLOT_READ) ||
           al_array_acquire(array, copy->copy.memory, argument->begin, argument->end, ALLOT_READ, NULL, NULL,
                            NULL) == ALLOT_OK;
}

cl_int al_opencl_view_init(al_opencl_view *view, al_opencl_memory *memory, al_copy *copy,
                           const al_argument *argument, const char **call)
{
    al_opencl_device *device = memory->device;
    *view = (al_opencl_view){ .buffer = device->dummy };
    if (argument->begin == argument->end)
        return CL_SUCCESS;
    buffer_copy *mine = (buffer_copy *)copy;
    if (mine->room_bytes)
        note_use(memory, mine);
    view->whole = view->buffer = mine->buffer;
    cl_int code = look_at_announced(view, mine, call);
    if (code != CL_SUCCESS && announce_anew(mine, argument))
        code = look_at_announced(view, mine, call);
    if (code != CL_SUCCESS)
        return code;
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
    if (view->after)
        clReleaseEvent(view->after);
    view->after = NULL;
    if (view->owned)
        clReleaseMemObject(view->buffer);
    view->owned = false;
}
