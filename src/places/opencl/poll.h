/* Where a driver's callbacks come late, it is asked whether a launch is over: NVIDIA's (580) looks for ended
 * commands 50 times a second, and answers the question in a quarter of a microsecond. Threads that wait and
 * spin anyway ask, and else a thread of the place, more and more seldom while a launch goes on. */
#ifndef AL_PLACES_OPENCL_POLL_H
#define AL_PLACES_OPENCL_POLL_H

#include "core/collector.h"
#include "places/opencl/cl.h"
#include <pthread.h>

struct al_opencl;
struct al_opencl_flight;

typedef struct al_opencl_poll {
    al_collector collector;
    bool on; /* launches are asked about, not called back; set before the place is open */
    bool running;
    pthread_t thread;
    pthread_mutex_t asking; /* one asks at a time */
    pthread_mutex_t lock;   /* guards all below; taken behind the one above */
    pthread_cond_t changed;
    struct al_opencl_flight *first, *last; /* in the driver's hands, as they were given to it */
    int64_t since_ns;                      /* when the first of them came to be the first */
    bool ending, asleep;                   /* the thread sleeps till it is woken */
    _Atomic unsigned watched;              /* flights in that list */
    _Atomic unsigned collectors;           /* threads that spin, and ask */
} al_opencl_poll;

/* Decides whether launches are asked about: on every device that is no CPU, or as ALLOT_OPENCL_WAIT says. */
void al_opencl_poll_init(struct al_opencl *self);
void al_opencl_poll_fini(struct al_opencl *self);
/* Starts the thread, where launches are asked about; false: there is none to be had. */
bool al_opencl_poll_begin(struct al_opencl *self);
/* Ends it; nothing may be in flight. */
void al_opencl_poll_end(struct al_opencl *self);

/* The flight, held for it, is over when the event is, which is released then. */
void al_opencl_poll_watch(struct al_opencl *self, struct al_opencl_flight *flight, cl_event event);

#endif
