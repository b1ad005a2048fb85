/* Allot: run numeric work where it runs best, and get a future for it.
 *
 * This header includes the whole public interface. Each part documents its own declarations:
 *
 *     status.h    status codes, messages, the type of a task function
 *     executor.h  open, submit, launch, map, shutdown, close
 *     future.h    wait, get, cancel, stop, callbacks, futures as they end
 *     array.h     arrays that threads, worker processes and devices can all reach; views
 *     kernel.h    kernels: parameters and variants
 *     process.h   worker processes: limits, life
 *     model.h     the cost model: saved, exported, imported, shown
 *     sync.h      mutex, condition, semaphore, event, barrier, counter and queue, across threads and worker
 *                 processes
 *     place.h     the places of this machine, hints, decisions
 *     policy.h    which place a launch goes to: by name, or by a function of one's own
 *     simulate.h  descriptions of simulated machines
 *     observe.h   metrics, trace, log
 *     numeric.h   the sample kernels (library allot_numeric, which programs that use them link too)
 *
 * Conventions that hold everywhere:
 *   - Every function may be called from any thread at any time, unless its comment says otherwise.
 *   - Times are nanoseconds on the monotonic clock. ALLOT_FOREVER waits without limit; a timeout of 0 or
 *     below does not wait at all.
 *   - Structs whose first member is `size` are filled by a macro or by their _init function; a member left 0
 *     means its default. Members are only ever appended.
 *   - In the child of a fork() every call fails with ALLOT_FORKED, but for asking and releasing what is done
 * already.
 */
#ifndef ALLOT_ALLOT_H
#define ALLOT_ALLOT_H

#include <allot/array.h>
#include <allot/executor.h>
#include <allot/future.h>
#include <allot/kernel.h>
#include <allot/model.h>
#include <allot/numeric.h>
#include <allot/observe.h>
#include <allot/parallel.h>
#include <allot/place.h>
#include <allot/policy.h>
#include <allot/process.h>
#include <allot/simulate.h>
#include <allot/status.h>
#include <allot/sync.h>

#endif
