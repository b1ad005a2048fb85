/* The threads of CPU drivers: born so that they do not push the thread aside that hands them work.
 *
 * PoCL starts its workers while its devices are listed, and threads inherit the scheduling policy of who
 * starts them: SCHED_BATCH meanwhile. Woken on their waker's CPU they let it go on, instead of running what
 * was just enqueued, falling asleep, and being woken again for the next launch, which costs several times
 * what the launch does. Once the waker waits, or its time slice is over, they run as ever. */
#ifndef AL_PLACES_OPENCL_CALM_H
#define AL_PLACES_OPENCL_CALM_H

#include <stdbool.h>

/* From here on what this thread starts is calm. False: nothing was changed, as the host has asked for a
 * policy of its own. */
bool al_opencl_calm_begin(void);
/* The end of it, if it was begun: true if there are calm threads, of this search or an earlier one. Where not
 * all devices are CPUs it takes it all back: a thread that waits for another kind of device should run as
 * soon as that is done. */
bool al_opencl_calm_end(bool begun, bool all_on_cpu);

#endif
