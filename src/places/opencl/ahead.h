/* Programs built ahead: while another place runs the first launches of a kernel, a thread builds its program
 * for this device, one at a time, and takes the device's pace the first time. */
#ifndef AL_PLACES_OPENCL_AHEAD_H
#define AL_PLACES_OPENCL_AHEAD_H

#include "core/launch.h"
#include <pthread.h>

struct al_opencl;
struct al_place;

typedef struct al_opencl_ahead {
    /* Guarded by the place's lock: */
    bool building, started; /* there is a thread to be joined */
    bool probing;           /* the device may be opened anew just now */
    int64_t until_ns;       /* when it is late, as launches are */
    pthread_t thread;
    /* The thread's: */
    allot_kernel *kernel;
    allot_type type;
} al_opencl_ahead;

/* al_place.prepare. */
const char *al_opencl_ahead_prepare(struct al_place *place, const al_launch *launch, bool waits,
                                    double *built_s, char *room, size_t room_size);

/* The thread is gone when this returns; nothing is being built. */
void al_opencl_ahead_join(struct al_opencl *self);
/* Nobody waits for it: it ends when the compiler comes back. */
void al_opencl_ahead_abandon(struct al_opencl *self);

#endif
