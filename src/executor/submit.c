#include "executor/submit.h"
#include "base/clock.h"
#include "core/batch.h"
#include "core/chunk.h"
#include "executor/arm.h"
#include "executor/isolate.h"
#include "observe/trace.h"
#include "places/thread/pool.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN 64 /* tasks that allot_submit_many() hands over at once */

/* ---- The calls ---- */

static void count_refused(allot_executor *executor)
{
    al_lane *lane = al_lane_here();
    al_lane_add(lane, &executor->gate->cells[lane->number].refused, 1);
}

static allot_future *refuse(allot_executor *executor, allot_status status, al_failure *failure)
{
    if (executor && status != ALLOT_FORKED)
        count_refused(executor);
    return al_task_refused(status, failure);
}

static allot_status check_after_list(const allot_hints *hints, al_failure *failure)
{
    if (hints->after_count && !hints->after)
        return al_failure_set(failure, ALLOT_INVALID, "hints.after is NULL, and after_count is %zu",
                              hints->after_count);
    for (size_t i = 0; i < hints->after_count; i++)
        if (!hints->after[i])
            return al_failure_set(failure, ALLOT_INVALID, "hints.after[%zu] is NULL", i);
    return ALLOT_OK;
}

static bool is_account(double value)
{
    return isfinite(value) && value >= 0;
}

/* Isolation is a worker process's: also a device's launches run there then, al_isolate() sees to it. */
static allot_status isolate(allot_hints *hints, al_failure *failure)
{
    bool device = al_isolate_device(hints);
    bool elsewhere = hints->place != ALLOT_ANYWHERE && hints->place != ALLOT_PROCESS && !device;
    bool named = hints->place_id && strcmp(hints->place_id, "process") != 0 && !device;
    if (device)
        return ALLOT_OK;
    if (elsewhere || named)
        return al_failure_set(
            failure, ALLOT_UNSUPPORTED,
            "hints.isolate: %s cannot run a task apart from this process, only the process place "
            "can",
            named ? hints->place_id : allot_kind_name(hints->place));
    hints->place = ALLOT_PROCESS;
    return ALLOT_OK;
}

static allot_status check_placement(allot_hints *hints, al_failure *failure)
{
    if ((int)hints->bound < ALLOT_UNBOUND || hints->bound > ALLOT_IO_BOUND)
        return al_failure_set(failure, ALLOT_INVALID, "hints.bound is %d: not an allot_bound",
                              (int)hints->bound);
    if ((int)hints->prefer < ALLOT_PREFER_TIME || hints->prefer > ALLOT_PREFER_ENERGY)
        return al_failure_set(failure, ALLOT_INVALID, "hints.prefer is %d: not an allot_preference",
                              (int)hints->prefer);
    if (!is_account(hints->flops) || !is_account(hints->bytes))
        return al_failure_set(failure, ALLOT_INVALID, "hints.flops is %g, bytes %g: below 0, or not finite",
                              hints->flops, hints->bytes);
    return hints->isolate ? isolate(hints, failure) : ALLOT_OK;
}

/* Copies the caller's hints, which may come from an older header and be shorter: what they lack is 0. */
static allot_status read_hints(const allot_hints *given, allot_hints *hints, al_failure *failure)
{
    *hints = (allot_hints){ .size = sizeof *hints };
    if (!given)
        return ALLOT_OK;
    if (given->size == 0)
        return al_failure_set(failure, ALLOT_INVALID, "hints.size is 0: use ALLOT_HINTS or allot_hints_init");
    memcpy(hints, given, given->size < sizeof *hints ? given->size : sizeof *hints);
    if ((int)hints->place < ALLOT_ANYWHERE || hints->place > ALLOT_OPENCL)
        return al_failure_set(failure, ALLOT_INVALID, "hints.place is %d: not a kind of place",
                              (int)hints->place);
    allot_status status = check_placement(hints, failure);
    if (status != ALLOT_OK)
        return status;
    if (hints->retries < 0 || hints->retry_delay_ns < 0)
        return al_failure_set(failure, ALLOT_INVALID, "hints.retries is %d, retry_delay_ns %lld: below 0",
                              hints->retries, (long long)hints->retry_delay_ns);
    if (hints->retries && !hints->idempotent)
        return al_failure_set(
            failure, ALLOT_INVALID,
            "hints.retries is %d, but the task is not declared hints.idempotent: an attempt "
            "that failed may have had its effects",
            hints->retries);
    return check_after_list(hints, failure);
}

static allot_status check_caller(const allot_executor *executor, const allot_hints *given, allot_hints *hints,
                                 al_failure *failure)
{
    if (al_forked())
        return ALLOT_FORKED;
    if (!executor)
        return al_failure_set(failure, ALLOT_INVALID, "the executor is NULL");
    return read_hints(given, hints, failure);
}

/* A task that could not be set up: nobody has seen it. */
static allot_future *abandon(allot_executor *executor, al_task *task, allot_status status,
                             al_failure *failure)
{
    if (task) {
        al_task_drop(task);
        al_task_drop(task);
    }
    al_gate_abandon_task(executor->gate);
    return refuse(executor, status, failure);
}

/* `parts`: how often al_node_arrive() will be called for it besides what the hints ask for. */
static allot_future *accept(allot_executor *executor, al_task *task, al_launch *launch,
                            const allot_hints *hints, size_t parts)
{
    al_failure none = { 0 };
    al_terms *terms = al_terms_create(task, launch, hints, executor->gate->clock);
    if (!terms) {
        al_launch_destroy(launch);
        return abandon(executor, task, ALLOT_NO_MEMORY, &none);
    }
    atomic_fetch_add_explicit(&terms->node.waiting, (uint32_t)parts, memory_order_relaxed);
    task->gate = executor->gate;
    if (launch || atomic_load_explicit(&al_trace_on, memory_order_relaxed))
        terms->more.submitted_ns = al_task_now_ns(task);
    allot_future *future = &task->future;
    al_arm(terms, hints);
    return future;
}

/* Hints that say no more than the kind of a place, as most do that are given. What an older header lacks is
 * nothing, and what a newer one has may be something. */
static bool says_place_only(const allot_hints *given)
{
    static const allot_hints nothing;
    const size_t kind_ends = offsetof(allot_hints, place_id);
    return given->size >= kind_ends && given->size <= sizeof *given &&
           (unsigned)given->place < AL_DIRECT_KINDS &&
           memcmp((const char *)given + kind_ends, (const char *)&nothing + kind_ends,
                  given->size - kind_ends) == 0;
}

/* With no hints, or with no more than a kind of place that there is one of, a call is not decided: it goes
 * there at once, NULL: no. A trace wants to know more of a task than it carries itself, and what is wrong
 * with a place is said on the longer way. */
static inline al_place *direct_place(const allot_executor *executor, const allot_hints *given)
{
    if (atomic_load_explicit(&al_trace_on, memory_order_relaxed))
        return NULL;
    if (!given)
        return executor->direct[ALLOT_ANYWHERE];
    al_place *place = says_place_only(given) ? executor->direct[given->place] : NULL;
    return place && atomic_load_explicit(&place->state, memory_order_acquire) == ALLOT_PLACE_READY ? place
                                                                                                   : NULL;
}

/* A call that is submitted, once or many times. */
typedef struct submission {
    allot_executor *executor;
    allot_function function;
    size_t in_size, out_size;
    const allot_hints *given;
    allot_hints *hints;  /* room for them, read if they were given */
    uint32_t references; /* that its task begins with: 1 without a future */
    uint64_t flags;      /* AL_FUTURE_SPAWNED or none */
    al_place *direct;    /* asked once, before the hints are read or not: a trace may start meanwhile */
} submission;

static allot_status check_submission(submission *what, const void *in, al_failure *failure)
{
    allot_status status = check_caller(what->executor, what->given, what->hints, failure);
    if (status == ALLOT_OK && what->hints->isolate && al_isolate_device(what->hints))
        return al_failure_set(failure, ALLOT_UNSUPPORTED,
                              "hints.isolate: a device runs kernels, not plain functions");
    if (status == ALLOT_OK && !what->function)
        return al_failure_set(failure, ALLOT_INVALID, "the function is NULL");
    if (status == ALLOT_OK && !in && what->in_size)
        return al_failure_set(failure, ALLOT_INVALID, "the argument is NULL, and its size is %zu",
                              what->in_size);
    return status;
}

/* What most calls are: nothing to say against it, and no hints to be read. */
static inline bool is_fine(submission *what, const void *in)
{
    what->direct = what->executor ? direct_place(what->executor, what->given) : NULL;
    return what->direct && what->function && (in || !what->in_size) && !al_forked();
}

static inline bool goes_to_threads(const submission *what)
{
    return what->direct && what->direct->kind == ALLOT_THREAD;
}

/* True if its argument and result are large, and had better lie where a worker process can map them. Not
 * those of a task that may be tried again, which is to find its argument as it was, nor of a chunk, whose
 * answer is looked into. */
static inline bool is_to_share(const submission *what)
{
    if (__builtin_expect(what->in_size < AL_ROOM_SHARED_MIN && what->out_size < AL_ROOM_SHARED_MIN, true))
        return false;
    if (what->function == al_chunk_call)
        return false;
    if (what->direct)
        return what->direct->kind == ALLOT_PROCESS;
    return what->given && what->hints->place == ALLOT_PROCESS && !what->hints->retries;
}

/* With the gate entered; NULL when memory is out. */
static inline allot_future *submit_one(submission *what, const void *in)
{
    allot_executor *executor = what->executor;
    al_task *task =
        is_to_share(what)
            ? al_task_create_shared(what->function, in, what->in_size, what->out_size, what->references)
            : al_task_create(what->function, in, what->in_size, what->out_size, what->references);
    if (__builtin_expect(!task, false))
        return NULL;
    if (what->flags)
        atomic_fetch_or_explicit(&task->future.word, what->flags, memory_order_relaxed);
    if (__builtin_expect(!what->direct, false))
        return accept(executor, task, NULL, what->hints, 0);
    allot_future *future = &task->future;
    task->gate = executor->gate;
    if (__builtin_expect(!al_executor_ensure_open(executor, what->direct), false))
        al_arm_fail(task, ALLOT_NO_PLACE, &(al_failure){ 0 });
    else if (__builtin_expect(goes_to_threads(what), true)) { /* the same without a detour */
        al_arm_address(task, what->direct);
        al_place_count(what->direct, AL_ENQUEUED, 1);
        al_pool_push_plain(al_pool_from(what->direct), task);
    } else
        al_arm_dispatch(task, what->direct);
    return future; /* without a reference of the caller's it may be gone */
}

static __attribute__((noinline)) allot_future *submit(allot_executor *executor, allot_function function,
                                                      const void *in, size_t in_size, size_t out_size,
                                                      const allot_hints *given)
{
    allot_hints hints;
    submission what = { executor, function, in_size, out_size, given, &hints, 2, 0, NULL };
    al_failure failure = { 0 };
    allot_status status = is_fine(&what, in) ? ALLOT_OK : check_submission(&what, in, &failure);
    if (status == ALLOT_OK && !al_gate_enter_task(executor->gate))
        status = ALLOT_SHUTDOWN;
    if (__builtin_expect(status != ALLOT_OK, false))
        return refuse(executor, status, &failure);
    allot_future *future = submit_one(&what, in);
    return future ? future : abandon(executor, NULL, ALLOT_NO_MEMORY, &failure);
}

/* Where a call goes that nothing need be asked of: no hints, an argument and a result of a number or two, and
 * threads that are there. NULL: that takes a longer look. */
static inline al_pool *plain_pool(const allot_executor *executor, unsigned lane)
{
    if (!executor || lane == AL_LANE_SHARED || al_forked() ||
        atomic_load_explicit(&al_trace_on, memory_order_relaxed))
        return NULL;
    al_place *place = executor->direct[ALLOT_ANYWHERE];
    bool fine = place && place->kind == ALLOT_THREAD &&
                atomic_load_explicit(&place->state, memory_order_acquire) == ALLOT_PLACE_READY;
    return fine ? (al_pool *)place : NULL;
}

/* The same as submit(), as short as can be: a worker that forks and joins does little else. */
allot_future *allot_submit(allot_executor *executor, allot_function function, const void *in, size_t in_size,
                           size_t out_size, const allot_hints *given)
{
    bool plain = !given && function && (in || !in_size) && al_task_is_sure_to_fit(in_size, out_size);
    unsigned lane = al_lane_mine ? al_lane_mine->number : AL_LANE_SHARED;
    al_pool *pool = __builtin_expect(plain, true) ? plain_pool(executor, lane) : NULL;
    if (__builtin_expect(!pool, false))
        return submit(executor, function, in, in_size, out_size, given);
    if (__builtin_expect(!al_gate_enter_at(executor->gate, lane, 1), false))
        return refuse(executor, ALLOT_SHUTDOWN, &(al_failure){ 0 });
    al_task *task = al_slab_take();
    if (__builtin_expect(!task, false))
        return abandon(executor, NULL, ALLOT_NO_MEMORY, &(al_failure){ 0 });
    al_task_init(task, function, in_size, out_size, 2);
    al_task_fill(task, in, in_size);
    al_task_set_small(task, 2);
    task->gate = executor->gate;
    al_arm_address(task, &pool->base);
    al_place_count_at(&pool->base, lane, AL_ENQUEUED, 1);
    al_pool_push_plain(pool, task);
    return &task->future;
}

/* Calls that go to the thread place: counted in, queued and announced at once. */
static void submit_run(submission *what, const unsigned char *in, size_t count, allot_future **futures)
{
    allot_executor *executor = what->executor;
    al_place *place = what->direct;
    bool open = al_executor_ensure_open(executor, place);
    al_task *tasks[RUN];
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        al_task *task = al_task_create(what->function, in ? in + i * what->in_size : NULL, what->in_size,
                                       what->out_size, what->references);
        futures[i] = task ? &task->future : abandon(executor, NULL, ALLOT_NO_MEMORY, &(al_failure){ 0 });
        if (!task)
            continue;
        task->gate = executor->gate;
        if (open)
            al_arm_address(tasks[made++] = task, place);
        else
            al_arm_fail(task, ALLOT_NO_PLACE, &(al_failure){ 0 });
    }
    al_place_count(place, AL_ENQUEUED, made);
    if (made)
        al_pool_push_many(al_pool_from(place), tasks, made);
}

void allot_submit_many(allot_executor *executor, allot_function function, const void *in, size_t in_size,
                       size_t out_size, size_t count, const allot_hints *given, allot_future **futures)
{
    allot_hints hints;
    submission what = { executor, function, in_size, out_size, given, &hints, 2, 0, NULL };
    al_failure failure = { 0 };
    if (!futures || !count)
        return;
    allot_status status = is_fine(&what, in) ? ALLOT_OK : check_submission(&what, in, &failure);
    size_t begun = 0;
    for (size_t run; goes_to_threads(&what) && status == ALLOT_OK && begun < count; begun += run) {
        run = count - begun < RUN ? count - begun : RUN;
        if (!al_gate_enter_tasks(executor->gate, run))
            break;
        submit_run(&what, in ? (const unsigned char *)in + begun * in_size : NULL, run, futures + begun);
    }
    for (size_t i = begun; i < count; i++) {
        const void *argument = in ? (const unsigned char *)in + i * in_size : NULL;
        if (status == ALLOT_OK && !al_gate_enter_task(executor->gate))
            status = ALLOT_SHUTDOWN;
        futures[i] = status == ALLOT_OK ? submit_one(&what, argument) : NULL;
        if (!futures[i] && status == ALLOT_OK)
            futures[i] = abandon(executor, NULL, ALLOT_NO_MEMORY, &(al_failure){ 0 });
        if (!futures[i]) {
            al_failure copy = { .message = failure.message ? strdup(failure.message) : NULL };
            futures[i] = refuse(executor, status, &copy);
        }
    }
    al_failure_fini(&failure);
}

/* ---- Without a future ---- */

static allot_status spawn_one(submission *what, const void *in, al_failure *failure)
{
    if (!al_gate_enter_task(what->executor->gate))
        return al_failure_set(failure, ALLOT_SHUTDOWN, "%s", allot_status_text(ALLOT_SHUTDOWN));
    if (__builtin_expect(what->direct != NULL, true)) {
        if (submit_one(what, in))
            return ALLOT_OK;
        al_gate_abandon_task(what->executor->gate);
        return al_failure_set(failure, ALLOT_NO_MEMORY, "%s", allot_status_text(ALLOT_NO_MEMORY));
    }
    what->references = 2; /* what is decided or waits is held meanwhile */
    allot_future *future = submit_one(what, in);
    if (!future)
        future = abandon(what->executor, NULL, ALLOT_NO_MEMORY, failure);
    allot_status status = allot_future_status(future);
    bool refused = allot_done(future) && !al_task_from(future)->gate;
    if (refused)
        al_failure_set(failure, status, "%s", allot_future_error(future));
    allot_release(future);
    return refused ? status : ALLOT_OK;
}

/* Calls that go to the thread place, as many at once as one batch may have; how many of them it took on.
 * None: one by one will tell why. */
static size_t spawn_batch(submission *what, const void *in, size_t count)
{
    allot_executor *executor = what->executor;
    count = count < AL_BATCH_CALLS ? count : AL_BATCH_CALLS;
    if (!goes_to_threads(what) || count < 2 || !al_gate_enter_tasks(executor->gate, count))
        return 0;
    al_task *batch = NULL;
    if (al_executor_ensure_open(executor, what->direct))
        batch = al_batch_create(executor->gate, what->function, in, what->in_size, count);
    if (batch)
        al_arm_dispatch(batch, what->direct);
    else
        al_gate_abandon_tasks(executor->gate, count);
    return batch ? count : 0;
}

allot_status allot_spawn_many(allot_executor *executor, allot_function function, const void *in,
                              size_t in_size, size_t count, const allot_hints *given, size_t *spawned)
{
    allot_hints hints;
    submission what = { executor, function, in_size, 0, given, &hints, 1, AL_FUTURE_SPAWNED, NULL };
    al_failure failure = { 0 };
    allot_status status = is_fine(&what, in) ? ALLOT_OK : check_submission(&what, in, &failure);
    size_t done = 0;
    while (status == ALLOT_OK && done < count) {
        const void *argument = in ? (const unsigned char *)in + done * in_size : NULL;
        size_t batched = spawn_batch(&what, argument, count - done);
        if (!batched)
            status = spawn_one(&what, argument, &failure);
        done += batched ? batched : status == ALLOT_OK;
    }
    if (spawned)
        *spawned = done;
    if (status != ALLOT_OK && executor && status != ALLOT_FORKED)
        count_refused(executor);
    if (status != ALLOT_OK)
        al_last_error_take(status, &failure);
    return status;
}

allot_status allot_spawn(allot_executor *executor, allot_function function, const void *in, size_t in_size,
                         const allot_hints *given)
{
    return allot_spawn_many(executor, function, in, in_size, 1, given, NULL);
}

static bool wants_devices(const allot_executor *executor, const al_launch *launch, const allot_hints *hints)
{
    bool elsewhere = hints->place != ALLOT_ANYWHERE && hints->place != ALLOT_OPENCL;
    bool forbidden = hints->forbid & ALLOT_KIND_BIT(ALLOT_OPENCL);
    return al_kernel_has_opencl(launch->kernel) && !elsewhere && !forbidden &&
           executor->kinds & ALLOT_KIND_BIT(ALLOT_OPENCL);
}

allot_future *allot_launch(allot_executor *executor, const allot_kernel *kernel, allot_ndrange range,
                           const allot_arg *args, size_t arg_count, const allot_hints *given)
{
    allot_hints hints;
    al_failure failure = { 0 };
    allot_status status = check_caller(executor, given, &hints, &failure);
    if (status == ALLOT_OK && !kernel)
        status = al_failure_set(&failure, ALLOT_INVALID, "the kernel is NULL");
    if (status == ALLOT_OK && !al_gate_enter_task(executor->gate))
        status = ALLOT_SHUTDOWN;
    if (status != ALLOT_OK)
        return refuse(executor, status, &failure);
    al_launch *launch = al_launch_create(kernel, range, args, arg_count, &status, &failure);
    if (launch && hints.isolate)
        launch = al_isolate(launch, &hints, &status, &failure);
    if (!launch)
        return abandon(executor, NULL, status, &failure);
    al_task *task = al_task_create(NULL, NULL, 0, 0, 2);
    if (!task) {
        al_launch_destroy(launch);
        return abandon(executor, NULL, ALLOT_NO_MEMORY, &failure);
    }
    launch->deterministic = hints.deterministic;
    launch->work.flops = hints.flops > 0 ? hints.flops : launch->work.flops;
    launch->work.bytes = hints.bytes > 0 ? hints.bytes : launch->work.bytes;
    if (wants_devices(executor, launch, &hints))
        al_devices_search(executor); /* beside this launch, for those that follow */
    return accept(executor, task, launch, &hints, 0);
}

/* ---- For maps ---- */

allot_status al_submit_check(allot_executor *executor, const allot_hints *given, allot_hints *hints,
                             al_failure *failure)
{
    return check_caller(executor, given, hints, failure);
}

allot_future *al_submit_refuse(allot_executor *executor, allot_status status, al_failure *failure)
{
    return refuse(executor, status, failure);
}

allot_future *al_submit_gathering(allot_executor *executor, al_task *task, const allot_hints *hints,
                                  size_t parts)
{
    al_failure none = { 0 };
    return task ? accept(executor, task, NULL, hints, parts)
                : abandon(executor, NULL, ALLOT_NO_MEMORY, &none);
}
