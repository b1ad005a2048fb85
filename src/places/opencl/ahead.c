#include "places/opencl/ahead.h"
#include "base/clock.h"
#include "base/thread.h"
#include "core/kernel_copy.h"
#include "core/loading.h"
#include "places/opencl/opencl.h"
#include <stdio.h>

/* The kernel may be gone by the time: its double is built. */
static void *build(void *of)
{
    al_opencl *self = of;
    al_loading_here();
    al_opencl_programs_build(&self->programs, self->ahead.kernel, self->ahead.type);
    allot_kernel_release(self->ahead.kernel);
    al_loading_end();
    pthread_mutex_lock(&self->lock);
    self->ahead.building = false;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock); /* from here on the place may be gone */
    return NULL;
}

/* With the place's lock held. The thread before this one is through. */
static bool start(al_opencl *self, allot_kernel *kernel, allot_type type)
{
    al_opencl_ahead *ahead = &self->ahead;
    if (ahead->started)
        pthread_join(ahead->thread, NULL);
    ahead->started = false;
    if (!al_loading_begin())
        return false;
    ahead->kernel = kernel;
    ahead->type = type;
    ahead->until_ns = al_clock_deadline_ns(self->watchdog_ns);
    ahead->started = ahead->building = al_thread_start(&ahead->thread, "allot-build", build, self) == 0;
    if (!ahead->started)
        al_loading_end();
    return ahead->started;
}

/* True if something is being built. */
static bool begin(al_opencl *self, const al_launch *launch)
{
    allot_kernel *kernel = al_kernel_copy(launch->kernel);
    if (!kernel)
        return false;
    pthread_mutex_lock(&self->lock);
    bool may = !self->ahead.building && !self->ahead.probing && !self->closing && !self->probe_ns;
    bool begun = may && start(self, kernel, launch->type);
    bool building = self->ahead.building;
    pthread_mutex_unlock(&self->lock);
    if (!begun)
        allot_kernel_release(kernel);
    return building;
}

const char *al_opencl_ahead_prepare(al_place *place, const al_launch *launch, bool waits, double *built_s,
                                    char *room, size_t room_size)
{
    al_opencl *self = (al_opencl *)place;
    allot_status known = al_opencl_programs_look(&self->programs, launch, built_s, room, room_size);
    if (known == ALLOT_OK)
        return NULL;
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
