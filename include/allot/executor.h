/* The executor: owns the places of one machine, accepts tasks, returns futures. */
#ifndef ALLOT_EXECUTOR_H
#define ALLOT_EXECUTOR_H

#include <allot/future.h>
#include <allot/kernel.h>
#include <allot/place.h>
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

/* Launches a kernel over a range. `args` are the values of the kernel's parameters in their order (ALLOT_ARGS
 * makes the two arguments `args, count`); arrays are held until the launch is done. With no hints the place
 * is chosen by predicted cost. Launches on overlapping data of an array take effect in the order of
 * submission as the kernel's parameters demand: readers together, a writer alone. A launch that was accepted
 * and does not succeed leaves what it should have written unusable: reading that is an error
 * (ALLOT_DEPENDENCY, with the root cause) until it is written again. An empty range succeeds with nothing
 * done. Refused with ALLOT_INVALID: a wrong number or type of arguments, a view that overflows its array or
 * is too short for the range, one array written by one parameter and used by another where their bytes from
 * first to last overlap; the message names the parameter. Across launches, too, views are told apart by their
 * bytes from first to last: interleaved strided views take turns. A launch that is cancelled while it waits
 * keeps its turn: those after it still wait for those before it. */
ALLOT_API allot_future *allot_launch(allot_executor *executor, const allot_kernel *kernel,
                                     allot_ndrange range, const allot_arg *args, size_t arg_count,
                                     const allot_hints *hints);

/* ---- End ---- */

typedef enum allot_shutdown_mode {
    ALLOT_DRAIN,          /* refuse new tasks, let the queued ones run, wait for all */
    ALLOT_CANCEL_PENDING, /* refuse new tasks, cancel what has not started, wait for what runs */
    ALLOT_NO_WAIT         /* refuse new tasks and return at once; the queued ones still run */
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
