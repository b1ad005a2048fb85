/* What happens next, and when: the devices' events in a heap, and the threads that wait for them to happen.
 */
#include "places/sim/engine.h"
#include "core/wait.h"
#include <sched.h>

/* So many steps are made before it is looked whether what is waited for has come by another way. */
#define STEPS 4096

/* ---- Events: a binary heap over the devices, by time, then in the order in which they were made ---- */

static bool is_sooner(const al_sim_device *a, const al_sim_device *b)
{
    return a->event_ns != b->event_ns ? a->event_ns < b->event_ns : a->event_order < b->event_order;
}

static void put(al_sim *sim, size_t at, al_sim_device *device)
{
    sim->events[at] = device;
    device->event_at = at;
}

static void rise(al_sim *sim, size_t at, al_sim_device *device)
{
    while (at && is_sooner(device, sim->events[(at - 1) / 2])) {
        put(sim, at, sim->events[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(sim, at, device);
}

static void sink(al_sim *sim, size_t at, al_sim_device *device)
{
    for (size_t child; (child = 2 * at + 1) < sim->event_count; at = child) {
        if (child + 1 < sim->event_count && is_sooner(sim->events[child + 1], sim->events[child]))
            child++;
        if (!is_sooner(sim->events[child], device))
            break;
        put(sim, at, sim->events[child]);
    }
    put(sim, at, device);
}

static void settle(al_sim *sim, size_t at, al_sim_device *device)
{
    if (at && is_sooner(device, sim->events[(at - 1) / 2]))
        rise(sim, at, device);
    else
        sink(sim, at, device);
}

void al_sim_clear_event(al_sim_device *device)
{
    al_sim *sim = device->sim;
    size_t at = device->event_at;
    if (at == SIZE_MAX)
        return;
    device->event_at = SIZE_MAX;
    al_sim_device *last = sim->events[--sim->event_count];
    if (last != device)
        settle(sim, at, last);
}

void al_sim_set_event(al_sim_device *device, int64_t at_ns)
{
    al_sim *sim = device->sim;
    al_sim_clear_event(device);
    device->event_ns = at_ns;
    device->event_order = sim->orders++;
    rise(sim, sim->event_count++, device);
}

/* ---- Waiting threads ----
 * They step in turn. Who finds another at it sleeps, and is woken when that one leaves while there is more to
 * do. */

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list and every `users` */
static al_sim *open_sims;
static _Atomic unsigned sleepers;

void al_sim_touch(al_sim_device *device)
{
    al_sim *sim = device->sim;
    if (!device->touched) {
        device->touched = true;
        device->next_touched = NULL;
        if (sim->touched)
            sim->last_touched->next_touched = device;
        else
            sim->touched = device;
        sim->last_touched = device;
    }
    if (!sim->stepping && atomic_load(&sleepers))
        al_epoch_bump();
}

static al_sim_device *take_touched(al_sim *sim)
{
    al_sim_device *device = sim->touched;
    sim->touched = device->next_touched;
    device->touched = false;
    return device;
}

static void set_now(al_sim *sim, int64_t now_ns)
{
    if (now_ns > al_sim_now(sim))
        atomic_store_explicit(&sim->now_ns, now_ns, memory_order_relaxed);
}

/* Rings at that moment, which is not before now; with the lock held, which it gives up meanwhile. */
static bool ring(al_sim *sim, int64_t at_ns)
{
    set_now(sim, at_ns);
    pthread_mutex_unlock(&sim->lock);
    sim->ring(sim->alarms_of, al_sim_now(sim));
    pthread_mutex_lock(&sim->lock);
    return true;
}

/* With the lock held, which it gives up meanwhile. */
static bool run_device(al_sim *sim, al_sim_device *device, void (*does)(al_sim_device *device))
{
    pthread_mutex_unlock(&sim->lock);
    does(device);
    pthread_mutex_lock(&sim->lock);
    return true;
}

/* With the lock held, which it gives up meanwhile. All that ends at one moment ends before alarms ring, these
 * ring before anything begins then, and all that can begin does before time passes. False: there is nothing
 * to do. */
static bool step(al_sim *sim)
{
    al_sim_device *next = sim->event_count ? sim->events[0] : NULL;
    if (next && next->event_ns <= al_sim_now(sim)) {
        al_sim_clear_event(next);
        return run_device(sim, next, al_sim_device_event);
    }
    if (sim->may_pass && !sim->may_pass(sim->may_pass_of))
        return false;
    int64_t alarm_ns = sim->next_alarm_ns ? sim->next_alarm_ns(sim->alarms_of) : INT64_MAX;
    if (alarm_ns <= al_sim_now(sim))
        return ring(sim, alarm_ns);
    if (sim->touched)
        return run_device(sim, take_touched(sim), al_sim_device_go);
    if (next && next->event_ns <= alarm_ns) {
        set_now(sim, next->event_ns);
        al_sim_clear_event(next);
        return run_device(sim, next, al_sim_device_event);
    }
    return alarm_ns != INT64_MAX && ring(sim, alarm_ns);
}

/* Lets time pass until something happens that somebody may wait for. True if anything was done. */
static bool run(al_sim *sim, uint32_t seen)
{
    size_t steps = 0;
    pthread_mutex_lock(&sim->lock);
    if (!sim->stepping || pthread_equal(sim->stepper, pthread_self())) {
        sim->stepping = true;
        sim->stepper = pthread_self();
        sim->depth++;
        while (steps < STEPS && al_epoch_read() == seen && step(sim))
            steps++;
        sim->stepping = --sim->depth != 0;
        if (!sim->stepping && (sim->event_count || sim->touched) && atomic_load(&sleepers))
            al_epoch_bump();
    }
    pthread_mutex_unlock(&sim->lock);
    return steps != 0;
}

static al_sim *begin_use(al_sim *sim)
{
    if (sim)
        sim->users++;
    return sim;
}

static bool help(al_helper *self)
{
    (void)self;
    uint32_t seen = al_epoch_read();
    bool helped = false;
    pthread_mutex_lock(&list_lock);
    for (al_sim *sim = begin_use(open_sims); sim;) {
        pthread_mutex_unlock(&list_lock);
        helped |= run(sim, seen);
        pthread_mutex_lock(&list_lock);
        sim->users--;
        sim = begin_use(sim->next);
    }
    pthread_mutex_unlock(&list_lock);
    return helped;
}

static void count_sleeper(al_helper *self, bool sleeps)
{
    (void)self;
    atomic_fetch_add(&sleepers, sleeps ? 1u : -1u);
}

static al_helper helper = { .help = help, .idle = count_sleeper };

void al_sim_list(al_sim *sim)
{
    pthread_mutex_lock(&list_lock);
    sim->next = open_sims;
    open_sims = sim;
    atomic_store(&al_helper_of_all, &helper);
    pthread_mutex_unlock(&list_lock);
}

void al_sim_unlist(al_sim *sim)
{
    pthread_mutex_lock(&list_lock);
    al_sim **link = &open_sims;
    while (*link && *link != sim)
        link = &(*link)->next;
    if (*link)
        *link = sim->next;
    if (!open_sims)
        atomic_store(&al_helper_of_all, NULL);
    while (sim->users) {
        pthread_mutex_unlock(&list_lock);
        sched_yield();
        pthread_mutex_lock(&list_lock);
    }
    pthread_mutex_unlock(&list_lock);
}

/* With the lock held: nothing is queued, runs or is on its way. */
static bool is_idle(const al_sim *sim)
{
    bool idles = !sim->event_count && !sim->stepping;
    for (const al_sim_device *device = sim->touched; idles && device; device = device->next_touched)
        idles = !device->queued && !device->window_count;
    return idles;
}

void al_sim_pass_until(al_sim *sim, int64_t at_ns)
{
    pthread_mutex_lock(&sim->lock);
    if (is_idle(sim) && al_sim_now(sim) < at_ns)
        atomic_store_explicit(&sim->now_ns, at_ns, memory_order_relaxed);
    pthread_mutex_unlock(&sim->lock);
}
