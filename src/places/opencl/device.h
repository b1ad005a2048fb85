/* One OpenCL device: what it says of itself, and its context and queues once it is open. */
#ifndef AL_PLACES_OPENCL_DEVICE_H
#define AL_PLACES_OPENCL_DEVICE_H

#include "core/failure.h"
#include "places/opencl/cl.h"
#include <stdatomic.h>
#include <stdint.h>

enum {
    AL_OPENCL_PINS_UNTRIED,
    AL_OPENCL_PINS_PAY,
    AL_OPENCL_PINS_DO_NOT
};

typedef struct al_opencl_device {
    /* Known from discovery. */
    cl_device_id id;
    cl_platform_id platform;
    char name[128], driver[128];
    uint32_t types; /* allot_device_type, or-ed */
    bool is_part;   /* of a device: released with its place */
    int node;       /* of memory, that it is near; -1: unknown, and for what runs on the CPUs */
    bool on_cpu;    /* its kernels run on the host's CPUs */
    bool unified;   /* it may be able to work on the host's pages */
    bool has_f64, has_f16;
    int compute_units;
    uint64_t memory_bytes, max_buffer_bytes;
    size_t base_align_bytes; /* of a sub-buffer's offset */
    size_t max_group;        /* work-items in a group */
    size_t max_local[3];     /* and of these in each dimension */
    uint64_t local_bytes;    /* of local memory, for one group */
    /* Known once it is open. */
    cl_context context;
    /* All in order, for any thread; what goes from one to another waits for an event. */
    cl_command_queue upload;   /* copies to the device */
    cl_command_queue compute;  /* kernels, and what must come between them */
    cl_command_queue download; /* copies to the host, each waited for */
    _Atomic bool
        shares_pages; /* tried: a buffer over host pages is those pages, both ways; a guess till it is open */
    _Atomic int
        pinning;  /* AL_OPENCL_PINS_...: whether copies are faster from pages that the driver has pinned */
    cl_mem dummy; /* what a kernel gets for an array with no elements */
} al_opencl_device;

/* Asks the cheap questions. */
void al_opencl_device_describe(al_opencl_device *device, cl_platform_id platform, cl_device_id id);

/* Makes context and queues and tries whether pages can be shared. */
allot_status al_opencl_device_open(al_opencl_device *device, al_failure *failure);

/* Waits until all uploads and kernels that were enqueued are over. A device that fails to say so twice is
 * lost, and with it its commands. */
cl_int al_opencl_device_settle(al_opencl_device *device);
/* Has a queue's commands begin: where flushing fails, by waiting for them, so that they end one way or the
 * other. */
void al_opencl_device_flush(cl_command_queue queue);

/* Waits for the queues and releases everything; also what a failed open left. */
void al_opencl_device_close(al_opencl_device *device);

/* ---- Where this thread is ----
 * A driver may call back inside any of our calls, in our thread; what must not be done there has to be known.
 */
enum {
    AL_OPENCL_SUBMITTING = 1, /* somewhere in al_opencl_launch(): another launch is queued, not nested */
    AL_OPENCL_CALLED_BACK = 2 /* in a driver's callback: nothing of OpenCL may be called */
};

/* Adds to what holds for this thread; leave takes enter's answer. */
unsigned al_opencl_enter(unsigned what);
void al_opencl_leave(unsigned before);
unsigned al_opencl_here(void);

#endif
