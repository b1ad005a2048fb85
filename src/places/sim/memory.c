/* Simulated memories: which copies are current where is kept as ever, but copies have no pages, and what
 * moves are numbers. A transfer is booked when it is asked for; whoever needs its bytes waits until they
 * come.
 */
#include "core/launch.h"
#include "places/sim/engine.h"
#include <stdlib.h>

static _Thread_local al_sim_plan *plan; /* the stepper's, while it acquires for a task; NULL: the host's */

static al_sim_memory *memory_of(const al_copy *copy)
{
    return (al_sim_memory *)copy->memory; /* the first member */
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void raise_to(_Atomic int64_t *moment_ns, int64_t to_ns)
{
    if (atomic_load_explicit(moment_ns, memory_order_relaxed) < to_ns)
        atomic_store_explicit(moment_ns, to_ns, memory_order_relaxed);
}

static const al_memory_ops ops;

/* When the host's memory has what was brought there from this machine's. */
static int64_t host_arrival_ns(const al_sim *sim, allot_array *array)
{
    int64_t at_ns = 0;
    pthread_mutex_lock(&array->lock);
    for (al_copy *copy = array->copies; copy; copy = copy->next_of_array)
        if (copy->memory->ops == &ops && memory_of(copy)->sim == sim)
            at_ns =
                later(at_ns, atomic_load_explicit(&((al_sim_copy *)copy)->at_host_ns, memory_order_relaxed));
    pthread_mutex_unlock(&array->lock);
    return at_ns;
}

static al_sim_copy *find_copy(allot_array *array, const al_sim_memory *memory)
{
    pthread_mutex_lock(&array->lock);
    al_copy *copy = array->copies;
    while (copy && copy->memory != &memory->base)
        copy = copy->next_of_array;
    pthread_mutex_unlock(&array->lock);
    return (al_sim_copy *)copy;
}

/* ---- Room: with the machine's lock held; arrays are released, and with them their copies, by any thread
 * ----
 */

static void unlink_copy(al_sim_memory *memory, al_sim_copy *copy)
{
    *(copy->used_before ? &copy->used_before->used_after : &memory->longest_unused) = copy->used_after;
    *(copy->used_after ? &copy->used_after->used_before : &memory->last_used) = copy->used_before;
}

static void link_last(al_sim_memory *memory, al_sim_copy *copy)
{
    copy->used_after = NULL;
    copy->used_before = memory->last_used;
    *(memory->last_used ? &memory->last_used->used_after : &memory->longest_unused) = copy;
    memory->last_used = copy;
}

/* The copy that was not used for longest and that no task needs, its array held; NULL: there is none. */
static al_sim_copy *find_unused(al_sim_memory *memory)
{
    al_sim_copy *copy = memory->longest_unused;
    while (copy && (atomic_load(&copy->pins) || !al_array_try_hold(copy->base.array)))
        copy = copy->used_after;
    return copy;
}

static allot_status make_room(al_sim_memory *memory, double bytes, al_failure *failure)
{
    double limit = memory->class ? memory->class->memory_bytes : 0;
    while (limit > 0 && memory->bytes + bytes > limit) {
        al_sim_copy *unused = find_unused(memory);
        if (!unused)
            return al_failure_set(failure, ALLOT_NO_MEMORY,
                                  "%.0f bytes do not fit into the %.0f of %s, %.0f of which are in use",
                                  bytes, limit, memory->class->name, memory->bytes);
        pthread_mutex_unlock(&memory->sim->lock);
        al_memory_evict(&unused->base);
        pthread_mutex_lock(&memory->sim->lock);
    }
    return ALLOT_OK;
}

/* ---- The operations ---- */

static allot_status create(al_memory *base, allot_array *array, al_copy **copy, al_failure *failure)
{
    al_sim_memory *memory = (al_sim_memory *)base;
    al_sim_copy *made = calloc(1, sizeof *made);
    if (!made)
        return al_failure_set(failure, ALLOT_NO_MEMORY, "out of memory");
    pthread_mutex_lock(&memory->sim->lock);
    allot_status status = make_room(memory, (double)array->size_bytes, failure);
    if (status == ALLOT_OK) {
        made->base.array = array;     /* before it can be found */
        atomic_store(&made->pins, 1); /* of the task that it is made for */
        memory->bytes += (double)array->size_bytes;
        link_last(memory, made);
    }
    pthread_mutex_unlock(&memory->sim->lock);
    if (status != ALLOT_OK)
        free(made);
    else
        *copy = &made->base;
    return status;
}

/* The host's own transfers have no task that could wait for them: time passes for them at once, if nothing
 * else is to come. */
static void booked(al_sim *sim, int64_t start_ns, int64_t end_ns)
{
    atomic_fetch_add_explicit(&sim->moved_ns, end_ns - start_ns, memory_order_relaxed);
    if (plan)
        plan->ready_ns = later(plan->ready_ns, end_ns);
    else
        al_sim_pass_until(sim, end_ns);
}

static int64_t earliest_ns(const al_sim *sim)
{
    return later(al_sim_now(sim), plan ? plan->room_ns : 0);
}

static allot_status upload(al_copy *copy, size_t begin, size_t end, al_failure *failure)
{
    (void)failure;
    al_sim_memory *memory = memory_of(copy);
    int64_t start_ns, from_ns = later(earliest_ns(memory->sim), host_arrival_ns(memory->sim, copy->array));
    int64_t end_ns = al_sim_transfer(memory->sim, NULL, memory, end - begin, from_ns, &start_ns);
    raise_to(&((al_sim_copy *)copy)->arrives_ns, end_ns);
    booked(memory->sim, start_ns, end_ns);
    return ALLOT_OK;
}

static allot_status download(al_copy *copy, size_t begin, size_t end, al_failure *failure)
{
    (void)failure;
    al_sim_memory *memory = memory_of(copy);
    al_sim_copy *own = (al_sim_copy *)copy;
    int64_t start_ns, from_ns = later(al_sim_now(memory->sim), atomic_load(&own->arrives_ns));
    int64_t end_ns = al_sim_transfer(memory->sim, memory, NULL, end - begin, from_ns, &start_ns);
    raise_to(&own->at_host_ns, end_ns);
    booked(memory->sim, start_ns, end_ns);
    return ALLOT_OK;
}

static allot_status fetch(al_copy *copy, al_copy *source, size_t begin, size_t end, al_failure *failure)
{
    (void)failure;
    al_sim_memory *to = memory_of(copy), *from = memory_of(source);
    if (!al_sim_direct(to->sim, from, to))
        return ALLOT_UNSUPPORTED;
    int64_t sent_ns = atomic_load(&((al_sim_copy *)source)->arrives_ns), start_ns;
    int64_t end_ns =
        al_sim_transfer(to->sim, from, to, end - begin, later(earliest_ns(to->sim), sent_ns), &start_ns);
    raise_to(&((al_sim_copy *)copy)->arrives_ns, end_ns);
    booked(to->sim, start_ns, end_ns);
    return ALLOT_OK;
}

static void destroy(al_copy *copy)
{
    al_sim_memory *memory = memory_of(copy);
    pthread_mutex_lock(&memory->sim->lock);
    memory->bytes -= (double)copy->array->size_bytes;
    unlink_copy(memory, (al_sim_copy *)copy);
    pthread_mutex_unlock(&memory->sim->lock);
    free(copy);
}

static const al_memory_ops ops = { create, upload, download, destroy, fetch };

void al_sim_memory_init(al_sim_memory *memory, al_sim *sim, const al_sim_class *class, size_t node)
{
    *memory = (al_sim_memory){ .sim = sim, .class = class, .node = node };
    al_memory_init(&memory->base, &ops);
    memory->base.clock = &sim->moved_ns;
}

/* ---- For the stepper ---- */

static bool has_copy(const al_argument *argument)
{
    return al_argument_is_array(argument) && !al_argument_is_reduced(argument);
}

/* An argument before this one is of the same array. */
static bool is_again(const al_launch *launch, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (has_copy(&launch->args[i]) && launch->args[i].view.array == launch->args[index].view.array)
            return true;
    return false;
}

static allot_status acquire(al_sim_device *device, al_launch *launch, al_sim_plan *made, al_failure *failure)
{
    al_sim_copy *before[AL_PARAMS_MAX] = { NULL };
    al_copy *copies[AL_PARAMS_MAX];
    for (size_t i = 0; i < launch->arg_count; i++) /* what is there must not make room for the rest */
        if (has_copy(&launch->args[i]) &&
            (before[i] = find_copy(launch->args[i].view.array, device->memory)) != NULL)
            before[i]->pins++;
    plan = made;
    allot_status status = al_launch_acquire(launch, &device->memory->base, copies, failure);
    plan = NULL;
    for (size_t i = 0; i < launch->arg_count; i++) {
        if (!has_copy(&launch->args[i]))
            continue;
        al_sim_copy *gives_up = status == ALLOT_OK ? NULL : before[i];
        if (status != ALLOT_OK && !before[i] && !is_again(launch, i))
            gives_up = find_copy(launch->args[i].view.array, device->memory); /* made, and not needed now */
        if (gives_up)
            gives_up->pins--;
        if (status != ALLOT_OK || !copies[i])
            continue;
        al_sim_copy *copy = (al_sim_copy *)copies[i];
        copy->pins += !before[i] && is_again(launch, i);
        made->ready_ns = later(made->ready_ns, atomic_load(&copy->arrives_ns));
    }
    return status;
}

static allot_status acquire_for_host(const al_sim *sim, al_launch *launch, al_sim_plan *made,
                                     al_failure *failure)
{
    plan = made;
    allot_status status = al_launch_acquire(launch, NULL, NULL, failure);
    plan = NULL;
    for (size_t i = 0; i < launch->arg_count; i++)
        if (al_argument_is_array(&launch->args[i]))
            made->ready_ns = later(made->ready_ns, host_arrival_ns(sim, launch->args[i].view.array));
    return status;
}

allot_status al_sim_bring(al_sim_device *device, al_task *task, int64_t *ready_ns, al_failure *failure)
{
    al_sim *sim = device->sim;
    al_launch *launch = al_task_launch(task);
    *ready_ns = al_sim_now(sim);
    if (!launch)
        return ALLOT_OK;
    al_sim_plan made = { .ready_ns = *ready_ns };
    allot_status status = device->memory ? acquire(device, launch, &made, failure)
                                         : acquire_for_host(sim, launch, &made, failure);
    *ready_ns = made.ready_ns;
    return status;
}

void al_sim_unpin(al_sim_device *device, al_task *task)
{
    al_launch *launch = al_task_launch(task);
    for (size_t i = 0; launch && device->memory && i < launch->arg_count; i++) {
        if (!has_copy(&launch->args[i]))
            continue;
        al_sim_copy *copy = find_copy(launch->args[i].view.array, device->memory);
        if (!copy)
            continue; /* lost with the device */
        pthread_mutex_lock(&device->sim->lock);
        unlink_copy(device->memory, copy);
        link_last(device->memory, copy);
        copy->pins--;
        pthread_mutex_unlock(&device->sim->lock);
    }
}
