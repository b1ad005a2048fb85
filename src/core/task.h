/* A task: a future together with what is needed to run it, in one allocation.
 *
 * Life of a task: created with two references (the caller's future, and the owner's); armed with its
 * dependencies; dispatched to a place, which owns it until it calls al_task_complete() or, when
 * al_task_start() says no, al_task_drop(). */
#ifndef AL_CORE_TASK_H
#define AL_CORE_TASK_H

#include "base/clock.h"
#include "base/slab.h"
#include "core/call.h"
#include "core/future.h"
#include "core/gate.h"
#include "core/room.h"
#include <allot/place.h>
#include <string.h>

typedef struct al_task al_task;
typedef struct al_launch al_launch; /* core/launch.h */
struct al_place;                    /* places/place.h; here only a name */

/* What most plain tasks lack: first in a block of the executor's (its terms) that is freed with the task. */
typedef struct al_more {
    al_task *previous; /* for the queue of whoever owns it */
    void *slot;        /* for the place that owns it */
    al_launch *launch; /* NULL: a plain function; owned */
    /* NULL: not decided; owned. Released when complete but for its outcome; acquired by whoever is not the
     * owner: the task may be ended by somebody else while it is decided, and then has no outcome there. */
    allot_decision *_Atomic decision;
    int64_t submitted_ns, decided_ns, started_ns; /* 0 unless it is traced or decided, as the next */
    int64_t ended_ns;           /* its place may say so before it completes it with ALLOT_OK */
    _Atomic int64_t charged_ns; /* what its place's load carries for it; 0 once it has been taken off */
    int charged_workers;        /* of the load, that it is expected to keep busy */
    uint32_t begun_before;      /* launches that had begun on that load when it was charged */
    bool overtaken;             /* others began there between that and its own beginning */
    int priority;               /* above 0: before others, below: after them */
    double urgency; /* what the policy says: among what waits at one place the greater first; 0: nothing */
    bool retried;   /* an attempt has failed and it goes again: it is running wherever it is */
    bool io_bound;  /* it waits for something outside: another worker may do its worker's work */
    const char *_Atomic moved_to; /* the id, interned, of the place that took it over from the one that it was
                                     sent to first, which failed; NULL: none did */
    int node;                     /* of memory, near which it should run; -1: anywhere */
    const char *name; /* for messages and traces: never NULL; owned by launch, the block behind or static */
    /* What its retirement waits for, which lets go of its arrays: its end, its arming, and whoever looks at
     * them before it has started. 0: it is retired. */
    _Atomic int open;
    void (*settle)(al_task *task); /* one of these is over; NULL: it is not retired before it is freed */
} al_more;

#define AL_TASK_INLINE 32 /* bytes of argument and result, each padded to 16, that lie in the task itself */

/* One block of base/slab.h: a plain task and its future take two cache lines. */
struct al_task {
    allot_future future;            /* first: a future is a task */
    al_task *next;                  /* for the queue of whoever owns it */
    struct al_place *_Atomic place; /* NULL until it is dispatched */
    const char *place_id;           /* the place's id, interned: outlives the place. Written before `place` */
    al_gate *gate;           /* its executor's; NULL for the host's own accesses and for refused tasks */
    allot_function function; /* NULL: a launch */
    al_more *more;           /* NULL: a plain task, which leaves the gate when it is done; else whoever made
                                this sees to that */
    size_t in_size, out_size;
    union {
        _Alignas(16) unsigned char payload[AL_TASK_INLINE];
        al_room outside; /* owned; where the payload does not fit */
    };
};
_Static_assert(sizeof(al_task) == AL_SLAB_BLOCK, "a task is a block of the slab");

static inline al_task *al_task_from(allot_future *future)
{
    return (al_task *)future; /* the first member */
}

static inline size_t al_task_padded(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

/* memcpy, for sizes that are mostly a number's. */
static inline void al_copy_small(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else if (size == 4)
        memcpy(to, from, 4);
    else if (size)
        memcpy(to, from, size);
}

/* Argument and result, aligned to 16; NULL when empty. */
static inline void *al_task_in(const al_task *task)
{
    bool fits = al_task_padded(task->in_size) + task->out_size <= AL_TASK_INLINE;
    return !task->in_size ? NULL : fits ? (void *)task->payload : task->outside.bytes;
}

static inline void *al_task_out(const al_task *task)
{
    size_t before = al_task_padded(task->in_size);
    bool fits = before + task->out_size <= AL_TASK_INLINE;
    return !task->out_size ? NULL : (fits ? (unsigned char *)task->payload : task->outside.bytes) + before;
}

/* True if argument and result lie outside of the task. */
static inline bool al_task_is_outside(const al_task *task)
{
    return task->in_size > AL_TASK_INLINE || task->out_size > AL_TASK_INLINE - al_task_padded(task->in_size);
}

/* A new task in state PENDING with so many references, `in` copied; NULL when memory is out or the sizes
 * overflow. */
al_task *al_task_create(allot_function function, const void *in, size_t in_size, size_t out_size,
                        uint32_t references);

/* The same; what does not fit into it lies where a worker process can map it, if that can be. */
al_task *al_task_create_shared(allot_function function, const void *in, size_t in_size, size_t out_size,
                               uint32_t references);

/* All but the payload. */
static inline void al_task_init(al_task *task, allot_function function, size_t in_size, size_t out_size,
                                uint32_t references)
{
    al_future_init(&task->future, references);
    task->next = NULL;
    atomic_init(&task->place, NULL);
    task->place_id = "";
    task->gate = NULL;
    task->function = function;
    task->more = NULL;
    task->in_size = in_size;
    task->out_size = out_size;
}

/* A call's payload, whose argument and result fit. */
static inline void al_task_fill(al_task *task, const void *in, size_t in_size)
{
    static const unsigned char zeros[AL_TASK_INLINE];
    memcpy(task->payload, zeros, sizeof task->payload);
    al_copy_small(task->payload, in, in_size);
}

/* For one that al_task_init() and al_task_fill() have made, and that will have no `more`. */
static inline void al_task_set_small(al_task *task, uint32_t references)
{
    atomic_init(&task->future.word, references * AL_FUTURE_REFERENCE | AL_FUTURE_SMALL | ALLOT_STATE_PENDING);
}

static inline bool al_task_is_small(const al_task *task)
{
    return atomic_load_explicit(&((al_task *)task)->future.word, memory_order_relaxed) & AL_FUTURE_SMALL;
}

/* True for sizes that are sure to fit, as those of a number or two. */
static inline bool al_task_is_sure_to_fit(size_t in_size, size_t out_size)
{
    return in_size <= AL_TASK_INLINE / 2 && out_size <= AL_TASK_INLINE / 2;
}

/* The descriptor of the memory in which argument and result lie, as in al_room, while the task is unfinished;
 * -1: of none. */
static inline int al_task_shared(const al_task *task)
{
    return al_task_is_outside(task) ? task->outside.fd : -1;
}

static inline al_launch *al_task_launch(const al_task *task)
{
    return task->more ? task->more->launch : NULL;
}

static inline const char *al_task_name(const al_task *task)
{
    return task->more ? task->more->name : "task";
}

/* Valid while the task is unfinished. */
static inline allot_executor *al_task_executor(const al_task *task)
{
    return task->gate ? task->gate->executor : NULL;
}

/* On its executor's clock. Valid while the task is unfinished. */
static inline int64_t al_task_now_ns(const al_task *task)
{
    return al_clock_of(task->gate ? task->gate->clock : NULL);
}

/* The owner is about to run it: PENDING → RUNNING. False: it was cancelled or ended meanwhile; call
 * al_task_drop(). */
bool al_task_start(al_task *task);

/* Who holds it, though the owner may have it, is about to run it: the same, but the owner, whose reference
 * stays his, will find it started. */
static inline bool al_task_reclaim(al_task *task)
{
    return al_future_change(&task->future, ALLOT_STATE_PENDING, ALLOT_STATE_RUNNING | AL_FUTURE_RECLAIMED);
}

/* True if it was. */
static inline bool al_task_reclaimed(const al_task *task)
{
    return atomic_load_explicit(&((al_task *)task)->future.word, memory_order_relaxed) & AL_FUTURE_RECLAIMED;
}

/* The owner lets go of a task that ended without it. Drops the owner's reference. */
void al_task_drop(al_task *task);

/* Ends a task that the owner started, exactly once: moves the failure's text into the future (`failure` may
 * be NULL and is emptied), fills the decision's outcome, publishes, wakes, runs continuations, drops the
 * owner's reference. A stop that was asked for takes the place of ALLOT_OK: the status is then ALLOT_STOPPED
 * or ALLOT_DEADLINE. Call with no lock held. */
void al_task_complete(al_task *task, allot_status status, al_failure *failure);

/* The same for a small task that the caller holds beside its owner. `number`: of this thread's lane. */
static inline void al_task_complete_small(al_task *task, unsigned number, allot_status status,
                                          al_failure *failure)
{
    al_gate *gate = task->gate;
    if (__builtin_expect(status == ALLOT_OK && !failure->message && !failure->payload &&
                             !atomic_load_explicit(&task->future.stop, memory_order_acquire) &&
                             al_future_finish_quietly(&task->future),
                         true))
        al_gate_leave_at(gate, number, 1);
    else
        al_task_complete(task, status, failure);
}

/* The task whose code runs in this thread; NULL outside. Places set it around launches; al_task_call does it
 * itself. */
extern _Thread_local al_task *al_task_here __attribute__((tls_model("initial-exec")));

/* Calls a plain function task's function in this thread and returns its status: what inline and thread places
 * do with one that they started. `call` receives what it said. */
static inline allot_status al_task_call_under(al_task *task, allot_call *call)
{
    *call = (allot_call){ .stopping = &task->future.stop,
                          .in_size = task->in_size,
                          .place = task->place_id,
                          .out_size = task->out_size };
    al_task *outer = al_task_here; /* a task that waits may run others meanwhile */
    al_task_here = task;
    allot_status status = task->function(call, al_task_in(task), al_task_out(task));
    al_task_here = outer;
    return status;
}

static inline allot_status al_task_call(al_task *task, al_failure *failure)
{
    allot_call call;
    allot_status status = al_task_call_under(task, &call);
    *failure = call.failure;
    return status;
}

/* How a stop that was asked for ends the task, whatever its code returns: ALLOT_STOPPED, ALLOT_DEADLINE;
 * ALLOT_OK: none was. */
allot_status al_task_stop_status(const al_task *task);

/* Tells the log that a task failed that nobody will ask how it went. */
void al_task_log_spawned(const al_task *task, allot_status status, const al_failure *failure);

/* Cancels a task that has not started, in the place of its owner, who still has it; false if it has. */
bool al_task_cancel(al_task *task);

/* A place that wants to look at the arrays of a task that it has, and has not started, must say so, since
 * others may end the task at any moment. False: it is over, and they are gone. Else al_task_looked() must
 * follow: with no lock held, and the task held, since that may retire it. */
bool al_task_look(al_task *task);
void al_task_looked(al_task *task);

/* Ends a task in the place of its owner, who still has it and will be told by al_task_start() that it is
 * over. False if it has started. For what ends tasks before they run: a stop, a deadline. Its decision, if
 * there is one, stays without an outcome. */
bool al_task_end_pending(al_task *task, allot_status status, const char *message);

/* A future that is done already, with this error; never NULL. The failure is emptied. */
allot_future *al_task_refused(allot_status status, al_failure *failure);

/* An interned copy of a short text that lives as long as the process; "" when memory is out. */
const char *al_intern(const char *text);

#endif
