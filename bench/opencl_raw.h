/* The device that ours is asked on, brought up by the raw calls: for the life of the program. */
#ifndef BENCH_OPENCL_RAW_H
#define BENCH_OPENCL_RAW_H

#include "ours.h"
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS /* a queue in a way that devices of every version have */
#include <CL/cl.h>

#define OPENCL_QUEUES 3 /* in order; one for each way and one for kernels */

typedef struct opencl_raw {
    cl_device_id device;
    cl_context context;
    cl_command_queue queues[OPENCL_QUEUES];
} opencl_raw;

/* NULL, and the round has failed, if it cannot be brought up. */
const opencl_raw *opencl_raw_device(bench_round *round);

/* The kernel of that name in the text, built; NULL, and the round has failed. The caller keeps it. */
cl_kernel opencl_raw_kernel(bench_round *round, const opencl_raw *raw, const char *text, const char *name);

/* A buffer that the device may read and write; NULL, and the round has failed. */
cl_mem opencl_raw_buffer(bench_round *round, const opencl_raw *raw, cl_mem_flags flags, size_t bytes);

/* Enqueues the kernel over `items`, after `after` unless that is NULL. */
cl_int opencl_raw_run(cl_command_queue queue, cl_kernel kernel, size_t items, const cl_event *after,
                      cl_event *done);

#endif
