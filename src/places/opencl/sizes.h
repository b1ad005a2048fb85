/* A launch's sizes as OpenCL counts them. Where the kernel leaves its work-group size open, this room chooses
 * it from a few: drivers that compile for each size, and would derive it from the range, then compile a few
 * times and not for each new range. Which of the others is faster is for tune.h to find out. */
#ifndef AL_PLACES_OPENCL_SIZES_H
#define AL_PLACES_OPENCL_SIZES_H

#include "core/launch.h"
#include "places/opencl/device.h"

/* What a built kernel says of its work-groups. */
typedef struct al_opencl_limits {
    size_t max_group;   /* 0: it does not say */
    size_t required[3]; /* its reqd_work_group_size; 0: none */
    size_t multiple;    /* its groups should be multiples of; 0: it does not say */
    bool sees_groups;   /* it may ask for more than its ids in the range, so the range stays in one piece */
    bool open;          /* its results are the same with groups of any size, as far as its text tells */
} al_opencl_limits;

void al_opencl_limits_init(al_opencl_limits *limits, const al_opencl_device *device, cl_kernel entry,
                           const allot_kernel *kernel);

typedef struct al_opencl_sizes {
    size_t global[3], local[3];
    size_t rest;    /* of global[0]: its last items, in groups of one, after all others */
    bool has_local; /* else the driver chooses */
    bool chosen;    /* by us */
} al_opencl_sizes;

void al_opencl_sizes_of(const al_launch *launch, const al_opencl_device *device,
                        const al_opencl_limits *limits, al_opencl_sizes *sizes);

/* Others that may be faster, for a kernel that is `open`: below AL_OPENCL_VARIANTS, of which 0 is the one
 * above. False: the device, the kernel or the range does not allow it, or it is no other. */
#define AL_OPENCL_VARIANTS 8
bool al_opencl_sizes_variant(const al_launch *launch, const al_opencl_device *device,
                             const al_opencl_limits *limits, size_t variant, al_opencl_sizes *sizes);

/* How many work-groups these sizes make; false if they cannot be counted. Not for sizes with a rest. */
bool al_opencl_sizes_groups(const al_opencl_sizes *sizes, size_t *groups);

/* What a driver may compile for: launches of the same shape need nothing new. Never all zero. */
typedef struct al_opencl_shape {
    size_t local[3];
    size_t kind;
} al_opencl_shape;

al_opencl_shape al_opencl_shape_of(const al_opencl_sizes *sizes);

#endif
