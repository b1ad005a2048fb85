/* A launch: a kernel, a range and checked arguments, as places see it. */
#ifndef AL_CORE_LAUNCH_H
#define AL_CORE_LAUNCH_H

#include "core/array.h"
#include "core/call.h"
#include "core/kernel.h"
#include "core/reduce.h"

typedef struct al_argument {
    const allot_param *param;
    allot_type type;   /* resolved: never ALLOT_T */
    allot_view view;   /* of an array, held; array NULL: a scalar. A sliced view is cut to the range */
    size_t begin, end; /* the bytes of the array from its first to its last touched element; empty if none */
    allot_access access; /* what must happen to [begin, end): a write that leaves holes is ALLOT_READ_WRITE */
    allot_value value;   /* scalar: complete. array: count, shape, stride; data is NULL here */
    _Alignas(16) unsigned char scalar[16]; /* the scalar converted to `type`, or a struct that fits */
    void *block;                           /* a struct that does not; owned */
    size_t bytes;                          /* of the scalar, the struct, or local memory */
    al_accumulators own;                   /* of a reduced parameter, while the launch runs */
} al_argument;

typedef struct al_launch {
    const allot_kernel *kernel; /* held */
    allot_type type;            /* T */
    allot_ndrange range;        /* rank 1 to 3, unused dimensions 1 */
    size_t items;               /* product of the range; 0: nothing to do */
    allot_work work;
    bool deterministic; /* cut at boundaries that depend on the range alone */
    /* Filled by the place before it completes the task. */
    al_moved moved;
    int64_t compiled_ns, ran_ns;
    size_t work_group[3];        /* of a device's run */
    const char *work_group_from; /* in words, static; NULL: there were none */
    size_t arg_count;
    al_argument args[];
} al_launch;

/* Checks everything about a launch and makes its private copy, holding kernel and arrays; NULL with status
 * and failure set. */
al_launch *al_launch_create(const allot_kernel *kernel, allot_ndrange range, const allot_arg *args,
                            size_t arg_count, allot_status *status, al_failure *failure);
void al_launch_destroy(al_launch *launch);

/* What the arguments are, without their data: for a kernel's own check and work. */
void al_launch_shapes(const al_launch *launch, allot_value *values);

/* For a place whose foreign code may come back after the launch was given up: a launch of its own to work on.
 * The copy, in al_launch_bytes() of room, holds the arrays but not the kernel, and has no accumulators;
 * al_launch_release_arrays() and the room's own end are its end. */
size_t al_launch_bytes(const al_launch *launch);
void al_launch_copy(al_launch *copy, const al_launch *launch);
/* The other way: what the place found out of it. */
void al_launch_report(al_launch *launch, const al_launch *copy);

/* Lets go of the arrays early: the launch is over, but its future may still be held. The arguments must not
 * be used any more. */
void al_launch_release_arrays(al_launch *launch);

static inline bool al_argument_is_array(const al_argument *argument)
{
    return argument->view.array != NULL;
}

static inline bool al_launch_has_offset(const al_launch *launch)
{
    return launch->range.offset[0] || launch->range.offset[1] || launch->range.offset[2];
}

/* Byte offset in its array of an array argument's element (0, 0, 0). */
size_t al_argument_offset(const al_argument *argument);

/* What a scalar parameter gets; NULL of local memory. */
static inline const void *al_argument_data(const al_argument *argument)
{
    return argument->param->local ? NULL : argument->block ? argument->block : argument->scalar;
}

static inline bool al_argument_is_reduced(const al_argument *argument)
{
    return al_argument_is_array(argument) && argument->param->distribution == ALLOT_REDUCED;
}

/* Makes all arrays current in `memory` (NULL: the host's), before the variant runs; copies[i] (may be NULL
 * altogether) receives argument i's copy, NULL for scalars. Adds to launch->moved. Of reduced parameters only
 * accumulators go there: see al_launch_accumulate(). */
allot_status al_launch_acquire(al_launch *launch, al_memory *memory, al_copy **copies, al_failure *failure);

/* Makes `count` accumulators for each reduced parameter, `align_bytes` apart or a multiple of it, set to the
 * identity. Shared: in pages that workers can map. Does nothing for a launch that reduces nothing. */
allot_status al_launch_accumulate(al_launch *launch, size_t count, size_t align_bytes, bool shared,
                                  al_failure *failure);

/* Combines the accumulators into their arrays, and tells the arrays what was written in `memory`; call after
 * success, before al_task_complete(). */
void al_launch_publish(al_launch *launch, al_memory *memory);

/* After it failed in `memory`: what the host has is to be brought there again, and what it writes is half
 * written if `written`. */
void al_launch_spoil(al_launch *launch, al_memory *memory, bool written);
/* True if a launch that failed can be run once more: all it reads is still there as it was. */
bool al_launch_intact(const al_launch *launch);

/* Fills values[arg_count] for a C variant on the host's memory. */
void al_launch_host_values(const al_launch *launch, allot_value *values);

/* Runs the C variant for part `index` of `parts`, with the given values and, for what it reduces, accumulator
 * `index`. `call` is the running call. */
allot_status al_launch_run(const al_launch *launch, allot_call *call, const allot_value *values, size_t parts,
                           size_t index);

/* All that a launch over an empty range comes to: what it reduces is the identity. */
allot_status al_launch_run_empty(al_launch *launch, al_failure *failure);

/* How many parts a pool of `workers` should cut the range into: at least 1, so that no part is below the
 * kernel's grain; of a deterministic launch the same for any number of workers. */
size_t al_launch_parts(const al_launch *launch, size_t workers);

/* Part `index` of `parts`: *begin and *end of the first dimension. The parts are disjoint, in order, and
 * cover it. */
void al_launch_part(const al_launch *launch, size_t parts, size_t index, size_t *begin, size_t *end);

#endif
