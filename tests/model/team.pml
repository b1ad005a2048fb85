/* The teams of src/places/thread/team.c: TEAMS of them, one after the other, in one slot; each is opened by one worker,
 * all workers try to join. Each step is one atomic operation; the stores between are only read after them.
 *
 * Runs:
 *   holds | each team ends exactly once, when its work is done and its members are gone; the slot is free and its bit clear then
 *   holds -DMOST=3 | the same with as many members as there are workers
 *   fails -DLATE_BIT | if the bit is set after the word, a joiner who still knew it from before may clear it first: it stays, and no worker sleeps again
 *   fails -DEARLY_SLOT | the slot is not free when the team is closed, only when all have left
 *   fails -DLATE_CLOSE | who makes it full must close it in the same step, or one more comes in between
 *   fails -DBLIND_JOIN | joining must be one step with the look whether the team is open */

#define WORKERS 3
#define TEAMS   2
#define PARTS   2
#ifndef MOST
#define MOST 2 /* members_max */
#endif
#define OPEN     64
#define RESERVED 32
#define COUNT    31

byte word; /* the slot's: members | OPEN, or RESERVED; 0: free */
byte slot; /* the team in it */
bool shown;  /* al_teams.open */

byte parts[TEAMS + 1] = PARTS; /* not handed out yet */
byte done[TEAMS + 1];
byte ends[TEAMS + 1];
byte members[TEAMS + 1]; /* who may touch it */
byte left;

inline close()
{
    assert(ends[team] == 0);
    if
    :: word & OPEN ->
        atomic { before = word; word = word & (RESERVED | COUNT) };
#ifdef EARLY_SLOT
        if
        :: before & OPEN -> word = 0
        :: else
        fi;
#endif
        if
        :: before & OPEN -> shown = false
        :: else
        fi
    :: else
    fi;
    before = 0
}

inline work()
{
    do
    :: atomic { parts[team] -> parts[team]--; assert(ends[team] == 0) }
        atomic { done[team]++; assert(ends[team] == 0) }
    :: !parts[team] -> break
    od;
    close()
}

inline leave()
{
    atomic {
        assert((word & COUNT) > 0);
        last = (word == 1);
        word--;
        members[team]--
    };
    if
    :: last -> atomic {
           ends[team]++;
           assert(ends[team] == 1 && done[team] == PARTS && members[team] == 0)
       }
    :: else
    fi;
    last = false
}

inline open_team()
{
    if
    :: atomic { word == 0 -> word = RESERVED };
        team = mine;
        slot = team;
        members[team] = 1;
#ifdef LATE_BIT
        word = OPEN + 1;
        shown = true;
#else
        shown = true;
        word = OPEN + 1;
#endif
        work();
        leave()
    :: word != 0 -> /* it works alone */
        done[mine] = PARTS;
        ends[mine] = 1
    fi;
    mine = 0
}

inline enter()
{
    before = word;
    word++;
    team = slot;
    members[team]++;
    assert(ends[team] == 0);
    assert((word & COUNT) <= MOST);
#ifndef LATE_CLOSE
    if
    :: (word & COUNT) >= MOST -> word = word & (RESERVED | COUNT)
    :: else
    fi
#endif
}

inline join()
{
    if
    :: shown -> skip /* and then anything may happen before the next step */
#ifdef BLIND_JOIN
        if
        :: word & OPEN -> atomic { enter() }
#else
        if
        :: atomic { word & OPEN -> enter() }
#endif
            if
#ifdef LATE_CLOSE
            :: (before & COUNT) + 1 >= MOST -> close()
#else
            :: (before & COUNT) + 1 >= MOST -> before = 0; shown = false
#endif
            :: else
            fi;
            work();
            leave()
        :: !(word & OPEN)
        fi
    :: !shown
    fi;
    before = 0;
    team = 0
}

proctype worker(byte mine)
{
    byte team, before, tries;
    bool last;
    do
    :: mine -> open_team()
    :: tries < 2 -> tries++; join()
    :: else -> break
    od;
    left++
}

init {
    atomic { run worker(1); run worker(2); run worker(0) }
    left == WORKERS;
    assert(word == 0 && !shown);
    assert(ends[1] == 1 && ends[2] == 1)
}
