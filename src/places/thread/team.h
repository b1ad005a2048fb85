/* Work that several workers do together: each who joins takes parts of it until none is left.
 *
 * A team stands in a slot of its pool's while it is open. Whoever runs dry joins; the last one to leave a
 * team that has been closed ends it. A slot is used again only when all have left, so that joining needs no
 * lock. */
#ifndef AL_PLACES_THREAD_TEAM_H
#define AL_PLACES_THREAD_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define AL_TEAM_SLOTS 16

typedef struct al_teams al_teams;

typedef struct al_team {
    /* Takes parts until none is left that this member may take. `member` is a worker's index, or -1. */
    void (*work)(struct al_team *team, int member);
    void (*end)(struct al_team *team); /* by the last one who leaves; may free the team */
    uint32_t members_max;              /* who makes it that many closes it; 32,767 at most count */
    int slot;                          /* set by open */
    al_teams *teams;                   /* the same */
} al_team;

struct al_teams {
    _Atomic uint32_t open; /* bits: slots that can be joined, or could a moment ago */
    struct {
        _Alignas(64) _Atomic uint32_t word; /* members, how many may be, whether it is open; 0: free */
        al_team *team;                      /* valid while there are members */
    } slots[AL_TEAM_SLOTS];
};

/* Opens a team with the caller as its first member. False: all slots are taken, the caller works alone. */
bool al_team_open(al_teams *teams, al_team *team);

/* No more members. By a member. */
void al_team_close(al_team *team);

/* The caller, a member, has no more to do here; ends the team if it is closed and he is the last one. True if
 * so. */
bool al_team_leave(al_team *team);

/* Joins an open team if there is one: a member must work() and leave(). NULL: there is none. */
al_team *al_team_join(al_teams *teams);

static inline bool al_team_any(const al_teams *teams)
{
    return atomic_load_explicit((_Atomic uint32_t *)&teams->open, memory_order_relaxed) != 0;
}

#endif
