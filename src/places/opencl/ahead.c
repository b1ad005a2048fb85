#include "places/opencl/ahead.h"
#include "base/clock.h"
#include "base/thread.h"
#include "core/kernel_copy.h"
#include "core/loading.h"
#include "places/opencl/opencl.h"
#include "places/opencl/pace.h"
#include <stdio.h>

/* The kernel may be gone by the time: its double is built. */
static void *build(void *of)
{
    al_opencl *self = of;
    al_loading_here();
    al_opencl_programs_build(&self->programs, self->ahead.kernel, self->ahead.type);
    if (atomic_load_explicit(&self->place.paced, memory_order_relaxed) == AL_PACE_WANTED)
        al_opencl_pace_measure(self);
    allot_kernel_release(self->ahead.kernel);
    al_loading_end();
    pthread_mutex_lock(&self->lock);
    self->ahead.building = false;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock); /* from here on the place may be gone */
    return NULL;
}

/* With the place's lock held. The thread before this one is through. */
static void start(al_opencl *self, const al_launch *launch)
{
    al_opencl_ahead *ahead = &self->ahead;
    al_opencl_ahead_join(self);
    ahead->kernel = al_kernel_copy(launch->kernel);
    if (!ahead->kernel || !al_loading_begin()) {
        allot_kernel_release(ahead->kernel);
        return;
    }
    ahead->type = launch->type;
    ahead->until_ns = al_clock_deadline_ns(self->watchdog_ns);
    ahead->started = ahead->building = al_thread_start(&ahead->thread, "allot-build", build, self) == 0;
    if (!ahead->started) {
        al_loading_end();
        allot_kernel_release(ahead->kernel);
    }
}

/* True if something is being built. */
static bool begin(al_opencl *self, const al_launch *launch)
{
    pthread_mutex_lock(&self->lock);
    if (!self->ahead.building && !self->ahead.probing && !self->closing && !self->probe_ns)
        start(self, launch);
    bool building = self->ahead.building;
    pthread_mutex_unlock(&self->lock);
    return building;
}

/* By the thread that has just built a program: it cannot be told before whether the device is worth a trial.
 */
static bool takes_pace(al_opencl *self)
{
    if (atomic_load_explicit(&self->place.paced, memory_order_relaxed) != AL_PACE_WANTED)
        return false;
    pthread_mutex_lock(&self->lock);
    bool building = self->ahead.building;
    pthread_mutex_unlock(&self->lock);
    return building;
}

const char *al_opencl_ahead_prepare(al_place *place, const al_launch *launch, bool waits, double *built_s,
                                    char *room, size_t room_size)
{
    al_opencl *self = (al_opencl *)place;
    allot_status known = al_opencl_programs_look(&self->programs, launch, built_s, room, room_size);
    if (known == ALLOT_OK)
        return takes_pace(self) ? "how fast it is is being measured" : NULL;
    if (known != ALLOT_TIMEOUT)
        return room;
    return !waits && begin(self, launch) ? "compiling in the background" : NULL;
}

void al_opencl_ahead_join(al_opencl *self)
{
    if (self->ahead.started)
        pthread_join(self->ahead.thread, NULL);
    self->ahead.started = false;
}

void al_opencl_ahead_abandon(al_opencl *self)
{
    if (self->ahead.started)
        pthread_detach(self->ahead.thread);
    self->ahead.started = false;
}
