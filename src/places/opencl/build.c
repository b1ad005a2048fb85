#include "places/opencl/build.h"
#include "places/opencl/error.h"
#include "places/opencl/pick.h"
#include "places/opencl/selftest.h"
#include "places/opencl/signature.h"
#include "places/opencl/source.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *build_log(cl_program program, cl_device_id device)
{
    size_t size = 0;
    if (clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) != CL_SUCCESS)
        return NULL;
    char *log = calloc(1, size + 1);
    if (log && clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, size, log, NULL) != CL_SUCCESS)
        log[0] = '\0';
    return log;
}

static allot_status report_build(cl_program program, const al_opencl_device *device,
                                 const allot_kernel *kernel, cl_int code, al_failure *failure)
{
    if (code == CL_OUT_OF_HOST_MEMORY || code == CL_OUT_OF_RESOURCES || code == CL_DEVICE_NOT_AVAILABLE)
        return al_opencl_error(failure, "clBuildProgram", code, device->name);
    char *log = build_log(program, device->id);
    allot_status status = al_failure_set(
        failure, ALLOT_BUILD, "%s: its OpenCL program does not build on %s (%s):\n%s", kernel->desc.name,
        device->name, al_opencl_error_name(code), log && *log ? log : "the compiler wrote no log");
    free(log);
    return status;
}

/* NVIDIA's compiler (driver 580) writes broken assembler for a function without parameters when it is asked
 * to keep what parameters are called: so what fails with that is tried without, and its arguments are checked
 * by their number alone. */
static bool build_plain(al_opencl_program *program, al_opencl_device *device, const allot_kernel *kernel)
{
    al_failure ignored = { 0 };
    const char *own = kernel->desc.opencl_options ? kernel->desc.opencl_options : "";
    cl_program plain = NULL;
    bool built = al_opencl_source_create(device, kernel, program->type, &plain, &ignored) == ALLOT_OK &&
                 clBuildProgram(plain, 1, &device->id, own, NULL, NULL) == CL_SUCCESS;
    cl_program other = built ? program->program : plain;
    if (built)
        program->program = plain;
    if (other)
        clReleaseProgram(other);
    al_failure_fini(&ignored);
    return built;
}

static allot_status compile(al_opencl_program *program, al_opencl_device *device, const allot_kernel *kernel,
                            const char *options, al_failure *failure)
{
    allot_status status = al_opencl_source_create(device, kernel, program->type, &program->program, failure);
    if (status != ALLOT_OK)
        return status;
    cl_int code = clBuildProgram(program->program, 1, &device->id, options, NULL, NULL);
    if (code == CL_SUCCESS || (code == CL_BUILD_PROGRAM_FAILURE && build_plain(program, device, kernel)))
        return ALLOT_OK;
    return report_build(program->program, device, kernel, code, failure);
}

/* The program as it was built once before, if it is on disk and the driver takes it. */
static bool take_from_disk(const al_opencl_programs *programs, al_opencl_program *program,
                           const char *options)
{
    al_opencl_device *device = programs->device;
    if (!programs->folder || !program->key.usable ||
        !al_binaries_load(programs->folder, &program->key, device, &program->program))
        return false;
    program->from_disk = clBuildProgram(program->program, 1, &device->id, options, NULL, NULL) == CL_SUCCESS;
    return program->from_disk;
}

static allot_status report_entry(const al_opencl_program *program, const al_opencl_device *device,
                                 const allot_kernel *kernel, cl_int code, al_failure *failure)
{
    char names[1024] = "";
    if (code != CL_INVALID_KERNEL_NAME)
        return al_opencl_error(failure, "clCreateKernel", code, device->name);
    if (clGetProgramInfo(program->program, CL_PROGRAM_KERNEL_NAMES, sizeof names - 1, names, NULL) !=
        CL_SUCCESS)
        names[0] = '\0';
    return al_failure_set(failure, ALLOT_NOT_FOUND,
                          "%s: its OpenCL program has no kernel function %s (it has: %s)", kernel->desc.name,
                          kernel->desc.opencl_entry, *names ? names : "none");
}

/* The first kernel object, made to see that the entry is there and takes what it will be given. */
static allot_status look_at_entry(al_opencl_programs *programs, al_opencl_program *program,
                                  const allot_kernel *kernel, al_failure *failure)
{
    al_opencl_device *device = programs->device;
    al_opencl_entry *entry;
    cl_int code = al_opencl_entry_take(programs, program, kernel->desc.opencl_entry, &entry);
    if (code != CL_SUCCESS)
        return report_entry(program, device, kernel, code, failure);
    allot_status status = al_opencl_signature_check(entry->kernel, kernel, program->type, failure);
    al_opencl_limits_init(&program->limits, device, entry->kernel, kernel);
    al_opencl_entry_give(programs, program, entry);
    return status;
}

static void release(al_opencl_program *program)
{
    for (al_opencl_entry *entry; (entry = atomic_load(&program->idle));) {
        atomic_store(&program->idle, entry->next);
        clReleaseKernel(entry->kernel);
        free(entry);
    }
    if (program->program)
        clReleaseProgram(program->program);
    program->program = NULL;
}

void al_opencl_program_destroy(al_opencl_program *program)
{
    release(program);
    free(program->message);
    free(program);
}

/* A bad file on disk costs a build, never a launch: then the compiler has its turn. */
static allot_status make(al_opencl_programs *programs, al_opencl_program *program, const allot_kernel *kernel,
                         const char *options, al_failure *failure)
{
    al_failure ignored = { 0 };
    program->key = al_binaries_key(programs->device, kernel, program->type, options);
    bool good = take_from_disk(programs, program, options) &&
                look_at_entry(programs, program, kernel, &ignored) == ALLOT_OK;
    al_failure_fini(&ignored);
    if (good)
        return ALLOT_OK;
    if (program->program) {
        release(program);
        al_binaries_drop(programs->folder, &program->key);
    }
    program->from_disk = false;
    atomic_fetch_add_explicit(&programs->builds, 1, memory_order_relaxed);
    allot_status status = compile(program, programs->device, kernel, options, failure);
    return status == ALLOT_OK ? look_at_entry(programs, program, kernel, failure) : status;
}

static allot_status test(al_opencl_programs *programs, al_opencl_program *program, const allot_kernel *kernel,
                         al_failure *failure)
{
    char what[400];
    if (al_opencl_selftest(programs, program, kernel, what, sizeof what))
        return ALLOT_OK;
    program->wrong = true;
    al_opencl_programs_add_wrong(programs, what);
    atomic_store_explicit(&programs->any_wrong, true, memory_order_relaxed);
    return al_failure_set(failure, ALLOT_DEVICE, "%s", what);
}

al_opencl_program *al_opencl_program_build(al_opencl_programs *programs, const allot_kernel *kernel,
                                           allot_type type)
{
    al_opencl_program *program = calloc(1, sizeof *program);
    char *options = al_opencl_source_options(kernel);
    al_failure failure = { 0 };
    if (program && options) {
        program->kernel_id = kernel->id;
        program->type = type;
        program->status = make(programs, program, kernel, options, &failure);
        if (program->status == ALLOT_OK)
            program->status = test(programs, program, kernel, &failure);
        if (program->status == ALLOT_OK)
            al_opencl_pick_recall(programs, program);
        program->message = failure.message;
    } else {
        free(program);
        program = NULL;
    }
    free(options);
    return program;
}
