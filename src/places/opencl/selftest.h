/* The self-test of a kernel on a device: its variant there against the C variant, on the kernel's own small
 * problem, before it is first used. Outcomes are kept beside the programs on disk. */
#ifndef AL_PLACES_OPENCL_SELFTEST_H
#define AL_PLACES_OPENCL_SELFTEST_H

#include "places/opencl/program.h"

/* True if the program computes what the C variant does, or nobody can say: no self-test, or it cannot be
 * carried out. Else `what` says what is wrong. Any thread that may block. */
bool al_opencl_selftest(al_opencl_programs *programs, al_opencl_program *program, const allot_kernel *kernel,
                        char *what, size_t what_size);

#endif
