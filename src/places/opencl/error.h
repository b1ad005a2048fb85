/* OpenCL's error codes in words: every failed call becomes a status whose message names the call, the code
 * and the device. */
#ifndef AL_PLACES_OPENCL_ERROR_H
#define AL_PLACES_OPENCL_ERROR_H

#include "core/failure.h"
#include "places/opencl/cl.h"

/* "CL_OUT_OF_RESOURCES"; "an unknown code" for what is none. Static text. */
const char *al_opencl_error_name(cl_int code);

/* Sets the failure: "clEnqueueNDRangeKernel: CL_OUT_OF_RESOURCES (-5) on NAME"; returns ALLOT_DEVICE. */
allot_status al_opencl_error(al_failure *failure, const char *call, cl_int code, const char *device_name);

/* The code of this thread's latest al_opencl_error(), if it was about that device (by address), else
 * CL_SUCCESS. Forgets it: for who gets a status from far below and must know what the device did. */
cl_int al_opencl_error_take(const char *device_name);

#endif
