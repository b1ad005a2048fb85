#include "places/opencl/plain.h"
#include "places/opencl/error.h"

/* One run: nothing of a place's is touched. */
typedef struct run {
    const al_opencl_device *device;
    al_launch *launch;
    al_opencl_sizes sizes;
    cl_command_queue queue;
    cl_kernel kernel;
    cl_mem buffers[AL_PARAMS_MAX];
    const char *call; /* the latest */
} run;

/* The host's bytes behind an argument's buffer: the array's, or the accumulators'. */
static unsigned char *host_of(const al_argument *argument, size_t *bytes)
{
    bool reduced = al_argument_is_reduced(argument);
    *bytes = reduced ? argument->own.count * argument->own.stride_bytes : argument->end - argument->begin;
    return reduced ? argument->own.bytes : argument->view.array->host + argument->begin;
}

static cl_int make_buffers(run *it)
{
    cl_int code = CL_SUCCESS;
    it->call = "clCreateBuffer";
    for (size_t i = 0; i < it->launch->arg_count && code == CL_SUCCESS; i++) {
        const al_argument *argument = &it->launch->args[i];
        size_t bytes;
        if (!al_argument_is_array(argument))
            continue;
        unsigned char *host = host_of(argument, &bytes);
        if (bytes)
            it->buffers[i] = clCreateBuffer(it->device->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                                            bytes, host, &code);
    }
    return code;
}

static cl_int set_layout(cl_kernel kernel, cl_uint index, const allot_value *value)
{
    cl_ulong layout[6];
    for (size_t d = 0; d < 3; d++) {
        layout[d] = value->shape[d];
        layout[3 + d] = value->stride[d];
    }
    return clSetKernelArg(kernel, index, sizeof layout, layout);
}

static cl_int set_arguments(run *it)
{
    cl_uint index = 0;
    cl_int code = CL_SUCCESS;
    it->call = "clSetKernelArg";
    for (size_t i = 0; i < it->launch->arg_count && code == CL_SUCCESS; i++) {
        const al_argument *argument = &it->launch->args[i];
        const cl_mem *buffer = it->buffers[i] ? &it->buffers[i] : &it->device->dummy;
        if (al_argument_is_array(argument))
            code = clSetKernelArg(it->kernel, index++, sizeof *buffer, buffer);
        else
            code = clSetKernelArg(it->kernel, index++, argument->bytes, al_argument_data(argument));
        if (code == CL_SUCCESS && argument->param->access && argument->param->strided)
            code = set_layout(it->kernel, index++, &argument->value);
    }
    return code;
}

static cl_int enqueue(run *it)
{
    const al_opencl_sizes *sizes = &it->sizes;
    const size_t most[] = { sizes->global[0] - sizes->rest, sizes->global[1], sizes->global[2] }, one = 1;
    const size_t *offset = al_launch_has_offset(it->launch) ? it->launch->range.offset : NULL;
    it->call = "clEnqueueNDRangeKernel";
    cl_int code = clEnqueueNDRangeKernel(it->queue, it->kernel, (cl_uint)it->launch->range.rank, offset, most,
                                         sizes->has_local ? sizes->local : NULL, 0, NULL, NULL);
    if (code == CL_SUCCESS && sizes->rest)
        code = clEnqueueNDRangeKernel(it->queue, it->kernel, 1, most, &sizes->rest, &one, 0, NULL, NULL);
    return code;
}

static cl_int read_back(run *it)
{
    cl_int code = CL_SUCCESS;
    it->call = "clEnqueueReadBuffer";
    for (size_t i = 0; i < it->launch->arg_count && code == CL_SUCCESS; i++) {
        const al_argument *argument = &it->launch->args[i];
        size_t bytes;
        if (!it->buffers[i] || !(argument->param->access & ALLOT_WRITE))
            continue;
        unsigned char *host = host_of(argument, &bytes);
        code = clEnqueueReadBuffer(it->queue, it->buffers[i], CL_TRUE, 0, bytes, host, 0, NULL, NULL);
    }
    return code;
}

static cl_int run_on_device(run *it)
{
    cl_int code;
    it->call = "clCreateCommandQueue";
    it->queue = clCreateCommandQueue(it->device->context, it->device->id, 0, &code);
    if (code == CL_SUCCESS)
        code = make_buffers(it);
    if (code == CL_SUCCESS)
        code = set_arguments(it);
    if (code == CL_SUCCESS)
        code = enqueue(it);
    if (code == CL_SUCCESS)
        code = read_back(it);
    return code;
}

static void release(run *it)
{
    if (it->queue) {
        clFinish(it->queue);
        clReleaseCommandQueue(it->queue);
    }
    for (size_t i = 0; i < AL_PARAMS_MAX; i++)
        if (it->buffers[i])
            clReleaseMemObject(it->buffers[i]);
}

allot_status al_opencl_run_plainly(al_opencl_programs *programs, al_opencl_program *program,
                                   al_launch *launch, al_failure *failure)
{
    run it = { .device = programs->device, .launch = launch };
    al_opencl_entry *entry = NULL;
    size_t groups = 1;
    al_opencl_sizes_of(launch, it.device, &program->limits, &it.sizes);
    if (launch->kernel->reduces && !al_opencl_sizes_groups(&it.sizes, &groups))
        return al_failure_set(failure, ALLOT_TOO_LARGE, "its work-groups cannot be counted");
    allot_status status =
        launch->kernel->reduces ? al_launch_accumulate(launch, groups, 1, false, failure) : ALLOT_OK;
    if (status != ALLOT_OK)
        return status;
    cl_int code = al_opencl_entry_take(programs, program, launch->kernel->desc.opencl_entry, &entry);
    it.call = "clCreateKernel";
    if (code == CL_SUCCESS) {
        it.kernel = entry->kernel;
        code = run_on_device(&it);
        release(&it);
        al_opencl_entry_give(programs, program, entry);
    }
    if (code != CL_SUCCESS)
        return al_failure_set(failure, ALLOT_DEVICE, "%s: %s: %s (%d) on %s", launch->kernel->desc.name,
                              it.call, al_opencl_error_name(code), (int)code, it.device->name);
    al_launch_publish(launch, NULL);
    return ALLOT_OK;
}
