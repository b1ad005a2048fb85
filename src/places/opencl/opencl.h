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

typedef struct al_opencl {
    al_place place; /* first */
    al_opencl_device device;
    al_opencl_memory memory;
    al_opencl_programs programs;
    _Atomic bool opened;
    _Atomic bool direct; /* the driver was seen to return before a launch was done: any thread may enqueue */
    _Atomic unsigned failures; /* of the device, in a row */
    _Atomic int64_t ended_ns;  /* when the latest launch ended: the next one in order began no earlier */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;               /* guards all below */
    pthread_cond_t changed;             /* for the submission thread */
    al_queue queue;                     /* its tasks' slot is this place */
    struct al_opencl_flight *leftovers; /* over, but for what a driver's thread must not free */
    unsigned flights;
    bool closing;
} al_opencl;

/* Says that one launch that was counted in `flights` is over. */
void al_opencl_land(al_opencl *self);
/* Leaves the end of a launch to the submission thread. */
void al_opencl_leave_over(al_opencl *self, struct al_opencl_flight *flight);
/* Says whether the device takes the task's kernel and element types, and if not, why. */
bool al_opencl_accepts(const al_opencl *self, const al_task *task, char *why, size_t why_size);

#endif
