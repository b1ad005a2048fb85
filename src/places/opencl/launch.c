#include "places/opencl/launch.h"
#include "base/clock.h"
#include "places/opencl/error.h"
#include "places/opencl/health.h"
#include "places/opencl/pick.h"
#include "places/opencl/room.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Sizes ---- */

/* A kernel's own limit may be lower, but not every driver tells it rightly (rusticl 22.3): that one is the
 * driver's to check. */
static allot_status check_sizes(const al_opencl *self, const al_launch *launch, const al_opencl_sizes *sizes,
                                al_failure *failure)
{
    const char *name = launch->kernel->desc.name;
    const al_opencl_device *device = &self->device;
    size_t group = 1;
    for (size_t d = 0; d < launch->range.rank && sizes->has_local && !sizes->chosen; d++) {
        size_t local = sizes->local[d];
        if (__builtin_mul_overflow(group, local, &group) || group > device->max_group ||
            local > device->max_local[d])
            return al_failure_set(
                failure, ALLOT_INVALID,
                "%s: a work-group of %zu in dimension %zu is too large for %s, which takes %zu, "
                "and %zu in all dimensions together",
                name, local, d, device->name, device->max_local[d], device->max_group);
        if (sizes->global[d] % local)
            return al_failure_set(
                failure, ALLOT_INVALID,
                "%s: a work-group of %zu does not divide the range's %zu in dimension %zu (choose "
                "another, or a range that is a multiple of it; where the kernel guards its edges its "
                "descriptor's `tile` has the range rounded up)",
                name, local, sizes->global[d], d);
    }
    return ALLOT_OK;
}

/* Drivers have been seen to abort instead of refusing (PoCL 3.1). */
static allot_status check_local_memory(const al_opencl *self, const al_launch *launch, al_failure *failure)
{
    uint64_t bytes = 0, most = self->device.local_bytes;
    for (size_t i = 0; i < launch->arg_count; i++)
        if (launch->args[i].param->local &&
            (__builtin_add_overflow(bytes, launch->args[i].bytes, &bytes) || (most && bytes > most)))
            return al_failure_set(failure, ALLOT_INVALID,
                                  "%s: parameter %s: %zu bytes of local memory are more than %s has (%llu)",
                                  launch->kernel->desc.name, launch->args[i].param->name,
                                  launch->args[i].bytes, self->device.name, (unsigned long long)most);
    return ALLOT_OK;
}

/* ---- After the driver is done ---- */

/* The launch's share of an in-order queue's time: it began when it was enqueued, when its data was there, or
 * when the one before it ended. */
static int64_t measure(const al_opencl_flight *flight, int64_t now_ns)
{
    int64_t before_ns = atomic_load_explicit(&flight->self->ended_ns, memory_order_relaxed);
    atomic_store_explicit(&flight->self->ended_ns, now_ns, memory_order_relaxed);
    int64_t ready_ns = flight->sent_ns > flight->enqueued_ns ? flight->sent_ns : flight->enqueued_ns;
    int64_t began_ns = before_ns > ready_ns ? before_ns : ready_ns;
    return now_ns > began_ns ? now_ns - began_ns : 0;
}

static void complete(al_opencl_flight *flight, cl_int code, int64_t ran_ns, int64_t now_ns)
{
    al_opencl *self = flight->self;
    al_launch *launch = flight->launch;
    al_failure failure = { 0 };
    allot_status status = ALLOT_OK;
    launch->ran_ns = ran_ns;
    if (code == CL_COMPLETE) {
        al_launch_publish(launch, &self->memory.base);
        if (!launch->kernel->reduces) /* else that may have taken a while */
            flight->task->more->ended_ns = now_ns;
    } else
        status =
            al_failure_set(&failure, ALLOT_DEVICE, "%s ended with %s (%d) on %s", launch->kernel->desc.name,
                           al_opencl_error_name(code), (int)code, self->device.name);
    al_opencl_health_note(self, code, failure.message);
    al_opencl_flight_land(flight, status, &failure);
}

void al_opencl_launch_over(al_opencl_flight *flight, cl_int code)
{
    int64_t now_ns = al_clock_now_ns(), ran_ns = measure(flight, now_ns);
    al_opencl_pick_end(&flight->self->programs, flight->program, &flight->trial,
                       code == CL_COMPLETE ? ran_ns : -1);
    al_opencl_programs_put(&flight->self->programs, flight->program,
                           code == CL_COMPLETE && !flight->warm ? &flight->shape : NULL);
    if (al_opencl_flight_claim(flight))
        complete(flight, code < 0 ? code : CL_COMPLETE, ran_ns, now_ns);
    al_opencl_flight_release(flight);
}

/* Runs where the driver likes: in a thread of its own, or in ours inside an enqueue, a flush, or the call
 * that registers it. So it calls nothing of OpenCL's, also not by freeing an array, and no user code. */
static void CL_CALLBACK on_done(cl_event event, cl_int code, void *user)
{
    (void)event;
    al_opencl_flight *flight = user;
    unsigned before = al_opencl_enter(AL_OPENCL_CALLED_BACK);
    (void)atomic_load_explicit(&flight->holders, memory_order_acquire); /* pairs with hand_to_callback() */
    al_opencl_launch_over(flight, code);
    al_opencl_leave(before);
}

/* ---- On the way to the driver ---- */

typedef struct order {
    al_opencl *self;
    al_opencl_flight *flight;
    al_launch *launch;      /* the flight's */
    al_opencl_entry *entry; /* taken for it; NULL: not yet, or given back */
    al_opencl_sizes sizes;
    size_t view_count;
    cl_uint after_count;
    cl_event after[AL_PARAMS_MAX]; /* what the kernel waits for, of the views */
    al_copy *copies[AL_PARAMS_MAX];
    al_opencl_view views[AL_PARAMS_MAX]; /* of the first view_count arguments; scalars' are empty */
    const char *call;                    /* the call that failed */
    const char *param;                   /* and the parameter that it was about, or NULL */
} order;

static cl_int make_views(order *given)
{
    for (size_t i = 0; i < given->launch->arg_count; i++) {
        const al_argument *argument = &given->launch->args[i];
        given->param = argument->param->name;
        given->views[i] = (al_opencl_view){ 0 };
        given->view_count = i + 1;
        if (!al_argument_is_array(argument))
            continue;
        cl_int code = al_argument_is_reduced(argument)
                          ? al_opencl_view_accumulate(&given->views[i], &given->self->memory, &argument->own,
                                                      &given->call)
                          : al_opencl_view_init(&given->views[i], &given->self->memory, given->copies[i],
                                                argument, &given->call);
        if (code != CL_SUCCESS)
            return code;
        if (given->views[i].after)
            given->after[given->after_count++] = given->views[i].after;
        if (given->views[i].sent_ns > given->flight->sent_ns)
            given->flight->sent_ns = given->views[i].sent_ns;
    }
    given->param = NULL;
    return CL_SUCCESS;
}

static cl_int set_layout(cl_kernel kernel, cl_uint index, const allot_value *value)
{
    struct {
        cl_ulong shape[3], stride[3];
    } layout;
    for (size_t d = 0; d < 3; d++) {
        layout.shape[d] = value->shape[d];
        layout.stride[d] = value->stride[d];
    }
    return clSetKernelArg(kernel, index, sizeof layout, &layout);
}

static cl_int set_arguments(order *given, cl_kernel kernel)
{
    cl_uint index = 0;
    given->call = "clSetKernelArg";
    for (size_t i = 0; i < given->launch->arg_count; i++) {
        const al_argument *argument = &given->launch->args[i];
        given->param = argument->param->name;
        cl_int code = CL_SUCCESS;
        if (al_argument_is_array(argument))
            code = clSetKernelArg(kernel, index++, sizeof(cl_mem), &given->views[i].buffer);
        else
            code = clSetKernelArg(kernel, index++, argument->bytes, al_argument_data(argument));
        if (code == CL_SUCCESS && argument->param->access && argument->param->strided)
            code = set_layout(kernel, index++, &argument->value);
        if (code != CL_SUCCESS)
            return code;
    }
    given->param = NULL;
    return CL_SUCCESS;
}

static bool is_size_error(cl_int code)
{
    return code == CL_INVALID_WORK_GROUP_SIZE || code == CL_INVALID_WORK_ITEM_SIZE ||
           code == CL_INVALID_GLOBAL_WORK_SIZE;
}

/* All of the range but its rest. A group that we chose and the driver does not take is left to the driver,
 * but for a reduction: the number of its groups is fixed. */
static cl_int enqueue_range(order *given, cl_kernel kernel, cl_event *event)
{
    const cl_event *after = given->after_count ? given->after : NULL;
    al_opencl_sizes *sizes = &given->sizes;
    cl_command_queue queue = given->self->device.compute;
    cl_uint rank = (cl_uint)given->launch->range.rank;
    size_t global[] = { sizes->global[0] - sizes->rest, sizes->global[1], sizes->global[2] };
    const size_t *offset = al_launch_has_offset(given->launch) ? given->launch->range.offset : NULL;
    given->call = "clEnqueueNDRangeKernel";
    cl_int code =
        clEnqueueNDRangeKernel(queue, kernel, rank, offset, global, sizes->has_local ? sizes->local : NULL,
                               given->after_count, after, event);
    if (code == CL_SUCCESS || !sizes->chosen || given->launch->kernel->reduces || !is_size_error(code))
        return code;
    sizes->rest = 0;
    given->flight->trial.refused = true;
    given->launch->work_group_from = NULL;
    return clEnqueueNDRangeKernel(queue, kernel, rank, offset, sizes->global, NULL, given->after_count, after,
                                  event);
}

/* The rest waits for the others, so that their failure reaches its event. */
static cl_int enqueue_rest(order *given, cl_kernel kernel, cl_event *event)
{
    const al_opencl_sizes *sizes = &given->sizes;
    const size_t offset = sizes->global[0] - sizes->rest, local = 1;
    cl_event before = *event;
    cl_int code = clEnqueueNDRangeKernel(given->self->device.compute, kernel, 1, &offset, &sizes->rest,
                                         &local, 1, &before, event);
    if (code == CL_SUCCESS)
        clReleaseEvent(before);
    else
        *event = before;
    return code;
}

static cl_int take_entry(order *given)
{
    given->call = "clCreateKernel";
    return al_opencl_entry_take(&given->self->programs, given->flight->program,
                                given->launch->kernel->desc.opencl_entry, &given->entry);
}

static void give_entry(order *given)
{
    al_opencl_entry_give(&given->self->programs, given->flight->program, given->entry);
    given->entry = NULL;
}

static cl_int enqueue_kernel(order *given, cl_event *event)
{
    cl_int code = given->entry ? CL_SUCCESS : take_entry(given);
    if (code != CL_SUCCESS)
        return code;
    cl_kernel kernel = given->entry->kernel;
    code = set_arguments(given, kernel);
    given->flight->enqueued_ns = given->flight->warm ? given->flight->began_ns : al_clock_now_ns();
    atomic_store_explicit(&given->flight->written, code == CL_SUCCESS, memory_order_relaxed);
    if (code == CL_SUCCESS)
        code = enqueue_range(given, kernel, event);
    if (!*event)
        atomic_store_explicit(&given->flight->written, false, memory_order_relaxed);
    if (code == CL_SUCCESS && given->sizes.rest)
        code = enqueue_rest(given, kernel, event);
    give_entry(given);
    return code;
}

/* Copies what was written in staged views to where it belongs. Each copy waits for the event before it, so
 * that a kernel's failure reaches the last one. */
static cl_int write_back(order *given, cl_event *event)
{
    given->call = "clEnqueueCopyBuffer";
    for (size_t i = 0; i < given->view_count; i++) {
        const al_opencl_view *view = &given->views[i];
        if (!view->staged || !(given->launch->args[i].access & ALLOT_WRITE))
            continue;
        cl_event before = *event;
        given->param = given->launch->args[i].param->name;
        cl_int code = clEnqueueCopyBuffer(given->self->device.compute, view->buffer, view->whole, 0,
                                          view->offset, view->bytes, 1, &before, event);
        if (code != CL_SUCCESS) {
            *event = before;
            return code;
        }
        clReleaseEvent(before);
    }
    given->param = NULL;
    return CL_SUCCESS;
}

/* Brings what the work-groups of a reduction wrote to the host, one copy after the other as above. */
static cl_int read_accumulators(order *given, cl_event *event)
{
    given->call = "clEnqueueReadBuffer";
    for (size_t i = 0; i < given->view_count; i++) {
        const al_argument *argument = &given->launch->args[i];
        const al_opencl_view *view = &given->views[i];
        if (!al_argument_is_reduced(argument) || !view->owned)
            continue;
        cl_event before = *event;
        given->param = argument->param->name;
        cl_int code = clEnqueueReadBuffer(given->self->device.compute, view->buffer, CL_FALSE, 0, view->bytes,
                                          argument->own.bytes, 1, &before, event);
        if (code != CL_SUCCESS) {
            *event = before;
            return code;
        }
        clReleaseEvent(before);
    }
    given->param = NULL;
    return CL_SUCCESS;
}

/* Gives all commands of the launch to the compute queue; *event (NULL if there is none) is the last one's. */
static cl_int enqueue_all(order *given, cl_event *event)
{
    *event = NULL;
    cl_int code = make_views(given);
    if (code == CL_SUCCESS)
        code = enqueue_kernel(given, event);
    if (code == CL_SUCCESS)
        code = write_back(given, event);
    if (code == CL_SUCCESS)
        code = read_accumulators(given, event);
    for (size_t i = 0; i < given->view_count; i++)
        al_opencl_view_fini(&given->views[i]);
    return code;
}

/* A driver whose flush returned while the launch was still to be done blocks in neither call. */
static void learn_to_trust(al_opencl *self, cl_event event)
{
    cl_int state = CL_COMPLETE;
    if (atomic_load_explicit(&self->direct, memory_order_relaxed))
        return;
    if (clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL) == CL_SUCCESS &&
        state > CL_COMPLETE)
        atomic_store_explicit(&self->direct, true, memory_order_relaxed);
}

/* It is asked about only when it is on its way: before, the answer need not ever come. */
static cl_int hand_to_poll(order *given, cl_event event)
{
    al_opencl *self = given->self;
    atomic_fetch_add_explicit(&given->flight->holders, 1, memory_order_relaxed);
    al_opencl_device_flush(self->device.compute);
    learn_to_trust(self, event);
    al_opencl_poll_watch(self, given->flight, event);
    return CL_SUCCESS;
}

static cl_int hand_to_callback(order *given, cl_event event)
{
    al_opencl *self = given->self;
    al_opencl_flight *flight = given->flight;
    given->call = "clSetEventCallback";
    /* release: pairs with on_done(), which no rule of OpenCL's orders behind this. */
    atomic_fetch_add_explicit(&flight->holders, 1, memory_order_release);
    cl_int code = clSetEventCallback(event, CL_COMPLETE, on_done, flight);
    if (code != CL_SUCCESS) {
        atomic_fetch_sub_explicit(&flight->holders, 1, memory_order_relaxed);
        return code;
    }
    al_opencl_device_flush(self->device.compute);
    learn_to_trust(self, event);
    clReleaseEvent(event);
    return CL_SUCCESS;
}

/* Hands the launch over to who ends it. When this succeeds, the task may be gone. */
static cl_int watch(order *given, cl_event event)
{
    if (!given->flight->warm)
        given->flight->shape = al_opencl_shape_of(&given->sizes);
    return given->self->poll.on ? hand_to_poll(given, event) : hand_to_callback(given, event);
}

static allot_status describe_failure(const order *given, cl_int code, al_failure *failure)
{
    char call[160];
    snprintf(call, sizeof call, "%s: %s%s%s", given->launch->kernel->desc.name, given->call,
             given->param ? " for parameter " : "", given->param ? given->param : "");
    allot_status status = al_opencl_error(failure, call, code, given->self->device.name);
    return is_size_error(code) ? ALLOT_INVALID : status;
}

/* OK: the callback ends the task, or has ended it. */
static allot_status drive(order *given, al_failure *failure)
{
    cl_event event;
    cl_int code = enqueue_all(given, &event);
    if (code == CL_SUCCESS)
        code = watch(given, event);
    if (code == CL_SUCCESS)
        return ALLOT_OK;
    /* Commands that were enqueued may still use the arrays: the task must not end before them. */
    al_opencl_device_settle(&given->self->device);
    if (event)
        clReleaseEvent(event);
    return describe_failure(given, code, failure);
}

/* An accumulator a work-group, side by side as the variant writes them. */
static allot_status accumulate(order *given, al_failure *failure)
{
    size_t groups;
    if (!al_opencl_sizes_groups(&given->sizes, &groups))
        return al_failure_set(failure, ALLOT_TOO_LARGE, "%s: its work-groups cannot be counted",
                              given->launch->kernel->desc.name);
    return al_launch_accumulate(given->launch, groups, 1, false, failure);
}

static allot_status have_program(order *given, al_failure *failure)
{
    al_opencl *self = given->self;
    char why[160];
    if (given->flight->program)
        return ALLOT_OK;
    if (!al_opencl_accepts(self, given->launch, why, sizeof why))
        return al_failure_set(failure, ALLOT_UNSUPPORTED, "%s", why);
    /* Before the device was opened it was not known what of its memory they take. */
    if (!al_opencl_room_fits(&self->memory, given->launch, why, sizeof why))
        return al_failure_set(failure, ALLOT_TOO_LARGE, "%s: %s", given->launch->kernel->desc.name, why);
    return al_opencl_programs_get(&self->programs, given->launch, &given->flight->program, failure);
}

static void pick_sizes(order *given)
{
    al_opencl_flight *flight = given->flight;
    if (!flight->warm)
        al_opencl_pick(&given->self->programs, flight->program, given->launch, &given->sizes, &flight->trial);
    for (size_t d = 0; d < 3; d++)
        given->launch->work_group[d] = given->sizes.local[d];
    given->launch->work_group_from = flight->trial.words;
}

static allot_status prepare(order *given, al_failure *failure)
{
    al_opencl *self = given->self;
    allot_status status = have_program(given, failure);
    if (status != ALLOT_OK)
        return status;
    pick_sizes(given);
    status = check_sizes(self, given->launch, &given->sizes, failure);
    if (status == ALLOT_OK)
        status = check_local_memory(self, given->launch, failure);
    if (status != ALLOT_OK)
        return status;
    status = al_launch_acquire(given->launch, &self->memory.base, given->copies, failure);
    if (status == ALLOT_OK && given->launch->kernel->reduces)
        status = accumulate(given, failure);
    if (status != ALLOT_OK)
        al_opencl_device_settle(&self->device); /* what acquiring the first arrays enqueued */
    else
        atomic_store_explicit(&given->flight->acquired, true, memory_order_release);
    return status;
}

/* Not the whole of it: the arrays are filled as far as there are arguments. */
static void order_init(order *given, al_opencl_flight *flight, al_opencl_warm *warm)
{
    given->self = flight->self;
    given->flight = flight;
    given->launch = flight->launch;
    given->entry = NULL;
    given->view_count = given->after_count = 0;
    given->call = given->param = NULL;
    if (!warm || !warm->program)
        return;
    flight->warm = true;
    flight->program = warm->program;
    flight->trial = warm->trial;
    given->entry = warm->entry;
    given->sizes = warm->sizes;
    warm->program = NULL;
}

static void fly(al_opencl_flight *flight, al_opencl_warm *warm)
{
    al_opencl *self = flight->self;
    order given;
    al_failure failure = { 0 };
    order_init(&given, flight, warm);
    allot_status status = prepare(&given, &failure);
    if (status == ALLOT_OK)
        status = drive(&given, &failure);
    if (status == ALLOT_OK)
        return;
    cl_int code = al_opencl_error_take(self->device.name);
    if (code != CL_SUCCESS)
        al_opencl_health_note(self, code, failure.message);
    if (given.entry)
        give_entry(&given);
    if (flight->program) {
        al_opencl_pick_end(&self->programs, flight->program, &flight->trial, -1);
        al_opencl_programs_put(&self->programs, flight->program, NULL);
    }
    if (al_opencl_flight_claim(flight))
        al_opencl_flight_land(flight, status, &failure);
    else
        al_failure_fini(&failure);
}

static void run_empty(al_opencl *self, al_task *task)
{
    al_failure failure = { 0 };
    allot_status status = al_launch_run_empty(al_task_launch(task), &failure);
    al_place_complete(&self->place, task, status, &failure, 0);
}

/* OK: it flies, or has flown. */
static allot_status begin(al_opencl *self, al_task *task, al_opencl_flight *reserved, al_opencl_warm *warm)
{
    al_failure failure = { 0 };
    al_opencl_flight *flight = al_task_launch(task) ? al_opencl_flight_begin(self, task, reserved) : NULL;
    if (flight) {
        fly(flight, warm);
        al_opencl_flight_release(flight);
        return ALLOT_OK;
    }
    allot_status status = al_task_launch(task)
                              ? al_failure_set(&failure, ALLOT_NO_MEMORY, "out of memory")
                              : al_failure_set(&failure, ALLOT_UNSUPPORTED,
                                               "an OpenCL device runs kernels, not plain functions");
    al_place_complete(&self->place, task, status, &failure, 0);
    return status;
}

void al_opencl_launch(al_opencl *self, al_task *task, al_opencl_flight *reserved, al_opencl_warm *warm)
{
    unsigned before = al_opencl_enter(AL_OPENCL_SUBMITTING);
    bool started = al_place_start(&self->place, task), flies = false;
    if (started && al_task_launch(task) && al_task_launch(task)->items == 0)
        run_empty(self, task);
    else if (started)
        flies = begin(self, task, reserved, warm) == ALLOT_OK;
    if (!flies) {
        if (warm)
            al_opencl_pick_nothing(&self->programs, warm);
        if (reserved)
            al_opencl_flight_release(reserved);
        else
            al_opencl_land(self, NULL);
    }
    al_opencl_leave(before);
}
