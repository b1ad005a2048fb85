/* What waits for a device: first come, first served in each of three bands of priority, high before normal
 * before low; now and then one goes that would else wait for ever. Linked through the tasks, so that queueing
 * cannot fail. Its owner locks. */
#ifndef AL_PLACES_OPENCL_BANDS_H
#define AL_PLACES_OPENCL_BANDS_H

#include "places/inject.h"
#include "places/queue.h"

#define AL_OPENCL_NORMAL_DUE 16 /* of so many one is of normal priority though there are high ones */
#define AL_OPENCL_LOW_DUE    64 /* and one of low */

typedef struct al_opencl_bands {
    al_queue of[AL_BANDS];
    size_t length; /* of all */
    unsigned taken;
} al_opencl_bands;

void al_opencl_bands_push(al_opencl_bands *bands, al_task *task);
/* Back to where it was taken from. */
void al_opencl_bands_push_first(al_opencl_bands *bands, al_task *task);
/* NULL: none is left. */
al_task *al_opencl_bands_pop(al_opencl_bands *bands);
/* The one that would go last; NULL: none is left. */
al_task *al_opencl_bands_last(const al_opencl_bands *bands);
/* The task must be in it. */
void al_opencl_bands_remove(al_opencl_bands *bands, al_task *task);

#endif
