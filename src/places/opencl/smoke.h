/* The smoke test of a driver, which runs in a process of its own: opens its library, lists its devices, and
 * has each compute a little. */
#ifndef AL_PLACES_OPENCL_SMOKE_H
#define AL_PLACES_OPENCL_SMOKE_H

#include <limits.h>
#include <stdint.h>

/* What parent and child share; of its texts none need be ended by a 0 after a crash. */
typedef struct al_smoke {
    char library[PATH_MAX]; /* to be opened */
    char path[PATH_MAX];    /* where it lay */
    char where[256];        /* what it is doing */
    char wrong[256];        /* what else is wrong with it; "": nothing */
    int32_t loaded, devices;
} al_smoke;

/* An al_apart_function. */
void al_smoke_run(void *smoke);

#endif
