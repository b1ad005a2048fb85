#include "layer.h"
#include "../layers/entry.h"
#include "answers.h"
#include "faults.h"
#include "gates.h"
#include "objects.h"
#include <stdio.h>
#include <string.h>

static const cl_icd_dispatch *driver; /* what lies below */

/* ---- What all calls share ---- */

/* The code with which the call fails; `handle` is an object that it is about (NULL: none). */
static cl_int begin(layer_call call, const void *handle)
{
    cl_int code = faults_call(call);
    return code == CL_SUCCESS && !objects_usable(handle) ? CL_INVALID_VALUE : code;
}

/* Tells the caller how a maker went; returns what it made. */
static void *made(opencl_layer_kind kind, void *handle, cl_int code, cl_int *tell)
{
    if (tell)
        *tell = code;
    if (code == CL_SUCCESS)
        objects_add(kind, handle);
    return code == CL_SUCCESS ? handle : NULL;
}

/* ---- Platforms and devices ---- */

static cl_int CL_API_CALL get_platform_ids(cl_uint size, cl_platform_id *ids, cl_uint *count)
{
    cl_int code = begin(CALL_clGetPlatformIDs, NULL);
    return code ? code : driver->clGetPlatformIDs(size, ids, count);
}

static cl_int CL_API_CALL get_platform_info(cl_platform_id platform, cl_platform_info what, size_t size,
                                            void *value, size_t *needed)
{
    cl_int code = begin(CALL_clGetPlatformInfo, NULL);
    return code ? code : driver->clGetPlatformInfo(platform, what, size, value, needed);
}

static cl_int CL_API_CALL get_device_ids(cl_platform_id platform, cl_device_type type, cl_uint size,
                                         cl_device_id *ids, cl_uint *count)
{
    cl_int code = begin(CALL_clGetDeviceIDs, NULL);
    return code ? code : driver->clGetDeviceIDs(platform, type, size, ids, count);
}

static cl_int CL_API_CALL get_device_info(cl_device_id device, cl_device_info what, size_t size, void *value,
                                          size_t *needed)
{
    cl_int code = begin(CALL_clGetDeviceInfo, NULL), answered;
    if (!code && answers_give(what, size, value, needed, &answered))
        return answered;
    return code ? code : driver->clGetDeviceInfo(device, what, size, value, needed);
}

/* ---- Contexts and queues ---- */

static cl_context CL_API_CALL create_context(
    const cl_context_properties *properties, cl_uint count, const cl_device_id *devices,
    void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *user, cl_int *tell)
{
    cl_int code = begin(CALL_clCreateContext, NULL);
    cl_context it = code ? NULL : driver->clCreateContext(properties, count, devices, notify, user, &code);
    return made(LAYER_CONTEXT, it, code, tell);
}

static cl_command_queue CL_API_CALL create_queue(cl_context context, cl_device_id device,
                                                 cl_command_queue_properties properties, cl_int *tell)
{
    cl_int code = begin(CALL_clCreateCommandQueue, context);
    cl_command_queue it = code ? NULL : driver->clCreateCommandQueue(context, device, properties, &code);
    return made(LAYER_QUEUE, it, code, tell);
}

static cl_command_queue CL_API_CALL create_queue_with(cl_context context, cl_device_id device,
                                                      const cl_queue_properties *properties, cl_int *tell)
{
    cl_int code = begin(CALL_clCreateCommandQueueWithProperties, context);
    cl_command_queue it =
        code ? NULL : driver->clCreateCommandQueueWithProperties(context, device, properties, &code);
    return made(LAYER_QUEUE, it, code, tell);
}

/* ---- Memory ---- */

static cl_mem CL_API_CALL create_buffer(cl_context context, cl_mem_flags flags, size_t size, void *host,
                                        cl_int *tell)
{
    cl_int code = begin(CALL_clCreateBuffer, context);
    cl_mem it = code ? NULL : driver->clCreateBuffer(context, flags, size, host, &code);
    return made(LAYER_MEMORY, it, code, tell);
}

static cl_mem CL_API_CALL create_sub_buffer(cl_mem whole, cl_mem_flags flags, cl_buffer_create_type type,
                                            const void *region, cl_int *tell)
{
    cl_int code = begin(CALL_clCreateSubBuffer, whole);
    cl_mem it = code ? NULL : driver->clCreateSubBuffer(whole, flags, type, region, &code);
    return made(LAYER_MEMORY, it, code, tell);
}

static cl_sampler CL_API_CALL create_sampler(cl_context context, cl_bool normalised,
                                             cl_addressing_mode addressing, cl_filter_mode filter,
                                             cl_int *tell)
{
    cl_int code = begin(CALL_clCreateSampler, context);
    cl_sampler it = code ? NULL : driver->clCreateSampler(context, normalised, addressing, filter, &code);
    return made(LAYER_SAMPLER, it, code, tell);
}

/* ---- Programs and kernels ---- */

static cl_program CL_API_CALL create_program(cl_context context, cl_uint count, const char **texts,
                                             const size_t *lengths, cl_int *tell)
{
    cl_int code = begin(CALL_clCreateProgramWithSource, context);
    cl_program it = code ? NULL : driver->clCreateProgramWithSource(context, count, texts, lengths, &code);
    return made(LAYER_PROGRAM, it, code, tell);
}

static cl_program CL_API_CALL create_program_with_binary(cl_context context, cl_uint count,
                                                         const cl_device_id *devices, const size_t *lengths,
                                                         const unsigned char **binaries, cl_int *each,
                                                         cl_int *tell)
{
    cl_int code = begin(CALL_clCreateProgramWithBinary, context);
    cl_program it =
        code ? NULL
             : driver->clCreateProgramWithBinary(context, count, devices, lengths, binaries, each, &code);
    return made(LAYER_PROGRAM, it, code, tell);
}

static cl_program CL_API_CALL create_program_with_il(cl_context context, const void *il, size_t length,
                                                     cl_int *tell)
{
    cl_int code = begin(CALL_clCreateProgramWithIL, context);
    cl_program it = code ? NULL : driver->clCreateProgramWithIL(context, il, length, &code);
    return made(LAYER_PROGRAM, it, code, tell);
}

static cl_int CL_API_CALL build_program(cl_program program, cl_uint count, const cl_device_id *devices,
                                        const char *options, void(CL_CALLBACK *notify)(cl_program, void *),
                                        void *user)
{
    cl_int code = begin(CALL_clBuildProgram, program);
    return code ? code : driver->clBuildProgram(program, count, devices, options, notify, user);
}

static cl_int CL_API_CALL get_program_info(cl_program program, cl_program_info what, size_t size, void *value,
                                           size_t *needed)
{
    cl_int code = begin(CALL_clGetProgramInfo, program);
    return code ? code : driver->clGetProgramInfo(program, what, size, value, needed);
}

static cl_int CL_API_CALL get_program_build_info(cl_program program, cl_device_id device,
                                                 cl_program_build_info what, size_t size, void *value,
                                                 size_t *needed)
{
    cl_int code = begin(CALL_clGetProgramBuildInfo, program);
    return code ? code : driver->clGetProgramBuildInfo(program, device, what, size, value, needed);
}

static cl_kernel CL_API_CALL create_kernel(cl_program program, const char *name, cl_int *tell)
{
    cl_int code = begin(CALL_clCreateKernel, program);
    cl_kernel it = code ? NULL : driver->clCreateKernel(program, name, &code);
    return made(LAYER_KERNEL, it, code, tell);
}

static cl_int CL_API_CALL get_kernel_info(cl_kernel kernel, cl_kernel_info what, size_t size, void *value,
                                          size_t *needed)
{
    cl_int code = begin(CALL_clGetKernelInfo, kernel);
    return code ? code : driver->clGetKernelInfo(kernel, what, size, value, needed);
}

static cl_int CL_API_CALL get_kernel_arg_info(cl_kernel kernel, cl_uint index, cl_kernel_arg_info what,
                                              size_t size, void *value, size_t *needed)
{
    cl_int code = begin(CALL_clGetKernelArgInfo, kernel);
    return code ? code : driver->clGetKernelArgInfo(kernel, index, what, size, value, needed);
}

static cl_int CL_API_CALL get_kernel_work_group_info(cl_kernel kernel, cl_device_id device,
                                                     cl_kernel_work_group_info what, size_t size, void *value,
                                                     size_t *needed)
{
    cl_int code = begin(CALL_clGetKernelWorkGroupInfo, kernel);
    return code ? code : driver->clGetKernelWorkGroupInfo(kernel, device, what, size, value, needed);
}

/* A number of a pointer's size that happens to be a released object's address would be a strange one. */
static cl_int CL_API_CALL set_kernel_arg(cl_kernel kernel, cl_uint index, size_t size, const void *value)
{
    const void *handle = NULL;
    cl_int code = begin(CALL_clSetKernelArg, kernel);
    if (value && size == sizeof handle)
        memcpy(&handle, value, sizeof handle);
    if (!code && !objects_usable(handle))
        code = CL_INVALID_MEM_OBJECT;
    return code ? code : driver->clSetKernelArg(kernel, index, size, value);
}

/* ---- Retain and release: a release that fails has released all the same ---- */

#define RETAIN(name, type, retain)                                                                           \
    static cl_int CL_API_CALL name(type it)                                                                  \
    {                                                                                                        \
        cl_int code = begin(CALL_##retain, it);                                                              \
        if (!code && !(code = driver->retain(it)))                                                           \
            objects_retain(it);                                                                              \
        return code;                                                                                         \
    }

#define RELEASE(name, type, release)                                                                         \
    static cl_int CL_API_CALL name(type it)                                                                  \
    {                                                                                                        \
        cl_int code = faults_call(CALL_##release);                                                           \
        if (!objects_usable(it))                                                                             \
            return CL_INVALID_VALUE;                                                                         \
        objects_release(it); /* before its address may be another's */                                       \
        cl_int real = driver->release(it);                                                                   \
        return code ? code : real;                                                                           \
    }

RETAIN(retain_context, cl_context, clRetainContext)
RELEASE(release_context, cl_context, clReleaseContext)
RETAIN(retain_queue, cl_command_queue, clRetainCommandQueue)
RELEASE(release_queue, cl_command_queue, clReleaseCommandQueue)
RETAIN(retain_memory, cl_mem, clRetainMemObject)
RELEASE(release_memory, cl_mem, clReleaseMemObject)
RETAIN(retain_sampler, cl_sampler, clRetainSampler)
RELEASE(release_sampler, cl_sampler, clReleaseSampler)
RETAIN(retain_program, cl_program, clRetainProgram)
RELEASE(release_program, cl_program, clReleaseProgram)
RETAIN(retain_kernel, cl_kernel, clRetainKernel)
RELEASE(release_kernel, cl_kernel, clReleaseKernel)
RETAIN(retain_event, cl_event, clRetainEvent)
RELEASE(release_event, cl_event, clReleaseEvent)

/* ---- Commands ---- */

#define WAITS_MAX 64

/* One command on its way: what becomes of it, and what it waits for. */
typedef struct command {
    cl_command_queue queue;
    cl_int ends; /* below 0: a marker stands for it */
    cl_uint count;
    cl_event waits[WAITS_MAX + 1];
    cl_event gate; /* ours, the last of waits; NULL: none */
} command;

/* The code with which the enqueue fails. */
static cl_int prepare(command *it, layer_call call, cl_command_queue queue, cl_uint count,
                      const cl_event *waits)
{
    cl_int code = begin(call, queue);
    *it = (command){ .queue = queue };
    if (code)
        return code;
    layer_fate fate = faults_command(call == CALL_clEnqueueNDRangeKernel);
    it->ends = fate.ends;
    for (cl_uint i = 0; i < count && i < WAITS_MAX; i++) {
        if (!objects_usable(waits[i]))
            return CL_INVALID_EVENT_WAIT_LIST;
        if (objects_end_of(waits[i]) < 0)
            it->ends = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
        it->waits[it->count++] = waits[i];
    }
    if (fate.hangs || fate.delay_us)
        it->gate = gates_make(queue, fate.delay_us, fate.hangs);
    if (it->gate)
        it->waits[it->count++] = it->gate;
    return CL_SUCCESS;
}

static const cl_event *waits_of(const command *it)
{
    return it->count ? it->waits : NULL;
}

/* A marker in the place of a command that is not run. */
static cl_int pretend(const command *it, cl_event *event)
{
    return driver->clEnqueueMarkerWithWaitList(it->queue, it->count, waits_of(it), event);
}

/* After the command was enqueued with an event of ours, or was not: tells the caller. */
static cl_int enqueued(const command *it, cl_int code, cl_event event, cl_event *wanted)
{
    if (it->gate)
        driver->clReleaseEvent(it->gate);
    if (code != CL_SUCCESS || !event)
        return code;
    if (!wanted) {
        driver->clReleaseEvent(event);
        return code;
    }
    objects_add(LAYER_EVENT, event);
    objects_set_end(event, it->ends);
    *wanted = event;
    return code;
}

/* A command that its caller waits for tells at once. */
static cl_int blocked(const command *it, cl_int code, cl_bool blocking)
{
    return code == CL_SUCCESS && blocking ? it->ends : code;
}

static cl_int CL_API_CALL enqueue_kernel(cl_command_queue queue, cl_kernel kernel, cl_uint rank,
                                         const size_t *offset, const size_t *global, const size_t *local,
                                         cl_uint count, const cl_event *waits, cl_event *wanted)
{
    command it;
    cl_event event = NULL;
    cl_int code = prepare(&it, CALL_clEnqueueNDRangeKernel, queue, count, waits);
    if (!code && !objects_usable(kernel))
        code = CL_INVALID_KERNEL;
    if (!code)
        code = it.ends < 0 ? pretend(&it, &event)
                           : driver->clEnqueueNDRangeKernel(queue, kernel, rank, offset, global, local,
                                                            it.count, waits_of(&it), &event);
    return enqueued(&it, code, event, wanted);
}

static cl_int CL_API_CALL enqueue_read(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                                       size_t size, void *to, cl_uint count, const cl_event *waits,
                                       cl_event *wanted)
{
    command it;
    cl_event event = NULL;
    cl_int code = prepare(&it, CALL_clEnqueueReadBuffer, queue, count, waits);
    if (!code && !objects_usable(buffer))
        code = CL_INVALID_MEM_OBJECT;
    if (!code)
        code = it.ends < 0 ? pretend(&it, &event)
                           : driver->clEnqueueReadBuffer(queue, buffer, blocking, offset, size, to, it.count,
                                                         waits_of(&it), &event);
    return blocked(&it, enqueued(&it, code, event, wanted), blocking);
}

static cl_int CL_API_CALL enqueue_write(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                        size_t offset, size_t size, const void *from, cl_uint count,
                                        const cl_event *waits, cl_event *wanted)
{
    command it;
    cl_event event = NULL;
    cl_int code = prepare(&it, CALL_clEnqueueWriteBuffer, queue, count, waits);
    if (!code && !objects_usable(buffer))
        code = CL_INVALID_MEM_OBJECT;
    if (!code)
        code = it.ends < 0 ? pretend(&it, &event)
                           : driver->clEnqueueWriteBuffer(queue, buffer, blocking, offset, size, from,
                                                          it.count, waits_of(&it), &event);
    return blocked(&it, enqueued(&it, code, event, wanted), blocking);
}

static cl_int CL_API_CALL enqueue_copy(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset,
                                       size_t to_offset, size_t size, cl_uint count, const cl_event *waits,
                                       cl_event *wanted)
{
    command it;
    cl_event event = NULL;
    cl_int code = prepare(&it, CALL_clEnqueueCopyBuffer, queue, count, waits);
    if (!code && (!objects_usable(from) || !objects_usable(to)))
        code = CL_INVALID_MEM_OBJECT;
    if (!code)
        code = it.ends < 0 ? pretend(&it, &event)
                           : driver->clEnqueueCopyBuffer(queue, from, to, from_offset, to_offset, size,
                                                         it.count, waits_of(&it), &event);
    return enqueued(&it, code, event, wanted);
}

static cl_int CL_API_CALL enqueue_fill(cl_command_queue queue, cl_mem buffer, const void *pattern,
                                       size_t pattern_size, size_t offset, size_t size, cl_uint count,
                                       const cl_event *waits, cl_event *wanted)
{
    command it;
    cl_event event = NULL;
    cl_int code = prepare(&it, CALL_clEnqueueFillBuffer, queue, count, waits);
    if (!code && !objects_usable(buffer))
        code = CL_INVALID_MEM_OBJECT;
    if (!code)
        code = it.ends < 0 ? pretend(&it, &event)
                           : driver->clEnqueueFillBuffer(queue, buffer, pattern, pattern_size, offset, size,
                                                         it.count, waits_of(&it), &event);
    return enqueued(&it, code, event, wanted);
}

/* What is mapped is mapped also where its event says otherwise: who unmaps it must not be wrong to do so. */
static void *CL_API_CALL enqueue_map(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                     cl_map_flags flags, size_t offset, size_t size, cl_uint count,
                                     const cl_event *waits, cl_event *wanted, cl_int *tell)
{
    command it;
    cl_event event = NULL;
    void *at = NULL;
    cl_int code = prepare(&it, CALL_clEnqueueMapBuffer, queue, count, waits);
    if (!code && !objects_usable(buffer))
        code = CL_INVALID_MEM_OBJECT;
    if (!code && blocking && it.ends < 0)
        code = CL_MAP_FAILURE;
    if (!code)
        at = driver->clEnqueueMapBuffer(queue, buffer, blocking, flags, offset, size, it.count, waits_of(&it),
                                        &event, &code);
    code = enqueued(&it, code, event, wanted);
    if (tell)
        *tell = code;
    return code ? NULL : at;
}

static cl_int CL_API_CALL enqueue_unmap(cl_command_queue queue, cl_mem buffer, void *at, cl_uint count,
                                        const cl_event *waits, cl_event *wanted)
{
    command it;
    cl_event event = NULL;
    cl_int code = prepare(&it, CALL_clEnqueueUnmapMemObject, queue, count, waits);
    if (!code && !objects_usable(buffer))
        code = CL_INVALID_MEM_OBJECT;
    if (!code)
        code = driver->clEnqueueUnmapMemObject(queue, buffer, at, it.count, waits_of(&it), &event);
    return enqueued(&it, code, event, wanted);
}

static cl_int CL_API_CALL enqueue_marker(cl_command_queue queue, cl_uint count, const cl_event *waits,
                                         cl_event *wanted)
{
    command it;
    cl_event event = NULL;
    cl_int code = prepare(&it, CALL_clEnqueueMarkerWithWaitList, queue, count, waits);
    if (!code)
        code = pretend(&it, &event);
    return enqueued(&it, code, event, wanted);
}

static cl_int CL_API_CALL flush(cl_command_queue queue)
{
    cl_int code = begin(CALL_clFlush, queue);
    return code ? code : driver->clFlush(queue);
}

/* A lost device has no commands any more; here there are some, which must not outlive what they work on. */
static cl_int CL_API_CALL finish(cl_command_queue queue)
{
    cl_int code = begin(CALL_clFinish, queue);
    if (code && faults_lost())
        driver->clFinish(queue);
    return code ? code : driver->clFinish(queue);
}

/* ---- Events ---- */

static cl_event CL_API_CALL create_user_event(cl_context context, cl_int *tell)
{
    cl_int code = begin(CALL_clCreateUserEvent, context);
    cl_event it = code ? NULL : driver->clCreateUserEvent(context, &code);
    return made(LAYER_EVENT, it, code, tell);
}

static cl_int CL_API_CALL set_user_event_status(cl_event event, cl_int status)
{
    cl_int code = begin(CALL_clSetUserEventStatus, event);
    return code ? code : driver->clSetUserEventStatus(event, status);
}

static cl_int CL_API_CALL wait_for_events(cl_uint count, const cl_event *events)
{
    cl_int code = begin(CALL_clWaitForEvents, NULL);
    for (cl_uint i = 0; !code && i < count; i++)
        code = objects_usable(events[i]) ? CL_SUCCESS : CL_INVALID_EVENT;
    if (!code)
        code = driver->clWaitForEvents(count, events);
    for (cl_uint i = 0; !code && i < count; i++)
        if (objects_end_of(events[i]) < 0)
            code = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
    return code;
}

static cl_int CL_API_CALL get_event_info(cl_event event, cl_event_info what, size_t size, void *value,
                                         size_t *needed)
{
    cl_int code = begin(CALL_clGetEventInfo, event), ends = objects_end_of(event), state;
    if (!code)
        code = driver->clGetEventInfo(event, what, size, value, needed);
    if (code || what != CL_EVENT_COMMAND_EXECUTION_STATUS || !value || ends == CL_SUCCESS)
        return code;
    memcpy(&state, value, sizeof state);
    if (state == CL_COMPLETE)
        memcpy(value, &ends, sizeof ends);
    return code;
}

typedef struct listener {
    void(CL_CALLBACK *call)(cl_event, cl_int, void *);
    void *user;
    cl_int ends;
} listener;

static void CL_CALLBACK tell_listener(cl_event event, cl_int status, void *user)
{
    listener it = *(listener *)user;
    free(user);
    cl_int lost = faults_lost();
    it.call(event, it.ends < 0 ? it.ends : lost ? lost : status, it.user);
}

static cl_int CL_API_CALL set_event_callback(cl_event event, cl_int type,
                                             void(CL_CALLBACK *call)(cl_event, cl_int, void *), void *user)
{
    cl_int code = begin(CALL_clSetEventCallback, event);
    if (code)
        return code;
    listener *it = malloc(sizeof *it);
    if (!it)
        return CL_OUT_OF_HOST_MEMORY;
    *it = (listener){ call, user, objects_end_of(event) };
    code = driver->clSetEventCallback(event, type, tell_listener, it);
    if (code)
        free(it);
    return code;
}

/* ---- The layer itself ---- */

static void reset(void)
{
    faults_reset();
    objects_forget_misuses();
    gates_let_go();
}

static const opencl_layer layer = {
    .reset = reset,
    .fail = faults_fail,
    .lose = faults_lose,
    .end = faults_end,
    .delay = faults_delay,
    .hang = faults_hang,
    .let_go = gates_let_go,
    .calls = faults_calls,
    .commands = faults_commands,
    .injected = faults_injected,
    .hanging = gates_hanging,
    .live = objects_live,
    .misuses = objects_misuses,
    .put_on_pci = answers_put_on_pci,
};

__attribute__((visibility("default"))) const opencl_layer *opencl_layer_control(void);
const opencl_layer *opencl_layer_control(void)
{
    return &layer;
}

static void report(void)
{
    static const char *const kinds[] = { "contexts",       "queues",   "programs", "kernels",
                                         "memory objects", "samplers", "events" };
    fprintf(stderr, "opencl_layer: %llu calls, %llu launches, %llu faults, %llu uses after release; left:",
            (unsigned long long)faults_calls(NULL),
            (unsigned long long)faults_calls("clEnqueueNDRangeKernel"), (unsigned long long)faults_injected(),
            (unsigned long long)objects_misuses());
    for (unsigned i = 0; i < LAYER_KINDS; i++)
        fprintf(stderr, " %zu %s%s", objects_live((opencl_layer_kind)i), kinds[i],
                i + 1 < LAYER_KINDS ? "," : "\n");
}

/* What is not watched goes straight to the driver. */
static void fill_table(cl_icd_dispatch *above)
{
    *above = *driver;
    above->clGetPlatformIDs = get_platform_ids;
    above->clGetPlatformInfo = get_platform_info;
    above->clGetDeviceIDs = get_device_ids;
    above->clGetDeviceInfo = get_device_info;
    above->clCreateContext = create_context;
    above->clRetainContext = retain_context;
    above->clReleaseContext = release_context;
    above->clCreateCommandQueue = create_queue;
    above->clCreateCommandQueueWithProperties = create_queue_with;
    above->clRetainCommandQueue = retain_queue;
    above->clReleaseCommandQueue = release_queue;
    above->clCreateBuffer = create_buffer;
    above->clCreateSubBuffer = create_sub_buffer;
    above->clRetainMemObject = retain_memory;
    above->clReleaseMemObject = release_memory;
    above->clCreateSampler = create_sampler;
    above->clRetainSampler = retain_sampler;
    above->clReleaseSampler = release_sampler;
    above->clCreateProgramWithSource = create_program;
    above->clCreateProgramWithBinary = create_program_with_binary;
    above->clCreateProgramWithIL = create_program_with_il;
    above->clRetainProgram = retain_program;
    above->clReleaseProgram = release_program;
    above->clBuildProgram = build_program;
    above->clGetProgramInfo = get_program_info;
    above->clGetProgramBuildInfo = get_program_build_info;
    above->clCreateKernel = create_kernel;
    above->clRetainKernel = retain_kernel;
    above->clReleaseKernel = release_kernel;
    above->clGetKernelInfo = get_kernel_info;
    above->clGetKernelArgInfo = get_kernel_arg_info;
    above->clGetKernelWorkGroupInfo = get_kernel_work_group_info;
    above->clSetKernelArg = set_kernel_arg;
    above->clEnqueueNDRangeKernel = enqueue_kernel;
    above->clEnqueueReadBuffer = enqueue_read;
    above->clEnqueueWriteBuffer = enqueue_write;
    above->clEnqueueCopyBuffer = enqueue_copy;
    above->clEnqueueFillBuffer = enqueue_fill;
    above->clEnqueueMapBuffer = enqueue_map;
    above->clEnqueueUnmapMemObject = enqueue_unmap;
    above->clEnqueueMarkerWithWaitList = enqueue_marker;
    above->clFlush = flush;
    above->clFinish = finish;
    above->clCreateUserEvent = create_user_event;
    above->clSetUserEventStatus = set_user_event_status;
    above->clWaitForEvents = wait_for_events;
    above->clGetEventInfo = get_event_info;
    above->clSetEventCallback = set_event_callback;
    above->clRetainEvent = retain_event;
    above->clReleaseEvent = release_event;
}

void layer_begin(cl_icd_dispatch *above, const cl_icd_dispatch *below)
{
    driver = below;
    gates_init(below);
    fill_table(above);
    faults_read_environment();
    if (getenv("OPENCL_LAYER_REPORT"))
        atexit(report);
}
