/* The executor: owns the places of one machine, accepts tasks, returns futures. */
#ifndef ALLOT_EXECUTOR_H
#define ALLOT_EXECUTOR_H

#include <allot/future.h>
#include <allot/kernel.h>
#include <allot/place.h>
#include <allot/process.h>
#include <allot/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct allot_executor allot_executor;

/* The most threads or worker processes that one place may be given. */
#define ALLOT_WORKERS_MAX 1024

/* How to open an executor. Every member's 0 is its default. */
typedef struct allot_options {
    size_t size;     /* sizeof(allot_options), filled by ALLOT_OPTIONS and allot_options_init */
    int threads;     /* workers of the thread place; 0: the usable CPUs (affinity mask and cgroup quota) */
    int processes;   /* workers of the process place; 0: the usable CPUs */
    uint32_t places; /* the kinds to use, ALLOT_KIND_BIT(kind) or-ed; 0: all of them */
    bool keep_blas_threads; /* leave the thread counts of OpenMP, OpenBLAS, BLIS and MKL alone. By default,
                               since the workers already use every core, an OpenMP region or MKL call in a
                               task has one thread (set in each worker; other threads keep their own), and
                               OpenBLAS and BLIS, whose count is the process's, have one from the first open
                               to the last close. Found are libraries that are loaded when an executor is
                               opened; worker processes get OMP_NUM_THREADS=1 and the like where the user set
                               none */
    int threads_max;     /* the thread place may grow to so many workers while all are busy and tasks wait; 0:
                            `threads`.   Whatever is the most, workers in allot_blocking_begin() do not count */
    int64_t idle_ns;     /* how long a worker beyond `threads` or `processes` stays without work; 0: 1 s */
    bool bind_threads;   /* bind each worker to a CPU, a core each first: on machines of one's own, for steady
                            figures. In virtual machines waking a bound worker is slow */
    const char *machine; /* a machine file: its simulated devices are all the places there are, and time is
                            virtual (see below). NULL: this machine. Read, and not needed any more, when
                            allot_open() returns */
    uint64_t machine_seed; /* of the simulated machine's noise; 0: the file's */
    const char *model;     /* the file in which the cost model is kept from run to run (model.h); "off": it is
                              not; NULL: as the environment's ALLOT_MODEL says, else one of this machine in the
                              user's cache folder; of a simulated machine it is not kept then. Copied */
    const char *policy;    /* by which launches are placed, "heft" or "random:42": allot_policies() (policy.h)
                              lists them. NULL: the environment variable ALLOT_POLICY, else "eft". Copied */
    /* A file to which every decision is appended with all that the policy saw and what happened, a line of
     * JSON each; `allot replay` reads it. Written by a thread of its own; complete once the executor is
     * closed. A file that cannot be opened fails the open. NULL: the environment variable ALLOT_DECISIONS,
     * else none. Copied. */
    const char *decisions;
    double core_watts, device_watts; /* the power of a busy CPU and of a busy device that is not the CPU, for
                                        ALLOT_PREFER_ENERGY; 0: 5 and 75. Not measured: what a server's core
                                        and a modest graphics processor draw, give or take a factor of two */
    int processes_max; /* the process place may grow to so many workers while all are busy and tasks wait; 0:
                          `processes`. Those beyond `processes` leave as threads do (idle_ns) */
    const allot_process_options *process; /* of worker processes: limits, life; NULL: the defaults */
    /* What copies of arrays may take of each device's memory, bytes; 0: as much as the device says that it
     * has. Where a copy finds no room, those go that were not used for longest, and of what is current there
     * alone the data is brought back first; what a launch works on stays. Launches whose arrays do not fit
     * together are refused with both figures. Not counted are arrays that the device reads in the host's own
     * pages, and what launches take beside arrays. */
    uint64_t device_memory_bytes;
    /* Parts of devices as places of their own (OpenCL's sub-devices), so that launches run beside each other:
     * "numa": a part for each NUMA domain; "2": so many parts of as many compute units each as can be; "1+3":
     * parts of so many units. The parts of opencl:0 are the places opencl:0/1, opencl:0/2 ..., in place of
     * opencl:0. A device that cannot be split so is used as a whole, and allot_devices_message() says why.
     * NULL: the environment variable ALLOT_OPENCL_PARTS, else devices are not split. Copied. */
    const char *device_parts;
} allot_options;

/* Fills *options with the defaults. */
ALLOT_API void allot_options_init(allot_options *options);

#ifndef __cplusplus
/* ALLOT_OPTIONS(.threads = 4): options in place, valid to the end of the enclosing block. */
#define ALLOT_OPTIONS(...) (&(const allot_options){ .size = sizeof(allot_options), __VA_ARGS__ })
#endif

/* Opens an executor over the places of this machine; `options` may be NULL. Places start when first needed:
 * devices are looked for in the background, beside the first tasks of others. Returns NULL on a bad option or
 * when memory is out, and allot_last_error() says why. A machine with no device, no hwloc or no readable
 * cgroup still gets its CPU places. */
ALLOT_API allot_executor *allot_open(const allot_options *options);

/* ---- Simulated machines ----
 * With options.machine every call works as usual, and placement, learning, the order of launches, and which
 * copies of arrays are current where are the real ones; but the places are those of the file, nothing waits
 * for them, and no bytes are copied: what runs and transfers take is computed. A launch's C variant is called
 * (its results are right), by the thread that lets time pass, when its run is over; a kernel without one
 * cannot run. Plain functions are called too, by places that stand in for processors; loops
 * (allot/parallel.h) have no thread place to run on.
 *
 * Time stands still while the program works. It passes while a thread of it waits for a future, a map, an
 * array or the end of the executor, and no callback is due: so a program that only polls sees none pass.
 * Timeouts of waits are real time; hints' deadlines and the delays of retries are virtual: a task that is not
 * done when they come ends as place.h says, a running one when its run is over. A function that is called
 * finds its stop flag set if its deadline was before that, and would wait for ever for one that was not. With
 * one thread that submits, every run with one seed is the same.
 * What allot_array_map() brings takes virtual time, but hides behind launches in flight. docs/simulation.md
 * describes the files. */

/* The executor's clock, nanoseconds: monotonic; on a simulated machine its virtual time. 0 on NULL. */
ALLOT_API int64_t allot_now_ns(const allot_executor *executor);

/* Why the last allot_open() of this thread returned NULL. The same text as allot_last_error(). */
ALLOT_API const char *allot_open_error(void);

/* ---- Tasks ----
 * Neither call ever returns NULL, blocks for work, or runs user code: a refused task is a future that is
 * already done with its error. What the caller wrote before the call is visible to the task; what the task
 * wrote is visible after a get, a wait, in callbacks and in dependants. */

/* Submits one call of `function`. in_size bytes at `in` are copied before it returns; out_size bytes of
 * result are kept with the future (allot_get). `hints` may be NULL: then it is a task of the thread place. */
ALLOT_API allot_future *allot_submit(allot_executor *executor, allot_function function, const void *in,
                                     size_t in_size, size_t out_size, const allot_hints *hints);

/* Submits `count` calls of `function` in one go, which costs less than one by one: call i gets the in_size
 * bytes at in + i * in_size. futures[i] becomes what allot_submit() would have returned, never NULL. */
ALLOT_API void allot_submit_many(allot_executor *executor, allot_function function, const void *in,
                                 size_t in_size, size_t out_size, size_t count, const allot_hints *hints,
                                 allot_future **futures);

/* Like allot_submit, for calls whose end nobody waits for: no future. Returns ALLOT_OK once it is queued,
 * else why it was refused (allot_last_error() has the text). If it fails afterwards the log says so. */
ALLOT_API allot_status allot_spawn(allot_executor *executor, allot_function function, const void *in,
                                   size_t in_size, const allot_hints *hints);

/* The same for `count` calls, as allot_submit_many. The first refusal ends it; *spawned (may be NULL)
 * receives how many were queued. */
ALLOT_API allot_status allot_spawn_many(allot_executor *executor, allot_function function, const void *in,
                                        size_t in_size, size_t count, const allot_hints *hints,
                                        size_t *spawned);

/* Launches a kernel over a range. `args` are the values of the kernel's parameters in their order (ALLOT_ARGS
 * makes the two arguments `args, count`); arrays are held until the launch is done. With no hints the place
 * is chosen by predicted cost. Launches on overlapping data of an array take effect in the order of
 * submission as the kernel's parameters demand: readers together, a writer alone. A launch that was accepted
 * and does not succeed leaves what it should have written unusable: reading that is an error
 * (ALLOT_DEPENDENCY, with the root cause) until it is written again. An empty range succeeds with nothing
 * done, but that what is reduced becomes the identity. Refused with ALLOT_INVALID: a wrong number or type of
 * arguments, a view that overflows its array or is too short for the range, one array written by one
 * parameter and used by another where their bytes from first to last overlap; the message names the
 * parameter. Across launches, too, views are told apart by their bytes from first to last: interleaved
 * strided views take turns. A launch that is cancelled while it waits keeps its turn: those after it still
 * wait for those before it. */
ALLOT_API allot_future *allot_launch(allot_executor *executor, const allot_kernel *kernel,
                                     allot_ndrange range, const allot_arg *args, size_t arg_count,
                                     const allot_hints *hints);

/* ---- Map: one function over many items ----
 *
 *     allot_future *map = allot_map(executor, square, numbers, sizeof(double), sizeof(double), n, NULL);
 *     allot_get(map, squares, n * sizeof(double), ALLOT_FOREVER);
 *
 * An endless source with a bounded number in flight is not a map but submissions taken in turn by
 * allot_as_completed() (future.h). */

/* Calls `function` once for each of `count` items of in_size bytes that lie one behind the other at `in`, and
 * gives one future for the whole. Its result is the array of count × out_size bytes, in the order of the
 * items, whatever the order of the calls.
 *
 * Everything is copied and submitted before it returns (`in` may be NULL with in_size 0: then
 * allot_call_index() tells the items apart). Items travel in chunks, each one task: hints.chunk items, the
 * last chunk perhaps fewer; with 0 as many as make 4 chunks for each worker of the place, at least 1. More
 * than `count` is one chunk. An item is aligned as it is in the array at `in`, the first of a chunk to 16.
 * The hints hold for every chunk, but for the deadline, which is the whole's. Items run where plain functions
 * do: a device refuses them, and the whole ends with that reason (ALLOT_NO_PLACE).
 *
 * An item that fails spoils no other: all run, and deliver. The whole then has the first error by index, and
 * its message names the item. A worker process that dies costs the items of the one chunk that it ran, all of
 * them, also those that had returned. Of messages the items of a chunk have 4,000 bytes together, each at
 * least its even share; payloads (allot_fail_with) are not kept.
 *
 * The future is pending until the last chunk is over. allot_cancel() works until then: the whole is cancelled
 * at once, and with it the chunks that have not started; those that run go on, and allot_map_item() can still
 * wait for them. allot_stop() and the deadline end chunks as they end tasks, and the whole when all of them
 * are over. The whole itself has no place and no decision. No items: success, nothing is called. Refused with
 * ALLOT_TOO_LARGE: sizes that overflow. */
ALLOT_API allot_future *allot_map(allot_executor *executor, allot_function function, const void *in,
                                  size_t in_size, size_t out_size, size_t count, const allot_hints *hints);

/* Like allot_get() for one item, as soon as its chunk is over: its result, its own error, ALLOT_CANCELLED, or
 * ALLOT_TIMEOUT (then its state is ALLOT_STATE_PENDING). Of a map that was refused its error; ALLOT_INVALID
 * where there is no such item. */
ALLOT_API allot_status allot_map_item(allot_future *map, size_t index, void *out, size_t size,
                                      int64_t timeout_ns);

/* How an item stands: pending until its chunk is over. ALLOT_STATE_FAILED where there is no such item. */
ALLOT_API allot_state allot_map_item_state(const allot_future *map, size_t index);

/* An item's message; "" while it is pending or when it succeeded. Valid while the map is held. */
ALLOT_API const char *allot_map_item_error(const allot_future *map, size_t index);

/* Takes the items in the order in which they come: waits for one that is over, in whatever way, and that was
 * not taken yet; *index receives which. Several threads may take: each item is given to one of them.
 * ALLOT_TIMEOUT; ALLOT_END when all have been taken. */
ALLOT_API allot_status allot_map_next(allot_future *map, size_t *index, int64_t timeout_ns);

/* The number of items; 0 of what is no map. */
ALLOT_API size_t allot_map_count(const allot_future *map);

/* ---- Workers ---- */

/* Sets how many workers a pool has: it keeps `min` and grows to `max` while all are busy and tasks wait;
 * those beyond `min` leave when they have had nothing to do for a while, those beyond `max` as soon as their
 * task is over. No task is lost. `place` is a place's id, "thread". 1 <= min <= max <= ALLOT_WORKERS_MAX.
 * Worker processes start when tasks wait for them, and not before. ALLOT_INVALID, ALLOT_NOT_FOUND: no such
 * place; ALLOT_UNSUPPORTED: its size cannot change (all but the thread and process places); ALLOT_SYSTEM:
 * threads could not be started, the new size holds for those that are there. Any thread, also a task. */
ALLOT_API allot_status allot_resize(allot_executor *executor, const char *place, int min, int max);

/* Around what blocks for something else than futures (reading a socket, a lock, a child process) in a task of
 * the thread place: meanwhile another worker, started if need be, does this one's work, so that the CPUs stay
 * busy. Pairs may nest; the task's end ends those that are open. In other threads they do nothing. There are
 * never more than ALLOT_WORKERS_MAX threads. */
ALLOT_API void allot_blocking_begin(void);
ALLOT_API void allot_blocking_end(void);

/* Gives memory back to the system that tasks and futures have used: all that is unused of the process's pool
 * and of the calling thread's cache; returns how many bytes. Without it the process keeps at most 256 MiB for
 * tasks to come, and each thread that submits 256 KiB, and 4 MiB if it launches. A future that is held keeps
 * 64 KiB. */
ALLOT_API size_t allot_trim(void);

/* ---- End ---- */

typedef enum allot_shutdown_mode {
    ALLOT_DRAIN,          /* refuse new tasks, let the queued ones run, wait for all */
    ALLOT_CANCEL_PENDING, /* refuse new tasks, cancel what has not started, wait for what runs */
    ALLOT_NO_WAIT,        /* refuse new tasks and return at once; the queued ones still run */
    /* Refuse new tasks, end those that have not started, kill the worker processes of those that run there,
     * and wait for what runs elsewhere, which can only be asked to stop (allot_call_stopping). All that are
     * ended so end with ALLOT_SHUTDOWN. */
    ALLOT_KILL
} allot_shutdown_mode;

/* Ends acceptance: later submissions are refused with ALLOT_SHUTDOWN. May be called again with any mode, from
 * any threads. The modes that wait return ALLOT_WOULD_DEADLOCK, having refused new tasks, when called from a
 * task or callback of this executor. */
ALLOT_API allot_status allot_shutdown(allot_executor *executor, allot_shutdown_mode mode);

/* Drains, stops the places and frees the executor; NULL is fine. Afterwards only futures, arrays and kernels
 * made with it may be used: arrays keep their data. Callbacks have ended when it returns. Returns
 * ALLOT_WOULD_DEADLOCK, with the executor still open, when called from a task or callback of this executor;
 * arrays that are still mapped must be unmapped by another thread or before. No other call on this executor
 * may be in progress or follow in any thread. A process may exit without it: the threads end with it and
 * worker processes follow. */
ALLOT_API allot_status allot_close(allot_executor *executor);

/* ---- Worker processes ---- */

/* In a worker process: runs its loop and never returns. Anywhere else: returns 0 at once. Worker processes
 * are the program itself started anew, and normally enter their loop before main by themselves; a program in
 * which that cannot work (linked with -static, or with another C library than glibc) calls this in the first
 * line of its main, before it opens an executor. */
ALLOT_API int allot_worker_main(void);

#ifdef __cplusplus
}
#endif
#endif
