/* The worker's side of places/seal.h: which calls it runs after its rights were given up. */
#ifndef AL_PLACES_PROCESS_SEAL_H
#define AL_PLACES_PROCESS_SEAL_H

#include "places/process/symbol.h"
#include "places/seal.h"

/* Before each call: false if the worker belongs to other code by now. */
bool al_seal_admits(al_code code);

/* After it: the call has handed itself back. */
bool al_seal_declined(void);

#endif
