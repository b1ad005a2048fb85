#include "executor/submit.h"
#include "base/clock.h"
#include "core/batch.h"
#include "executor/arm.h"
#include "observe/trace.h"
#include "places/thread/pool.h"
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
    al_terms *terms = al_terms_create(task, launch, hints);
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

/* With no hints it is not decided, it goes to the thread place, which is the first if there is one. (An
 * executor of devices alone has no place at all until they are found.) A trace wants to know more of a task
 * than it carries itself. */
static inline bool is_plain(const allot_executor *executor, const allot_hints *given)
{
    return !given && executor->kinds & ALLOT_KIND_BIT(ALLOT_THREAD) &&
           !atomic_load_explicit(&al_trace_on, memory_order_relaxed);
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
    bool plain;          /* asked once, before the hints are read or not: a trace may start meanwhile */
} submission;

static allot_status check_submission(submission *what, const void *in, al_failure *failure)
{
    allot_status status = check_caller(what->executor, what->given, what->hints, failure);
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
    what->plain = what->executor && is_plain(what->executor, what->given);
    return what->executor && what->function && (in || !what->in_size) && !al_forked() && what->plain;
}

/* With the gate entered; NULL when memory is out. */
static inline allot_future *submit_one(submission *what, const void *in)
{
    allot_executor *executor = what->executor;
    al_task *task = al_task_create(what->function, in, what->in_size, what->out_size, what->references);
    if (__builtin_expect(!task, false))
        return NULL;
    if (what->flags)
        atomic_fetch_or_explicit(&task->future.word, what->flags, memory_order_relaxed);
    if (__builtin_expect(!what->plain, false))
        return accept(executor, task, NULL, what->hints, 0);
    allot_future *future = &task->future;
    task->gate = executor->gate;
    if (__builtin_expect(!al_executor_ensure_open(executor, executor->places[0]), false))
        al_arm_fail(task, ALLOT_NO_PLACE, &(al_failure){ 0 });
    else
        al_arm_dispatch(task, executor->places[0]);
    return future; /* without a reference of the caller's it may be gone */
}

allot_future *allot_submit(allot_executor *executor, allot_function function, const void *in, size_t in_size,
                           size_t out_size, const allot_hints *given)
{
    allot_hints hints;
    submission what = { executor, function, in_size, out_size, given, &hints, 2, 0, false };
    al_failure failure = { 0 };
    allot_status status = is_fine(&what, in) ? ALLOT_OK : check_submission(&what, in, &failure);
    if (status == ALLOT_OK && !al_gate_enter_task(executor->gate))
        status = ALLOT_SHUTDOWN;
    if (__builtin_expect(status != ALLOT_OK, false))
        return refuse(executor, status, &failure);
    allot_future *future = submit_one(&what, in);
    return future ? future : abandon(executor, NULL, ALLOT_NO_MEMORY, &failure);
}

/* Plain calls: counted in, queued and announced at once. */
static void submit_run(submission *what, const unsigned char *in, size_t count, allot_future **futures)
{
    allot_executor *executor = what->executor;
    al_place *place = executor->places[0];
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
    submission what = { executor, function, in_size, out_size, given, &hints, 2, 0, false };
    al_failure failure = { 0 };
    if (!futures || !count)
        return;
    allot_status status = is_fine(&what, in) ? ALLOT_OK : check_submission(&what, in, &failure);
    size_t begun = 0;
    for (size_t run; what.plain && status == ALLOT_OK && begun < count; begun += run) {
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
    if (__builtin_expect(what->plain, true)) {
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

/* Plain calls, as many at once as one batch may have; how many of them it took on. None: one by one will tell
 * why. */
static size_t spawn_batch(submission *what, const void *in, size_t count)
{
    allot_executor *executor = what->executor;
    count = count < AL_BATCH_CALLS ? count : AL_BATCH_CALLS;
    if (!what->plain || count < 2 || !al_gate_enter_tasks(executor->gate, count))
        return 0;
    al_task *batch = NULL;
    if (al_executor_ensure_open(executor, executor->places[0]))
        batch = al_batch_create(executor->gate, what->function, in, what->in_size, count);
    if (batch)
        al_arm_dispatch(batch, executor->places[0]);
    else
        al_gate_abandon_tasks(executor->gate, count);
    return batch ? count : 0;
}

allot_status allot_spawn_many(allot_executor *executor, allot_function function, const void *in,
                              size_t in_size, size_t count, const allot_hints *given, size_t *spawned)
{
    allot_hints hints;
    submission what = { executor, function, in_size, 0, given, &hints, 1, AL_FUTURE_SPAWNED, false };
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
    if (!launch)
        return abandon(executor, NULL, status, &failure);
    al_task *task = al_task_create(NULL, NULL, 0, 0, 2);
    if (!task) {
        al_launch_destroy(launch);
        return abandon(executor, NULL, ALLOT_NO_MEMORY, &failure);
    }
    launch->deterministic = hints.deterministic;
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
