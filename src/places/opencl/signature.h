/* Does an OpenCL entry take what the kernel's descriptor says? Found out once after the build, by the
 * parameters' names, instead of by whatever the driver does with wrong arguments. */
#ifndef AL_PLACES_OPENCL_SIGNATURE_H
#define AL_PLACES_OPENCL_SIGNATURE_H

#include "core/kernel.h"
#include "places/opencl/device.h"

/* Checks the number of arguments and, where the driver tells, their address spaces and sizes. `type` is T. */
allot_status al_opencl_signature_check(cl_kernel entry, const allot_kernel *kernel, allot_type type,
                                       al_failure *failure);

#endif
