/* What a kernel's program is made from: its text with the library's prelude, a SPIR-V module, or a binary. */
#ifndef AL_PLACES_OPENCL_SOURCE_H
#define AL_PLACES_OPENCL_SOURCE_H

#include "core/kernel.h"
#include "places/opencl/device.h"

/* Whether the device takes the form that the kernel's program has; if not, why. */
bool al_opencl_source_fits(const al_opencl_device *device, const allot_kernel *kernel, char *why,
                           size_t why_size);

/* Whether the kernel's program is a SPIR-V module. */
bool al_opencl_source_is_spirv(const allot_kernel *kernel);

/* What stands before the kernel's text where T is `type`; "" for what has no prelude. */
#define AL_OPENCL_PRELUDE 512
void al_opencl_source_prelude(const allot_kernel *kernel, allot_type type, char *text, size_t size);

/* The options of its build; the caller frees them. NULL when memory is out. */
char *al_opencl_source_options(const allot_kernel *kernel);

/* Makes the program, not built yet. */
allot_status al_opencl_source_create(const al_opencl_device *device, const allot_kernel *kernel,
                                     allot_type type, cl_program *program, al_failure *failure);

#endif
