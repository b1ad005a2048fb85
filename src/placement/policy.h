/* Choosing a place: a pure function over a snapshot of candidates. */
#ifndef AL_PLACEMENT_POLICY_H
#define AL_PLACEMENT_POLICY_H

#include <allot/place.h>

typedef struct al_snapshot {
    const allot_candidate *candidates; /* ready_s already counts what is queued on places that share cores */
    size_t count;
    double busy_s;     /* time that launches have run so far, all places together */
    double explored_s; /* how much of it was spent on trying places for knowledge's sake */
} al_snapshot;

typedef struct al_choice {
    int chosen;    /* index; -1: no candidate is possible */
    bool explores; /* tried although another looked cheaper: its time counts as explored */
    char why[160];
} al_choice;

/* The most of the busy time that exploration may take. */
#define AL_EXPLORE_SHARE 0.05

/* Lowest predicted total wins. A place without samples is tried when its optimistic total beats the best
 * known place's expected total, or when its expected total fits what is left of the exploration budget. */
al_choice al_policy_choose(const al_snapshot *snapshot);

#endif
