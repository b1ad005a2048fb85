/* One launch on its way through the driver: arrays, program, arguments, enqueue; then the callback that ends
 * it. */
#ifndef AL_PLACES_OPENCL_LAUNCH_H
#define AL_PLACES_OPENCL_LAUNCH_H

#include "places/opencl/opencl.h"

/* Global and local size as OpenCL counts them. */
typedef struct al_opencl_sizes {
    size_t global[3], local[3];
    bool has_local; /* else the driver chooses */
} al_opencl_sizes;

void al_opencl_sizes_of(const al_launch *launch, al_opencl_sizes *sizes);

/* Takes a task, already counted in self->flights, to the driver, or ends it with its error. `warm` is its
 * program, taken; NULL: it is looked up or built, and arrays may be moved, which takes a while. */
void al_opencl_launch(al_opencl *self, al_task *task, al_opencl_program *warm);

#endif
