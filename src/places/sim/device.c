/* One simulated device: brings the data of what is next, runs one launch at a time, fails as its faults say.
 */
#include "core/launch.h"
#include "places/sim/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void lock(al_sim_device *device)
{
    pthread_mutex_lock(&device->sim->lock);
}

static void unlock(al_sim_device *device)
{
    pthread_mutex_unlock(&device->sim->lock);
}

/* ---- Items ---- */

/* With the lock held. */
static al_sim_item *take_item(al_sim *sim)
{
    al_sim_item *item = sim->unused;
    if (item)
        sim->unused = item->next;
    else if (!(item = malloc(sizeof *item)))
        return NULL;
    *item = (al_sim_item){ .at = SIZE_MAX };
    return item;
}

/* With the lock held. */
static void give_item(al_sim *sim, al_sim_item *item)
{
    item->task = NULL;
    item->next = sim->unused;
    sim->unused = item;
}

/* The item is over; its task and failure are the caller's. */
static al_task *let_go(al_sim_device *device, al_sim_item *item, al_failure *failure)
{
    lock(device);
    al_task *task = item->task;
    if (failure)
        *failure = item->failure;
    task->more->slot = NULL;
    give_item(device->sim, item);
    unlock(device);
    return task;
}

/* ---- The window: with the lock held ---- */

static void window_insert(al_sim_device *device, al_sim_item *item)
{
    size_t at = device->window_count++;
    for (; at && al_sim_comes_before(item, device->window[at - 1]); at--)
        device->window[at] = device->window[at - 1];
    device->window[at] = item;
}

static void window_remove(al_sim_device *device, size_t at)
{
    device->window_count--;
    memmove(device->window + at, device->window + at + 1,
            (device->window_count - at) * sizeof device->window[0]);
}

/* As many as look ahead, and one to run; and whatever is more urgent than all of them. */
static bool wants_more(const al_sim_device *device)
{
    size_t wanted = device->class->lookahead + (device->running ? 0 : 1), there = device->window_count;
    if (!device->queued || there == AL_SIM_WINDOW)
        return false;
    return there < wanted || (there && device->queue[0]->priority > device->window[0]->priority);
}

/* ---- Bringing data ---- */

/* It was ended while it waited: its place lets go of it. */
static void drop(al_sim_device *device, al_sim_item *item)
{
    (void)al_place_start(&device->base, let_go(device, item, NULL));
}

/* Nobody looks at its arrays any more. */
static void look_away(al_sim_item *item)
{
    item->looks = false;
    al_task_looked(item->task);
}

/* False: its data does not fit beside what is in use; it waits until something is over. */
static bool bring(al_sim_device *device, al_sim_item *item)
{
    al_task *task = item->task;
    allot_status status = al_sim_bring(device, item->task, &item->ready_ns, &item->failure);
    lock(device);
    item->status = status; /* whoever withdraws looks at it */
    item->brings = false;
    bool waits = item->status == ALLOT_NO_MEMORY && (device->running || device->window_count);
    al_failure failure = item->failure;
    if (waits && al_sim_queue_push(device, item)) {
        allot_future *future = allot_hold(&task->future); /* somebody may take it out as soon as he can */
        item->status = ALLOT_OK;
        item->failure = (al_failure){ 0 };
        item->looks = false;
        unlock(device);
        al_failure_fini(&failure);
        al_task_looked(task);
        allot_release(future);
        return false;
    }
    window_insert(device, item);
    unlock(device);
    return true;
}

static void look_ahead(al_sim_device *device)
{
    lock(device);
    while (wants_more(device)) {
        al_sim_item *item = al_sim_queue_pop(device);
        item->brings = true;
        unlock(device);
        item->looks = al_task_look(item->task);
        if (!item->looks)
            drop(device, item);
        else if (!bring(device, item))
            return;
        lock(device);
    }
    unlock(device);
}

/* ---- Running ---- */

static bool is_compiled(al_sim_device *device, const al_launch *launch)
{
    for (size_t i = 0; i < device->compiled_count; i++)
        if (device->compiled[i] == launch->kernel->id)
            return true;
    if (device->compiled_count == device->compiled_capacity) {
        size_t capacity = 2 * device->compiled_capacity + 8;
        uint64_t *compiled = realloc(device->compiled, capacity * sizeof *compiled);
        if (!compiled)
            return false; /* then it is compiled again */
        device->compiled = compiled;
        device->compiled_capacity = capacity;
    }
    device->compiled[device->compiled_count++] = launch->kernel->id;
    return false;
}

static int64_t run_ns(const al_sim_device *device, const al_task *task)
{
    const al_launch *launch = al_task_launch(task);
    if (!launch)
        return al_sim_ns(device->class->call_s);
    al_sim_cost cost = al_sim_cost_of(device->class, launch->kernel->desc.name, launch->work);
    uint64_t draw = al_sim_draw(device->sim->seed, device->number, device->launches);
    return al_sim_ns(al_sim_cost_drawn(cost, draw));
}

/* Fills when it is over and how. */
static int64_t plan_run(al_sim_device *device, al_sim_item *item)
{
    const al_sim_class *class = device->class;
    al_launch *launch = al_task_launch(item->task);
    bool cold = launch && class->compile_s > 0 && !is_compiled(device, launch);
    int64_t before_ns = launch ? al_sim_ns(class->launch_s) : 0;
    int64_t compile_ns = cold ? al_sim_ns(class->compile_s) : 0, whole_ns = run_ns(device, item->task);
    device->launches++;
    item->began_ns = al_sim_now(device->sim);
    int64_t end_ns = al_sim_end_ns(class, device->index, item->began_ns, before_ns + compile_ns + whole_ns);
    item->ran_ns = end_ns - item->began_ns - before_ns - compile_ns;
    if (launch)
        launch->compiled_ns = compile_ns;
    if (item->status == ALLOT_OK && al_sim_fails(class, device->index, device->launches))
        item->status = al_failure_set(&item->failure, ALLOT_DEVICE, "%s: launch %llu fails (simulated)",
                                      device->base.id, (unsigned long long)device->launches);
    return end_ns < device->death_ns ? end_ns : device->death_ns;
}

static void begin(al_sim_device *device, al_sim_item *item)
{
    int64_t end_ns = plan_run(device, item);
    lock(device);
    device->running = item;
    al_sim_set_event(device, end_ns);
    unlock(device);
}

/* It may have been cancelled on its way here (then its place lets go of it, so it is held meanwhile), or have
 * failed before it could begin. */
static void begin_or_end(al_sim_device *device, al_sim_item *item)
{
    allot_future *future = allot_hold(&item->task->future);
    allot_status status = item->status;
    bool started = al_place_start(&device->base, item->task);
    if (started && status == ALLOT_OK) {
        look_away(item);
        begin(device, item);
    } else {
        al_failure failure;
        if (status == ALLOT_OK)
            al_sim_unpin(device, item->task);
        al_task *task = let_go(device, item, &failure);
        if (started)
            al_place_complete(&device->base, task, status, &failure, 0);
        else
            al_failure_fini(&failure);
        al_task_looked(task);
    }
    allot_release(future);
}

/* The first of the window whose data has come, taken out of it; NULL: none, and there is an event when it
 * will. */
static al_sim_item *next_ready(al_sim_device *device)
{
    int64_t now_ns = al_sim_now(device->sim), first_ns = INT64_MAX;
    al_sim_item *found = NULL;
    lock(device);
    for (size_t i = 0; !device->running && !found && i < device->window_count; i++) {
        al_sim_item *item = device->window[i];
        if (item->ready_ns <= now_ns || item->status != ALLOT_OK) {
            window_remove(device, i);
            item->brings = true;
            found = item;
        } else if (item->ready_ns < first_ns) {
            first_ns = item->ready_ns;
        }
    }
    if (!found && first_ns != INT64_MAX)
        al_sim_set_event(device, first_ns);
    unlock(device);
    return found;
}

/* ---- Death ---- */

static al_sim_item *take_any(al_sim_device *device)
{
    lock(device);
    al_sim_item *item = device->running;
    if (item)
        device->running = NULL;
    else if (device->window_count)
        item = device->window[--device->window_count];
    else
        item = al_sim_queue_pop(device);
    if (item)
        item->brings = true;
    unlock(device);
    return item;
}

static void lose(al_sim_device *device)
{
    char why[120];
    snprintf(why, sizeof why, "%s was lost at %g s (simulated)", device->base.id,
             (double)device->death_ns * 1e-9);
    bool first = !device->dead;
    lock(device);
    device->dead = true;
    al_sim_clear_event(device);
    unlock(device);
    if (first && device->owns_memory)
        al_memory_lose(&device->memory->base);
    if (first)
        al_place_set_aside(&device->base, why);
    for (al_sim_item *item; (item = take_any(device));) {
        bool begun = item->began_ns != 0, looks = item->looks;
        int64_t busy_ns = begun ? al_sim_now(device->sim) - item->began_ns : 0;
        al_task *task = let_go(device, item, NULL);
        al_failure failure = { 0 };
        allot_future *future = allot_hold(&task->future);
        if (begun || al_place_start(&device->base, task)) {
            allot_status status = al_failure_set(&failure, ALLOT_DEVICE, "%s", why);
            al_place_complete(&device->base, task, status, &failure, busy_ns);
        }
        if (looks)
            al_task_looked(task);
        allot_release(future);
    }
}

/* ---- The end of a run ---- */

/* What the C variant makes of the host's memory: there are no other pages, and the order of launches is kept,
 * so the results are right. */
static allot_status compute(al_sim_device *device, al_task *task, al_failure *failure)
{
    al_launch *launch = al_task_launch(task);
    allot_value values[AL_PARAMS_MAX];
    size_t parts = al_launch_parts(launch, 1);
    allot_status status = al_launch_accumulate(launch, parts, sizeof(double), false, failure);
    if (status != ALLOT_OK)
        return status;
    al_launch_host_values(launch, values);
    allot_call call = al_place_call(&device->base, task);
    al_task *outer = al_task_here;
    al_task_here = task;
    for (size_t i = 0; i < parts && status == ALLOT_OK; i++)
        status = al_launch_run(launch, &call, values, parts, i);
    al_task_here = outer;
    *failure = call.failure;
    if (status == ALLOT_OK)
        al_launch_publish(launch, device->memory ? &device->memory->base : NULL);
    return status;
}

static allot_status run(al_sim_device *device, al_task *task, al_failure *failure)
{
    al_launch *launch = al_task_launch(task);
    if (!launch)
        return al_task_call(task, failure);
    return launch->items ? compute(device, task, failure) : al_launch_run_empty(launch, failure);
}

static void end(al_sim_device *device, al_sim_item *item)
{
    allot_status status = item->status;
    int64_t ran_ns = item->ran_ns, busy_ns = al_sim_now(device->sim) - item->began_ns;
    al_failure failure;
    al_task *task = let_go(device, item, &failure);
    if (status == ALLOT_OK)
        status = run(device, task, &failure);
    al_sim_unpin(device, task);
    if (al_task_launch(task))
        al_task_launch(task)->ran_ns = ran_ns;
    al_place_complete(&device->base, task, status, &failure, busy_ns);
}

/* ---- For the stepper ---- */

void al_sim_device_go(al_sim_device *device)
{
    if (al_sim_now(device->sim) >= device->death_ns) {
        lose(device);
        return;
    }
    al_sim_item *item;
    do {
        look_ahead(device);
        item = next_ready(device);
        if (item)
            begin_or_end(device, item);
    } while (item);
}

void al_sim_device_event(al_sim_device *device)
{
    lock(device);
    al_sim_item *item = device->running;
    if (item && al_sim_now(device->sim) < device->death_ns)
        device->running = NULL;
    else
        item = NULL;
    al_sim_touch(device);
    unlock(device);
    if (item)
        end(device, item);
}

/* ---- The table ---- */

static void describe(const al_place *place, allot_place_info *info)
{
    const al_sim_device *device = al_sim_device_from(place);
    const al_sim_class *class = device->class;
    snprintf(info->name, sizeof info->name, "simulated %s of %s", class->name, device->sim->machine->name);
    if (class->kind == ALLOT_OPENCL)
        snprintf(info->driver, sizeof info->driver, "simulated");
    info->workers = class->width;
    info->memory_bytes = class->memory_bytes > 0 ? (uint64_t) class->memory_bytes : 0;
    info->max_array_bytes = info->memory_bytes;
    info->has_f64 = true;
}

static bool can_run(const al_place *place, const al_task *task, char *why, size_t why_size)
{
    const al_sim_class *class = al_sim_device_from(place)->class;
    const al_launch *launch = al_task_launch(task);
    double bytes = 0;
    if (!launch && class->kind == ALLOT_OPENCL) {
        snprintf(why, why_size, "a device runs kernels, not plain functions");
        return false;
    }
    if (!launch || class->memory_bytes <= 0)
        return al_place_runs_c(place, task, why, why_size);
    for (size_t i = 0; i < launch->arg_count; i++)
        if (al_argument_is_array(&launch->args[i]))
            bytes += (double)launch->args[i].view.array->size_bytes;
    if (bytes <= class->memory_bytes)
        return al_place_runs_c(place, task, why, why_size);
    snprintf(why, why_size, "its arrays have %.0f bytes, and the memory %.0f", bytes, class->memory_bytes);
    return false;
}

static allot_status open_place(al_place *place, al_failure *failure)
{
    (void)failure;
    atomic_store(&place->workers, place->width);
    return ALLOT_OK;
}

static bool queue_item(al_sim_device *device, al_task *task)
{
    al_sim *sim = device->sim;
    al_sim_item *item = take_item(sim);
    if (!item)
        return false;
    item->task = task;
    item->order = sim->orders++;
    item->priority = task->more->priority;
    item->urgency = task->more->urgency;
    if (!al_sim_queue_push(device, item)) {
        give_item(sim, item);
        return false;
    }
    task->more->slot = item;
    al_sim_touch(device);
    return true;
}

static void enqueue(al_place *place, al_task *task)
{
    al_sim_device *device = al_sim_device_from(place);
    lock(device);
    bool queued = queue_item(device, task);
    unlock(device);
    if (!queued && al_place_start(place, task))
        al_place_complete(place, task, ALLOT_NO_MEMORY, NULL, 0);
}

/* With the lock held: out of the queue or the window, if that is where it is. */
static bool take_out(al_sim_device *device, al_sim_item *item)
{
    if (item->brings || item == device->running)
        return false;
    if (item->at != SIZE_MAX) {
        al_sim_queue_remove(device, item);
        return true;
    }
    for (size_t i = 0; i < device->window_count; i++)
        if (device->window[i] == item) {
            window_remove(device, i);
            return true;
        }
    return false;
}

static al_task *withdraw(al_place *place, al_task *which)
{
    al_sim_device *device = al_sim_device_from(place);
    lock(device);
    al_sim_item *item = which ? which->more->slot : device->queued ? device->queue[device->queued - 1] : NULL;
    if (!which && !item && device->window_count)
        item = device->window[device->window_count - 1];
    bool had_data = item && item->at == SIZE_MAX && !item->brings && item->status == ALLOT_OK;
    bool taken = item && take_out(device, item), looks = taken && item->looks;
    if (taken)
        al_sim_touch(device);
    unlock(device);
    if (!taken)
        return NULL;
    al_failure failure;
    al_task *task = let_go(device, item, &failure);
    if (had_data)
        al_sim_unpin(device, task);
    al_failure_fini(&failure);
    if (looks)
        al_task_looked(task);
    return task;
}

static void stop(al_place *place, al_task *task, int64_t grace_ns)
{
    (void)place, (void)task, (void)grace_ns; /* it ends when its time is over */
}

static void close_place(al_place *place)
{
    al_sim_close_device(al_sim_device_from(place));
}

const al_place_ops al_sim_ops = { describe, can_run, open_place, enqueue, withdraw, stop, close_place };
