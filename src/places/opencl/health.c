#include "places/opencl/health.h"
#include "base/clock.h"
#include "base/setting.h"
#include "base/thread.h"
#include "places/opencl/error.h"
#include "places/opencl/flight.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Set aside ---- */

/* Codes of the CL_INVALID_ kind say that a call was wrong, not that the device failed. */
static bool is_fault(cl_int code)
{
    return code < CL_SUCCESS && (code > CL_INVALID_VALUE || code < CL_MAX_SIZE_RESTRICTION_EXCEEDED);
}

/* No launch goes past the queue any more: a probe may replace what it would use. */
static void set_aside(al_opencl *self, const char *message)
{
    atomic_store_explicit(&self->direct, false, memory_order_relaxed);
    al_place_set_aside(&self->place, message);
    pthread_mutex_lock(&self->lock);
    if (self->probe_ns == 0) {
        self->pause_ns = self->pause_ns ? self->pause_ns : AL_OPENCL_PAUSE_NS;
        self->probe_ns = al_clock_now_ns() + self->pause_ns;
    }
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

void al_opencl_health_note(al_opencl *self, cl_int code, const char *message)
{
    if (code != CL_SUCCESS && !is_fault(code))
        return;
    if (code == CL_SUCCESS) {
        if (atomic_load_explicit(&self->failures, memory_order_relaxed))
            atomic_store_explicit(&self->failures, 0, memory_order_relaxed);
        return;
    }
    unsigned failures = atomic_fetch_add_explicit(&self->failures, 1, memory_order_relaxed) + 1;
    if (code == CL_DEVICE_NOT_AVAILABLE || failures == AL_OPENCL_FAILURES_MAX)
        set_aside(self, message ? message : al_opencl_error_name(code));
}

/* ---- Probes ---- */

bool al_opencl_health_due(const al_opencl *self, int64_t *when)
{
    bool idle =
        self->probe_ns && !self->flights && !self->queue.length && !self->closing && !self->ahead.building;
    *when = idle ? self->probe_ns : INT64_MAX;
    return idle && al_clock_passed(self->probe_ns);
}

static bool works(al_opencl_device *device)
{
    static const unsigned char pattern[64] = "what a device that works gives back as it got it";
    unsigned char answer[sizeof pattern] = { 0 };
    return device->context &&
           clEnqueueWriteBuffer(device->compute, device->dummy, CL_TRUE, 0, sizeof pattern, pattern, 0, NULL,
                                NULL) == CL_SUCCESS &&
           clEnqueueReadBuffer(device->compute, device->dummy, CL_TRUE, 0, sizeof answer, answer, 0, NULL,
                               NULL) == CL_SUCCESS &&
           clFinish(device->upload) == CL_SUCCESS && clFinish(device->compute) == CL_SUCCESS &&
           clFinish(device->download) == CL_SUCCESS && memcmp(pattern, answer, sizeof answer) == 0;
}

/* Puts a new context in the place of one that is lost, with all that was made in it. The data that was
 * current there alone is brought back, or poisoned. */
static bool reopen(al_opencl *self)
{
    al_opencl_device anew = self->device;
    al_failure failure = { 0 };
    anew.context = NULL;
    anew.upload = anew.compute = anew.download = NULL;
    anew.dummy = NULL;
    bool open = al_opencl_device_open(&anew, &failure) == ALLOT_OK && works(&anew);
    al_failure_fini(&failure);
    if (!open) {
        al_opencl_device_close(&anew);
        return false;
    }
    al_opencl_memory_clear(&self->memory);
    al_opencl_programs_clear(&self->programs);
    al_opencl_device_close(&self->device);
    self->device.context = anew.context;
    self->device.compute = anew.compute;
    self->device.upload = anew.upload;
    self->device.download = anew.download;
    self->device.dummy = anew.dummy;
    atomic_store(&self->device.shares_pages, atomic_load(&anew.shares_pages));
    atomic_store(&self->memory.base.shares_host, atomic_load(&anew.shares_pages));
    return true;
}

void al_opencl_health_probe(al_opencl *self)
{
    bool well = works(&self->device) || reopen(self);
    pthread_mutex_lock(&self->lock);
    /* Also after success: a device that only pretends is tried less and less often. */
    self->pause_ns =
        self->pause_ns < AL_OPENCL_PAUSE_MAX_NS / 2 ? self->pause_ns * 2 : AL_OPENCL_PAUSE_MAX_NS;
    self->probe_ns = well ? 0 : al_clock_now_ns() + self->pause_ns;
    pthread_mutex_unlock(&self->lock);
    if (!well)
        return;
    atomic_store_explicit(&self->failures, 0, memory_order_relaxed);
    al_place_restore(&self->place);
}

/* ---- Launches that do not end ---- */

static int64_t watchdog_ns(void)
{
    return (int64_t)(al_setting("ALLOT_WATCHDOG_S", 1e-3, 1e9, AL_OPENCL_WATCHDOG_S) * 1e9);
}

int64_t al_opencl_health_allows(const al_opencl *self, int64_t expected_ns)
{
    int64_t most_ns = INT64_MAX / AL_OPENCL_TIMES_AS_LONG;
    int64_t long_ns = expected_ns < most_ns ? expected_ns * AL_OPENCL_TIMES_AS_LONG : INT64_MAX;
    return long_ns > self->watchdog_ns ? long_ns : self->watchdog_ns;
}

/* With the place's lock held: what the oldest launch was allowed, if it has had it; else 0. One that has not
 * begun counts as claimed. */
static int64_t overdue_ns(const al_opencl *self)
{
    const al_opencl_flight *oldest = self->first;
    while (oldest && atomic_load_explicit(&oldest->claimed, memory_order_acquire)) /* pairs with filling it */
        oldest = oldest->next;
    if (!oldest || self->stuck)
        return 0;
    int64_t ended_ns = atomic_load_explicit(&self->ended_ns, memory_order_relaxed);
    int64_t since_ns = ended_ns > oldest->began_ns ? ended_ns : oldest->began_ns;
    return al_clock_now_ns() - since_ns > oldest->allowed_ns ? oldest->allowed_ns : 0;
}

void al_opencl_health_refuse(al_opencl *self, al_task *task)
{
    al_failure failure = { 0 };
    if (!al_place_start(&self->place, task))
        return;
    al_failure_set(&failure, ALLOT_DEVICE, "%s: %s does not end what it was given before", al_task_name(task),
                   self->device.name);
    al_place_fail(&self->place, task, ALLOT_DEVICE, &failure, 0);
}

/* With the place's lock held, which is dropped meanwhile. */
static void refuse_queue(al_opencl *self)
{
    while (self->stuck && self->queue.length) {
        al_task *task = al_opencl_bands_pop(&self->queue);
        task->more->slot = NULL;
        pthread_mutex_unlock(&self->lock);
        al_opencl_health_refuse(self, task);
        pthread_mutex_lock(&self->lock);
    }
}

/* All of them at once: what is behind a kernel that does not end does not either. */
static void give_up_all(al_opencl *self, al_opencl_flight **flights, size_t count, int64_t allowed_ns)
{
    char message[256];
    snprintf(message, sizeof message, "a launch has not ended on %s for %.3g s: given up", self->device.name,
             (double)allowed_ns * 1e-9);
    set_aside(self, message);
    for (size_t i = 0; i < count; i++) {
        al_opencl_flight_give_up(flights[i], message);
        al_opencl_flight_release(flights[i]);
    }
}

/* With the place's lock held: while the program was stopped, its launches could not end. */
static void allow_more(al_opencl *self, int64_t late_ns)
{
    for (al_opencl_flight *it = self->first; it; it = it->next)
        if (!atomic_load_explicit(&it->claimed, memory_order_acquire) && it->allowed_ns < INT64_MAX - late_ns)
            it->allowed_ns += late_ns;
}

static void check(al_opencl *self, int64_t late_ns)
{
    al_opencl_flight *flights[AL_OPENCL_FLIGHTS_MAX + 1];
    size_t count = 0;
    pthread_mutex_lock(&self->lock);
    if (late_ns > 0)
        allow_more(self, late_ns);
    int64_t allowed_ns = overdue_ns(self);
    if (allowed_ns) {
        self->stuck = true;
        for (al_opencl_flight *it = self->first; it && count <= AL_OPENCL_FLIGHTS_MAX; it = it->next) {
            al_opencl_flight_hold(it);
            flights[count++] = it;
        }
    }
    pthread_mutex_unlock(&self->lock);
    if (count)
        give_up_all(self, flights, count, allowed_ns);
    pthread_mutex_lock(&self->lock);
    refuse_queue(self);
    pthread_mutex_unlock(&self->lock);
}

/* ---- The watch: one thread for all devices, while there are any ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static pthread_cond_t changed; /* of the monotonic clock; made with the first thread */
static al_opencl *watched, *checking;
static uint64_t round_number;
static uintptr_t generation; /* a thread of an earlier generation ends */
static bool running, hurry, made;
static pthread_t thread;

/* A place that has not been looked at in this round. */
static al_opencl *next_unseen(void)
{
    al_opencl *it = watched;
    while (it && it->watch_round == round_number)
        it = it->next_watched;
    return it;
}

static void check_all_locked(int64_t late_ns)
{
    round_number++;
    while ((checking = next_unseen())) {
        checking->watch_round = round_number;
        pthread_mutex_unlock(&lock);
        check(checking, late_ns);
        pthread_mutex_lock(&lock);
        checking = NULL;
        pthread_cond_broadcast(&changed);
    }
}

/* Often enough to see what is overdue a fourth of its time later. */
static int64_t pause_locked(void)
{
    int64_t pause_ns = AL_OPENCL_WATCHDOG_S * INT64_C(1000000000);
    for (const al_opencl *it = watched; it; it = it->next_watched)
        pause_ns = it->watchdog_ns < pause_ns ? it->watchdog_ns : pause_ns;
    return pause_ns / 4;
}

/* `of`: its generation, since it may be over before its thread has begun. A program that is stopped for a
 * while, or its machine, shows by this thread's being late: what it would have slept through is not seen. */
static void *keep_watch(void *of)
{
    const uintptr_t mine = (uintptr_t)of;
    pthread_mutex_lock(&lock);
    for (;;) {
        int64_t until_ns = al_clock_now_ns() + pause_locked();
        const struct timespec until = al_clock_timespec(until_ns);
        if (mine == generation && !hurry)
            pthread_cond_timedwait(&changed, &lock, &until);
        if (mine != generation)
            break;
        hurry = false;
        check_all_locked(al_clock_now_ns() - until_ns);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static bool start_locked(void)
{
    if (!made)
        al_condition_init(&changed);
    made = true;
    running = al_thread_start(&thread, NULL, keep_watch, (void *)generation) == 0;
    return running;
}

bool al_opencl_health_watch(al_opencl *self)
{
    self->watchdog_ns = watchdog_ns();
    pthread_mutex_lock(&lock);
    self->next_watched = watched;
    self->watch_round = round_number;
    watched = self;
    bool watching = running || start_locked();
    if (!watching)
        watched = self->next_watched;
    else
        pthread_cond_broadcast(&changed); /* it may want to be looked at more often than others */
    pthread_mutex_unlock(&lock);
    return watching;
}

void al_opencl_health_unwatch(al_opencl *self)
{
    pthread_mutex_lock(&lock);
    al_opencl **link = &watched;
    while (*link && *link != self)
        link = &(*link)->next_watched;
    if (*link)
        *link = self->next_watched;
    while (checking == self)
        pthread_cond_wait(&changed, &lock);
    bool last = running && !watched;
    if (last) {
        pthread_t ending = thread;
        running = false;
        generation++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        pthread_join(ending, NULL);
        return;
    }
    pthread_mutex_unlock(&lock);
}

void al_opencl_health_hurry(void)
{
    pthread_mutex_lock(&lock);
    hurry = true;
    if (made)
        pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
