/* Places of this machine, hints for a task, and the record of a placement. */
#ifndef ALLOT_PLACE_H
#define ALLOT_PLACE_H

#include <allot/status.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct allot_executor allot_executor;
typedef struct allot_future allot_future;

/* ---- Kinds of place ---- */

/* X(name, value, text). */
#define ALLOT_KIND_LIST(X)                                                                                   \
    X(INLINE, 1, "inline")   /* one thread, one task after the other, in order, never split: the reference.  \
                                Used only when asked for */                                                  \
    X(THREAD, 2, "thread")   /* the thread pool */                                                           \
    X(PROCESS, 3, "process") /* the pool of worker processes: a crash there is an error here. Used only when \
                                asked for */                                                                 \
    X(OPENCL, 4, "opencl")   /* one OpenCL device */

typedef enum allot_kind {
    ALLOT_ANYWHERE = 0, /* as a hint: the library chooses */
#define ALLOT_KIND_ENUM(name, value, text) ALLOT_##name = value,
    ALLOT_KIND_LIST(ALLOT_KIND_ENUM)
#undef ALLOT_KIND_ENUM
} allot_kind;

/* A kind as a bit, for sets of kinds. */
#define ALLOT_KIND_BIT(kind) (UINT32_C(1) << (kind))

/* A kind's name, "thread"; "anywhere" for 0, "?" for what is not a kind. Static text. */
ALLOT_API const char *allot_kind_name(allot_kind kind);

/* X(name, value, text): what an OpenCL device says that it is; a bit for each, since a simulator may say that
 * it is all of them. */
#define ALLOT_DEVICE_TYPE_LIST(X)                                                                            \
    X(CPU, 1, "cpu")                                                                                         \
    X(GPU, 2, "gpu")                                                                                         \
    X(ACCELERATOR, 4, "accelerator")                                                                         \
    X(CUSTOM, 8, "custom") /* none of these */

typedef enum allot_device_type {
#define ALLOT_DEVICE_TYPE_ENUM(name, value, text) ALLOT_DEVICE_##name = value,
    ALLOT_DEVICE_TYPE_LIST(ALLOT_DEVICE_TYPE_ENUM)
#undef ALLOT_DEVICE_TYPE_ENUM
} allot_device_type;

/* Types or-ed, by name: "gpu", "cpu+gpu+accelerator"; "" for 0. Static text. */
ALLOT_API const char *allot_device_types_text(uint32_t types);

/* ---- Hints: what the caller knows about a task ---- */

typedef struct allot_array allot_array; /* array.h */

/* What keeps a task from going faster. */
typedef enum allot_bound {
    ALLOT_UNBOUND = 0, /* not said: taken for ALLOT_CPU_BOUND */
    ALLOT_CPU_BOUND,   /* computing: it keeps the CPUs or the device that it runs on busy */
    ALLOT_IO_BOUND     /* waiting, for files or the network. On the thread place a plain function runs as
                          between allot_blocking_begin() and _end(): another worker does the work meanwhile.
                          Elsewhere, and for launches, it only says that CPUs stay free: what is placed after it
                          does not expect to wait for it */
} allot_bound;

/* What a launch should cost least of. */
typedef enum allot_preference {
    ALLOT_PREFER_TIME = 0, /* the time until its end */
    ALLOT_PREFER_ENERGY    /* the energy: the power of a place (allot_options.core_watts and device_watts, not
                              measured) times the time that the launch keeps it busy; what waits in a queue costs
                              none, and neither do idle places. Policies "eft" and "heft" heed it */
} allot_preference;

typedef struct allot_hints {
    size_t size;      /* sizeof(allot_hints), filled by ALLOT_HINTS and allot_hints_init */
    allot_kind place; /* the kind of place; ALLOT_ANYWHERE: chosen */
    /* A place by its id, "opencl:1", or OpenCL devices by a word, whose case is of no account: "gpu", "cpu",
     * "accelerator" and "custom" are those of that type, and any other word those in whose name or driver it
     * occurs, "llvmpipe". Behind "opencl:" it means the same, "opencl:gpu"; "opencl" is every device. A
     * number is an index alone, and what is almost a pool's id, "proces", is no word. Where several are
     * meant, placement chooses among them. NULL: any of the kind. Copied. What is nowhere ends the task with
     * ALLOT_NO_DEVICE, or ALLOT_NOT_FOUND where it does not begin with "opencl", and the message lists the
     * places. allot_place_is() tells which are meant. */
    const char *place_id;
    uint32_t forbid; /* kinds not to use, ALLOT_KIND_BIT(kind) or-ed */
    int priority;    /* above 0: before others that wait on the thread place or for a device, below 0: after
                        them, without ever starving them (what a device's driver was given already is not
                        overtaken); simulated devices sort by it too, other places do not. Of launches that
                        become ready together the greater is decided first */
    /* From submission; 0: none; negative: passed already. A task that is not done by then ends with
     * ALLOT_DEADLINE: a pending one at once, a running one as allot_stop() says. */
    int64_t deadline_ns;
    int64_t grace_ns;           /* of a deadline: from SIGTERM to SIGKILL; 0: 1 s */
    allot_future *const *after; /* runs only when these are done, and only if all succeeded: otherwise it ends
                                with ALLOT_DEPENDENCY and the root cause. Held by the task */
    size_t after_count;
    const char *name; /* shown in traces and messages; NULL: the kernel's name or "task". Copied */
    /* Of a launch: the same bits each time. The range is cut at boundaries that depend on it alone, not on
     * the number of workers or on who is free, and reductions are combined in the order of the range. So the
     * same launch gives bit-identical results on the inline, thread and process places, with any number of
     * workers, on one machine; and again on one device. A device's differ from the CPU's, and one device's
     * from another's: unless the hints ask for devices, a kernel with a C variant stays on the CPU's places.
     * The variants must play along: a C variant's result must depend on its part alone (allot_gemm() calls
     * OpenBLAS, which promises that of itself only). */
    bool deterministic;
    size_t chunk; /* of allot_map(): items that travel as one task; 0: as allot_map() says */
    /* On machines with several memory nodes a task of the thread place goes first to workers of one: */
    const allot_array *near; /* that on which this array's first page lies; NULL: any */
    int near_node; /* this one, as the kernel numbers them, plus 1; 0, or one that is not there: any */
    /* The task runs in a worker process, so that its crash is an error here: as place = ALLOT_PROCESS.
     *
     * A launch with place = ALLOT_OPENCL, with a place_id of devices, or of a kernel without a C variant runs
     * the kernel's OpenCL variant in a worker, which opens the first such device for itself: a
     * driver that crashes costs the worker, and one that hangs is ended with it by allot_stop() or the
     * deadline. Its data is copied to the device and back each time, and the worker builds the kernel once.
     *
     * A worker gives up rights for good as it comes to need them no more (with libseccomp; else there is a
     * warning in its log): once the program is built, sockets but local ones; and before the first launch
     * that needs nothing new of the driver, one of a kernel, element type and work-group size that it has run
     * before, the starting of processes and programs. Not sooner: a driver may start a linker at the first
     * launch (PoCL does). Such calls fail with EPERM then. Other tasks do not notice: what needs the rights
     * again, a plain function or another kernel, is run by another worker, for which this one ends; so each
     * change between them costs a new worker (some 60 ms, most of it the driver's start), which is why more
     * worker processes or an executor of their own do isolated kernels good. Drivers that start a linker
     * cannot build in workers with no_exec.
     *
     * No self-test is made in a worker (allot_kernel_desc.selftest). Not for ranges with an offset,
     * specialisation constants and structs above 16 bytes. In records its name
     * is followed by " (isolated)".
     *
     * Refused with ALLOT_UNSUPPORTED where `place` or `place_id` ask for another place, and for plain
     * functions on devices. */
    bool isolate;
    allot_bound bound;
    uint64_t memory_bytes; /* the most memory that it will need, its arrays counted: places that have less
                              cannot run it. 0: what its arrays need */
    double flops, bytes;   /* of a launch: the work that placement reckons with in place of the kernel's own
                              account; 0: that. Negative or not finite: ALLOT_INVALID */
    allot_preference prefer;
    /* How often an attempt that fails, by the death of its worker or by an error of its own, is made again on
     * the same place, before the task ends with the last error. Only for tasks that are declared idempotent:
     * else it is refused (ALLOT_INVALID), since what a failed attempt has done before is not undone. The task
     * is seen to run all the while; stops and the deadline hold for the whole. Of allot_map() each chunk is
     * tried again; an item's own error is no failure of its chunk. */
    int retries;
    int64_t retry_delay_ns; /* before the second attempt; doubles with each one after it, up to an hour */
    bool idempotent;        /* running it twice does no more than running it once */
} allot_hints;

/* Fills *hints with the defaults. */
ALLOT_API void allot_hints_init(allot_hints *hints);

/* ALLOT_HINTS(.place = ALLOT_PROCESS): hints in place, valid to the end of the enclosing block. */
#ifndef __cplusplus
#define ALLOT_HINTS(...) (&(const allot_hints){ .size = sizeof(allot_hints), __VA_ARGS__ })
#endif

/* ---- Places ---- */

typedef enum allot_place_state {
    ALLOT_PLACE_COLD, /* not started yet: the first task starts it */
    ALLOT_PLACE_READY,
    ALLOT_PLACE_ASIDE /* could not be brought up, or was lost: `message` says why; takes no tasks */
} allot_place_state;

typedef struct allot_place_info {
    size_t size; /* sizeof(allot_place_info), set by the caller */
    char id[32]; /* "thread", "process", "inline", "opencl:0" */
    allot_kind kind;
    allot_place_state state;
    char name[128];           /* in words: a device's name */
    char driver[128];         /* of a device: platform and driver version; else "" */
    char message[256];        /* why it is aside; of a device which kernels compute wrongly there; else "" */
    int workers;              /* threads, processes, or a device's compute units */
    uint64_t memory_bytes;    /* what it can hold: the machine's memory, or a device's */
    uint64_t max_array_bytes; /* the largest single array; a device's limit */
    bool shares_cpus;         /* runs on the CPUs that the thread place uses */
    bool shares_memory;       /* works on the host's pages: no copies */
    bool has_f64;             /* can compute in double precision */
    int numa_node; /* memory node that a device is near, as the kernel numbers them; -1: unknown, or all */
    uint32_t device_types; /* of an OpenCL device: its allot_device_type, or several or-ed; else 0, as of a
                              simulated one */
} allot_place_info;

/* Finds every place, devices too (waits for that search: its first time in a process costs tens to hundreds
 * of milliseconds), and copies up to `capacity` of them to infos. The caller sets `size` of every entry to
 * sizeof(allot_place_info): the entries lie that far apart. Returns how many places there are; 0 on NULL.
 * Their order is stable while the executor is open. */
ALLOT_API size_t allot_places(allot_executor *executor, allot_place_info *infos, size_t capacity);

/* True if `place_id`, as in hints.place_id, means that place. Any thread, also without an executor. */
ALLOT_API bool allot_place_is(const allot_place_info *place, const char *place_id);

/* What is wrong with the search for devices: "" if it went well, else in words ("no OpenCL platform: ...").
 * Waits like allot_places(). Valid while the executor is open. */
ALLOT_API const char *allot_devices_message(allot_executor *executor);

/* ---- Drivers ----
 * A driver may crash or hang the process that loads it. So each OpenCL driver (.icd file) is first loaded in
 * a child process, where its devices are listed and a small kernel runs on each; one that crashes there, or
 * is not through in time, is left out here. The verdict is kept in the user's cache folder ("drivers") by the
 * file's and its library's path, size and time of change and by the variables that drivers read: the next
 * process looks at files alone. A bad one is tried again after 12 hours.
 *
 * With a driver left out the others are opened by their libraries instead of by the OpenCL loader: OpenCL
 * layers (OPENCL_LAYERS) are not there then, and a call of clGetPlatformIDs by the program itself loads the
 * bad one as ever.
 *
 * Environment: ALLOT_QUARANTINE (a file for the verdicts, or "off": no driver is tried first),
 * ALLOT_QUARANTINE_S (20: after how many seconds a driver counts as hanging). */

typedef enum allot_driver_state {
    ALLOT_DRIVER_UNTRIED, /* not tried first: `message` says why */
    ALLOT_DRIVER_GOOD,
    ALLOT_DRIVER_USELESS, /* it does no harm, but cannot be loaded or is no OpenCL driver: `message` says why
                           */
    ALLOT_DRIVER_LEFT_OUT /* it crashed or hung: `message` says where */
} allot_driver_state;

typedef struct allot_driver_info {
    size_t size;       /* sizeof(allot_driver_info), set by the caller */
    char file[256];    /* its .icd file, "/etc/OpenCL/vendors/pocl.icd" */
    char library[256]; /* the library, with its folder as far as known; "" if there is none */
    allot_driver_state state;
    bool remembered;   /* by an earlier verdict: it was not tried by this process */
    int devices;       /* that it had when it was tried */
    char message[256]; /* what is wrong with it; else "" */
} allot_driver_info;

/* Copies up to `capacity` descriptions of the drivers that were found to infos, as allot_places() does those
 * of places; returns how many there are. Waits for the search for devices. The same for every executor of a
 * process: drivers are looked at once. */
ALLOT_API size_t allot_drivers(allot_executor *executor, allot_driver_info *infos, size_t capacity);

/* ---- The machine ---- */

typedef struct allot_topology {
    size_t size;                          /* sizeof(allot_topology), set by the caller */
    char source[16];                      /* "hwloc", or "flat" when hwloc is absent or failed */
    char cpu_model[128];                  /* "" if unknown */
    int packages, cores, pus, numa_nodes; /* of the machine */
    uint64_t memory_bytes;
    uint64_t l1_bytes, l2_bytes, l3_bytes; /* of one cache of each level; 0: unknown */
    int affinity_cpus;                     /* CPUs in the process's affinity mask */
    double quota_cpus;                     /* the cgroup's CPU quota (the least on the way up); 0: none */
    int usable_cpus; /* what the pools are sized by: min(affinity, quota rounded up), at least 1 */
} allot_topology;

/* Fills *topology (whose size the caller set). The first call of a process loads hwloc, a few milliseconds.
 * Never fails but for ALLOT_INVALID. */
ALLOT_API allot_status allot_get_topology(allot_topology *topology);

/* A library that Allot was built with or found at run time. */
typedef struct allot_library {
    const char *name;    /* "hwloc" */
    const char *version; /* "2.9.0"; "" if unknown */
    bool found;
    const char *purpose; /* "topology" */
} allot_library;

/* The libraries behind this one; *count receives how many. Static. */
ALLOT_API const allot_library *allot_libraries(size_t *count);

/* ---- Decisions: the record of one placement ---- */

/* One place as the policy saw it. Times in seconds. A place that could not run the task has only its reason.
 *
 * Places that are alike (thousands of nodes) are one class, of which only those are candidates that are worth
 * a look: the one that is free first, and those that hold data of the task already. */
typedef struct allot_candidate {
    const char *place;  /* its id */
    size_t index;       /* its place in the order of allot_places() */
    const char *reason; /* why not; "" if possible */
    const char *alike;  /* the name of its class; its id where it is like no other */
    size_t alike_count; /* places of the class, this one counted */
    allot_kind kind;
    bool possible;
    bool shares_cpus;
    uint64_t samples;  /* runs of this kernel, type and size class that the prediction rests on; 0: a guess
                          from other sizes, or from flops and bytes */
    double ready_s;    /* until the place is free: what is queued there and on places that share its cores */
    double transfer_s; /* to bring what is not current there */
    double compile_s;  /* of a variant not built yet */
    double run_s;      /* expected, with what it takes to set an idle place going */
    double return_s;   /* to bring back what the host will read, as far as is known */
    double total_s;    /* ready + transfer + compile + run + return */
    double low_s;      /* optimistic run: nine times of ten the average lies between low_s and high_s */
    double high_s;     /* pessimistic run */
    double spread;     /* how far single runs lie apart: standard deviation of their logarithm, so that 0.1 is
                          about 10 % */
    double bound_s;    /* the bound by which it is tried: the total with the optimistic run */
    double watts;      /* power while it runs; see ALLOT_PREFER_ENERGY */
    /* Runs of this kernel, type and very size there, for the policies that need them; else 0: */
    uint64_t history_tries;   /* chosen so often */
    uint64_t history_samples; /* of them over, at most 10, and no outliers: then history_s is frozen */
    double history_s;         /* their mean */
    double history_ms;        /* the least whole time of one in whole milliseconds; below 0: none is over */
    double usual_ratio; /* how many times as long as on the fastest place launches usually take on places of
                           this class: expected times of what was decided so far, added up. 0: not known */
} allot_candidate;

typedef struct allot_decision {
    size_t size;         /* sizeof(allot_decision) as the library knows it */
    const char *task;    /* the kernel's or the task's name */
    const char *type;    /* "f32"; "" where all of the kernel's parameters have types of their own */
    double flops, bytes; /* the account of the work: the kernel's own, or the hints' */
    size_t candidate_count;
    const allot_candidate *candidates; /* those of one class together, else as allot_places() lists them; of
                                          hints that ask for a place or a kind only these: see left_out */
    int chosen;                        /* index of the candidate; -1: none */
    const char *why;    /* "lowest predicted cost", "explored: ...", "asked for", "the only one" */
    bool explores;      /* tried although another looked cheaper */
    const char *policy; /* that chose */
    const struct allot_snapshot *snapshot; /* all that it saw: policy.h */
    /* What happened; all 0 until the task is done. */
    bool done;
    allot_status status;
    double queued_s; /* from the decision, when its dependencies were met, to its start */
    double moved_s;  /* transfers made for it */
    double compiled_s;
    double ran_s; /* the variant itself */
    uint64_t bytes_moved;
    double waited_s; /* from submission to the decision */
    double regret_s; /* what it took from the decision to its end, less the predicted total of the best other
                        candidate; below 0: that would have been worse, as far as is known. What the other
                        would really have taken nobody has measured. 0 if there was no other */
    /* The chosen place failed (a lost device, or one that does not build the program), and the launch was run
     * once more on this one, from the start; "" if not. The outcome above is that of the last run. */
    char retried_on[32];
    char retried_why[256]; /* how the chosen place failed */
    /* The work-group size of a run on an OpenCL device, and where it comes from: "the kernel's own",
     * "chosen", "on trial", "the best so far", "the fastest of those tried", "the fastest in an earlier run".
     * "" with no size for other runs; NULL until the task is done. */
    size_t work_group[3];
    const char *work_group_from;
    /* Places that are no candidates since the hints ask for another place, or for places of another kind: how
     * many, and "the hints ask for opencl:0"; 0 and "". */
    size_t left_out;
    const char *left_out_why;
} allot_decision;

/* The decision behind a launch. NULL for a plain function, which is not decided but goes where its hints say
 * or to the thread place, before the place is chosen (a launch waits for its dependencies first), and where
 * the launch was ended before that. Valid while the future is held; its outcome is complete once allot_done()
 * is true. */
ALLOT_API const allot_decision *allot_future_decision(const allot_future *future);

/* Prints the decision as a table for people: every candidate, its predicted cost, the choice, what happened.
 * Says so when there was nothing to decide. ALLOT_INVALID on NULL. */
ALLOT_API allot_status allot_explain(const allot_future *future, FILE *stream);

#ifdef __cplusplus
}
#endif
#endif
