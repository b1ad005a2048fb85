#include "places/opencl/opencl.h"
#include "base/log.h"
#include "base/clock.h"
#include "base/thread.h"
#include "places/opencl/error.h"
#include "places/opencl/flight.h"
#include "places/opencl/health.h"
#include "places/opencl/launch.h"
#include "places/opencl/pick.h"
#include "places/opencl/room.h"
#include "places/opencl/source.h"
#include "topology/topology.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static al_opencl *opencl_from(al_place *place)
{
    return (al_opencl *)place; /* the first member */
}

/* ---- What it can run ---- */

static void describe(const al_place *place, allot_place_info *info)
{
    const al_opencl *self = (const al_opencl *)place;
    const al_opencl_device *device = &self->device;
    snprintf(info->name, sizeof info->name, "%s", device->name);
    snprintf(info->driver, sizeof info->driver, "%s", device->driver);
    info->workers = device->compute_units;
    info->memory_bytes = device->memory_bytes;
    info->max_array_bytes = device->max_buffer_bytes;
    info->shares_cpus = device->on_cpu;
    info->shares_memory = atomic_load_explicit(&((al_opencl *)place)->opened, memory_order_acquire)
                              ? device->shares_pages
                              : device->unified;
    info->has_f64 = device->has_f64;
    info->numa_node = device->node;
    al_opencl_programs_tell_wrong(&((al_opencl *)place)->programs, info->message, sizeof info->message);
}

static bool type_fits(const al_opencl_device *device, allot_type type, const char *what, char *why,
                      size_t why_size)
{
    bool wide = type == ALLOT_F64 || type == ALLOT_C64;
    if ((!wide || device->has_f64) && (type != ALLOT_F16 || device->has_f16))
        return true;
    snprintf(why, why_size, "%s has no %s precision, which %s needs", device->name, wide ? "double" : "half",
             what);
    return false;
}

static bool types_fit(const al_opencl_device *device, const al_launch *launch, char *why, size_t why_size)
{
    if (!type_fits(device, launch->type, "its element type", why, why_size))
        return false;
    for (size_t i = 0; i < launch->arg_count; i++) {
        const al_argument *argument = &launch->args[i];
        /* Halves may be stored where they cannot be computed with. */
        if (argument->type != ALLOT_F16 &&
            !type_fits(device, argument->type, argument->param->name, why, why_size))
            return false;
    }
    return true;
}

static bool arrays_fit(const al_opencl_device *device, const al_launch *launch, char *why, size_t why_size)
{
    for (size_t i = 0; i < launch->arg_count; i++) {
        const al_argument *argument = &launch->args[i];
        if (!al_argument_is_array(argument) || argument->view.array->size_bytes <= device->max_buffer_bytes)
            continue;
        snprintf(why, why_size, "%s: its array of %zu bytes is larger than the largest buffer, %llu bytes",
                 argument->param->name, argument->view.array->size_bytes,
                 (unsigned long long)device->max_buffer_bytes);
        return false;
    }
    return true;
}

bool al_opencl_accepts(const al_opencl *self, const al_launch *launch, char *why, size_t why_size)
{
    if (!launch)
        snprintf(why, why_size, "an OpenCL device runs kernels, not plain functions");
    else if (!al_kernel_has_opencl(launch->kernel))
        snprintf(why, why_size, "the kernel has no OpenCL variant");
    else
        return types_fit(&self->device, launch, why, why_size) &&
               al_opencl_source_fits(&self->device, launch->kernel, why, why_size);
    return false;
}

static bool can_run(const al_place *place, const al_task *task, char *why, size_t why_size)
{
    const al_opencl *self = (const al_opencl *)place;
    const al_launch *launch = al_task_launch(task);
    return al_opencl_accepts(self, launch, why, why_size) &&
           arrays_fit(&self->device, launch, why, why_size) &&
           al_opencl_room_fits(&self->memory, launch, why, why_size) &&
           al_opencl_programs_trust(&((al_opencl *)place)->programs, launch, why, why_size);
}

/* ---- The queue and its thread ---- */

static void destroy(al_opencl *self)
{
    al_opencl_memory_fini(&self->memory);
    al_opencl_programs_fini(&self->programs);
    al_opencl_device_close(&self->device);
    if (self->device.is_part)
        clReleaseDevice(self->device.id);
    al_opencl_poll_fini(self);
    pthread_cond_destroy(&self->changed);
    pthread_cond_destroy(&self->over);
    pthread_mutex_destroy(&self->lock);
    for (al_opencl_flight *flight; (flight = self->spare);) {
        self->spare = flight->next;
        free(flight);
    }
    free(self);
}

static void link_flight(al_opencl *self, al_opencl_flight *flight)
{
    flight->next = NULL;
    flight->previous = self->last;
    if (self->last)
        self->last->next = flight;
    else
        self->first = flight;
    self->last = flight;
}

/* With the lock held. A launch that is counted has a flight from now on, where there is a spare one. */
static al_opencl_flight *reserve(al_opencl *self, const al_task *task)
{
    al_opencl_flight *flight = self->spare;
    self->flights++;
    atomic_store_explicit(&self->memory.busy, self->flights > 1, memory_order_relaxed);
    if (!flight)
        return NULL;
    self->spare = flight->next;
    al_opencl_flight_fetch(self->spare);
    al_opencl_flight_empty(flight); /* now, since this thread is to write it anyhow, and not its last user */
    flight->ahead_ns = atomic_load_explicit(&task->more->charged_ns, memory_order_relaxed);
    self->ahead_ns += flight->ahead_ns;
    link_flight(self, flight);
    return flight;
}

void al_opencl_take_off(al_opencl *self, al_opencl_flight *flight, bool counted)
{
    pthread_mutex_lock(&self->lock);
    link_flight(self, flight);
    self->flights += counted ? 0 : 1;
    pthread_mutex_unlock(&self->lock);
}

/* With the lock held: whether there may be one more when there are so many times as many, and as much ahead.
 */
static bool has_room(const al_opencl *self, unsigned times)
{
    unsigned flights = self->flights * times;
    return flights < AL_OPENCL_FLIGHTS_FEW ||
           (flights < AL_OPENCL_FLIGHTS_MAX && self->ahead_ns < AL_OPENCL_AHEAD_NS / (int64_t)times);
}

static void unlink_flight(al_opencl *self, al_opencl_flight *flight)
{
    if (flight->previous)
        flight->previous->next = flight->next;
    else
        self->first = flight->next;
    if (flight->next)
        flight->next->previous = flight->previous;
    else
        self->last = flight->previous;
    self->ahead_ns -= flight->ahead_ns;
}

/* Behind how many others are gathered. */
static unsigned most_direct(const al_opencl *self)
{
    return self->calm ? AL_OPENCL_FLIGHTS_MAX : AL_OPENCL_DIRECT;
}

/* With the lock held: the submission thread should go on. */
static bool is_low(const al_opencl *self)
{
    bool gathers = atomic_load_explicit(&self->direct, memory_order_relaxed) && !self->calm;
    return gathers ? self->flights <= AL_OPENCL_DIRECT / 2 : has_room(self, 2);
}

void al_opencl_land(al_opencl *self, al_opencl_flight *flight)
{
    bool kept = flight && al_opencl_flight_is_spare(flight);
    pthread_mutex_lock(&self->lock);
    if (flight)
        unlink_flight(self, flight);
    if (kept) {
        flight->next = self->spare;
        self->spare = flight;
    }
    self->flights--;
    atomic_store_explicit(&self->memory.busy, self->flights > 1, memory_order_relaxed);
    /* A full driver is filled up again by the half, and one that takes gathered launches when few are left.
     */
    bool half = self->queue.length && is_low(self);
    bool last = !self->flights && (self->closing || self->probe_ns);
    self->stuck = self->stuck && self->flights;
    if (half || last || al_opencl_memory_has_graves(&self->memory))
        pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
    if (!kept)
        free(flight);
}

void al_opencl_leave_over(al_opencl *self, al_opencl_flight *flight)
{
    pthread_mutex_lock(&self->lock);
    flight->left_over = self->leftovers;
    self->leftovers = flight;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

/* What callbacks left for this thread to free. */
static void clear_leftovers(al_opencl *self)
{
    al_opencl_flight *flight = self->leftovers;
    self->leftovers = NULL;
    pthread_mutex_unlock(&self->lock);
    al_opencl_memory_sweep(&self->memory);
    while (flight) {
        al_opencl_flight *next = flight->left_over;
        al_opencl_flight_bury(flight);
        flight = next;
    }
    pthread_mutex_lock(&self->lock);
}

static void take_one(al_opencl *self)
{
    al_task *task = al_opencl_bands_pop(&self->queue);
    task->more->slot = NULL;
    al_opencl_flight *flight = reserve(self, task);
    pthread_mutex_unlock(&self->lock);
    al_opencl_launch(self, task, flight, NULL);
    pthread_mutex_lock(&self->lock);
}

static void refuse_one(al_opencl *self)
{
    al_task *task = al_opencl_bands_pop(&self->queue);
    task->more->slot = NULL;
    pthread_mutex_unlock(&self->lock);
    al_opencl_health_refuse(self, task);
    pthread_mutex_lock(&self->lock);
}

static void probe(al_opencl *self)
{
    self->ahead.probing = true;
    pthread_mutex_unlock(&self->lock);
    al_opencl_health_probe(self);
    pthread_mutex_lock(&self->lock);
    self->ahead.probing = false;
}

static void sleep_until(al_opencl *self, int64_t when)
{
    const struct timespec until = al_clock_timespec(when);
    if (when == INT64_MAX)
        pthread_cond_wait(&self->changed, &self->lock);
    else
        pthread_cond_timedwait(&self->changed, &self->lock, &until);
}

static void serve(al_opencl *self)
{
    int64_t probe_ns;
    pthread_mutex_lock(&self->lock);
    for (;;) {
        if (self->leftovers || al_opencl_memory_has_graves(&self->memory))
            clear_leftovers(self);
        else if (self->queue.length && self->stuck)
            refuse_one(self);
        else if (self->queue.length && has_room(self, 1))
            take_one(self);
        else if (self->closing && !self->queue.length && !self->flights && !self->ahead.building)
            break;
        else if (al_opencl_health_due(self, &probe_ns))
            probe(self);
        else
            sleep_until(self, probe_ns);
    }
    pthread_mutex_unlock(&self->lock);
    al_opencl_poll_end(self); /* before anybody may free the place */
    pthread_mutex_lock(&self->lock);
    self->ended = true;
    pthread_cond_broadcast(&self->over);
    bool left_alone = self->left_alone;
    pthread_mutex_unlock(&self->lock);
    if (left_alone)
        destroy(self);
}

static void *submit_tasks(void *user)
{
    serve(user);
    return NULL;
}

/* ---- The table ---- */

static allot_status open_place(al_place *place, al_failure *failure)
{
    al_opencl *self = opencl_from(place);
    allot_status status = al_opencl_device_open(&self->device, failure);
    if (status != ALLOT_OK)
        return status;
    int error = al_thread_start(&self->thread, NULL, submit_tasks, self);
    if (error)
        return al_failure_set(failure, ALLOT_SYSTEM, "no thread for %s: %s", place->id, strerror(error));
    self->has_thread = true;
    if (!al_opencl_poll_begin(self))
        return al_failure_set(failure, ALLOT_SYSTEM, "no thread to ask %s", place->id);
    if (!al_opencl_health_watch(self))
        return al_failure_set(failure, ALLOT_SYSTEM, "no thread to watch %s", place->id);
    al_opencl_programs_recall(&self->programs);
    atomic_store(&self->memory.base.shares_host, atomic_load(&self->device.shares_pages));
    atomic_store_explicit(&self->opened, true, memory_order_release); /* pairs with describe() */
    return ALLOT_OK;
}

static bool all_ready(al_opencl *self, al_task *task)
{
    const al_launch *launch = al_task_launch(task);
    bool ready = true;
    if (!launch->arg_count)
        return true;
    if (!al_task_look(task))
        return false;
    for (size_t i = 0; ready && i < launch->arg_count; i++)
        ready = !al_argument_is_array(&launch->args[i]) ||
                al_opencl_memory_ready(&self->memory, &launch->args[i]);
    al_task_looked(task);
    return ready;
}

/* Whether nothing would hold up the launch: no compiler, no transfer, no driver that blocks. A reduction
 * makes a buffer each time. */
static bool find_warm(al_opencl *self, al_task *task, al_opencl_warm *warm)
{
    const al_launch *launch = al_task_launch(task);
    warm->program = NULL;
    if (!atomic_load_explicit(&self->direct, memory_order_relaxed) || al_opencl_here())
        return false;
    if (!launch || launch->items == 0 || launch->kernel->reduces || !all_ready(self, task))
        return false;
    return al_opencl_programs_get_warm(&self->programs, launch, warm);
}

static al_task *take_gathered(al_opencl *self, al_opencl_flight **flight)
{
    pthread_mutex_lock(&self->lock);
    bool may = self->queue.length && has_room(self, 1) && !self->probe_ns;
    al_task *task = may ? al_opencl_bands_pop(&self->queue) : NULL;
    if (task) {
        task->more->slot = NULL;
        *flight = reserve(self, task);
    }
    pthread_mutex_unlock(&self->lock);
    return task;
}

/* One that would hold up this thread is the submission thread's. */
static void leave_to_thread(al_opencl *self, al_task *task, al_opencl_flight *flight)
{
    pthread_mutex_lock(&self->lock);
    task->more->slot = self;
    al_opencl_bands_push_first(&self->queue, task);
    pthread_mutex_unlock(&self->lock);
    if (flight)
        al_opencl_flight_release(flight);
    else
        al_opencl_land(self, NULL);
    pthread_cond_signal(&self->changed);
}

static void hand_over(al_opencl *self)
{
    al_opencl_flight *flight;
    al_task *task;
    al_opencl_warm warm;
    for (size_t i = 0; i < AL_OPENCL_BURST && (task = take_gathered(self, &flight)); i++) {
        if (!find_warm(self, task, &warm)) {
            leave_to_thread(self, task, flight);
            return;
        }
        al_opencl_launch(self, task, flight, &warm);
    }
}

/* A warm launch goes to the driver from here, which saves waking the submission thread, unless others wait
 * before it. */
static void enqueue(al_place *place, al_task *task)
{
    al_opencl *self = opencl_from(place);
    al_opencl_warm has;
    bool warm = find_warm(self, task, &has);
    if (self->device.on_cpu && !self->poll.on)
        al_future_no_spin(&task->future);
    al_opencl_flight *flight = NULL;
    pthread_mutex_lock(&self->lock);
    bool room = has_room(self, 1);
    bool direct = warm && room && !self->queue.length && self->flights < most_direct(self) && !self->probe_ns;
    bool stuck = self->stuck;
    bool burst = warm && room && self->queue.length + 1 >= AL_OPENCL_BURST && !self->probe_ns;
    bool wake = stuck || (room && !burst && (!warm || self->flights <= most_direct(self) / 2));
    if (direct)
        flight = reserve(self, task);
    else {
        task->more->slot = self;
        al_opencl_bands_push(&self->queue, task);
    }
    pthread_mutex_unlock(&self->lock);
    if (direct) {
        al_opencl_launch(self, task, flight, &has);
        return;
    }
    al_opencl_pick_nothing(&self->programs, &has);
    if (burst)
        hand_over(self);
    if (wake)
        pthread_cond_signal(&self->changed);
    if (stuck) /* that thread may be in the driver */
        al_opencl_health_hurry();
}

static al_task *withdraw(al_place *place, al_task *which)
{
    al_opencl *self = opencl_from(place);
    pthread_mutex_lock(&self->lock);
    al_task *given = which ? which : al_opencl_bands_last(&self->queue);
    if (given && given->more->slot == self) {
        given->more->slot = NULL;
        al_opencl_bands_remove(&self->queue, given);
    } else
        given = NULL;
    pthread_mutex_unlock(&self->lock);
    return given;
}

/* No driver lets go of a kernel that runs: the future ends when the kernel does. */
static void stop(al_place *place, al_task *task, int64_t grace_ns)
{
    (void)place;
    (void)task;
    (void)grace_ns;
}

/* How long closing waits: a launch that was given up is not waited for long, a compiler till it is late. */
static int64_t patience_ns(const al_opencl *self, int64_t begun_ns)
{
    int64_t least_ns = begun_ns + AL_OPENCL_CLOSE_NS;
    if (self->stuck)
        return least_ns;
    bool builds = self->ahead.building && !self->flights && !self->queue.length;
    return !builds ? INT64_MAX : self->ahead.until_ns > least_ns ? self->ahead.until_ns : least_ns;
}

/* True once the place's thread is through; false: it will not be for long, if ever. */
static bool await_end(al_opencl *self)
{
    int64_t begun_ns = al_clock_now_ns();
    int error = 0;
    pthread_mutex_lock(&self->lock);
    self->closing = true;
    pthread_cond_signal(&self->changed);
    while (!self->ended && !error) {
        int64_t until_ns = patience_ns(self, begun_ns);
        const struct timespec until = al_clock_timespec(until_ns);
        error = until_ns != INT64_MAX ? pthread_cond_timedwait(&self->over, &self->lock, &until)
                                      : pthread_cond_wait(&self->over, &self->lock);
    }
    bool ended = self->ended;
    pthread_mutex_unlock(&self->lock);
    return ended;
}

/* A device that still runs a launch that was given up: what it may touch stays, and is freed when that is
 * over. */
static void leave_alone(al_opencl *self)
{
    al_log(AL_LOG_WARNING, "%s still runs a launch that was given up, or a compiler: it is left alone",
           self->device.name);
    al_opencl_ahead_abandon(self);
    al_memory_abandon(&self->memory.base, "its device did not end what it was given");
    pthread_detach(self->thread);
    pthread_mutex_lock(&self->lock);
    self->left_alone = true;
    bool ended = self->ended;
    pthread_mutex_unlock(&self->lock);
    if (ended) /* just now, and it did not know */
        destroy(self);
}

static void close_place(al_place *place)
{
    al_opencl *self = opencl_from(place);
    bool ended = !self->has_thread || await_end(self);
    if (self->has_thread)
        al_opencl_health_unwatch(self);
    if (!ended) {
        leave_alone(self);
        return;
    }
    if (self->has_thread)
        pthread_join(self->thread, NULL);
    al_opencl_ahead_join(self);
    if (self->has_thread && atomic_load(&place->state) != ALLOT_PLACE_ASIDE)
        al_opencl_programs_keep(&self->programs);
    destroy(self);
}

static const al_place_ops opencl_ops = {
    .describe = describe,
    .can_run = can_run,
    .open = open_place,
    .enqueue = enqueue,
    .withdraw = withdraw,
    .stop = stop,
    .close = close_place,
};

/* ---- Birth ---- */

/* Parts that are as large are alike, whichever they are. */
static void name_place(al_opencl *self, al_opencl_which which)
{
    al_opencl_device *device = &self->device;
    char name[64], alike[sizeof device->name + sizeof device->driver + 64];
    int used = snprintf(name, sizeof name, "opencl:%zu", which.index);
    if (which.part)
        snprintf(name + used, sizeof name - (size_t)used, "/%u", which.part);
    used = snprintf(alike, sizeof alike, "opencl:%s, %s", device->name, device->driver);
    if (which.part) {
        char words[32];
        snprintf(alike + used, sizeof alike - (size_t)used, ", a part of %d", device->compute_units);
        int length = snprintf(words, sizeof words, " / %u of %u", which.part, which.parts);
        size_t end = strnlen(device->name, sizeof device->name - 1 - (size_t)length);
        strcpy(device->name + end, words);
    }
    self->place.id = al_intern(name);
    self->place.class_id = al_intern(alike);
}

/* A device on the CPUs may claim more units than there are (llvmpipe). */
static int width_of(const al_opencl_device *device)
{
    int units = (int)device->compute_units, cpus = al_usable_cpus();
    return device->on_cpu && cpus > 0 && units > cpus ? cpus : units;
}

al_place *al_opencl_create(cl_platform_id platform, cl_device_id id, al_opencl_which which)
{
    al_opencl *self = al_place_allocate(sizeof *self);
    if (!self)
        return NULL;
    al_opencl_device_describe(&self->device, platform, id);
    self->device.is_part = which.part != 0;
    name_place(self, which);
    al_opencl_memory_init(&self->memory, &self->device);
    al_opencl_programs_init(&self->programs, &self->device);
    pthread_mutex_init(&self->lock, NULL);
    al_condition_init(&self->changed);
    al_condition_init(&self->over);
    al_opencl_poll_init(self);
    self->memory.leaves = self->poll.on;
    self->place.ops = &opencl_ops;
    self->place.kind = ALLOT_OPENCL;
    self->place.device_types = self->device.types;
    self->place.name = self->device.name;
    self->place.driver = self->device.driver;
    self->place.memory = &self->memory.base;
    self->place.shares_cpus = self->device.on_cpu;
    self->place.width = width_of(&self->device);
    self->place.node = self->device.node + 1;
    self->place.prepare = al_opencl_ahead_prepare;
    atomic_init(&self->place.workers, self->device.compute_units);
    return &self->place;
}
