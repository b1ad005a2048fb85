/* A device's parts (clCreateSubDevices): each is a device like any other, and a place of its own. */
#ifndef AL_PLACES_OPENCL_SPLIT_H
#define AL_PLACES_OPENCL_SPLIT_H

#include "places/opencl/cl.h"
#include "places/parts.h"

/* Splits a device; returns how many parts there are, at most AL_PARTS_MAX, each to be released. 0: it cannot
 * be split so, and `why` says why; or it is not to be, and `why` is empty. */
size_t al_opencl_split(cl_device_id device, const al_parts *parts, cl_device_id ids[AL_PARTS_MAX], char *why,
                       size_t why_size);

#endif
