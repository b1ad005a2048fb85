#include "places/opencl/room.h"
#include "base/clock.h"
#include <stdio.h>

#define LOOK_AGAIN_NS INT64_C(10000000) /* also where nobody says that something changed */

/* ---- Launches ---- */

static bool is_again(const al_launch *launch, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (launch->args[i].view.array == launch->args[index].view.array)
            return true;
    return false;
}

static bool is_placed(const al_argument *argument)
{
    return al_argument_is_array(argument) && !al_argument_is_reduced(argument);
}

bool al_opencl_room_fits(const al_opencl_memory *memory, const al_launch *launch, char *why, size_t why_size)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < launch->arg_count && memory->budget_bytes; i++) {
        const al_argument *argument = &launch->args[i];
        if (is_placed(argument) && !is_again(launch, i))
            bytes += al_opencl_memory_needs(memory, argument->view.array);
    }
    if (bytes <= memory->budget_bytes || !memory->budget_bytes)
        return true;
    snprintf(why, why_size,
             "its arrays take %llu bytes together, more than the %llu that may be used of %.60s",
             (unsigned long long)bytes, (unsigned long long)memory->budget_bytes, memory->device->name);
    return false;
}

/* Sequentially consistent: who looks for copies to evict has said before that he waits. */
void al_opencl_room_pin(const al_launch *launch)
{
    for (size_t i = 0; i < launch->arg_count; i++)
        if (is_placed(&launch->args[i]))
            atomic_fetch_add(&launch->args[i].view.array->pins, 1);
}

void al_opencl_room_unpin(al_opencl_memory *memory, const al_launch *launch)
{
    for (size_t i = 0; i < launch->arg_count; i++)
        if (is_placed(&launch->args[i]))
            atomic_fetch_sub(&launch->args[i].view.array->pins, 1);
    if (!atomic_load(&memory->wanting))
        return;
    pthread_mutex_lock(&memory->room);
    pthread_cond_signal(&memory->roomier);
    pthread_mutex_unlock(&memory->room);
}

/* ---- Eviction ---- */

static al_opencl_copy *copy_from(al_copy *copy)
{
    return (al_opencl_copy *)copy; /* the first member */
}

/* The copy that was not used for longest, of those used after that moment and not pinned, its array held;
 * NULL: there is none. Only the caller's thread takes copies away from arrays that live. */
static al_opencl_copy *oldest_after(al_opencl_memory *memory, uint64_t moment)
{
    al_opencl_copy *oldest = NULL;
    pthread_mutex_lock(&memory->base.lock);
    for (al_copy *it = memory->base.copies; it; it = it->next_of_memory) {
        uint64_t used = atomic_load_explicit(&copy_from(it)->used, memory_order_relaxed);
        bool worth = copy_from(it)->room_bytes && used > moment && !atomic_load(&it->array->pins);
        if (worth && (!oldest || used < atomic_load_explicit(&oldest->used, memory_order_relaxed)))
            oldest = copy_from(it);
    }
    if (oldest && !al_array_try_hold(oldest->copy.array))
        oldest = NULL; /* on its way out: there will be room */
    pthread_mutex_unlock(&memory->base.lock);
    return oldest;
}

/* ALLOT_UNSUPPORTED, without a failure: there is none that could go now. */
static allot_status evict_one(al_opencl_memory *memory, al_failure *failure)
{
    allot_status status = ALLOT_UNSUPPORTED;
    uint64_t moment = 0;
    for (al_opencl_copy *oldest; status == ALLOT_UNSUPPORTED && (oldest = oldest_after(memory, moment));) {
        moment = atomic_load_explicit(&oldest->used, memory_order_relaxed);
        status = al_memory_try_evict(&oldest->copy, failure);
    }
    return status;
}

static void await_change(al_opencl_memory *memory)
{
    const struct timespec until = al_clock_timespec(al_clock_now_ns() + LOOK_AGAIN_NS);
    pthread_cond_timedwait(&memory->roomier, &memory->room, &until);
}

/* With the lock held, which is dropped meanwhile. */
static allot_status make_room(al_opencl_memory *memory, size_t bytes, al_failure *failure)
{
    allot_status status = ALLOT_OK;
    while (status == ALLOT_OK && memory->budget_bytes && memory->room_bytes + bytes > memory->budget_bytes) {
        pthread_mutex_unlock(&memory->room);
        status = evict_one(memory, failure);
        pthread_mutex_lock(&memory->room);
        if (status != ALLOT_UNSUPPORTED)
            continue;
        status = ALLOT_OK;
        if (memory->room_bytes + bytes > memory->budget_bytes)
            await_change(memory);
    }
    return status;
}

allot_status al_opencl_room_take(al_opencl_memory *memory, size_t bytes, al_failure *failure)
{
    atomic_store(&memory->wanting, true);
    pthread_mutex_lock(&memory->room);
    allot_status status = make_room(memory, bytes, failure);
    if (status == ALLOT_OK)
        memory->room_bytes += bytes;
    pthread_mutex_unlock(&memory->room);
    atomic_store(&memory->wanting, false);
    return status;
}

void al_opencl_room_give(al_opencl_memory *memory, size_t bytes)
{
    if (!bytes)
        return;
    pthread_mutex_lock(&memory->room);
    memory->room_bytes -= bytes;
    pthread_cond_signal(&memory->roomier);
    pthread_mutex_unlock(&memory->room);
}
