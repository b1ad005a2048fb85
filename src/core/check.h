/* Whether a launch's range and arguments are what its kernel takes; and what they come to, since telling and
 * taking go through the same steps. */
#ifndef AL_CORE_CHECK_H
#define AL_CORE_CHECK_H

#include "core/launch.h"

/* The range, the number of arguments, and T. */
allot_status al_check_call(const allot_kernel *kernel, allot_ndrange range, const allot_arg *args,
                           size_t arg_count, size_t *items, allot_type *type, al_failure *failure);

/* Fills the launch's arguments from those of a call that was checked; holds their arrays as it goes, also
 * where it fails. */
allot_status al_check_arguments(al_launch *launch, const allot_arg *args, al_failure *failure);

#endif
