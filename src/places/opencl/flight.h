/* A launch in the driver's hands, from its start to its end, which one of three brings about: the driver's
 * callback or its answer (poll.h), the launching thread when a call fails, or the watch (health.h) when it
 * gives the launch up. */
#ifndef AL_PLACES_OPENCL_FLIGHT_H
#define AL_PLACES_OPENCL_FLIGHT_H

#include "places/opencl/opencl.h"

/* The driver may come back to a launch that was given up, and whose task is gone: so a flight works on a copy
 * of the launch, which holds its arrays, and its kernel once it is given up, until all have let go of it. */
typedef struct al_opencl_flight {
    struct al_opencl_flight *next, *previous; /* of the place's flights; guarded by its lock, as the next */
    struct al_opencl_flight *left_over;
    al_opencl *self;
    al_task *task; /* for who claims the flight; gone when it is completed */
    al_launch *launch;
    al_opencl_program *program; /* NULL: not found yet */
    bool warm;                  /* it had run in this shape before */
    al_opencl_shape shape;
    al_opencl_trial trial; /* of its sizes, once it has a program */
    int64_t began_ns, enqueued_ns;
    int64_t sent_ns;          /* when what was left to the driver of its data is expected there */
    int64_t allowed_ns;       /* for how long nothing may end while it is the oldest */
    _Atomic unsigned holders; /* who launches, the driver's callback, the watch */
    _Atomic bool claimed;     /* somebody ends its task */
    _Atomic bool acquired;    /* its arrays are where they should be: none is being moved for it */
    _Atomic bool written;     /* a kernel was enqueued: what it writes is right or spoiled */
    unsigned captures; /* of which access; it was given up, and these are nobody's until it has ended */
    bool pinned;       /* its arrays are: till it has landed, or, given up, is over */
    bool holds_kernel; /* it was given up: else its task does, and nobody asks for the kernel after that */
    size_t room;       /* bytes for the launch */
    cl_event event;    /* poll: its last command's; the next two as well */
    struct al_opencl_flight *asked_next;
    unsigned refusals; /* of the question whether it is over, in a row */
    int64_t ahead_ns;  /* its share of the place's; guarded by the lock */
} al_opencl_flight;

/* A started task's flight, held by the caller, among the place's flights: `reserved` if it is there and large
 * enough, else that one is let go. NULL when memory is out: then the reserved one is still there. */
al_opencl_flight *al_opencl_flight_begin(al_opencl *self, al_task *task, al_opencl_flight *reserved);
/* True if it is worth keeping when it is over. */
bool al_opencl_flight_is_spare(const al_opencl_flight *flight);
/* Makes a spare one of it, which is nobody's. */
void al_opencl_flight_empty(al_opencl_flight *flight);
/* The next one that will be used, or NULL: by then it is in this core's cache, and no longer in that of the
 * thread that used it last. */
void al_opencl_flight_fetch(const al_opencl_flight *flight);
void al_opencl_flight_hold(al_opencl_flight *flight);
/* The last to let go takes it out of the place's flights and frees it; in a driver's callback it leaves to
 * the place's own thread what must not be freed there. */
void al_opencl_flight_release(al_opencl_flight *flight);
/* For that thread: the rest of it. */
void al_opencl_flight_bury(al_opencl_flight *flight);

/* True for one caller: that one ends the task. */
bool al_opencl_flight_claim(al_opencl_flight *flight);
/* Ends a claimed flight's task: OK after the driver said so, else the place has failed it. */
void al_opencl_flight_land(al_opencl_flight *flight, allot_status status, al_failure *failure);

/* Gives it up unless it ends at this moment: its task ends with ALLOT_DEVICE and the message, or is run
 * elsewhere. What the driver may still touch stays held, and captive. */
void al_opencl_flight_give_up(al_opencl_flight *flight, const char *message);

#endif
