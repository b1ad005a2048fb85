#include "places/opencl/selftest.h"
#include "base/log.h"
#include "core/trial.h"
#include "placement/store.h"
#include "places/opencl/error.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One run on the device, with a queue of its own: nothing of the place's is touched. */
typedef struct run {
    const al_opencl_device *device;
    al_launch *launch;
    al_opencl_sizes sizes;
    cl_command_queue queue;
    cl_kernel kernel;
    cl_mem buffers[AL_PARAMS_MAX];
    const char *call; /* the latest */
} run;

/* ---- On the device ---- */

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
    it->call = "clEnqueueNDRangeKernel";
    cl_int code = clEnqueueNDRangeKernel(it->queue, it->kernel, (cl_uint)it->launch->range.rank, NULL, most,
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

/* False with the failure set if the device did not get through it. */
static bool compute(al_opencl_programs *programs, al_opencl_program *program, al_launch *launch,
                    al_failure *failure)
{
    run it = { .device = programs->device, .launch = launch };
    al_opencl_entry *entry = NULL;
    size_t groups = 1;
    al_opencl_sizes_of(launch, it.device, &program->limits, &it.sizes);
    bool counted = al_opencl_sizes_groups(&it.sizes, &groups);
    if (launch->kernel->reduces &&
        (!counted || al_launch_accumulate(launch, groups, 1, false, failure) != ALLOT_OK))
        return false;
    cl_int code = al_opencl_entry_take(programs, program, launch->kernel->desc.opencl_entry, &entry);
    it.call = "clCreateKernel";
    if (code == CL_SUCCESS) {
        it.kernel = entry->kernel;
        code = run_on_device(&it);
        release(&it);
        al_opencl_entry_give(programs, program, entry);
    }
    if (code == CL_SUCCESS)
        al_launch_publish(launch, NULL);
    else
        al_failure_set(failure, ALLOT_DEVICE, "%s: %s (%d)", it.call, al_opencl_error_name(code), (int)code);
    return code == CL_SUCCESS;
}

/* ---- The verdict ---- */

typedef enum outcome {
    RIGHT,
    WRONG,
    UNDECIDED
} outcome;

static outcome compare(al_opencl_programs *programs, al_opencl_program *program, const allot_kernel *kernel,
                       char *what, size_t what_size)
{
    al_failure failure = { 0 };
    outcome result = UNDECIDED;
    al_launch *reference = al_trial_create(kernel, program->type, &failure);
    al_launch *other = reference ? al_trial_create(kernel, program->type, &failure) : NULL;
    if (other && al_trial_run(reference, &failure) == ALLOT_OK && compute(programs, program, other, &failure))
        result = al_trial_agree(reference, other, what, what_size) ? RIGHT : WRONG;
    if (result == UNDECIDED)
        al_log(AL_LOG_INFO, "%s was not tested on %s: %s", kernel->desc.name, programs->device->name,
               failure.message ? failure.message : "its C variant failed");
    al_launch_destroy(other);
    al_launch_destroy(reference);
    al_failure_fini(&failure);
    return result;
}

/* Another problem may have another outcome. */
static al_binary_key note_key(const al_opencl_program *program, const allot_selftest *test, size_t params)
{
    al_binary_key key = program->key;
    for (size_t i = 0; i < 2; i++) {
        key.words[i] = al_store_hash(key.words[i], &test->range, sizeof test->range);
        key.words[i] = al_store_hash(key.words[i], &test->tolerance, sizeof test->tolerance);
        for (size_t p = 0; p < params; p++)
            key.words[i] = al_store_hash(key.words[i], test->args[p].shape, sizeof test->args[p].shape);
    }
    return key;
}

static bool is_wanted(const allot_kernel *kernel)
{
    const char *asked = getenv("ALLOT_SELFTEST");
    return kernel->desc.selftest && kernel->desc.cpu && !(asked && strcmp(asked, "off") == 0);
}

static bool has_note(const char *folder, const al_binary_key *key, outcome *result, char *what,
                     size_t what_size)
{
    char note[AL_BINARY_NOTE];
    if (!folder || !key->usable || !al_binaries_noted(folder, key, note))
        return false;
    *result = strncmp(note, AL_BINARY_WRONG, strlen(AL_BINARY_WRONG)) == 0 ? WRONG : RIGHT;
    snprintf(what, what_size, "%s", note + (*result == WRONG ? strlen(AL_BINARY_WRONG) : 0));
    return true;
}

static void keep_note(const char *folder, const al_binary_key *key, outcome result, const char *what)
{
    char note[AL_BINARY_NOTE];
    if (!folder || !key->usable || result == UNDECIDED)
        return;
    snprintf(note, sizeof note, "%s%s", result == WRONG ? AL_BINARY_WRONG : AL_BINARY_RIGHT,
             result == WRONG ? what : "");
    al_binaries_note(folder, key, note);
}

bool al_opencl_selftest(al_opencl_programs *programs, al_opencl_program *program, const allot_kernel *kernel,
                        char *what, size_t what_size)
{
    outcome result;
    char differs[200] = "";
    if (!is_wanted(kernel))
        return true;
    al_binary_key key = note_key(program, kernel->desc.selftest, kernel->desc.param_count);
    if (!has_note(programs->folder, &key, &result, what, what_size)) {
        result = compare(programs, program, kernel, differs, sizeof differs);
        snprintf(what, what_size, "%.60s (%s) computes wrongly on %.100s: %s", kernel->desc.name,
                 allot_type_name(program->type), programs->device->name, differs);
        keep_note(programs->folder, &key, result, what);
    }
    if (result == WRONG)
        al_log(AL_LOG_WARNING, "%s: it is not used there", what);
    return result != WRONG;
}
