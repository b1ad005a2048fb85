/* The worker process: takes the calls from its page, one after the other, until it is told to exit. */
#ifndef AL_PLACES_PROCESS_WORKER_H
#define AL_PLACES_PROCESS_WORKER_H

#include "places/process/start.h"

/* Runs the worker's loop; ends the process. */
_Noreturn void al_worker_main(const al_door *door);

#endif
