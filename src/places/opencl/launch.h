/* One launch on its way through the driver: arrays, program, arguments, enqueue; then the callback that ends
 * it, or the answer to a question (poll.h). */
#ifndef AL_PLACES_OPENCL_LAUNCH_H
#define AL_PLACES_OPENCL_LAUNCH_H

#include "places/opencl/flight.h"

/* Takes a task, already counted in self->flights, to the driver, or ends it with its error. `reserved` is the
 * flight that stands for it there; NULL: there was none to spare. What `warm` has is taken over; NULL: its
 * program is looked up or built, and arrays may be moved, which takes a while. */
void al_opencl_launch(al_opencl *self, al_task *task, al_opencl_flight *reserved, al_opencl_warm *warm);

/* The driver is through with it and has told this code: ends its task, unless that was given up, and lets go
 * of the flight. Calls nothing of OpenCL's and no user code. */
void al_opencl_launch_over(al_opencl_flight *flight, cl_int code);

#endif
