/* A program's making: from disk or by the compiler, looked at, and tried by its kernel's self-test. */
#ifndef AL_PLACES_OPENCL_BUILD_H
#define AL_PLACES_OPENCL_BUILD_H

#include "places/opencl/program.h"

/* A new program, whether or not its build went well, and in no list; NULL when memory is out. Takes long. */
al_opencl_program *al_opencl_program_build(al_opencl_programs *programs, const allot_kernel *kernel,
                                           allot_type type);
void al_opencl_program_destroy(al_opencl_program *program);

#endif
