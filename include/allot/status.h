/* Status codes, and what a task function sees of the call that runs it. */
#ifndef ALLOT_STATUS_H
#define ALLOT_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ALLOT_API          __attribute__((visibility("default")))
#define ALLOT_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define ALLOT_API
#define ALLOT_PRINTF(f, a)
#endif

#define ALLOT_VERSION_MAJOR 0
#define ALLOT_VERSION_MINOR 1
#define ALLOT_VERSION_PATCH 0

/* Every status: X(name, value, text). Values are stable; new ones are appended. */
#define ALLOT_STATUS_LIST(X)                                                                                 \
    X(OK, 0, "success")                                                                                      \
    X(FAILED, 1, "the task failed")                                                                          \
    X(INVALID, 2, "invalid argument")                                                                        \
    X(NO_MEMORY, 3, "out of memory")                                                                         \
    X(TIMEOUT, 4, "not done in time")                                                                        \
    X(CANCELLED, 5, "cancelled before it started")                                                           \
    X(STOPPED, 6, "stopped while it ran")                                                                    \
    X(DEADLINE, 7, "deadline passed")                                                                        \
    X(SHUTDOWN, 8, "the executor is shut down")                                                              \
    X(NO_PLACE, 9, "no place can run this task")                                                             \
    X(NO_DEVICE, 10, "no such device")                                                                       \
    X(NOT_FOUND, 11, "no such name")                                                                         \
    X(DEPENDENCY, 12, "a task that this one depends on did not succeed")                                     \
    X(WORKER_DIED, 13, "the worker process died")                                                            \
    X(BUILD, 14, "the kernel does not compile")                                                              \
    X(DEVICE, 15, "the device reported an error")                                                            \
    X(TOO_LARGE, 16, "too large")                                                                            \
    X(WOULD_DEADLOCK, 17, "waiting here would never end")                                                    \
    X(SYSTEM, 18, "the operating system refused")                                                            \
    X(FORKED, 19, "not usable in a forked child")                                                            \
    X(UNSUPPORTED, 20, "not supported here")                                                                 \
    X(FORMAT, 21, "malformed input")                                                                         \
    X(END, 22, "there is no more")                                                                           \
    X(OWNER_DIED, 23, "the previous holder of the lock died")

typedef enum allot_status {
#define ALLOT_STATUS_ENUM(name, value, text) ALLOT_##name = value,
    ALLOT_STATUS_LIST(ALLOT_STATUS_ENUM)
#undef ALLOT_STATUS_ENUM
    ALLOT_USER = 1000 /* a task's own codes: this and above, passed on untouched */
} allot_status;

/* No limit, for every parameter named timeout_ns. */
#define ALLOT_FOREVER INT64_MAX

/* The library's version, "0.1.0". Static text. */
ALLOT_API const char *allot_version(void);

/* A status in words: never NULL, static text. */
ALLOT_API const char *allot_status_text(allot_status status);

/* A status by name, "ALLOT_TIMEOUT"; "ALLOT_USER" for every code of a task's own. Static text. */
ALLOT_API const char *allot_status_name(allot_status status);

/* Why the last call of this thread that reports by NULL (allot_open, allot_array_*, allot_kernel_create,
 * allot_as_completed) or by a status alone and says so (allot_as_completed_next) failed: the message, valid
 * until this thread's next failing call; "" if none failed. Never NULL. */
ALLOT_API const char *allot_last_error(void);

/* The status that belongs to allot_last_error(); ALLOT_OK if none failed. */
ALLOT_API allot_status allot_last_status(void);

/* ---- What a task function sees ---- */

/* The call in progress. Valid until the function returns; one call is used by one thread. */
typedef struct allot_call allot_call;

/* A task: reads `in`, writes `out`, and returns ALLOT_OK or an error.
 * in   the bytes given at submission, aligned to 16; NULL when their size was 0. A private copy.
 * out  room for the result, aligned to 16, zeroed; NULL when its size is 0.
 * A status other than ALLOT_OK ends the future as failed with that very code (also where the code equals one
 * that the library uses: allot_future_state() tells a task's own ALLOT_CANCELLED from a cancelled future). */
typedef allot_status (*allot_function)(allot_call *call, const void *in, void *out);

/* Records what went wrong, printf-like, and returns `status`, so that a task can say
 * `return allot_fail(call, ALLOT_FAILED, "row %zu is singular", row);`. The last message of a call counts.
 * The text is kept up to 4,000 bytes. */
ALLOT_API allot_status allot_fail(allot_call *call, allot_status status, const char *format, ...)
    ALLOT_PRINTF(3, 4);

/* The same with bytes of the task's own beside the message (at most 4,000): allot_future_payload() reads
 * them. */
ALLOT_API allot_status allot_fail_with(allot_call *call, allot_status status, const void *payload,
                                       size_t size, const char *format, ...) ALLOT_PRINTF(5, 6);

/* True once somebody asked the running task to end (allot_stop, a deadline): return soon, with any status. */
ALLOT_API bool allot_call_stopping(const allot_call *call);

/* The sizes given at submission, in bytes. */
ALLOT_API size_t allot_call_in_size(const allot_call *call);
ALLOT_API size_t allot_call_out_size(const allot_call *call);

/* In a function that allot_map() calls: which item this is. 0 elsewhere. */
ALLOT_API size_t allot_call_index(const allot_call *call);

/* Where the call runs: the id of its place, "thread", "process" ... Static for the call's length. */
ALLOT_API const char *allot_call_place(const allot_call *call);

#ifdef __cplusplus
}
#endif
#endif
