/* How the workers of src/places/thread/park.c sleep and are woken, with the fences of base/fence.h, on x86-TSO: a push
 * (a plain store) goes through a store buffer; locked operations, mutexes and the full fence wait until one's own
 * buffer is empty, and the heavy fence (membarrier) until everybody's is. The light fence is no step at all.
 *
 * One submitter pushes TASKS tasks for as many workers and closes the pool when they have run. A worker takes one or
 * a batch of the submitter's queue, puts what it does not run into its own deque, and steals from the others'.
 *
 * Runs:
 *   holds | every task runs, though each returns only when all have started: none is queued while a worker sleeps; all workers leave at the end
 *   holds -DALONE -DTASKS=3 | more tasks than workers, which wait for nobody: all run
 *   holds -DSEARCHERS=0 | the same where nobody may search (one CPU)
 *   holds -DSENTINEL | the same with a sleeper who gets up now and then and to whom a stream of tasks is left
 *   fails -DNO_HEAVY_FENCE | without the heavy fence a push and a worker who lies down miss each other
 *   fails -DNO_FULL_FENCE | without the full fence in attend a push and the last searcher miss each other
 *   fails -DNO_SECOND_LOOK | a worker must look again after it has lain down
 *   fails -DNO_LAST_LOOK | the last searcher must look for more when it found something
 *   fails -DQUIET_RISE | a worker who finds work as it lies down stopped searching: it must look for more like a searcher
 *   fails -DQUIET_BATCH | a batch was in nobody's queue for a moment: who moved it must say so
 *   fails -DSENTINEL -DNO_LAST_WATCH | a sentinel who resigns must look once more: work was left to it
 *   fails -DSENTINEL -DQUIET_SENTINEL | a sentinel who gets up must have another woken if there is more */

#ifndef TASKS
#define TASKS 2
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef SEARCHERS
#define SEARCHERS 1 /* at most, not counting those who were woken */
#endif
#define BATCH 2

/* A queue for each worker, and the submitter's: what all see, and what its owner has pushed but nobody else sees. */
#define QUEUES    (WORKERS + 1)
#define SUBMITTER WORKERS
byte queue[QUEUES], pushed[QUEUES];
#define FLUSHED(who) (pushed[who] == 0)

byte attention, sleepers, searchers;
bool locked, closing;
bool sentinel;
bool asleep[WORKERS], lying[WORKERS]; /* lying: in the stack of those who sleep */
byte started, left;

active proctype memory()
{
    byte i;
end:
    do
    :: atomic { pushed[0] -> queue[0]++; pushed[0]-- }
    :: atomic { pushed[1] -> queue[1]++; pushed[1]-- }
    :: atomic { pushed[2] -> queue[2]++; pushed[2]-- }
#if WORKERS > 2
    :: atomic { pushed[3] -> queue[3]++; pushed[3]-- }
#endif
    od
}

/* ---- park.c, waking ---- */

/* Which one is woken does not matter: any. */
inline wake_one(me)
{
    atomic { FLUSHED(me) && !locked -> locked = true };
    if
    :: atomic { lying[0] -> lying[0] = false; chosen = 0 }
    :: atomic { lying[1] -> lying[1] = false; chosen = 1 }
#if WORKERS > 2
    :: atomic { lying[2] -> lying[2] = false; chosen = 2 }
    :: atomic { !lying[0] && !lying[1] && !lying[2] -> chosen = WORKERS }
#else
    :: atomic { !lying[0] && !lying[1] -> chosen = WORKERS }
#endif
    fi;
    if
    :: chosen < WORKERS ->
        sleepers--;
        attention--;
        searchers++;
        locked = false;
        asleep[chosen] = false
    :: else -> locked = false
    fi;
    chosen = 0
}

inline attend(me)
{
#ifndef NO_FULL_FENCE
    FLUSHED(me);
#endif
    if
    :: sleepers ->
        if
        :: !searchers && (me != SUBMITTER || !sentinel) -> wake_one(me)
        :: !searchers && me == SUBMITTER && sentinel -> /* it may be a stream, which is left to it */
            if
            :: wake_one(me)
            :: true
            fi
        :: else
        fi
    :: else
    fi
}

inline announce(me)
{
    if
    :: attention -> attend(me)
    :: else
    fi
}

/* ---- find.c ---- */

inline find_any()
{
    i = 0;
    found = false;
    do
    :: i < QUEUES && queue[i] -> found = true; break
    :: i < QUEUES && !queue[i] -> i++
    :: i == QUEUES -> break
    od;
    i = 0
}

inline take()
{
    got = false;
    FLUSHED(me); /* the fence of the owner's take */
    if
    :: atomic { queue[me] -> queue[me]--; got = true }
    :: !queue[me] ->
        if
        :: atomic {
               queue[SUBMITTER] ->
               got = true;
               if
               :: hand = 1
               :: queue[SUBMITTER] > 1 -> hand = BATCH
               fi;
               queue[SUBMITTER] = queue[SUBMITTER] - hand;
               hand--
           }
           if
           :: hand -> atomic { pushed[me] = pushed[me] + hand; hand = 0 }
#ifndef QUIET_BATCH
               announce(me)
#endif
           :: else
           fi
        :: !queue[SUBMITTER] ->
            i = 0;
            do
            :: atomic { i < WORKERS && i != me && queue[i] -> queue[i]--; got = true; break }
            :: i < WORKERS && (i == me || !queue[i]) -> i++
            :: i == WORKERS -> break
            od;
            i = 0
        fi
    fi
}

inline end_search()
{
    searching = false;
    atomic { FLUSHED(me); searchers--; last = (searchers == 0) };
#ifndef NO_LAST_LOOK
    if
    :: last && sleepers ->
        find_any();
        if
        :: found && !sentinel -> wake_one(me)
        :: found && sentinel ->
            if
            :: wake_one(me)
            :: true
            fi
        :: else
        fi
    :: else
    fi;
#endif
    last = false
}

/* ---- park.c, sleeping ---- */

inline lie_down()
{
    atomic { FLUSHED(me) && !locked -> locked = true };
    asleep[me] = true;
    lying[me] = true;
    sleepers++;
    attention++;
    locked = false;
#ifndef NO_HEAVY_FENCE
    FLUSHED(0);
    FLUSHED(1);
    FLUSHED(2);
#if WORKERS > 2
    FLUSHED(3);
#endif
#endif
}

/* up: it took itself off the stack; else it was chosen to be woken and is a searcher. */
inline get_up()
{
    atomic { FLUSHED(me) && !locked -> locked = true };
    up = lying[me];
    if
    :: up ->
        lying[me] = false;
        sleepers--;
        attention--
    :: else
    fi;
    locked = false
}

#define SOME_WORK (queue[0] || queue[1] || queue[2] || queue[WORKERS])

/* The sentinel's short sleeps are one, until there is something to see. */
inline sleep()
{
#ifdef SENTINEL
    do
    :: !asleep[me] -> break
    :: asleep[me] ->
        watch = (sleepers < WORKERS);
        if
        :: atomic { watch && !mine && !sentinel -> sentinel = true; mine = true }
        :: watch && !mine && sentinel
        :: !watch && mine ->
            sentinel = false;
            mine = false;
#ifndef NO_LAST_WATCH
            find_any();
            if
            :: found -> break
            :: else
            fi
#endif
        :: watch == mine
        fi;
        if
        :: mine ->
            !asleep[me] || SOME_WORK || sleepers == WORKERS;
            find_any();
            if
            :: found && asleep[me] -> break
            :: else
            fi
        :: else -> !asleep[me]
        fi
    od;
    if
    :: mine -> sentinel = false; mine = false
    :: else
    fi;
    watch = false
#else
    !asleep[me] /* the futex */
#endif
}

inline park()
{
    found = false;
    if
    :: atomic { !searching && searchers < SEARCHERS -> FLUSHED(me); searchers++; searching = true }
    :: searching || searchers >= SEARCHERS
    fi;
    if
    :: searching ->
        find_any(); /* when it spins on: the step between two looks, so once is any number of times */
        if
        :: !found -> searching = false; atomic { FLUSHED(me); searchers-- }
        :: else
        fi
    :: else
    fi;
    if
    :: found
    :: else ->
        lie_down();
#ifndef NO_SECOND_LOOK
        find_any();
#endif
        if
        :: found || closing ->
            get_up();
#ifdef QUIET_RISE
            searching = !up
#else
            if
            :: up -> searchers++
            :: else
            fi;
            searching = true
#endif
        :: else ->
            sleep();
            get_up();
            if
#ifndef QUIET_SENTINEL
            :: up && found -> searchers++; searching = true
            :: else -> searching = !up
#else
            :: searching = !up
#endif
            fi
        fi;
        up = false
    fi
}

proctype worker(byte me)
{
    bool searching, got, found, up, last;
#ifdef SENTINEL
    bool watch, mine;
#endif
    byte hand, i, chosen;
    do
    :: take();
        if
        :: got ->
            got = false;
            if
            :: searching -> end_search()
            :: else
            fi;
            started++;
#ifndef ALONE
            started == TASKS
#endif
        :: else ->
            if
            :: closing ->
                find_any();
                if
                :: !found -> break
                :: else
                fi
            :: else
            fi;
            park()
        fi
    od;
    if
    :: searching -> end_search()
    :: else
    fi;
    left++
}

init {
    byte i, chosen;
    atomic { run worker(0); run worker(1);
#if WORKERS > 2
        run worker(2)
#endif
    }
    i = 0;
    do
    :: i < TASKS -> i++; pushed[SUBMITTER]++; announce(SUBMITTER)
    :: else -> break
    od;
    started == TASKS;
    FLUSHED(SUBMITTER);
    closing = true;
    FLUSHED(0); /* the heavy fence */
    FLUSHED(1);
    do
    :: sleepers -> wake_one(SUBMITTER)
    :: else -> break
    od;
    left == WORKERS;
    assert(sleepers == 0 && attention == 0 && searchers == 0)
}
