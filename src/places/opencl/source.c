#include "places/opencl/source.h"
#include "places/opencl/error.h"
#include "places/opencl/icd.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Text ---- */

static const char *cl_name(allot_type type)
{
    switch (type) {
#define CL_NAME(name, size, cl, text)                                                                        \
    case ALLOT_##name:                                                                                       \
        return cl;
        ALLOT_TYPE_LIST(CL_NAME)
    default:
        return "void";
    }
}

static bool uses(const allot_kernel *kernel, allot_type launch_type, allot_type one, allot_type other)
{
    bool found = launch_type == one || launch_type == other;
    for (size_t i = 0; i < kernel->desc.param_count; i++)
        found = found || kernel->desc.params[i].type == one || kernel->desc.params[i].type == other;
    return found;
}

/* The kernel's name where build logs name a file, unless it would need escapes. */
static const char *file_name(const allot_kernel *kernel)
{
    for (const char *c = kernel->desc.name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_-.+", *c))
            return "kernel";
    return kernel->desc.name;
}

/* Ends so that the text's own lines are counted from 1. */
void al_opencl_source_prelude(const allot_kernel *kernel, allot_type type, char *text, size_t size)
{
    const char *enable = "#pragma OPENCL EXTENSION %s : enable\n";
    char f64[64] = "", f16[64] = "";
    text[0] = '\0';
    if (kernel->desc.opencl_program || kernel->desc.opencl_plain)
        return;
    if (uses(kernel, type, ALLOT_F64, ALLOT_C64))
        snprintf(f64, sizeof f64, enable, "cl_khr_fp64");
    if (uses(kernel, type, ALLOT_F16, ALLOT_F16))
        snprintf(f16, sizeof f16, enable, "cl_khr_fp16");
    snprintf(text, size,
             "%s%s#define T %s\n#define T_%s 1\n"
             "typedef struct { ulong shape[3], stride[3]; } allot_layout;\n#line 1 \"%.100s\"\n",
             f64, f16, cl_name(type), allot_type_name(type), file_name(kernel));
}

char *al_opencl_source_options(const allot_kernel *kernel)
{
    const char *own = kernel->desc.opencl_options ? kernel->desc.opencl_options : "";
    size_t size = strlen(own) + 32;
    char *options = malloc(size);
    if (options)
        snprintf(options, size, "-cl-kernel-arg-info%s%s", *own ? " " : "", own);
    return options;
}

static allot_status create_from_text(const al_opencl_device *device, const allot_kernel *kernel,
                                     allot_type type, cl_program *program, al_failure *failure)
{
    char prelude[AL_OPENCL_PRELUDE];
    al_opencl_source_prelude(kernel, type, prelude, sizeof prelude);
    const char *texts[] = { prelude, kernel->desc.opencl_source };
    cl_int code;
    *program = clCreateProgramWithSource(device->context, 2, texts, NULL, &code);
    return code == CL_SUCCESS ? ALLOT_OK
                              : al_opencl_error(failure, "clCreateProgramWithSource", code, device->name);
}

/* ---- SPIR-V ---- */

/* The first word of a module, in the byte order of whoever wrote it (SPIR-V Specification, section 2.3). */
bool al_opencl_source_is_spirv(const allot_kernel *kernel)
{
    static const unsigned char magic[2][4] = { { 0x03, 0x02, 0x23, 0x07 }, { 0x07, 0x23, 0x02, 0x03 } };
    const void *program = kernel->desc.opencl_program;
    return program && (memcmp(program, magic[0], 4) == 0 || memcmp(program, magic[1], 4) == 0);
}

/* A driver's table may end before the calls of later versions. */
static bool has_version(const al_opencl_device *device, int major, int minor)
{
    char text[128] = "";
    int has_major = 0, has_minor = 0;
    if (clGetDeviceInfo(device->id, CL_DEVICE_VERSION, sizeof text - 1, text, NULL) != CL_SUCCESS ||
        sscanf(text, "OpenCL %d.%d", &has_major, &has_minor) != 2)
        return false;
    return has_major > major || (has_major == major && has_minor >= minor);
}

typedef cl_program(CL_API_CALL *create_with_il)(cl_context, const void *, size_t, cl_int *);

/* The call of version 2.1, or of the extension that was before it; NULL: neither. */
static create_with_il find_create_with_il(const al_opencl_device *device)
{
    if (has_version(device, 2, 1))
        return clCreateProgramWithIL;
    create_with_il found;
    *(void **)&found = al_icd_extension(device->platform, "clCreateProgramWithILKHR");
    return found;
}

static bool takes_spirv(const al_opencl_device *device)
{
    char versions[256] = "";
    return clGetDeviceInfo(device->id, CL_DEVICE_IL_VERSION, sizeof versions - 1, versions, NULL) ==
               CL_SUCCESS &&
           strstr(versions, "SPIR-V") && find_create_with_il(device);
}

/* Rusticl's binaries begin with their format's number, and Mesa 22.3 aborts the process at one that it does
 * not know, as text of other drivers' binaries is. */
static bool aborts_at(const al_opencl_device *device, const allot_kernel *kernel)
{
    const unsigned char *program = kernel->desc.opencl_program;
    return program && strncmp(device->driver, "rusticl", 7) == 0 &&
           (kernel->desc.opencl_program_bytes < 4 || program[1] || program[2] || program[3]);
}

bool al_opencl_source_fits(const al_opencl_device *device, const allot_kernel *kernel, char *why,
                           size_t why_size)
{
    bool spirv = al_opencl_source_is_spirv(kernel);
    if (spirv ? takes_spirv(device) : !aborts_at(device, kernel))
        return true;
    if (spirv)
        snprintf(why, why_size, "%s takes no SPIR-V, which the kernel's program is", device->name);
    else
        snprintf(why, why_size, "the kernel's program is no binary of %s", device->name);
    return false;
}

static allot_status set_constants(const al_opencl_device *device, const allot_kernel *kernel,
                                  cl_program program, al_failure *failure)
{
    if (kernel->desc.opencl_constant_count && !has_version(device, 2, 2))
        return al_failure_set(failure, ALLOT_UNSUPPORTED,
                              "%s: %s has no specialisation constants (OpenCL 2.2)", kernel->desc.name,
                              device->name);
    for (size_t i = 0; i < kernel->desc.opencl_constant_count; i++) {
        const allot_constant *constant = &kernel->desc.opencl_constants[i];
        cl_int code =
            clSetProgramSpecializationConstant(program, constant->id, constant->bytes, constant->value);
        if (code == CL_INVALID_SPEC_ID || code == CL_INVALID_VALUE)
            return al_failure_set(failure, ALLOT_INVALID,
                                  "%s: its program has no specialisation constant %u of %zu bytes",
                                  kernel->desc.name, (unsigned)constant->id, constant->bytes);
        if (code != CL_SUCCESS)
            return al_opencl_error(failure, "clSetProgramSpecializationConstant", code, device->name);
    }
    return ALLOT_OK;
}

static allot_status create_from_spirv(const al_opencl_device *device, const allot_kernel *kernel,
                                      cl_program *program, al_failure *failure)
{
    char why[256];
    cl_int code;
    if (!al_opencl_source_fits(device, kernel, why, sizeof why))
        return al_failure_set(failure, ALLOT_UNSUPPORTED, "%s: %s", kernel->desc.name, why);
    *program = find_create_with_il(device)(device->context, kernel->desc.opencl_program,
                                           kernel->desc.opencl_program_bytes, &code);
    if (code != CL_SUCCESS)
        return al_opencl_error(failure, "clCreateProgramWithIL", code, device->name);
    return set_constants(device, kernel, *program, failure);
}

/* ---- Binaries ---- */

static allot_status create_from_binary(const al_opencl_device *device, const allot_kernel *kernel,
                                       cl_program *program, al_failure *failure)
{
    const unsigned char *bytes = kernel->desc.opencl_program;
    size_t size = kernel->desc.opencl_program_bytes;
    cl_int code, loaded = CL_SUCCESS;
    *program = clCreateProgramWithBinary(device->context, 1, &device->id, &size, &bytes, &loaded, &code);
    if (code == CL_SUCCESS && loaded == CL_SUCCESS)
        return ALLOT_OK;
    if (code == CL_INVALID_BINARY || loaded == CL_INVALID_BINARY)
        return al_failure_set(
            failure, ALLOT_BUILD,
            "%s: its program is no binary that %s takes: each device and driver has its own",
            kernel->desc.name, device->name);
    return al_opencl_error(failure, "clCreateProgramWithBinary", code != CL_SUCCESS ? code : loaded,
                           device->name);
}

allot_status al_opencl_source_create(const al_opencl_device *device, const allot_kernel *kernel,
                                     allot_type type, cl_program *program, al_failure *failure)
{
    if (kernel->desc.opencl_source)
        return create_from_text(device, kernel, type, program, failure);
    if (al_opencl_source_is_spirv(kernel))
        return create_from_spirv(device, kernel, program, failure);
    return create_from_binary(device, kernel, program, failure);
}
