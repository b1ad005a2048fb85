/* The isolated lane: a launch of a device's kernel as a launch that the process place can run. Its kernel's
 * variant in C is this library's own, which opens the device in the worker; what it must know of the device's
 * kernel travels as one more array. So a driver that crashes or hangs costs a worker. */
#ifndef AL_PLACES_OPENCL_ISOLATE_H
#define AL_PLACES_OPENCL_ISOLATE_H

#include "core/launch.h"

/* A place kind's `isolate`. */
al_launch *al_opencl_isolate(const al_launch *launch, const char *place_id, allot_status *status,
                             al_failure *failure);

#endif
