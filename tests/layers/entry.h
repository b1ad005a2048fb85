/* What a loader asks of an OpenCL layer, answered alike for each of the tests' layers: entry.c is part of
 * every one. (OpenCL layers, Khronos' loader documentation.) */
#ifndef TESTS_LAYERS_ENTRY_H
#define TESTS_LAYERS_ENTRY_H

#include <CL/cl.h>
#include <CL/cl_icd.h>

/* Of the layer: puts its functions into `above`, which is empty, and keeps `below`, what they pass calls on
 * to. Called once. */
void layer_begin(cl_icd_dispatch *above, const cl_icd_dispatch *below);

#endif
