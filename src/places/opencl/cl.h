/* OpenCL's header as this room uses it: calls of version 1.2, which every driver has. */
#ifndef AL_PLACES_OPENCL_CL_H
#define AL_PLACES_OPENCL_CL_H

#define CL_USE_DEPRECATED_OPENCL_1_2_APIS /* clCreateCommandQueue: drivers of 1.2 lack its successor */
#include <CL/cl.h>
#include <CL/cl_ext.h>

#endif
