/* A device's memory: a copy of an array is one buffer, made when first needed, over the host's own pages
 * where the device shares them. */
#ifndef AL_PLACES_OPENCL_MEMORY_H
#define AL_PLACES_OPENCL_MEMORY_H

#include "core/launch.h"
#include "places/opencl/device.h"

/* Sizes of uploads, each up to 4 times the last one's: small ones cost far more a byte. */
#define AL_OPENCL_RATES 32

typedef struct al_opencl_memory {
    al_memory base;
    al_opencl_device *device;
    pthread_mutex_t announcing; /* guards what each copy announced last */
    /* One waits in the driver for a copy in each direction: of two on one queue PoCL's basic device has one
     * run the other's command, and both stand still. Recursive, since a driver may call back from there. */
    pthread_mutex_t uploading, downloading;
    /* Uploads may be left to the driver, as on all devices that are no CPUs: there what copies does nothing
     * else. PoCL's threads run kernels and uploads that are ready before copies that are asked for later. Set
     * before the first. */
    bool leaves;
    _Atomic bool busy; /* other launches are on their way: uploads need not be waited for */
    /* By size (al_opencl_memory_rate()): femtoseconds, as the latest upload that was waited for took; 0: none
     * was. */
    _Atomic uint64_t fs_per_byte[AL_OPENCL_RATES];
    _Atomic int64_t sent_ns;   /* when all uploads are expected to be over */
    _Atomic unsigned uploads;  /* that were not */
    _Atomic(al_copy *) graves; /* of arrays that were freed in a driver's callback, linked by next_of_array */
    uint64_t budget_bytes;     /* room.h: what copies may take; 0: no limit. Set before the first */
    _Atomic uint64_t uses;     /* of copies, so far */
    _Atomic bool wanting;      /* somebody looks for room */
    pthread_mutex_t room;      /* guards the one below */
    uint64_t room_bytes;       /* what copies take */
    pthread_cond_t roomier;
} al_opencl_memory;

/* A copy: one buffer. */
typedef struct al_opencl_copy {
    al_copy copy;
    cl_mem buffer; /* NULL for an array of no bytes */
    cl_mem pin;    /* of the host's pages; or NULL */
    /* Of the host's latest writes to shared pages, or of the latest upload that nobody waited for, till it
     * was seen to be over; or NULL. */
    cl_event announced;
    int64_t sent_ns;       /* when that upload is expected to be over */
    size_t room_bytes;     /* that it takes of the device's memory: room.h */
    _Atomic uint64_t used; /* when last, in uses of the memory */
} al_opencl_copy;

void al_opencl_memory_init(al_opencl_memory *memory, al_opencl_device *device);
/* Brings the data back and frees all copies; for a place that closes. */
void al_opencl_memory_fini(al_opencl_memory *memory);
/* The same, but stays in use: its device is opened anew. */
void al_opencl_memory_clear(al_opencl_memory *memory);
/* Frees the buffers of arrays that were freed where nothing of OpenCL may be called. Costs one load when
 * there are none. */
void al_opencl_memory_sweep(al_opencl_memory *memory);
static inline bool al_opencl_memory_has_graves(al_opencl_memory *memory)
{
    return atomic_load_explicit(&memory->graves, memory_order_relaxed) != NULL; /* sweeping acquires them */
}

/* What a copy of the array takes, or would take, of the device's memory; of a device that was not opened yet
 * a guess. */
size_t al_opencl_memory_needs(const al_opencl_memory *memory, const allot_array *array);

/* What uploads of about that size took a byte. */
_Atomic uint64_t *al_opencl_memory_rate(al_opencl_memory *memory, size_t bytes);

/* True if making the argument current here would not have to wait for a copy to end. A guess while nothing is
 * locked: right but for rare races. */
bool al_opencl_memory_ready(al_opencl_memory *memory, const al_argument *argument);

/* What a kernel gets for one array argument. Staged: a buffer of its own, as the view starts where no
 * sub-buffer may. */
typedef struct al_opencl_view {
    cl_mem buffer;
    cl_mem whole;         /* the array's; NULL: nothing is touched */
    size_t offset, bytes; /* of the view in it */
    bool owned, staged;
    cl_event after;  /* held: what must go well before the buffer holds what it should; NULL: nothing more */
    int64_t sent_ns; /* when that is expected to be over; 0: not known */
} al_opencl_view;

/* Makes the view; what is read is brought into a staged one by the compute queue. On failure *call names the
 * call. */
cl_int al_opencl_view_init(al_opencl_view *view, al_opencl_memory *memory, al_copy *copy,
                           const al_argument *argument, const char **call);
/* The same for a reduced argument: room for the values of its work-groups. */
cl_int al_opencl_view_accumulate(al_opencl_view *view, al_opencl_memory *memory, const al_accumulators *own,
                                 const char **call);
/* Lets go of it, which commands that use it survive. */
void al_opencl_view_fini(al_opencl_view *view);

#endif
