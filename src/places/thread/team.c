#include "places/thread/team.h"
#include <stddef.h>

#define OPEN     UINT32_C(0x80000000)
#define RESERVED UINT32_C(0x40000000) /* being set up */
#define MOST     UINT32_C(0x3fff8000) /* members_max */
#define COUNT    UINT32_C(0x00007fff)

static uint32_t most(uint32_t members)
{
    return (members < COUNT ? members : COUNT) * (MOST & -MOST);
}

static bool full(uint32_t word)
{
    return (word & COUNT) * (MOST & -MOST) >= (word & MOST);
}

bool al_team_open(al_teams *teams, al_team *team)
{
    for (int slot = 0; slot < AL_TEAM_SLOTS; slot++) {
        uint32_t unused = 0;
        if (atomic_load_explicit(&teams->slots[slot].word, memory_order_relaxed) ||
            !atomic_compare_exchange_strong(&teams->slots[slot].word, &unused, RESERVED))
            continue;
        team->slot = slot;
        team->teams = teams;
        teams->slots[slot].team = team;
        /* The bit, a hint alone, goes first: who knows it from the team before may join and close this one at
         * once, and must not clear it too early. Release: pairs with join's acquire. */
        atomic_fetch_or_explicit(&teams->open, UINT32_C(1) << slot, memory_order_relaxed);
        atomic_store_explicit(&teams->slots[slot].word, OPEN | most(team->members_max) | 1,
                              memory_order_release);
        return true;
    }
    return false;
}

void al_team_close(al_team *team)
{
    al_teams *teams = team->teams;
    _Atomic uint32_t *word = &teams->slots[team->slot].word;
    uint32_t bit = UINT32_C(1) << team->slot;
    if (atomic_load_explicit(word, memory_order_relaxed) & OPEN &&
        atomic_fetch_and_explicit(word, ~OPEN, memory_order_acq_rel) & OPEN)
        atomic_fetch_and_explicit(&teams->open, ~bit, memory_order_release);
}

bool al_team_leave(al_team *team)
{
    _Atomic uint32_t *word = &team->teams->slots[team->slot].word;
    uint32_t before = atomic_load_explicit(word, memory_order_relaxed), after;
    do {
        /* The last one out of a closed team frees the slot. acq_rel: what every member did happens before the
         * end. */
        after = (before & ~MOST) == 1 ? 0 : before - 1;
    } while (!atomic_compare_exchange_weak_explicit(word, &before, after, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (after)
        return false;
    team->end(team);
    return true;
}

static al_team *join(al_teams *teams, int slot)
{
    _Atomic uint32_t *word = &teams->slots[slot].word;
    uint32_t before = atomic_load_explicit(word, memory_order_relaxed), after;
    do {
        if (!(before & OPEN))
            return NULL;
        /* Who makes it full closes it in the same step: nobody comes in between. */
        after = full(before + 1) ? (before & ~OPEN) + 1 : before + 1;
    } while (!atomic_compare_exchange_weak_explicit(word, &before, after, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (!(after & OPEN))
        atomic_fetch_and_explicit(&teams->open, ~(UINT32_C(1) << slot), memory_order_release);
    return teams->slots[slot].team;
}

al_team *al_team_join(al_teams *teams)
{
    uint32_t open = atomic_load_explicit(&teams->open, memory_order_relaxed);
    al_team *team = NULL;
    for (; open && !team; open &= open - 1)
        team = join(teams, __builtin_ctz(open));
    return team;
}
