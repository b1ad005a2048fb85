/* A kernel's self-test as a launch: its small problem with arrays of its own, made as often as variants are
 * to be compared on it. */
#ifndef AL_CORE_TRIAL_H
#define AL_CORE_TRIAL_H

#include "core/launch.h"

/* The launch of the kernel's self-test with this element type; NULL with the failure set. End it with
 * al_launch_destroy(). */
al_launch *al_trial_create(const allot_kernel *kernel, allot_type type, al_failure *failure);

/* Runs the C variant, here. */
allot_status al_trial_run(al_launch *trial, al_failure *failure);

/* Compares what two runs of the same self-test wrote. False: `what` says where they differ. */
bool al_trial_agree(const al_launch *reference, const al_launch *other, char *what, size_t what_size);

#endif
