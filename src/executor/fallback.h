/* A launch whose place failed, not the launch itself, is run once more on the CPU, from the start, where its
 * hints allow; one whose program a device does not take also on other devices. */
#ifndef AL_EXECUTOR_FALLBACK_H
#define AL_EXECUTOR_FALLBACK_H

#include "places/place.h"

/* al_place.elsewhere of devices. Takes the launch over if it has a C variant, a place on the CPU may run it,
 * nobody wants it stopped, it has not been moved before, and all it reads is still there: an array that it
 * reads and writes, and that the device may have half written, must be current somewhere else, as it is where
 * the device works on a copy of its own of what the host has. With ALLOT_BUILD or ALLOT_UNSUPPORTED, before
 * which nothing ran, it also goes from device to device, each of which remembers what it does not take. */
bool al_fallback(al_place *from, al_task *task, allot_status status, const al_failure *failure);

#endif
