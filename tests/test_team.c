/* Teams: whoever joins takes part, the last one out ends it, and a slot is used again. */
#include "places/thread/team.h"
#include "stress/random.h"
#include "support.h"
#include <sched.h>

enum {
    THREADS = 4,
    TEAMS_EACH = 30000,
    PARTS = 5,
    KEPT = THREADS * TEAMS_EACH
};

typedef struct counting {
    al_team team; /* first */
    _Atomic uint32_t given, done, ends;
    _Atomic int32_t members;
    _Atomic int32_t most;
} counting;

static _Atomic uint32_t wrong;

static void work(al_team *team, int member)
{
    counting *self = (counting *)team;
    (void)member;
    int32_t members = atomic_fetch_add(&self->members, 1) + 1, most = atomic_load(&self->most);
    while (most < members && !atomic_compare_exchange_weak(&self->most, &most, members))
        ;
    if (atomic_load(&self->ends))
        atomic_fetch_add(&wrong, 1);
    while (atomic_fetch_add(&self->given, 1) < PARTS)
        atomic_fetch_add(&self->done, 1);
    if (team->teams) /* else it works alone */
        al_team_close(team);
    atomic_fetch_sub(&self->members, 1);
}

static void end(al_team *team)
{
    counting *self = (counting *)team;
    if (atomic_fetch_add(&self->ends, 1) || atomic_load(&self->done) != PARTS || atomic_load(&self->members))
        atomic_fetch_add(&wrong, 1);
}

static counting new_team(uint32_t members_max)
{
    return (counting){ .team = { .work = work, .end = end, .members_max = members_max } };
}

/* ---- One thread ---- */

static void nobody_joins_what_is_not_open(void)
{
    static al_teams teams;
    CHECK(!al_team_join(&teams) && !al_team_any(&teams));
    counting one = new_team(3);
    REQUIRE(al_team_open(&teams, &one.team));
    CHECK(al_team_any(&teams));
    CHECK(al_team_join(&teams) == &one.team);
    al_team_close(&one.team);
    CHECK(!al_team_any(&teams) && !al_team_join(&teams));
    work(&one.team, 0);
    CHECK(!al_team_leave(&one.team));
    CHECK(al_team_leave(&one.team));
    CHECK(atomic_load(&one.ends) == 1);
}

static void who_makes_it_full_closes_it(void)
{
    static al_teams teams;
    counting one = new_team(2);
    REQUIRE(al_team_open(&teams, &one.team));
    CHECK(al_team_join(&teams) == &one.team);
    CHECK(!al_team_any(&teams) && !al_team_join(&teams));
    work(&one.team, 0);
    CHECK(!al_team_leave(&one.team) && al_team_leave(&one.team));
}

static void when_all_slots_are_taken_one_works_alone(void)
{
    static al_teams teams;
    static counting many[AL_TEAM_SLOTS + 1];
    for (int i = 0; i <= AL_TEAM_SLOTS; i++) {
        many[i] = new_team(2);
        CHECK(al_team_open(&teams, &many[i].team) == (i < AL_TEAM_SLOTS));
    }
    work(&many[0].team, 0);
    CHECK(al_team_leave(&many[0].team));
    CHECK(al_team_open(&teams, &many[AL_TEAM_SLOTS].team)); /* a slot is free again */
    for (int i = 1; i <= AL_TEAM_SLOTS; i++) {
        work(&many[i].team, 0);
        CHECK(al_team_leave(&many[i].team));
    }
    CHECK(!al_team_any(&teams));
}

/* ---- Many ---- */

static al_teams shared;
static counting kept[KEPT]; /* each one's memory stays, so that a late touch is seen and harms nothing */
static _Atomic uint32_t opened;

static void join_one(int member)
{
    al_team *team = al_team_join(&shared);
    if (!team)
        return;
    team->work(team, member);
    al_team_leave(team);
}

static void open_one(random_state *random, uint32_t which, int member)
{
    counting *self = &kept[which];
    *self = new_team(2 + (uint32_t)(random_next(random) % 3));
    if (!al_team_open(&shared, &self->team)) {
        work(&self->team, member);
        return;
    }
    atomic_fetch_add(&opened, 1);
    work(&self->team, member);
    al_team_leave(&self->team);
}

static void *gang_up(void *of)
{
    int member = *(int *)of;
    random_state random = random_start((uint64_t)member);
    for (uint32_t i = 0; i < ROUNDS(TEAMS_EACH); i++) {
        open_one(&random, (uint32_t)member * TEAMS_EACH + i, member);
        for (uint64_t joins = random_next(&random) % 4; joins > 0; joins--)
            join_one(member);
    }
    return NULL;
}

static void each_ends_once_after_all_its_work(void)
{
    int members[THREADS];
    for (int i = 0; i < THREADS; i++)
        members[i] = i;
    run_threads(THREADS, gang_up, members, sizeof members[0]);
    uint32_t ends = 0;
    for (int i = 0; i < KEPT; i++) {
        CHECK(kept[i].ends <= 1 && kept[i].members == 0 && kept[i].most <= (int32_t)kept[i].team.members_max);
        ends += kept[i].ends;
    }
    CHECK(ends == atomic_load(&opened));
    CHECK(atomic_load(&wrong) == 0);
    CHECK(!al_team_any(&shared)); /* or workers would look for work for ever */
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "nobody joins what is not open", nobody_joins_what_is_not_open },
        { "who makes it full closes it", who_makes_it_full_closes_it },
        { "when all slots are taken one works alone", when_all_slots_are_taken_one_works_alone },
        { "each ends once, after all its work, and leaves no trace", each_ends_once_after_all_its_work },
        { NULL, NULL },
    };
    const watched_suite suite = { "team", facts, NULL };
    setenv("TEST_WATCHDOG_S", "120", 0);
    return watched_main(argc, argv, &suite, 1);
}
