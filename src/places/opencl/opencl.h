/* The OpenCL place: one device with a queue of tasks and one thread that takes them to the driver.
 *
 *     enqueue ──► queue ──► submission thread ──► driver ──► its callback, or its answer: publish, complete
 *        └───── (warm launch, driver known not to block) ─────┘
 *
 * No lock that a driver's call-back could want is held around any call of the driver: some run the kernel
 * inside an enqueue or a flush, and call back from there. */
#ifndef AL_PLACES_OPENCL_OPENCL_H
#define AL_PLACES_OPENCL_OPENCL_H

#include "places/opencl/ahead.h"
#include "places/opencl/bands.h"
#include "places/opencl/memory.h"
#include "places/opencl/poll.h"
#include "places/opencl/program.h"
#include "places/place.h"

/* Launches handed to the driver and not done: so many at most, and no more than a few that are expected to
 * keep it busy for longer than this: what is with the driver is neither cancelled nor overtaken. */
#define AL_OPENCL_FLIGHTS_MAX 1024
#define AL_OPENCL_FLIGHTS_FEW 16
#define AL_OPENCL_AHEAD_NS    INT64_C(20000000)
/* Where a driver's threads are not calm (calm.h): behind a few that are on their way others are gathered, and
 * so many handed over at once: threads that run dry after each launch must be woken for the next one, which
 * costs more than the launch. */
#define AL_OPENCL_DIRECT 8
#define AL_OPENCL_BURST  32

struct al_opencl_flight; /* flight.h */

typedef struct al_opencl {
    al_place place; /* first */
    al_opencl_device device;
    al_opencl_memory memory;
    al_opencl_programs programs;
    bool calm; /* its driver's threads are: set before it is opened */
    al_opencl_poll poll;
    _Atomic bool opened;
    _Atomic bool direct; /* the driver was seen to return before a launch was done: any thread may enqueue */
    _Atomic unsigned failures; /* of the device, in a row: health.h, as what says so below */
    _Atomic int64_t ended_ns;  /* when the latest launch ended: the next one in order began no earlier */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;                  /* guards all below */
    pthread_cond_t changed;                /* for the submission thread */
    pthread_cond_t over;                   /* for who closes */
    al_opencl_bands queue;                 /* its tasks' slot is this place */
    struct al_opencl_flight *first, *last; /* flights, in order of their begin */
    struct al_opencl_flight *leftovers;    /* over, but for what a driver's thread must not free */
    struct al_opencl_flight *spare;        /* for launches to come */
    unsigned flights;                      /* also such as have not begun */
    int64_t ahead_ns;                      /* for how long all of them are expected to run */
    al_opencl_ahead ahead;                 /* what is built beside them */
    bool closing, ended;                   /* the thread has nothing left to do */
    bool left_alone;            /* closed while it was stuck: its thread frees it, if it ever comes back */
    bool stuck;                 /* health: flights were given up and are not over */
    int64_t probe_ns, pause_ns; /* health: when to try a device that is aside, and for how long not */
    int64_t watchdog_ns;        /* health */
    struct al_opencl *next_watched; /* health; guarded by the watch's lock, as all below */
    uint64_t watch_round;
} al_opencl;

/* Which device a place is: the index-th that was found, or a part of it. */
typedef struct al_opencl_which {
    size_t index;
    unsigned part, parts; /* the part-th, from 1 on, of so many; 0: all of it */
} al_opencl_which;

/* The place of a device; NULL: no memory. A part is released with it. */
al_place *al_opencl_create(cl_platform_id platform, cl_device_id id, al_opencl_which which);

/* A flight that was not reserved for a launch begins; `counted`: the launch is among `flights` already. */
void al_opencl_take_off(al_opencl *self, struct al_opencl_flight *flight, bool counted);
/* Says that one launch that was counted in `flights` is over, and takes its flight, to keep it as a spare or
 * free it; NULL: it had none. */
void al_opencl_land(al_opencl *self, struct al_opencl_flight *flight);
/* Leaves the end of a launch to the submission thread. */
void al_opencl_leave_over(al_opencl *self, struct al_opencl_flight *flight);
/* Says whether the device takes the launch's kernel and element types, and if not, why. NULL: no launch. */
bool al_opencl_accepts(const al_opencl *self, const al_launch *launch, char *why, size_t why_size);

#endif
