/* A device's memory: a copy of an array is one buffer, made when first needed, over the host's own pages
 * where the device shares them. */
#ifndef AL_PLACES_OPENCL_MEMORY_H
#define AL_PLACES_OPENCL_MEMORY_H

#include "core/launch.h"
#include "places/opencl/device.h"

typedef struct al_opencl_memory {
    al_memory base;
    al_opencl_device *device;
    pthread_mutex_t announcing; /* guards what each copy announced last */
    _Atomic bool busy;          /* other launches are on their way: uploads need not be waited for */
    _Atomic uint64_t
        fs_per_byte;           /* femtoseconds, as the latest upload that was waited for took; 0: none was */
    _Atomic int64_t sent_ns;   /* when all uploads are expected to be over */
    _Atomic unsigned uploads;  /* that were not */
    _Atomic(al_copy *) graves; /* of arrays that were freed in a driver's callback, linked by next_of_array */
} al_opencl_memory;

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
