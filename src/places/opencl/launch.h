/* One launch on its way through the driver: arrays, program, arguments, enqueue; then the callback that ends
 * it. */
#ifndef AL_PLACES_OPENCL_LAUNCH_H
#define AL_PLACES_OPENCL_LAUNCH_H

#include "places/opencl/opencl.h"

/* A launch in the driver's hands. Who enqueued it and the callback each hold it. */
typedef struct al_opencl_flight {
    struct al_opencl_flight *next; /* of leftovers */
    al_opencl *self;
    al_task *task; /* not held: gone when it is completed */
    al_opencl_program *program;
    al_opencl_shape shape;
    int64_t enqueued_ns;
    _Atomic unsigned holders;
    size_t array_count;
    allot_array *arrays[]; /* held: so that completing the task frees none */
} al_opencl_flight;

/* Frees what the callback left. */
void al_opencl_flight_end(al_opencl_flight *flight);

/* Takes a task, already counted in self->flights, to the driver, or ends it with its error. `warm` is its
 * program, taken; NULL: it is looked up or built, and arrays may be moved, which takes a while. */
void al_opencl_launch(al_opencl *self, al_task *task, al_opencl_program *warm);

#endif
