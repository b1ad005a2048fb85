/* The future of src/core/future.c: one word with the state, flags and references; a stack of continuations. Every step
 * is one operation on one of the two words: locked ones, so that store buffers do not matter.
 *
 * The owner starts it and ends it, or drops it when it was cancelled. Three holders, who let go when they are through:
 * one who may cancel and then waits on the word; one who adds two continuations; one who waits on the epoch.
 *
 * Runs:
 *   holds | all waits end; each continuation runs once, or is told no; the last holder frees the block once, and nobody touches it then
 *   fails -DBLIND_FINISH | ending in one step is for those futures only that have no flags
 *   fails -DEARLY_FAREWELL | who ends it must let go after he has told everybody
 *   fails -DNO_CLOSED | who adds must see that the continuations have been taken
 *   fails -DFLAG_UNSEEN | a waiter must set its flag only where the state is not done
 *   fails -DTWO_STEP_START | starting and cancelling are compare-and-swaps: only one may be done
 *   fails -DLATE_EPOCH | a waiter must read the epoch before it looks */

/* The word. */
mtype = { PENDING, RUNNING, DONE, CANCELLED };
mtype state = PENDING;
bool waited, watched, continued;
byte references = 4; /* the owner, and three holders */

#define IS_DONE (state == DONE || state == CANCELLED)

/* The continuations: a stack of their numbers, or taken. */
byte stack[2];
byte height;
bool taken;

byte runs[2], told[2];
bool asleep, epoch_asleep;
byte epoch, epoch_sleepers;
byte freed, left;

#define TOUCH assert(!freed)

inline free_it()
{
    assert(!freed);
    freed++
}

inline unreference()
{
    atomic { TOUCH; alone = (references == 1) }; /* then nobody else can do anything */
    if
    :: alone -> free_it()
    :: else -> atomic {
           TOUCH;
           references--;
           if
           :: references == 0 -> free_it()
           :: else
           fi
       }
    fi;
    alone = false
}

/* After the last change of state; w, e, c are the flags that it met. */
inline announce()
{
    if
    :: w -> atomic { TOUCH; asleep = false }
    :: else
    fi;
    if
    :: e ->
        epoch++;
        if
        :: epoch_sleepers -> epoch_asleep = false
        :: else
        fi
    :: else
    fi;
    if
    :: c ->
        atomic { TOUCH; taken = true; n = height; height = 0 };
        do
        :: n -> n--; atomic { TOUCH; runs[stack[n]]++ }
        :: else -> break
        od
    :: else
    fi;
    w = false;
    e = false;
    c = false
}

active proctype owner()
{
    bool w, e, c, alone, ended;
    byte n;
#ifdef TWO_STEP_START
    if
    :: state == PENDING -> TOUCH; state = RUNNING
#else
    if
    :: atomic { state == PENDING -> TOUCH; state = RUNNING }
#endif
        /* The function runs; then al_future_finish. */
        atomic {
            TOUCH;
            assert(state == RUNNING);
#ifdef BLIND_FINISH
            if
            :: true ->
#else
            if
            :: !waited && !watched && !continued ->
#endif
                state = DONE;
                references--;
                ended = true;
                if
                :: references == 0 -> free_it()
                :: else
                fi
            :: else -> state = DONE; w = waited; e = watched; c = continued
            fi
        };
        if
        :: ended
        :: else ->
#ifdef EARLY_FAREWELL
            unreference();
            announce()
#else
            announce();
            unreference()
#endif
        fi
    :: state != PENDING -> unreference() /* al_task_drop */
    fi;
    left++
}

inline cancel()
{
#ifdef TWO_STEP_START
    if
    :: state == PENDING -> TOUCH; state = CANCELLED; w = waited; e = watched; c = continued; announce()
#else
    if
    :: atomic { state == PENDING -> TOUCH; state = CANCELLED; w = waited; e = watched; c = continued };
        announce()
#endif
    :: state != PENDING -> TOUCH
    fi
}

/* Waits on the word itself, having cancelled it perhaps. */
active proctype waiter()
{
    bool w, e, c, alone, flagged;
    byte n;
    if
    :: cancel()
    :: true
    fi;
    do
#ifdef FLAG_UNSEEN
    :: flagged = !IS_DONE; waited = true;
#else
    :: atomic {
           TOUCH;
           flagged = !IS_DONE;
           if
           :: flagged -> waited = true
           :: else
           fi
       };
#endif
        if
        :: !flagged -> break
        :: else ->
            if /* the futex: sleeps only if the word is what was read while it was not done */
#ifdef FLAG_UNSEEN
            :: atomic { true -> asleep = true }
#else
            :: atomic { !IS_DONE -> TOUCH; asleep = true }
#endif
                !asleep
            :: IS_DONE
            fi
        fi
    od;
    assert(IS_DONE);
    unreference();
    left++
}

/* Waits on the epoch, as a worker or for one of several. */
active proctype watcher()
{
    bool alone, flagged;
    byte seen;
    do
    ::
#ifndef LATE_EPOCH
        seen = epoch;
#endif
        atomic {
            TOUCH;
            flagged = !IS_DONE;
            if
            :: flagged -> watched = true
            :: else
            fi
        };
#ifdef LATE_EPOCH
        seen = epoch;
#endif
        if
        :: !flagged -> break
        :: else ->
            epoch_sleepers++;
            if
            :: atomic { epoch == seen -> epoch_asleep = true }
                !epoch_asleep
            :: epoch != seen
            fi;
            epoch_sleepers--
        fi
    od;
    assert(IS_DONE);
    unreference();
    left++
}
/* al_future_add, twice. */
active proctype adder()
{
    bool alone, flagged;
    byte i, head;
    do
    :: i < 2 ->
        atomic {
            TOUCH;
            flagged = !IS_DONE;
            if
            :: flagged -> continued = true
            :: else
            fi
        };
        if
        :: !flagged -> told[i]++
        :: else ->
            do
            :: atomic {
                   TOUCH;
                   head = height;
#ifndef NO_CLOSED
                   if
                   :: taken -> told[i]++; break
                   :: else
                   fi
#endif
               };
                if
#ifdef NO_CLOSED
                :: atomic { height == head -> TOUCH; stack[height] = i; height++; break }
                :: height != head
#else
                :: atomic { height == head && !taken -> TOUCH; stack[height] = i; height++; break }
                :: height != head || taken
#endif
                fi
            od
        fi;
        head = 0;
        flagged = false;
        i++
    :: else -> break
    od;
    unreference();
    left++
}

init {
    left == 4;
    assert(freed == 1);
    assert(IS_DONE);
    assert(runs[0] + told[0] == 1 && runs[1] + told[1] == 1)
}
