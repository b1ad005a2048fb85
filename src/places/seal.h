/* What code of this library that runs in a worker process may do to that: give its rights up, for good. From
 * then on the worker runs that code alone; other calls go to other workers. The process place is behind it
 * (places/process/seal.c). */
#ifndef AL_PLACES_SEAL_H
#define AL_PLACES_SEAL_H

typedef enum al_right {
    AL_RIGHT_NETWORK = 1, /* opening ways to other machines */
    AL_RIGHT_PROGRAMS = 2 /* starting processes and programs */
} al_right;

/* In a call of a worker: it may do that no more, in any of its threads; others of its rights stay as they
 * are. 0, or an error number: nothing has changed (ENOSYS: this build or this system has no filters). Quick
 * where it was done before. */
int al_seal(al_right rights);

/* The rights that were given up, a sum. */
unsigned al_sealed(void);

/* Hands the call in progress back, as if it had not begun: another worker will run it, and this one ends. The
 * caller returns, with nothing written; what it returns does not matter. */
void al_seal_decline(void);

#endif
