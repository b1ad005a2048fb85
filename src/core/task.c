#include "core/task.h"
#include "base/blocks.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/batch.h"
#include "core/launch.h"
#include "core/map.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Never freed: what is handed out when there is no memory for a refused future, and to the child of a fork.
 */
enum {
    EXHAUSTED,
    IN_CHILD,
    STATICS
};
static al_task statics[STATICS] = {
    [EXHAUSTED] = { .future = { .word = AL_FUTURE_REFERENCE | ALLOT_STATE_FAILED, .status = ALLOT_NO_MEMORY },
                    .place_id = "" },
    [IN_CHILD] = { .future = { .word = AL_FUTURE_REFERENCE | ALLOT_STATE_FAILED, .status = ALLOT_FORKED },
                   .place_id = "" },
};

static bool is_static(const allot_future *future)
{
    return (uintptr_t)future - (uintptr_t)statics < sizeof statics;
}

static inline al_task *create(allot_function function, const void *in, size_t in_size, size_t out_size,
                              uint32_t references, bool shared)
{
    al_task *task = al_slab_take();
    if (!task)
        return NULL;
    al_task_init(task, function, in_size, out_size, references);
    if (__builtin_expect(!al_task_is_outside(task), true)) {
        al_task_fill(task, in, in_size);
        return task;
    }
    if (al_room_create(&task->outside, in, in_size, out_size, shared))
        return task;
    al_slab_give(task);
    return NULL;
}

al_task *al_task_create(allot_function function, const void *in, size_t in_size, size_t out_size,
                        uint32_t references)
{
    return create(function, in, in_size, out_size, references, false);
}

al_task *al_task_create_shared(allot_function function, const void *in, size_t in_size, size_t out_size,
                               uint32_t references)
{
    return create(function, in, in_size, out_size, references, true);
}

static void destroy_more(al_more *more)
{
    al_launch_destroy(more->launch);
    al_blocks_give(atomic_load(&more->decision));
    al_blocks_give(more);
}

static void destroy_contents(al_task *task)
{
    if (task->future.failure) {
        al_failure_fini(task->future.failure);
        free(task->future.failure);
    }
    al_map_destroy(al_map_of(task));
    if (al_batch_is(task))
        al_batch_fini(task);
    if (task->more)
        destroy_more(task->more);
    if (al_task_is_outside(task))
        al_room_destroy(&task->outside);
}

static inline void destroy(al_task *task)
{
    if (__builtin_expect(!al_task_is_small(task) || task->future.failure, false))
        destroy_contents(task);
    al_slab_give(task);
}

allot_future *allot_hold(allot_future *future)
{
    if (future && !is_static(future))
        atomic_fetch_add_explicit(&future->word, AL_FUTURE_REFERENCE, memory_order_relaxed);
    return future;
}

void allot_release(allot_future *future)
{
    if (!future || is_static(future))
        return;
    if (al_future_unreference(future) && !al_forked()) /* there its locks may be held for ever */
        destroy(al_task_from(future));
}

size_t allot_future_size(const allot_future *future)
{
    return future ? ((const al_task *)future)->out_size : 0;
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
    if (!atomic_load_explicit(&task->place, memory_order_acquire))
        return "";
    const char *moved_to =
        task->more ? atomic_load_explicit(&task->more->moved_to, memory_order_relaxed) : NULL;
    return moved_to ? moved_to : task->place_id;
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
    switch (atomic_load_explicit(&task->future.stop, memory_order_acquire)) {
    case AL_STOP_ASKED:
        return ALLOT_STOPPED;
    case AL_STOP_DEADLINE:
        return ALLOT_DEADLINE;
    case AL_STOP_SHUTDOWN:
        return ALLOT_SHUTDOWN;
    default:
        return ALLOT_OK;
    }
}

static double seconds(int64_t ns)
{
    return (double)ns * 1e-9;
}

/* What it took, less what the best of the others was predicted to take. */
static double regret_s(const allot_decision *decision, double actual_s)
{
    double best_s = INFINITY;
    for (size_t i = 0; i < decision->candidate_count; i++) {
        const allot_candidate *candidate = &decision->candidates[i];
        if (candidate->possible && (int)i != decision->chosen && candidate->total_s < best_s)
            best_s = candidate->total_s;
    }
    return best_s < INFINITY ? actual_s - best_s : 0;
}

/* Before the task is seen to be done, so that who sees it may read the outcome. */
static void record_outcome(const al_task *task, allot_status status)
{
    al_more *more = task->more;
    allot_decision *decision = atomic_load_explicit(&more->decision, memory_order_acquire);
    const al_launch *launch = more->launch;
    if (!decision || !launch)
        return;
    decision->status = status;
    decision->waited_s = seconds(more->decided_ns - more->submitted_ns);
    decision->queued_s = more->started_ns ? seconds(more->started_ns - more->decided_ns) : 0;
    decision->moved_s = seconds((int64_t)launch->moved.ns);
    decision->bytes_moved = launch->moved.bytes;
    decision->compiled_s = seconds(launch->compiled_ns);
    decision->ran_s = seconds(launch->ran_ns);
    decision->work_group_from = launch->work_group_from ? launch->work_group_from : "";
    if (launch->work_group_from)
        memcpy(decision->work_group, launch->work_group, sizeof decision->work_group);
    more->ended_ns = more->ended_ns ? more->ended_ns : al_task_now_ns(task);
    decision->regret_s = regret_s(decision, seconds(more->ended_ns - more->decided_ns));
    decision->done = true;
}

/* A plain task's end is its executor's business in this alone. */
static al_gate *gate_to_leave(const al_task *task)
{
    return task->more ? NULL : task->gate;
}

void al_task_log_spawned(const al_task *task, allot_status status, const al_failure *failure)
{
    al_log(AL_LOG_WARNING, "%s, which was spawned, failed: %s", al_task_name(task),
           failure && failure->message ? failure->message : allot_status_text(status));
}

static void finish(al_task *task, allot_status status, al_failure *message)
{
    al_gate *gate = gate_to_leave(task); /* read before it may be gone */
    allot_state end = status == ALLOT_OK ? ALLOT_STATE_SUCCEEDED : ALLOT_STATE_FAILED;
    /* Before the end, whoever else holds it: the last to let go knows nothing of this. */
    if (status != ALLOT_OK &&
        atomic_load_explicit(&task->future.word, memory_order_relaxed) & AL_FUTURE_SPAWNED)
        al_task_log_spawned(task, status, message);
    if (al_future_finish(&task->future, end, status, message))
        destroy(task);
    if (gate)
        al_gate_leave(gate);
}

void al_task_complete(al_task *task, allot_status status, al_failure *failure)
{
    if (__builtin_expect(atomic_load_explicit(&task->future.stop, memory_order_acquire) != AL_STOP_NONE,
                         false))
        status = al_task_stop_status(task);
    al_failure *message = kept(failure);
    if (task->more)
        record_outcome(task, status);
    if (al_task_is_outside(task))
        al_room_close(&task->outside);
    finish(task, status, message);
}

bool al_task_cancel(al_task *task)
{
    al_gate *gate = gate_to_leave(task);
    if (!al_future_drop(&task->future))
        return false;
    if (gate)
        al_gate_leave(gate);
    return true;
}

bool al_task_end_pending(al_task *task, allot_status status, const char *message)
{
    al_failure failure = { 0 };
    if (!al_task_start(task))
        return false;
    al_failure_set(&failure, status, "%s", message);
    allot_hold(&task->future); /* the owner keeps his */
    finish(task, status, kept(&failure));
    return true;
}

bool al_task_look(al_task *task)
{
    al_more *more = task->more;
    if (!more || !more->settle)
        return true;
    int open = atomic_load_explicit(&more->open, memory_order_relaxed);
    while (open > 0)
        /* acquire: what was written to the arrays' list before. */
        if (atomic_compare_exchange_weak_explicit(&more->open, &open, open + 1, memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
    return false;
}

void al_task_looked(al_task *task)
{
    if (task->more && task->more->settle)
        task->more->settle(task);
}

allot_future *al_task_refused(allot_status status, al_failure *failure)
{
    if (al_forked()) { /* the locks of memory may be held there for ever */
        al_failure_fini(failure);
        return &statics[IN_CHILD].future;
    }
    al_task *task = al_task_create(NULL, NULL, 0, 0, 2);
    if (!task) {
        al_failure_fini(failure);
        return &statics[EXHAUSTED].future;
    }
    al_task_start(task);
    al_task_complete(task, status, failure);
    return &task->future;
}

_Thread_local al_task *al_task_here __attribute__((tls_model("initial-exec")));

/* ---- Interned texts ---- */

typedef struct interned {
    struct interned *next;
    char text[];
} interned;

const char *al_intern(const char *text)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards `all` */
    static interned *all[1024];            /* the ids of places: a handful, or thousands of simulated ones */
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *at = text; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    interned **list = &all[hash % (sizeof all / sizeof *all)];
    pthread_mutex_lock(&lock);
    interned *found = *list;
    while (found && strcmp(found->text, text) != 0)
        found = found->next;
    if (!found && (found = malloc(sizeof *found + strlen(text) + 1))) {
        strcpy(found->text, text);
        found->next = *list;
        *list = found;
    }
    pthread_mutex_unlock(&lock);
    return found ? found->text : "";
}
