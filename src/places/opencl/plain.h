/* A launch carried out plainly: buffers made, filled, read back and released around it, in a queue of its
 * own, by the calling thread, which waits. For where a launch's own way is not wanted: self-tests, and worker
 * processes. */
#ifndef AL_PLACES_OPENCL_PLAIN_H
#define AL_PLACES_OPENCL_PLAIN_H

#include "places/opencl/program.h"

/* Runs the launch on the host's memory of its arrays, and publishes what it wrote there. ALLOT_DEVICE with
 * the failure set: the device did not get through it. */
allot_status al_opencl_run_plainly(al_opencl_programs *programs, al_opencl_program *program,
                                   al_launch *launch, al_failure *failure);

#endif
