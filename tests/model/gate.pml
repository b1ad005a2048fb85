/* The gate of src/core/gate.c: each thread counts who entered and who left in cells of its own, by plain stores, which
 * others see later (x86-TSO: a store buffer each); the heavy fence (membarrier) waits until all buffers are empty, the
 * light one is no step.
 *
 * The submitter enters and hands a task to a worker, TASKS times or until it is refused; while the first task is
 * inside, the worker enters once more by force, for a task that the second worker gets; then both leave. DRAINERS
 * threads close the gate and drain it.
 *
 * Runs:
 *   holds | drain returns when nobody is inside and not before, and always
 *   holds -DDRAINERS=2 -DTASKS=1 | the same for two who drain at once
 *   fails -DNO_HEAVY_FENCE | without the heavy fence drain does not see who just entered, or who leaves does not see it sleep
 *   fails -DENTERED_FIRST | who left must be counted before who entered
 *   fails -DNO_SEEN | drain must read what it sleeps on before it counts */

#ifndef DRAINERS
#define DRAINERS 1
#endif
#ifndef TASKS
#define TASKS 2
#endif
#define CELLS  3
#define DEPTH  3
#define WORKER 1
#define SECOND 2

byte entered[CELLS], gone[CELLS];
byte drainers, changed;
bool closed;
bool asleep[DRAINERS];
byte handed[CELLS]; /* tasks for each worker */

byte inside; /* known to nobody: who was let in and has not begun to leave */
byte ended;

/* Stores on their way: 0: entered, 1: gone, else a task for that worker + 1. */
chan stores0 = [DEPTH] of { byte };
chan stores1 = [DEPTH] of { byte };
chan stores2 = [DEPTH] of { byte };

inline arrive(from, which)
{
    atomic {
        from?at;
        if
        :: at == 0 -> entered[which]++
        :: at == 1 -> gone[which]++
        :: else -> handed[at - 1]++
        fi;
        at = 0
    }
}

active proctype memory()
{
    byte at;
end:
    do
    :: arrive(stores0, 0)
    :: arrive(stores1, 1)
    :: arrive(stores2, 2)
    od
}

inline notify(stores)
{
    atomic { empty(stores) -> changed++ };
    atomic {
        asleep[0] = false;
#if DRAINERS > 1
        asleep[1] = false
#endif
    }
}

/* The executor must not be touched any more. */
inline leave(stores)
{
    atomic { stores!1; inside-- };
    if
    :: drainers -> notify(stores)
    :: else
    fi
}

inline leave_refused(stores)
{
    stores!1;
    if
    :: drainers -> notify(stores)
    :: else
    fi
}

active proctype submitter()
{
    byte i;
    do
    :: i < TASKS ->
        i++;
        stores0!0;
        if
        :: atomic { !closed -> inside++ }
            stores0!WORKER + 1
        :: closed -> leave_refused(stores0)
        fi
    :: else -> break
    od;
    ended++
}

active proctype worker()
{
    bool forced;
    do
    :: atomic { handed[WORKER] -> handed[WORKER]-- }
        if
        :: !forced ->
            forced = true;
            atomic { stores1!0; inside++ };
            stores1!SECOND + 1
        :: else
        fi;
        leave(stores1)
    :: ended == 1 && empty(stores0) && !handed[WORKER] -> break
    od;
    ended++
}

active proctype second()
{
    do
    :: atomic { handed[SECOND] -> handed[SECOND]-- }
        leave(stores2)
    :: ended == 2 && empty(stores1) && !handed[SECOND] -> break
    od
}

inline heavy_fence()
{
#ifndef NO_HEAVY_FENCE
    empty(stores0);
    empty(stores1);
    empty(stores2)
#else
    skip
#endif
}

inline count_entered()
{
    do
    :: i < CELLS -> total = total + entered[i]; i++
    :: else -> break
    od;
    i = 0
}

inline count_gone()
{
    do
    :: i < CELLS -> total = total - gone[i]; i++
    :: else -> break
    od;
    i = 0
}

proctype drainer(byte me)
{
    byte seen, i;
    short total;
    closed = true;
    heavy_fence();
    drainers++;
    heavy_fence();
    do
    :: total = 0;
#ifndef NO_SEEN
        seen = changed;
#endif
#ifdef ENTERED_FIRST
        count_entered();
        count_gone();
#else
        count_gone();
        count_entered();
#endif
#ifdef NO_SEEN
        seen = changed;
#endif
        if
        :: total == 0 -> break
        :: else ->
            if /* the futex */
            :: atomic { changed == seen -> asleep[me] = true }
                !asleep[me]
            :: changed != seen
            fi
        fi
    od;
    assert(inside == 0);
    drainers--
}

init {
    atomic {
        run drainer(0);
#if DRAINERS > 1
        run drainer(1)
#endif
    }
}
