/* What a worker keeps itself to: limits for good, CPU time for each call, memory after each call. */
#ifndef AL_PLACES_PROCESS_LIMITS_H
#define AL_PLACES_PROCESS_LIMITS_H

#include "places/process/setup.h"
#include <time.h>

typedef struct al_limits {
    int64_t cpu_ns; /* of a call; 0: no limit */
    uint64_t growth_bytes;
    size_t resident_bytes; /* when it was ready */
    timer_t timer;
    int statm; /* descriptor of /proc/self/statm; -1: memory is not watched */
    bool grown;
} al_limits;

/* Limits this process for good. The error's text is in the failure. */
allot_status al_limits_begin(al_limits *limits, const al_setup *setup, al_failure *failure);

/* From here on memory counts as grown. */
void al_limits_ready(al_limits *limits);

/* Around a call. */
void al_limits_call(al_limits *limits, bool begins);

/* After a call: true once, when this process has grown by more than it should. */
bool al_limits_grown(al_limits *limits);

#endif
