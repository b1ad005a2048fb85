/* The source of a kernel's variant, as a number: figures learned of another source are not its own. */
#ifndef AL_CORE_SOURCE_H
#define AL_CORE_SOURCE_H

#include <allot/kernel.h>
#include <allot/place.h>

/* Of the OpenCL variant a hash of its text, entry and options, for ALLOT_OPENCL; else of the C variant the
 * build id of the module that it lies in, which changes with each build of other code. Never 0 but where
 * there is no such variant, or the module has no build id. */
uint64_t al_source_of(const allot_kernel_desc *kernel, allot_kind kind);

#endif
