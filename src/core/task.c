#include "core/task.h"
#include "base/clock.h"
#include "core/call.h"
#include "core/launch.h"
#include "core/map.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 16

/* Handed out when there is no memory for a refused future; never freed. */
static al_task exhausted = {
    .future = { .state = ALLOT_STATE_FAILED, .references = 1, .status = ALLOT_NO_MEMORY },
    .place_id = "",
    .name = "task",
};

static size_t padded(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

al_task *al_task_create(allot_function function, const void *in, size_t in_size, size_t out_size)
{
    const size_t most = PTRDIFF_MAX / 4;
    if (in_size > most || out_size > most)
        return NULL;
    al_task *task = calloc(1, padded(sizeof *task) + padded(in_size) + out_size);
    if (!task)
        return NULL;
    unsigned char *behind = (unsigned char *)task + padded(sizeof *task);
    task->in = in_size ? behind : NULL;
    task->out = out_size ? behind + padded(in_size) : NULL;
    task->in_size = in_size;
    task->out_size = out_size;
    if (in_size)
        memcpy(task->in, in, in_size);
    al_future_init(&task->future, task->out, out_size);
    atomic_store_explicit(&task->future.references, 2, memory_order_relaxed);
    task->function = function;
    task->place_id = "";
    task->name = "task";
    return task;
}

static void destroy(al_task *task)
{
    if (task->future.failure) {
        al_failure_fini(task->future.failure);
        free(task->future.failure);
    }
    al_launch_destroy(task->launch);
    al_map_destroy(al_map_of(task));
    free(task->terms);
    free(atomic_load(&task->decision));
    free(task);
}

allot_future *allot_hold(allot_future *future)
{
    if (future && future != &exhausted.future)
        atomic_fetch_add_explicit(&future->references, 1, memory_order_relaxed);
    return future;
}

void allot_release(allot_future *future)
{
    if (!future || future == &exhausted.future)
        return;
    /* acq_rel: what any holder did to the task happens before it is freed. */
    if (atomic_fetch_sub_explicit(&future->references, 1, memory_order_acq_rel) == 1)
        destroy(al_task_from(future));
}

void allot_release_all(allot_future *const *futures, size_t count)
{
    for (size_t i = 0; futures && i < count; i++)
        allot_release(futures[i]);
}

const char *allot_future_place(const allot_future *future)
{
    if (!future)
        return "";
    const al_task *task = (const al_task *)future;
    /* acquire: pairs with the dispatcher's release of `place`, which comes after place_id. That the task is
     * done says nothing: it may have been cancelled on its way to the place. */
    return atomic_load_explicit(&task->place, memory_order_acquire) ? task->place_id : "";
}

bool al_task_start(al_task *task)
{
    return al_future_change(&task->future, ALLOT_STATE_PENDING, ALLOT_STATE_RUNNING);
}

void al_task_drop(al_task *task)
{
    allot_release(&task->future);
}

/* Moves a failure to the heap; NULL when it says nothing or memory is out. */
static al_failure *kept(al_failure *failure)
{
    if (!failure || (!failure->message && !failure->payload))
        return NULL;
    al_failure *copy = malloc(sizeof *copy);
    if (copy)
        *copy = *failure;
    else
        al_failure_fini(failure);
    *failure = (al_failure){ 0 };
    return copy;
}

allot_status al_task_stop_status(const al_task *task)
{
    switch (atomic_load_explicit(&task->stop, memory_order_acquire)) {
    case AL_STOP_ASKED:
        return ALLOT_STOPPED;
    case AL_STOP_DEADLINE:
        return ALLOT_DEADLINE;
    default:
        return ALLOT_OK;
    }
}

static double seconds(int64_t ns)
{
    return (double)ns * 1e-9;
}

/* Before the task is seen to be done, so that who sees it may read the outcome. */
static void record_outcome(al_task *task, allot_status status)
{
    allot_decision *decision = atomic_load_explicit(&task->decision, memory_order_acquire);
    const al_launch *launch = task->launch;
    if (!decision || !launch)
        return;
    decision->status = status;
    decision->waited_s = seconds(task->decided_ns - task->submitted_ns);
    decision->queued_s = task->started_ns ? seconds(task->started_ns - task->decided_ns) : 0;
    decision->moved_s = seconds((int64_t)launch->moved.ns);
    decision->bytes_moved = launch->moved.bytes;
    decision->compiled_s = seconds(launch->compiled_ns);
    decision->ran_s = seconds(launch->ran_ns);
    task->ended_ns = al_clock_now_ns();
    decision->done = true;
}

void al_task_complete(al_task *task, allot_status status, al_failure *failure)
{
    allot_status stopped = al_task_stop_status(task);
    if (stopped != ALLOT_OK)
        status = stopped;
    al_failure *message = kept(failure);
    record_outcome(task, status);
    allot_state end = status == ALLOT_OK ? ALLOT_STATE_SUCCEEDED : ALLOT_STATE_FAILED;
    al_future_finish(&task->future, end, status, message);
    al_task_drop(task);
}

bool al_task_end_pending(al_task *task, allot_status status, const char *message)
{
    al_failure failure = { 0 };
    if (!al_task_start(task))
        return false;
    al_failure_set(&failure, status, "%s", message);
    al_future_finish(&task->future, ALLOT_STATE_FAILED, status, kept(&failure));
    return true;
}

allot_future *al_task_refused(allot_status status, al_failure *failure)
{
    al_task *task = al_task_create(NULL, NULL, 0, 0);
    if (!task) {
        al_failure_fini(failure);
        return &exhausted.future;
    }
    al_task_start(task);
    al_task_complete(task, status, failure);
    return &task->future;
}

_Thread_local al_task *al_task_here;

allot_status al_task_call(al_task *task, al_failure *failure)
{
    allot_call call = { &task->stop, task->place_id, task->in_size, task->out_size, { 0 } };
    al_task *outer = al_task_here; /* a task that waits may run others meanwhile */
    al_task_here = task;
    allot_status status = task->function(&call, task->in, task->out);
    al_task_here = outer;
    *failure = call.failure;
    return status;
}

/* ---- Interned texts ---- */

typedef struct interned {
    struct interned *next;
    char text[];
} interned;

const char *al_intern(const char *text)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards `all` */
    static interned *all;                                    /* a handful: the ids of places */
    pthread_mutex_lock(&lock);
    interned *found = all;
    while (found && strcmp(found->text, text) != 0)
        found = found->next;
    if (!found && (found = malloc(sizeof *found + strlen(text) + 1))) {
        strcpy(found->text, text);
        found->next = all;
        all = found;
    }
    pthread_mutex_unlock(&lock);
    return found ? found->text : "";
}
