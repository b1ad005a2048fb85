/* A device that fails: it is set aside after its loss, after several failures in a row, or when a launch does
 * not end; it is tried again later, and opened anew if need be. One thread of the process watches all devices
 * for launches that do not end. */
#ifndef AL_PLACES_OPENCL_HEALTH_H
#define AL_PLACES_OPENCL_HEALTH_H

#include "places/opencl/opencl.h"

#define AL_OPENCL_FAILURES_MAX 8 /* of the device in a row: then it is set aside */
/* From setting aside to the first trial; twice as long before each next one, up to the longest. */
#define AL_OPENCL_PAUSE_NS     INT64_C(1000000000)
#define AL_OPENCL_PAUSE_MAX_NS INT64_C(60000000000)
/* A launch, its compilation and transfers included, that is not over so long after it began, or after the one
 * before it ended, is given up; but not before it took so many times as long as was expected of it. Seconds
 * for which the program is stopped do not count, but for a fourth of these. The environment's
 * ALLOT_WATCHDOG_S sets other ones. */
#define AL_OPENCL_WATCHDOG_S    120
#define AL_OPENCL_TIMES_AS_LONG 20
/* How long closing a place waits for launches that were given up. */
#define AL_OPENCL_CLOSE_NS INT64_C(2000000000)

/* A launch ended with this code; CL_SUCCESS is one. `message` goes with a failure. */
void al_opencl_health_note(al_opencl *self, cl_int code, const char *message);

/* How long a launch may take that is expected to run for so long. */
int64_t al_opencl_health_allows(const al_opencl *self, int64_t expected_ns);

/* True if an idle device that is aside is to be tried now; with the place's lock held. *when (INT64_MAX:
 * never) is when else. */
bool al_opencl_health_due(const al_opencl *self, int64_t *when);
/* Tries it, in the place's own thread, with nothing in flight. */
void al_opencl_health_probe(al_opencl *self);

/* Watches the place, or does so no more: at the return of the latter nobody looks at it. */
bool al_opencl_health_watch(al_opencl *self);
void al_opencl_health_unwatch(al_opencl *self);
/* What came to a place that is stuck is to be refused now. */
void al_opencl_health_hurry(void);

/* Ends a task from the queue of a place that is stuck: it is run elsewhere, or fails. */
void al_opencl_health_refuse(al_opencl *self, al_task *task);

#endif
