/* Futures: the one handle on a task's outcome, whatever place runs it.
 *
 *     pending ──► running ──► succeeded │ failed
 *        └──────► cancelled
 *
 * No other transition is observable: what fails before it runs (refused, a failed dependency, a deadline)
 * goes through running for an instant. A future is counted: allot_submit and allot_launch hand one reference
 * to the caller, who ends it with allot_release(). A future outlives its executor. Passing NULL where a
 * future is expected is reported as ALLOT_INVALID by functions that return a status; the others answer false,
 * 0, NULL, the text of ALLOT_INVALID or ALLOT_STATE_FAILED. */
#ifndef ALLOT_FUTURE_H
#define ALLOT_FUTURE_H

#include <allot/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct allot_future allot_future;

typedef enum allot_state {
    ALLOT_STATE_PENDING,   /* submitted; its function has not started */
    ALLOT_STATE_RUNNING,   /* its function, or its launch, has started */
    ALLOT_STATE_SUCCEEDED, /* done: the result is there */
    ALLOT_STATE_FAILED,    /* done: status, message and payload say how it failed */
    ALLOT_STATE_CANCELLED  /* done: cancelled before it started */
} allot_state;

/* The state now; of NULL ALLOT_STATE_FAILED. */
ALLOT_API allot_state allot_future_state(const allot_future *future);
/* True once it has ended, in whatever way. */
ALLOT_API bool allot_done(const allot_future *future);
/* True only while its function runs. */
ALLOT_API bool allot_running(const allot_future *future);
/* True only after a successful allot_cancel() (or a shutdown that cancelled it). */
ALLOT_API bool allot_cancelled(const allot_future *future);

/* ---- Waiting: "is it done?" ----
 * Each answers ALLOT_OK or ALLOT_TIMEOUT, never a task's own error. The clock is monotonic. Called from a
 * task on a thread place, a wait runs other tasks of that place meanwhile, so that a task can wait for those
 * that it submitted. They run on its stack, so
 *   - it goes on, also past its timeout, only when the one that was taken up has returned;
 *   - a task must not wait for one that was submitted before it and waits itself, nor for a lock or a mapping
 * that such a one holds while it waits: it may lie below it on the same stack. hints.after orders them
 * without that;
 *   - thousands of tasks that all wait for one thing can use up a stack. hints.after costs none.
 * On other places a wait just waits: a task on the inline place that waits for another one there waits for
 * ever. */

/* Waits for one. */
ALLOT_API allot_status allot_wait(allot_future *future, int64_t timeout_ns);
/* Waits for all of `count` futures; the same one may be listed twice; of an empty list it returns at once. */
ALLOT_API allot_status allot_wait_all(allot_future *const *futures, size_t count, int64_t timeout_ns);
/* Waits until at least one is done and stores its index (the first done one of the list) in *index, if not
 * NULL. Of an empty list it returns ALLOT_OK at once with *index = 0. Looks at the whole list each time
 * something wakes it: to take many futures one after the other, use allot_as_completed(). */
ALLOT_API allot_status allot_wait_any(allot_future *const *futures, size_t count, int64_t timeout_ns,
                                      size_t *index);

/* Waits until one did not succeed (failed or was cancelled), or all are done: the wait itself went well in
 * both cases. *index, if not NULL, receives the first of the list that did not succeed; `count` if none,
 * which also means that all are done. Of an empty list it returns at once. Costs like allot_wait_any(). */
ALLOT_API allot_status allot_wait_first_error(allot_future *const *futures, size_t count, int64_t timeout_ns,
                                              size_t *index);

/* ---- As completed: futures in the order in which they end ----
 *
 *     allot_as_completed *ended = allot_as_completed_create(futures, count);
 *     size_t index;
 *     while (allot_as_completed_next(ended, NULL, &index, ALLOT_FOREVER) == ALLOT_OK)
 *         use(futures[index]);
 *     allot_as_completed_destroy(ended);
 *
 * What it costs to take one does not grow with how many there are. Futures of any executors and places may be
 * mixed, and added while others are taken: an endless source with at most k in flight is k futures added at
 * first and one more after each that is taken. All but destroy may be called by several threads at once: each
 * entry is given to one of them. */
typedef struct allot_as_completed allot_as_completed;

/* Makes the iterator over `count` futures, 0 to begin with none; each is held until it is given out. Those
 * that are done already come first, in the order of the list. NULL when memory is out or a future is NULL:
 * allot_last_error() says which. */
ALLOT_API allot_as_completed *allot_as_completed_create(allot_future *const *futures, size_t count);

/* Adds one more; its index is the number of those added before it. A future that is added twice is given out
 * twice, once for each index. ALLOT_INVALID on NULL, ALLOT_NO_MEMORY: then nothing was added. */
ALLOT_API allot_status allot_as_completed_add(allot_as_completed *ended, allot_future *future);

/* Waits for the next one that ended, in whatever way. *index (may be NULL) receives its index. *future (may
 * be NULL) receives the iterator's own reference to it, which the caller releases; with `future` NULL it is
 * released here. Nothing of an entry that was given out is kept. Also ALLOT_TIMEOUT, and allot_last_error()
 * says how many of how many are unfinished; ALLOT_END when all that were added have been given out. Inside a
 * task it waits like all waits. */
ALLOT_API allot_status allot_as_completed_next(allot_as_completed *ended, allot_future **future,
                                               size_t *index, int64_t timeout_ns);

/* How many were added so far, and how many of these have not ended. 0 of NULL. */
ALLOT_API size_t allot_as_completed_total(const allot_as_completed *ended);
ALLOT_API size_t allot_as_completed_unfinished(const allot_as_completed *ended);

/* A descriptor for poll, epoll and event loops: readable while one that ended waits to be given out. Take
 * them with timeout 0 until that answers ALLOT_TIMEOUT or ALLOT_END, and poll again only in the first case;
 * nothing else is to be done with the descriptor. It may be readable for nothing now and then. Made by the
 * first call, closed by destroy; -1, with allot_last_error(), when the system has none left. */
ALLOT_API int allot_as_completed_fd(allot_as_completed *ended);

/* Ends the iterator; NULL is fine. The tasks go on; a few bytes for each one that is unfinished are freed
 * when it ends. No other call on it may be in progress. */
ALLOT_API void allot_as_completed_destroy(allot_as_completed *ended);

/* ---- Outcome: "how did it go?" ---- */

/* Waits up to timeout_ns, then copies the result to `out` and returns ALLOT_OK; or returns the task's error;
 * or ALLOT_CANCELLED; or ALLOT_TIMEOUT when it is not done yet (then allot_done() is false). `size` must be
 * the result size given at submission: a success with another size is reported as ALLOT_INVALID. With out
 * NULL and size 0 only the status is fetched. May be called any number of times, from any threads. */
ALLOT_API allot_status allot_get(allot_future *future, void *out, size_t size, int64_t timeout_ns);

/* The status of a done future; ALLOT_TIMEOUT while it is not done. Never waits. */
ALLOT_API allot_status allot_future_status(const allot_future *future);

/* The message of a failed or cancelled future: what allot_fail() said, the signal that killed the worker, a
 * compiler's log. "" while it is not done or when it succeeded. Never NULL; valid while the future is held.
 */
ALLOT_API const char *allot_future_error(const allot_future *future);

/* The bytes given to allot_fail_with(); NULL and *size = 0 if none. Valid while the future is held. */
ALLOT_API const void *allot_future_payload(const allot_future *future, size_t *size);

/* The result's size in bytes, as given at submission. */
ALLOT_API size_t allot_future_size(const allot_future *future);

/* The id of the place that took the task, "thread", "opencl:0"; "" before one did. Valid while the future is
 * held. */
ALLOT_API const char *allot_future_place(const allot_future *future);

/* When things happened to a launch, nanoseconds on its executor's clock (allot_now_ns()); 0: it did not
 * happen, or was not recorded. */
typedef struct allot_times {
    size_t size;       /* sizeof(allot_times), set by the caller */
    int64_t submitted; /* by allot_launch() */
    int64_t placed;    /* its place was chosen */
    int64_t started, ended;
} allot_times;

/* Fills *times (whose size the caller set) for a launch that is done; ALLOT_TIMEOUT: it is not done,
 * ALLOT_UNSUPPORTED: no launch, ALLOT_INVALID on NULL or a size of 0. Never waits. */
ALLOT_API allot_status allot_future_times(const allot_future *future, allot_times *times);

/* ---- Ending early ---- */

/* Prevents a task from starting. True if it is now cancelled (or was already); false if it runs or is done:
 * then nothing changes. */
ALLOT_API bool allot_cancel(allot_future *future);

/* Ends a task whatever its state. A pending one ends at once; of a running one the stop flag is set
 * (allot_call_stopping()); a worker process gets SIGTERM as well, which only interrupts its
 * system calls, and SIGKILL after grace_ns. On threads
 * and devices the future ends when the code returns. The future then reports ALLOT_STOPPED, also where the
 * function returned ALLOT_OK after the flag was set. Returns at once: ALLOT_OK if the request was made or the
 * task is done already. Repeated requests keep the earliest kill. */
ALLOT_API allot_status allot_stop(allot_future *future, int64_t grace_ns);

/* ---- Callbacks ---- */

typedef void (*allot_callback)(allot_future *future, void *user);

/* Calls `callback` once when the future is done. Callbacks of one future run in the order of registration, in
 * a thread of the executor's own that runs nothing else (so they may submit, wait and release, but a callback
 * that blocks delays the others); when the future is done already, at once in the caller's thread. The future
 * is held for the callback. Errors, and then it will not be called: ALLOT_INVALID, ALLOT_NO_MEMORY,
 * ALLOT_SYSTEM (no thread to be had). */
ALLOT_API allot_status allot_on_done(allot_future *future, allot_callback callback, void *user);

/* ---- Lifetime ---- */

/* Takes one more reference; returns its argument. */
ALLOT_API allot_future *allot_hold(allot_future *future);
/* Drops one reference; NULL is fine. The task still runs if it has not. */
ALLOT_API void allot_release(allot_future *future);
/* Drops one reference of each; NULL entries are fine. */
ALLOT_API void allot_release_all(allot_future *const *futures, size_t count);

#ifdef __cplusplus
}
#endif
#endif
