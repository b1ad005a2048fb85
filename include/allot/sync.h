/* Synchronisation between tasks, wherever they run: mutex, condition, semaphore, event, barrier, counter and
 * a bounded queue, in memory that worker processes share with the host.
 *
 * An object is made by the host with an executor, and used by the host's threads, thread tasks and process
 * tasks alike. Threads use the pointer. A process task cannot: its arguments carry a reference, a few bytes
 * without any pointer, and the task opens it, which works in thread tasks and in the host too:
 *
 *     allot_queue *queue = allot_queue_create(executor, 64, sizeof(double));
 *     allot_sync_ref ref = allot_queue_ref(queue);
 *     allot_submit(executor, produce, &ref, sizeof ref, 0, ALLOT_HINTS(.place = ALLOT_PROCESS));
 *
 *     static allot_status produce(allot_call *call, const void *in, void *out)
 *     {
 *         allot_queue *queue = allot_queue_from(call, in);
 *         if (!queue)
 *             return allot_last_status(); // the message is the call's already
 *         for (double x = 0; x < 1000; x++)
 *             allot_queue_push(queue, &x, ALLOT_FOREVER);
 *         return ALLOT_OK;
 *     }
 *
 * What holds for all of them:
 *
 *   - Waiting takes a timeout in nanoseconds on the monotonic clock: ALLOT_FOREVER waits without limit, 0 or
 *     below only tries. A wait that ended by it returns ALLOT_TIMEOUT and has changed nothing.
 *   - A wait in a task ends with ALLOT_STOPPED, at most 20 ms after the task was asked to stop (allot_stop, a
 *     deadline), if what it waits for has not come by then.
 *   - A thread task that waits counts as in allot_blocking_begin(): another worker does its worker's work.
 *     Unlike waiting for a future it does not run other tasks meanwhile.
 *   - A process may die at any moment, in the middle of a call too (SIGKILL): the object stays usable, and
 *     nobody waits for the dead. What the dead one leaves behind each part says below. It takes effect before
 *     the dead one's task ends, so who has that task's error need not wait for it.
 *   - What a thread or process did before it unlocks, releases, sets, pushes, adds or arrives is seen by who
 *     locks, acquires, waits or pops thereby.
 *   - NULL is ALLOT_INVALID, a forked child's call ALLOT_FORKED (neither does anything).
 *
 * Each object takes a page of memory at least and, so that it can be lent to workers, a descriptor, as arrays
 * do; where no descriptor was left the host and thread tasks can use it, and process tasks cannot open it.
 * Objects may outlive their executor. Worker processes see only the objects that they were sent a reference
 * to; one that writes wildly into an object can make it useless to others, who then wait in vain or get
 * wrong data, but harms no memory of theirs.
 *
 * After Python's threading and multiprocessing, POSIX threads and C++20, whose words are used. */
#ifndef ALLOT_SYNC_H
#define ALLOT_SYNC_H

#include <allot/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct allot_executor allot_executor;

/* Names an object in any process: plain bytes, to be copied into a task's arguments. All zero names none. A
 * reference cannot be guessed: only who was given it can open the object. */
typedef struct allot_sync_ref {
    uint64_t word[2];
} allot_sync_ref;

/* Each kind has four functions of the same form:
 *
 * _create   makes one; NULL on failure (allot_last_error() says why: a bad argument, no memory).
 * _destroy  frees it, by the process that made it; NULL is fine. No thread of this process may be using it.
 *           Process tasks that still do find their calls failing with ALLOT_INVALID.
 * _ref      its reference; all zero for NULL.
 * _from     the object that a reference names, for as long as the call runs; in the host, for as long as it
 *           exists. Only by the thread that runs the call. `call` may be NULL outside of tasks. NULL if it
 *           cannot be opened: then allot_last_status() says ALLOT_NOT_FOUND (destroyed, or never there),
 *           ALLOT_INVALID (of another kind) or ALLOT_SYSTEM, and the call has the message. In a worker
 *           process the first opening asks the host and takes tens of microseconds, later ones much less. */

/* ---- Mutex ---- */

/* One holder at a time: a thread. Not recursive. Who waits longest is not served first. */
typedef struct allot_mutex allot_mutex;

ALLOT_API allot_mutex *allot_mutex_create(allot_executor *executor);
ALLOT_API void allot_mutex_destroy(allot_mutex *mutex);
ALLOT_API allot_sync_ref allot_mutex_ref(const allot_mutex *mutex);
ALLOT_API allot_mutex *allot_mutex_from(allot_call *call, const allot_sync_ref *ref);

/* Takes the mutex. ALLOT_OK and ALLOT_OWNER_DIED: the caller holds it. ALLOT_OWNER_DIED: a thread or process
 * ended while it held the mutex, so what it guards may be half done. Every lock says so from then on, until a
 * holder has put things right and calls allot_mutex_consistent().
 * Else it is not held: ALLOT_TIMEOUT, ALLOT_STOPPED; ALLOT_WOULD_DEADLOCK: this thread holds it already. (A
 * thread task that waits for a future may run another task meanwhile, in the same thread: so wait for none
 * while you hold a mutex.) */
ALLOT_API allot_status allot_mutex_lock(allot_mutex *mutex, int64_t timeout_ns);

/* The same with a timeout of 0. */
ALLOT_API allot_status allot_mutex_try_lock(allot_mutex *mutex);

/* Gives it back. ALLOT_INVALID: this thread does not hold it. A task that returns without it leaves it locked
 * until its thread or worker process ends. */
ALLOT_API allot_status allot_mutex_unlock(allot_mutex *mutex);

/* By the holder: what the mutex guards is right again, locks return ALLOT_OK from now on. ALLOT_INVALID: this
 * thread does not hold it. */
ALLOT_API allot_status allot_mutex_consistent(allot_mutex *mutex);

/* ---- Condition ---- */

/* Lets holders of a mutex wait until another holder has changed what it guards. */
typedef struct allot_condition allot_condition;

ALLOT_API allot_condition *allot_condition_create(allot_executor *executor);
ALLOT_API void allot_condition_destroy(allot_condition *condition);
ALLOT_API allot_sync_ref allot_condition_ref(const allot_condition *condition);
ALLOT_API allot_condition *allot_condition_from(allot_call *call, const allot_sync_ref *ref);

/* Unlocks the mutex, which the caller holds, waits for a signal, and locks it again, however long that takes.
 * It may also return without a signal, so look at what you wait for in a loop. ALLOT_OK; ALLOT_TIMEOUT,
 * ALLOT_STOPPED: no signal; ALLOT_OWNER_DIED: as allot_mutex_lock(), with or without a signal. With all of
 * these the mutex is held. ALLOT_INVALID: the caller did not hold the mutex. */
ALLOT_API allot_status allot_condition_wait(allot_condition *condition, allot_mutex *mutex,
                                            int64_t timeout_ns);

/* Wakes one of those who wait, or all. With or without the mutex held. A signal to a process that dies of
 * something else just then goes to the others. */
ALLOT_API allot_status allot_condition_signal(allot_condition *condition);
ALLOT_API allot_status allot_condition_broadcast(allot_condition *condition);

/* ---- Semaphore ---- */

/* A number of units that may be taken and given back, by anybody. A unit has no owner: those that a dead
 * process had acquired are gone. (Who sees ALLOT_WORKER_DIED of its task may release them in its place.) */
typedef struct allot_semaphore allot_semaphore;

#define ALLOT_SEMAPHORE_MAX INT32_MAX

/* With 0 to ALLOT_SEMAPHORE_MAX units. */
ALLOT_API allot_semaphore *allot_semaphore_create(allot_executor *executor, uint32_t units);
ALLOT_API void allot_semaphore_destroy(allot_semaphore *semaphore);
ALLOT_API allot_sync_ref allot_semaphore_ref(const allot_semaphore *semaphore);
ALLOT_API allot_semaphore *allot_semaphore_from(allot_call *call, const allot_sync_ref *ref);

/* Takes one unit, waiting for it. ALLOT_OK, ALLOT_TIMEOUT, ALLOT_STOPPED. */
ALLOT_API allot_status allot_semaphore_acquire(allot_semaphore *semaphore, int64_t timeout_ns);

/* Adds units. ALLOT_TOO_LARGE: there would be more than ALLOT_SEMAPHORE_MAX; none is added. */
ALLOT_API allot_status allot_semaphore_release(allot_semaphore *semaphore, uint32_t units);

/* The units there are at this moment; 0 for NULL. */
ALLOT_API uint32_t allot_semaphore_value(const allot_semaphore *semaphore);

/* ---- Event ---- */

/* Set or not. One that stays set (manual reset) lets everybody pass until it is reset, also those who waited
 * when it was set and come to it only after a reset. One that resets itself (auto reset) lets one pass for
 * each time that it was set; setting what is set already counts once. */
typedef struct allot_event allot_event;

typedef enum allot_event_kind {
    ALLOT_EVENT_STAYS,
    ALLOT_EVENT_RESETS
} allot_event_kind;

/* Not set. */
ALLOT_API allot_event *allot_event_create(allot_executor *executor, allot_event_kind kind);
ALLOT_API void allot_event_destroy(allot_event *event);
ALLOT_API allot_sync_ref allot_event_ref(const allot_event *event);
ALLOT_API allot_event *allot_event_from(allot_call *call, const allot_sync_ref *ref);

ALLOT_API allot_status allot_event_set(allot_event *event);
ALLOT_API allot_status allot_event_reset(allot_event *event);
/* ALLOT_OK: it was set; ALLOT_TIMEOUT, ALLOT_STOPPED. */
ALLOT_API allot_status allot_event_wait(allot_event *event, int64_t timeout_ns);
/* True if it is set at this moment. */
ALLOT_API bool allot_event_is_set(const allot_event *event);

/* ---- Barrier ---- */

/* Lets nobody pass before `parties` have arrived; then again, any number of rounds. All parties must be able
 * to run at once: tasks beyond a place's workers would wait in its queue for those that wait in the barrier
 * (thread tasks do not, since waiting lets another worker step in). */
typedef struct allot_barrier allot_barrier;

#define ALLOT_BARRIER_MAX 65535

/* For 1 to ALLOT_BARRIER_MAX parties. */
ALLOT_API allot_barrier *allot_barrier_create(allot_executor *executor, uint32_t parties);
ALLOT_API void allot_barrier_destroy(allot_barrier *barrier);
ALLOT_API allot_sync_ref allot_barrier_ref(const allot_barrier *barrier);
ALLOT_API allot_barrier *allot_barrier_from(allot_call *call, const allot_sync_ref *ref);

/* Arrives and waits for the others. ALLOT_OK: all have arrived; *last (may be NULL) is true for exactly one
 * of them. ALLOT_TIMEOUT, ALLOT_STOPPED: not all have, and the caller counts as not arrived; the others wait
 * on. ALLOT_WORKER_DIED: the barrier is broken: a worker process died in a task that had opened it. Every
 * wait of that round and later ends so, until allot_barrier_reset(). */
ALLOT_API allot_status allot_barrier_wait(allot_barrier *barrier, int64_t timeout_ns, bool *last);

/* Begins a new round of a broken barrier, with nobody arrived: those of the broken one get their
 * ALLOT_WORKER_DIED still. ALLOT_INVALID: it is not broken. */
ALLOT_API allot_status allot_barrier_reset(allot_barrier *barrier);

/* ---- Counter ---- */

/* A 64-bit number that is changed atomically and can be waited for: a count of what is done, or, begun at -n
 * and awaited at 0, a latch of n. */
typedef struct allot_counter allot_counter;

ALLOT_API allot_counter *allot_counter_create(allot_executor *executor, int64_t value);
ALLOT_API void allot_counter_destroy(allot_counter *counter);
ALLOT_API allot_sync_ref allot_counter_ref(const allot_counter *counter);
ALLOT_API allot_counter *allot_counter_from(allot_call *call, const allot_sync_ref *ref);

/* Adds and returns the new value; wraps around at the ends. 0 for NULL and in a forked child. */
ALLOT_API int64_t allot_counter_add(allot_counter *counter, int64_t delta);
/* The value at this moment; 0 for NULL. */
ALLOT_API int64_t allot_counter_get(const allot_counter *counter);
/* Waits until the counter is `value` or more. ALLOT_OK: it was, at some moment during the call (a counter
 * that only grows still is); ALLOT_TIMEOUT, ALLOT_STOPPED. */
ALLOT_API allot_status allot_counter_wait_until(allot_counter *counter, int64_t value, int64_t timeout_ns);

/* ---- Queue ---- */

/* A bounded queue of items of one size, first in first out, for many producers and consumers. An item is
 * copied in and out. One that a process was pushing when it died is there as a whole or not at all; one that
 * it was popping is gone with it. */
typedef struct allot_queue allot_queue;

/* Room for `capacity` items of item_size bytes each, both at least 1. ALLOT_TOO_LARGE: more than this
 * machine's memory. */
ALLOT_API allot_queue *allot_queue_create(allot_executor *executor, size_t capacity, size_t item_size);
ALLOT_API void allot_queue_destroy(allot_queue *queue);
ALLOT_API allot_sync_ref allot_queue_ref(const allot_queue *queue);
ALLOT_API allot_queue *allot_queue_from(allot_call *call, const allot_sync_ref *ref);

/* Copies item_size bytes at `item` into the queue, waiting for room. ALLOT_OK; ALLOT_END: it is closed;
 * ALLOT_TIMEOUT, ALLOT_STOPPED. */
ALLOT_API allot_status allot_queue_push(allot_queue *queue, const void *item, int64_t timeout_ns);

/* Moves the oldest item to `item` (item_size bytes), waiting for one. ALLOT_OK; ALLOT_END: it is closed and
 * every item has been taken; ALLOT_TIMEOUT, ALLOT_STOPPED. */
ALLOT_API allot_status allot_queue_pop(allot_queue *queue, void *item, int64_t timeout_ns);

/* Refuses items from now on; those that are there can still be popped. For good. */
ALLOT_API allot_status allot_queue_close(allot_queue *queue);

/* How many items there are at this moment, among them those being pushed; 0 for NULL. */
ALLOT_API size_t allot_queue_count(const allot_queue *queue);
ALLOT_API size_t allot_queue_capacity(const allot_queue *queue);
ALLOT_API size_t allot_queue_item_size(const allot_queue *queue);

#ifdef __cplusplus
}
#endif
#endif
