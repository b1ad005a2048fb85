/* A place: where tasks can run. Every place gets tasks through this one table and ends each through
 * al_task_complete(). */
#ifndef AL_PLACES_PLACE_H
#define AL_PLACES_PLACE_H

#include "core/array.h"
#include "core/call.h"
#include "core/task.h"
#include "places/load.h"
#include "places/parts.h"
#include <allot/kernel.h>
#include <allot/observe.h>
#include <allot/process.h>
#include <stddef.h>

typedef struct al_place al_place;

/* The whole contract of a place. Entries may be called by any threads at once, except where said; none is
 * called with a lock held. */
typedef struct al_place_ops {
    /* Fills what it knows of id, kind, name, driver, workers, memory ... (size, state and message are filled
     * by al_place_describe()). */
    void (*describe)(const al_place *place, allot_place_info *info);

    /* Says whether this task could run here and, if not, why, in words. Must be quick and must not need
     * `open`. */
    bool (*can_run)(const al_place *place, const al_task *task, char *why, size_t why_size);

    /* Brings the place up; called once, before the first enqueue; may be slow. An error (with its text in the
     * failure) sets the place aside: then only close is called. */
    allot_status (*open)(al_place *place, al_failure *failure);

    /* Takes a task and owns it until al_task_complete() or al_task_drop(). Never blocks, never fails (what
     * cannot run is completed with its error, not by the calling thread's stack if user code could run
     * there), holds no lock on return. */
    void (*enqueue)(al_place *place, al_task *task);

    /* Gives a task back that was enqueued and has not started: `which`, or with NULL any one (cancelling all,
     * stealing). The caller is its owner again; the caller counts it. NULL: there is none, or it is not in
     * the queue any more (running, done, or about to be looked at). */
    al_task *(*withdraw)(al_place *place, al_task *which);

    /* NULL: everything that runs there is to end with ALLOT_SHUTDOWN, at once where the place can do so; what
     * is enqueued from now on too. Else: the running task's stop flag has been set: does what else ends it
     * (signals after grace_ns); returns at once. A task that is not running any more, or not yet, is no
     * error. */
    void (*stop)(al_place *place, al_task *task, int64_t grace_ns);

    /* Ends the place: nothing is enqueued any more, and nothing is queued or runs (the executor has drained).
     * Joins threads, ends processes, frees the object. Called also when open failed or never happened. */
    void (*close)(al_place *place);

    /* Changes how many workers it has (see allot_resize), before or after `open`. NULL: it cannot. */
    allot_status (*resize)(al_place *place, int min, int max, al_failure *failure);
} al_place_ops;

/* What is counted of a place, by each thread in a cell of its own. Figures, not synchronisation. */
typedef enum al_count {
    AL_ENQUEUED,
    AL_STARTED,
    AL_SUCCEEDED,
    AL_FAILED,
    AL_CANCELLED,
    AL_BUSY_NS,
    AL_RESTARTS,
    AL_COUNTS
} al_count;

typedef struct al_counts {
    _Alignas(64) _Atomic uint64_t of[AL_COUNTS];
} al_counts;

/* What a kernel of the place's own took there. */
typedef struct al_pace {
    const char *kernel; /* its name */
    allot_work work;
    double run_s;
} al_pace;

enum {
    AL_PACES = 4
};

typedef enum al_paced {
    AL_PACE_KNOWN,  /* or is of no interest */
    AL_PACE_WANTED, /* by the executor, to whom nothing is known of places like it */
    AL_PACE_TAKEN,  /* by the place, if it can while it prepares something: its paces are filled */
    AL_PACE_TOLD    /* to the cost model */
} al_paced;

struct al_place {
    const al_place_ops *ops;
    allot_kind kind;
    int width;             /* how much it can do at once: configured workers, compute units. Never changes */
    const char *id;        /* interned */
    const char *class_id;  /* interned: what it shares with places that are just like it, "opencl:NAME,
                              DRIVER": they teach the cost model together. NULL: the id */
    uint32_t device_types; /* of an OpenCL device: what it is, allot_device_type or-ed; else 0 */
    const char *name, *driver; /* of an OpenCL device; else NULL */
    al_memory *memory; /* where this place's copies of arrays live; NULL: it works on the host's memory */
    double compile_s;  /* what building a kernel is known to take; 0: unknown, until one has been built */
    struct al_class *alike; /* executor/classes.h; here only a name. This and what follows, but for what kinds
                               fill, is kept by the executor, not by the place */
    size_t index;           /* among the executor's places */
    /* One line of the cache, which every decision looks at, of every place: */
    _Alignas(
        64) bool shares_cpus; /* runs on the CPUs that the thread place uses: one resource for placement */
    bool only_by_name;        /* never a candidate unless the hints ask for it */
    bool runs_all_c;     /* of launches can_run says what al_place_runs_c() does, which is the same for all
                            places: it need not be asked */
    _Atomic int state;   /* allot_place_state; below 0 while it is brought up */
    _Atomic int workers; /* threads or processes that it has now */
    int node; /* of memory, that it is near, as the kernel numbers them, plus 1; 0: all, or unknown */
    al_load
        *load; /* of what it works with: its own, or the CPUs', which places share; NULL: not listed yet */
    al_load own_load;
    /* Takes a task that this place started and could not carry out, to run it elsewhere; false: nowhere.
     * NULL: there is nobody to ask. May be called where user code must not run. */
    bool (*elsewhere)(al_place *place, al_task *task, allot_status status, const al_failure *failure);
    /* Takes over a task whose attempt has failed, to enqueue it again later; false: it ends so. NULL: never.
     */
    bool (*retry)(al_place *place, al_task *task, allot_status status, al_failure *failure);
    /* Of a place that compiles: NULL if the launch may go there now. Else why not, in words that are static
     * or in `room`: what it needs is being built, from now on if nothing was, or cannot be built. `waits`: it
     * would wait for the build there, which is not begun for it. *built_s receives how long building took
     * beside other launches, once, else 0. NULL: there is nothing to prepare. */
    const char *(*prepare)(al_place *place, const al_launch *launch, bool waits, double *built_s, char *room,
                           size_t room_size);
    _Atomic int paced; /* al_paced */
    al_pace paces[AL_PACES];
    char message[256]; /* why it is aside; read by al_place_message() */
    al_counts counts[AL_LANES];
};
_Static_assert(offsetof(al_place, own_load.running_ns) / 64 == offsetof(al_place, shares_cpus) / 64,
               "one line of the cache");

/* What an executor tells the kinds when it looks for places. */
typedef struct al_place_config {
    int threads, processes;        /* workers of the pools, at least 1 */
    int threads_max;               /* at least `threads` */
    int processes_max;             /* at least `processes` */
    allot_process_options process; /* read, and checked */
    int64_t idle_ns;               /* 0: as the place thinks best */
    bool bind_threads;
    uint64_t device_memory_bytes; /* for copies of arrays in each device's; 0: all of it */
    al_parts device_parts;        /* of each device */
    bool caps_libraries;          /* workers keep other libraries from starting teams: topology/citizen.h */
} al_place_config;

/* A kind of place that this build has. */
typedef struct al_place_kind {
    allot_kind kind;
    bool slow; /* discover may take long: called in the background, when first needed */
    /* Makes the places of this kind that the machine has, cold, at most `capacity`; returns how many. None is
     * no error, but then `message` says why. */
    size_t (*discover)(const al_place_config *config, al_place **places, size_t capacity, char *message,
                       size_t message_size);
    /* Describes the drivers behind its devices, as allot_drivers() does. NULL: it has none. */
    size_t (*drivers)(allot_driver_info *infos, size_t capacity);
    /* Makes the launch that does in a worker process, as a launch of a C variant, what this one does on this
     * kind's first place that `place_id` means (NULL: the first of all). NULL with status and failure set.
     * NULL: the kind's launches cannot be isolated. */
    al_launch *(*isolate)(const al_launch *launch, const char *place_id, allot_status *status,
                          al_failure *failure);
} al_place_kind;

extern const al_place_kind *const al_place_kinds[]; /* ended by NULL; places/kinds.c */
extern const al_place_kind al_inline_kind, al_thread_kind, al_process_kind, al_opencl_kind;

/* ---- For places ---- */

/* Zeroed memory for a struct that embeds al_place first, aligned as al_place needs; free() ends it. NULL when
 * memory is out. */
void *al_place_allocate(size_t size);

/* `number`: of this thread's lane. */
static inline void al_place_count_at(al_place *place, unsigned number, al_count which, uint64_t amount)
{
    al_lane_add_at(number, &place->counts[number].of[which], amount);
}

static inline void al_place_count(al_place *place, al_count which, uint64_t amount)
{
    al_place_count_at(place, al_lane_here()->number, which, amount);
}

uint64_t al_place_counted(const al_place *place, al_count which);

/* Starts a task that this place took from its queue and counts it; false: it was cancelled, and has been
 * counted and dropped; or, if it is tried again, it was stopped, and has been completed: then no lock may be
 * held. */
bool al_place_start(al_place *place, al_task *task);

/* Lets go of a task that was queued here and has been ended, or started, by somebody else, and counts it. */
void al_place_drop(al_place *place, al_task *task);

/* Completes a task that al_place_start() let through, and counts and traces it. `busy_ns` is what it cost the
 * place; 0 if not measured. */
void al_place_complete(al_place *place, al_task *task, allot_status status, al_failure *failure,
                       int64_t busy_ns);

/* The same where not the task failed, but the place (a lost device; one whose compiler does not take the
 * program, ALLOT_BUILD): it is run elsewhere if it may be, and then not completed here. What the place wrote
 * must have been spoiled before: al_launch_spoil(). */
void al_place_fail(al_place *place, al_task *task, allot_status status, al_failure *failure, int64_t busy_ns);

/* Fills the call that a launch's part runs under. */
allot_call al_place_call(const al_place *place, al_task *task);

/* The can_run of a place that runs C: plain functions, and launches that have a C variant. It does not look
 * at `place`. */
bool al_place_runs_c(const al_place *place, const al_task *task, char *why, size_t why_size);

/* Charges a decided task that is expected to keep `workers` of the place's load busy for predicted_ns. */
void al_place_charge(al_place *place, al_task *task, int64_t predicted_ns, int workers, int64_t now_ns);
/* Takes that off the load; does nothing the second time. */
void al_place_discharge(al_place *place, al_task *task);

/* Sets the place aside for good reason (a lost device): the executor gives it no more tasks. */
void al_place_set_aside(al_place *place, const char *reason);
/* It works again. */
void al_place_restore(al_place *place);
/* Why it is or was aside; "" if it never was. */
void al_place_message(const al_place *place, char *message, size_t size);

void al_place_describe(const al_place *place, allot_place_info *info);

#endif
