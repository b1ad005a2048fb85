/* An OpenCL layer that lets one call at a time through to oclgrind (21.10), which keeps what waits in tables
 * that no lock guards, so that two threads of a program break them. Other drivers are left alone. */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "../layers/entry.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const cl_icd_dispatch *driver; /* what lies below */
static pthread_mutex_t turn;          /* recursive, since a driver may call back from within a call */

/* Every object begins with its driver's table of functions: that is how the loader finds them. */
static bool is_of_oclgrind(const void *object)
{
    const cl_icd_dispatch *table;
    Dl_info where;
    if (!object)
        return false;
    memcpy(&table, object, sizeof table);
    return dladdr(*(void *const *)&table->clFlush, &where) && where.dli_fname &&
           strstr(where.dli_fname, "oclgrind");
}

static bool take_turn(const void *object)
{
    bool taken = is_of_oclgrind(object);
    if (taken)
        pthread_mutex_lock(&turn);
    return taken;
}

static void end_turn(bool taken)
{
    if (taken)
        pthread_mutex_unlock(&turn);
}

/* Defines the function that takes its turn for one of the driver's, which is about that object. */
#define TAKES_TURNS(type, name, object, parameters, arguments)                                               \
    static type CL_API_CALL in_turn_##name parameters                                                        \
    {                                                                                                        \
        bool taken = take_turn(object);                                                                      \
        type answer = driver->name arguments;                                                                \
        end_turn(taken);                                                                                     \
        return answer;                                                                                       \
    }

#define RETAIN_AND_RELEASE(type, what)                                                                       \
    TAKES_TURNS(cl_int, clRetain##what, it, (type it), (it))                                                 \
    TAKES_TURNS(cl_int, clRelease##what, it, (type it), (it))

#define WAITS cl_uint count, const cl_event *after, cl_event *event

RETAIN_AND_RELEASE(cl_context, Context)
RETAIN_AND_RELEASE(cl_command_queue, CommandQueue)
RETAIN_AND_RELEASE(cl_mem, MemObject)
RETAIN_AND_RELEASE(cl_program, Program)
RETAIN_AND_RELEASE(cl_kernel, Kernel)
RETAIN_AND_RELEASE(cl_event, Event)

TAKES_TURNS(cl_context, clCreateContext, count ? devices[0] : NULL,
            (const cl_context_properties *properties, cl_uint count, const cl_device_id *devices,
             void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *user, cl_int *code),
            (properties, count, devices, notify, user, code))
TAKES_TURNS(cl_command_queue, clCreateCommandQueue, context,
            (cl_context context, cl_device_id device, cl_command_queue_properties properties, cl_int *code),
            (context, device, properties, code))
TAKES_TURNS(cl_mem, clCreateBuffer, context,
            (cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code),
            (context, flags, size, host, code))
TAKES_TURNS(cl_mem, clCreateSubBuffer, whole,
            (cl_mem whole, cl_mem_flags flags, cl_buffer_create_type type, const void *region, cl_int *code),
            (whole, flags, type, region, code))

TAKES_TURNS(cl_program, clCreateProgramWithSource, context,
            (cl_context context, cl_uint count, const char **texts, const size_t *lengths, cl_int *code),
            (context, count, texts, lengths, code))
TAKES_TURNS(cl_program, clCreateProgramWithBinary, context,
            (cl_context context, cl_uint count, const cl_device_id *devices, const size_t *lengths,
             const unsigned char **binaries, cl_int *each, cl_int *code),
            (context, count, devices, lengths, binaries, each, code))
TAKES_TURNS(cl_int, clBuildProgram, program,
            (cl_program program, cl_uint count, const cl_device_id *devices, const char *options,
             void(CL_CALLBACK *notify)(cl_program, void *), void *user),
            (program, count, devices, options, notify, user))
TAKES_TURNS(cl_int, clGetProgramInfo, program,
            (cl_program program, cl_program_info what, size_t size, void *value, size_t *needed),
            (program, what, size, value, needed))
TAKES_TURNS(cl_int, clGetProgramBuildInfo, program,
            (cl_program program, cl_device_id device, cl_program_build_info what, size_t size, void *value,
             size_t *needed),
            (program, device, what, size, value, needed))

TAKES_TURNS(cl_kernel, clCreateKernel, program, (cl_program program, const char *name, cl_int *code),
            (program, name, code))
TAKES_TURNS(cl_int, clGetKernelInfo, kernel,
            (cl_kernel kernel, cl_kernel_info what, size_t size, void *value, size_t *needed),
            (kernel, what, size, value, needed))
TAKES_TURNS(cl_int, clGetKernelArgInfo, kernel,
            (cl_kernel kernel, cl_uint index, cl_kernel_arg_info what, size_t size, void *value,
             size_t *needed),
            (kernel, index, what, size, value, needed))
TAKES_TURNS(cl_int, clGetKernelWorkGroupInfo, kernel,
            (cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what, size_t size, void *value,
             size_t *needed),
            (kernel, device, what, size, value, needed))
TAKES_TURNS(cl_int, clSetKernelArg, kernel, (cl_kernel kernel, cl_uint index, size_t size, const void *value),
            (kernel, index, size, value))

TAKES_TURNS(cl_int, clEnqueueNDRangeKernel, queue,
            (cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
             const size_t *global, const size_t *local, WAITS),
            (queue, kernel, dimensions, offset, global, local, count, after, event))
TAKES_TURNS(cl_int, clEnqueueReadBuffer, queue,
            (cl_command_queue queue, cl_mem buffer, cl_bool blocks, size_t offset, size_t size, void *to,
             WAITS),
            (queue, buffer, blocks, offset, size, to, count, after, event))
TAKES_TURNS(cl_int, clEnqueueWriteBuffer, queue,
            (cl_command_queue queue, cl_mem buffer, cl_bool blocks, size_t offset, size_t size,
             const void *from, WAITS),
            (queue, buffer, blocks, offset, size, from, count, after, event))
TAKES_TURNS(cl_int, clEnqueueCopyBuffer, queue,
            (cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset, size_t to_offset,
             size_t size, WAITS),
            (queue, from, to, from_offset, to_offset, size, count, after, event))
TAKES_TURNS(cl_int, clEnqueueFillBuffer, queue,
            (cl_command_queue queue, cl_mem buffer, const void *pattern, size_t pattern_size, size_t offset,
             size_t size, WAITS),
            (queue, buffer, pattern, pattern_size, offset, size, count, after, event))
TAKES_TURNS(void *, clEnqueueMapBuffer, queue,
            (cl_command_queue queue, cl_mem buffer, cl_bool blocks, cl_map_flags flags, size_t offset,
             size_t size, WAITS, cl_int *code),
            (queue, buffer, blocks, flags, offset, size, count, after, event, code))
TAKES_TURNS(cl_int, clEnqueueUnmapMemObject, queue, (cl_command_queue queue, cl_mem buffer, void *at, WAITS),
            (queue, buffer, at, count, after, event))
TAKES_TURNS(cl_int, clEnqueueMarkerWithWaitList, queue, (cl_command_queue queue, WAITS),
            (queue, count, after, event))

TAKES_TURNS(cl_int, clFlush, queue, (cl_command_queue queue), (queue))
TAKES_TURNS(cl_int, clFinish, queue, (cl_command_queue queue), (queue))
TAKES_TURNS(cl_int, clWaitForEvents, count ? events[0] : NULL, (cl_uint count, const cl_event *events),
            (count, events))
TAKES_TURNS(cl_int, clGetEventInfo, event,
            (cl_event event, cl_event_info what, size_t size, void *value, size_t *needed),
            (event, what, size, value, needed))
TAKES_TURNS(cl_int, clGetEventProfilingInfo, event,
            (cl_event event, cl_profiling_info what, size_t size, void *value, size_t *needed),
            (event, what, size, value, needed))
TAKES_TURNS(cl_int, clSetEventCallback, event,
            (cl_event event, cl_int type, void(CL_CALLBACK *notify)(cl_event, cl_int, void *), void *user),
            (event, type, notify, user))

/* What touches none of its tables is left to the driver. */
static void fill_table(cl_icd_dispatch *above)
{
#define ENTRY(name) above->name = in_turn_##name
#define PAIR(what)  ENTRY(clRetain##what), ENTRY(clRelease##what)
    PAIR(Context), PAIR(CommandQueue), PAIR(MemObject), PAIR(Program), PAIR(Kernel), PAIR(Event);
    ENTRY(clCreateContext), ENTRY(clCreateCommandQueue), ENTRY(clCreateBuffer), ENTRY(clCreateSubBuffer);
    ENTRY(clCreateProgramWithSource), ENTRY(clCreateProgramWithBinary), ENTRY(clBuildProgram);
    ENTRY(clGetProgramInfo), ENTRY(clGetProgramBuildInfo), ENTRY(clCreateKernel), ENTRY(clGetKernelInfo);
    ENTRY(clGetKernelArgInfo), ENTRY(clGetKernelWorkGroupInfo), ENTRY(clSetKernelArg);
    ENTRY(clEnqueueNDRangeKernel), ENTRY(clEnqueueReadBuffer), ENTRY(clEnqueueWriteBuffer);
    ENTRY(clEnqueueCopyBuffer), ENTRY(clEnqueueFillBuffer), ENTRY(clEnqueueMapBuffer);
    ENTRY(clEnqueueUnmapMemObject), ENTRY(clEnqueueMarkerWithWaitList), ENTRY(clFlush), ENTRY(clFinish);
    ENTRY(clWaitForEvents), ENTRY(clGetEventInfo), ENTRY(clGetEventProfilingInfo), ENTRY(clSetEventCallback);
#undef PAIR
#undef ENTRY
}

void layer_begin(cl_icd_dispatch *above, const cl_icd_dispatch *below)
{
    pthread_mutexattr_t recursive;
    driver = below;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&turn, &recursive);
    pthread_mutexattr_destroy(&recursive);
    fill_table(above);
}
