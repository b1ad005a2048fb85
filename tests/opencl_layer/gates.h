/* Holds commands back: each waits for an event of ours that is set at its time, or when hanging ones are let
 * go. */
#ifndef OPENCL_LAYER_GATES_H
#define OPENCL_LAYER_GATES_H

#include "layer.h"
#include <CL/cl_icd.h>

void gates_init(const cl_icd_dispatch *driver);

/* An event that the caller must release after the command was enqueued behind it; NULL: none could be made.
 */
cl_event gates_make(cl_command_queue queue, uint64_t delay_us, bool hangs);

void gates_let_go(void);
size_t gates_hanging(void);

#endif
