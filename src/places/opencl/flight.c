#include "places/opencl/flight.h"
#include "base/clock.h"
#include "places/opencl/health.h"
#include "places/opencl/room.h"
#include <stdlib.h>

#define ROOM                                                                                                 \
    2048 /* bytes for a launch in a flight that is kept: several arguments; a multiple of its alignment */

#define FETCHED_AHEAD 256 /* bytes of it: a small launch */

/* ---- Life ---- */

static size_t padded(size_t bytes)
{
    size_t alignment = _Alignof(al_launch);
    return (bytes + alignment - 1) / alignment * alignment;
}

/* Larger than it need be where it may be used again. */
static al_opencl_flight *make(al_opencl *self, size_t bytes)
{
    size_t before = padded(sizeof(al_opencl_flight)), room = bytes < ROOM ? ROOM : padded(bytes);
    al_opencl_flight *flight = aligned_alloc(_Alignof(al_launch), before + room);
    if (!flight)
        return NULL;
    *flight = (al_opencl_flight){ .self = self, .holders = 1, .claimed = true, .room = room };
    return flight;
}

/* Till it is filled nobody ends its task. */
static void fill(al_opencl_flight *flight, al_task *task)
{
    int64_t charged_ns = atomic_load_explicit(&task->more->charged_ns, memory_order_relaxed);
    flight->task = task;
    flight->launch = (al_launch *)((unsigned char *)flight + padded(sizeof *flight));
    al_launch_copy(flight->launch, al_task_launch(task));
    al_opencl_room_pin(flight->launch);
    flight->pinned = true;
    flight->began_ns = task->more->started_ns ? task->more->started_ns : al_clock_now_ns();
    flight->allowed_ns = al_opencl_health_allows(flight->self, charged_ns);
    atomic_store_explicit(&flight->claimed, false, memory_order_release); /* pairs with claiming it */
}

al_opencl_flight *al_opencl_flight_begin(al_opencl *self, al_task *task, al_opencl_flight *reserved)
{
    size_t bytes = al_launch_bytes(al_task_launch(task));
    if (reserved && reserved->room >= bytes) {
        fill(reserved, task);
        return reserved;
    }
    al_opencl_flight *flight = make(self, bytes);
    if (!flight)
        return NULL;
    al_opencl_take_off(self, flight, !reserved);
    if (reserved)
        al_opencl_flight_release(reserved);
    fill(flight, task);
    return flight;
}

bool al_opencl_flight_is_spare(const al_opencl_flight *flight)
{
    return flight->room == ROOM;
}

void al_opencl_flight_empty(al_opencl_flight *flight)
{
    *flight = (al_opencl_flight){ .self = flight->self, .holders = 1, .claimed = true, .room = flight->room };
}

void al_opencl_flight_fetch(const al_opencl_flight *flight)
{
    for (size_t at = 0; flight && at < sizeof *flight + FETCHED_AHEAD; at += 64)
        __builtin_prefetch((const char *)flight + at, 1);
}

void al_opencl_flight_hold(al_opencl_flight *flight)
{
    atomic_fetch_add_explicit(&flight->holders, 1, memory_order_relaxed);
}

static void for_captives(const al_opencl_flight *flight, void (*act)(allot_array *array))
{
    for (size_t i = 0; flight->captures && i < flight->launch->arg_count; i++) {
        const al_argument *argument = &flight->launch->args[i];
        if (al_argument_is_array(argument) && argument->access & flight->captures)
            act(argument->view.array);
    }
}

/* Drops a reference unless it is the last one. */
static bool release_unless_last(_Atomic uint32_t *count)
{
    uint32_t references = atomic_load_explicit(count, memory_order_relaxed);
    while (references > 1)
        /* acq_rel: as allot_array_release() does. */
        if (atomic_compare_exchange_weak_explicit(count, &references, references - 1, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return true;
    return false;
}

/* Lets go of the arrays but of those that nobody else holds any more: true if none is left. */
static bool release_most_arrays(al_launch *launch)
{
    bool all = true;
    for (size_t i = 0; i < launch->arg_count; i++) {
        allot_array **array = &launch->args[i].view.array;
        if (*array && release_unless_last(&(*array)->references))
            *array = NULL;
        all = all && !*array;
    }
    return all;
}

void al_opencl_flight_bury(al_opencl_flight *flight)
{
    if (flight->launch) {
        al_launch_release_arrays(flight->launch);
        if (flight->holds_kernel)
            allot_kernel_release((allot_kernel *)flight->launch->kernel);
    }
    al_opencl_land(flight->self, flight);
}

static void unpin(al_opencl_flight *flight)
{
    if (flight->pinned)
        al_opencl_room_unpin(&flight->self->memory, flight->launch);
    flight->pinned = false;
}

/* In a driver's callback no array is freed: its memory may be the user's to free. The place's thread does,
 * which is not woken for less. */
void al_opencl_flight_release(al_opencl_flight *flight)
{
    /* acq_rel: the last holder sees all that the others did. */
    if (atomic_fetch_sub_explicit(&flight->holders, 1, memory_order_acq_rel) != 1)
        return;
    for_captives(flight, al_array_let_go);
    unpin(flight);
    if (al_opencl_here() & AL_OPENCL_CALLED_BACK && flight->launch && !release_most_arrays(flight->launch))
        al_opencl_leave_over(flight->self, flight);
    else
        al_opencl_flight_bury(flight);
}

/* ---- The end of its task ---- */

bool al_opencl_flight_claim(al_opencl_flight *flight)
{
    return !atomic_exchange_explicit(&flight->claimed, true, memory_order_acq_rel);
}

static void end(al_opencl_flight *flight, allot_status status, al_failure *failure, int64_t busy_ns)
{
    al_opencl *self = flight->self;
    if (status != ALLOT_OK)
        al_launch_spoil(flight->launch, &self->memory.base, atomic_load(&flight->written));
    if (!flight->holds_kernel) /* whose parameters are looked at: it may be gone with the task */
        unpin(flight);
    if (status == ALLOT_DEVICE || status == ALLOT_BUILD || status == ALLOT_UNSUPPORTED)
        al_place_fail(&self->place, flight->task, status, failure, busy_ns);
    else
        al_place_complete(&self->place, flight->task, status, failure, busy_ns);
}

void al_opencl_flight_land(al_opencl_flight *flight, allot_status status, al_failure *failure)
{
    if (status != ALLOT_OK)
        flight->launch->work_group_from = NULL; /* another place may run it yet */
    al_launch_report(al_task_launch(flight->task), flight->launch);
    end(flight, status, failure, flight->launch->ran_ns);
}

/* What the driver may still touch: all of it while an array is being moved, since its mover may be the thread
 * that does not come back; else what a kernel writes into the host's own pages. */
static unsigned captures(const al_opencl_flight *flight)
{
    if (!atomic_load(&flight->acquired))
        return ALLOT_READ_WRITE;
    return flight->self->device.shares_pages ? ALLOT_WRITE : 0;
}

/* What the launching thread may be writing just now, as how much was moved, is not reported. */
void al_opencl_flight_give_up(al_opencl_flight *flight, const char *message)
{
    al_failure failure = { 0 };
    if (!al_opencl_flight_claim(flight))
        return;
    allot_kernel_hold((allot_kernel *)flight->launch->kernel); /* who launches it may be on the way still */
    flight->holds_kernel = true;
    flight->captures = captures(flight);
    for_captives(flight, al_array_capture);
    atomic_store(&flight->written, true); /* or it may be at any moment */
    al_failure_set(&failure, ALLOT_DEVICE, "%s: %s", flight->launch->kernel->desc.name, message);
    end(flight, ALLOT_DEVICE, &failure, 0);
}
