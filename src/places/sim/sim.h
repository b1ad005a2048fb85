/* Simulated machines: the one door to this room.
 *
 * The devices of a machine file run the executor's real way in virtual time. A place queues what it is given
 * by priority; time stands still while the program works, and passes while a thread of it waits for
 * something: then what happens next happens (a transfer has arrived, a run is over), one thing after the
 * other, in the waiting thread. The same program, with one thread that submits, sees the same times each
 * time.
 */
#ifndef AL_PLACES_SIM_SIM_H
#define AL_PLACES_SIM_SIM_H

#include "places/place.h"

typedef struct al_sim al_sim;

/* Brings up the machine of a file; seed 0: the file's own. NULL with status and failure. */
al_sim *al_sim_open(const char *path, uint64_t seed, allot_status *status, al_failure *failure);
/* For an executor that was never opened: otherwise its places close it, the last of them. */
void al_sim_discard(al_sim *sim);

size_t al_sim_place_count(const al_sim *sim);
/* Makes all its places, cold. False when memory is out: then none is made. */
bool al_sim_places(al_sim *sim, al_place **places);

/* Virtual nanoseconds. Starts at 1; never goes back. */
const _Atomic int64_t *al_sim_clock(const al_sim *sim);

/* Time passes only while may_pass(of) says so: the executor has more to do than waiting threads show. */
void al_sim_hold_time(al_sim *sim, bool (*may_pass)(void *of), void *of);

/* Moments that matter though nothing happens then on a device: time does not pass beyond the next one
 * (INT64_MAX: there is none) before ring(of) has been called at it. Both are called by who lets time pass;
 * `ring` with no lock held. */
void al_sim_set_alarms(al_sim *sim, int64_t (*next_ns)(void *of), void (*ring)(void *of, int64_t now_ns),
                       void *of);

#endif
