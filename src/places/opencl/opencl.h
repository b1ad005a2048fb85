/* The OpenCL place: one device with a queue of tasks and one thread that takes them to the driver.
 *
 *     enqueue ──► queue ──► submission thread ──► driver ──► its callback: publish, complete
 *        └───── (warm launch, driver known not to block) ─────┘
 *
 * No lock is held around any call of the driver: some run the kernel inside an enqueue or a flush, and call
 * back from there. */
#ifndef AL_PLACES_OPENCL_OPENCL_H
#define AL_PLACES_OPENCL_OPENCL_H

#include "places/opencl/memory.h"
#include "places/opencl/program.h"
#include "places/place.h"
#include "places/queue.h"

#define AL_OPENCL_FLIGHTS_MAX 256 /* launches handed to the driver and not done */

struct al_opencl_flight; /* flight.h */

typedef struct al_opencl {
    al_place place; /* first */
    al_opencl_device device;
    al_opencl_memory memory;
    al_opencl_programs programs;
    _Atomic bool opened;
    _Atomic bool direct; /* the driver was seen to return before a launch was done: any thread may enqueue */
    _Atomic unsigned failures; /* of the device, in a row: health.h, as what says so below */
    _Atomic int64_t ended_ns;  /* when the latest launch ended: the next one in order began no earlier */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;                  /* guards all below */
    pthread_cond_t changed;                /* for the submission thread */
    pthread_cond_t over;                   /* for who closes */
    al_queue queue;                        /* its tasks' slot is this place */
    struct al_opencl_flight *first, *last; /* flights, in order of their begin */
    struct al_opencl_flight *leftovers;    /* over, but for what a driver's thread must not free */
    unsigned flights;                      /* also such as have not begun */
    bool closing, ended;                   /* the thread has nothing left to do */
    bool left_alone;            /* closed while it was stuck: its thread frees it, if it ever comes back */
    bool stuck;                 /* health: flights were given up and are not over */
    int64_t probe_ns, pause_ns; /* health: when to try a device that is aside, and for how long not */
    int64_t watchdog_ns;        /* health */
    struct al_opencl *next_watched; /* health; guarded by the watch's lock, as all below */
    uint64_t watch_round;
} al_opencl;

/* A launch that was counted in `flights` begins. */
void al_opencl_take_off(al_opencl *self, struct al_opencl_flight *flight);
/* Says that one launch that was counted in `flights` is over; NULL: it never began. */
void al_opencl_land(al_opencl *self, struct al_opencl_flight *flight);
/* Leaves the end of a launch to the submission thread. */
void al_opencl_leave_over(al_opencl *self, struct al_opencl_flight *flight);
/* Says whether the device takes the launch's kernel and element types, and if not, why. NULL: no launch. */
bool al_opencl_accepts(const al_opencl *self, const al_launch *launch, char *why, size_t why_size);

#endif
