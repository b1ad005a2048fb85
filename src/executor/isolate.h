/* hints.isolate with a device's kernel: the launch becomes one of the process place, whose worker opens the
 * device for itself. */
#ifndef AL_EXECUTOR_ISOLATE_H
#define AL_EXECUTOR_ISOLATE_H

#include "executor/executor.h"

/* True if the hints ask for devices, by kind, id or word. */
bool al_isolate_device(const allot_hints *hints);

/* The launch to go on with in place of this one, which is used up: itself where its C variant is to run.
 * Sets the hints to the process place. NULL with status and failure set. */
al_launch *al_isolate(al_launch *launch, allot_hints *hints, allot_status *status, al_failure *failure);

#endif
