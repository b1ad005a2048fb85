/* The trace: one event a finished task, written at the end in Chrome's format. */
#ifndef AL_OBSERVE_TRACE_H
#define AL_OBSERVE_TRACE_H

#include <allot/status.h>
#include <stdatomic.h>

/* True while a trace is on: look at it before taking times. */
extern _Atomic bool al_trace_on;

/* Records one finished task, in the lane of the calling thread. Times on the monotonic clock; texts are
 * copied. */
void al_trace_task(const char *name, const char *place, int64_t submitted_ns, int64_t started_ns,
                   int64_t ended_ns, allot_status status);

#endif
