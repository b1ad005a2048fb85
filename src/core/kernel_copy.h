/* A kernel's double: for work that may go on when the kernel's maker, who owns its texts, has done with it.
 */
#ifndef AL_CORE_KERNEL_COPY_H
#define AL_CORE_KERNEL_COPY_H

#include "core/kernel.h"

/* The same kernel, also by its id, on texts and tables of its own; the functions are the same. One reference
 * is the caller's. NULL when memory is out. */
allot_kernel *al_kernel_copy(const allot_kernel *kernel);

#endif
