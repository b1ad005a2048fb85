/* How a worker takes back the task that it is about to wait for (al_find_reclaim in src/places/thread/find.c): it lowers the
 * end of its deque, starts the task by the compare-and-swap on the task's own word, and only then looks whether a thief has
 * it, too: the swap is the fence. On x86-TSO: the owner's plain stores go through a store buffer, and locked operations wait
 * until it is empty. A task is also cancelled by who holds its future.
 *
 * The owner pushes TASKS tasks and waits for each, the newest first; a thief steals and runs; a canceller cancels the last.
 * Each task begins with two references: the waiter's and the queue's.
 *
 * Runs:
 *   holds | each task runs once or is cancelled, and is freed once, by the last who holds it
 *   holds -DTASKS=1 | the same for a task that is alone in the deque
 *   fails -DNO_FENCE | the swap must come after the new end is seen
 *   fails -DEARLY_LOOK | nor may the look for the thief come before the swap
 *   fails -DNO_HOLD | where a thief has it, too, each needs a reference of its own
 *   fails -DNO_UNDO | who finds it started or cancelled must put it back */

#ifndef TASKS
#define TASKS 2
#endif
#define PENDING   0
#define RUNNING   1
#define DONE      2
#define CANCELLED 3

byte state[TASKS];
byte references[TASKS] = 2;
byte runs[TASKS];
bool freed[TASKS];

/* Slot i holds task i. */
byte top, bottom; /* what all see */
chan stores = [3] of { byte };
#define FLUSHED empty(stores)

byte ended;

active proctype memory()
{
    byte value;
end:
    do
    :: atomic { stores?value -> bottom = value; value = 0 }
    od
}

inline release(task)
{
    atomic {
        assert(!freed[task] && references[task] > 0);
        references[task]--;
        if
        :: references[task] == 0 -> freed[task] = true
        :: else
        fi
    }
}

inline perform(task)
{
    runs[task]++;
    atomic { assert(!freed[task] && state[task] == RUNNING); state[task] = DONE }
    release(task)
}

/* Whoever got it out of a queue. */
inline try_taken(task)
{
    if
    :: atomic { state[task] == PENDING -> assert(!freed[task]); state[task] = RUNNING }
        perform(task)
    :: atomic { state[task] != PENDING -> assert(!freed[task]) }
        release(task)
    fi
}

/* al_deque_take. */
inline take()
{
    b--;
    me = b;
    stores!b;
    FLUSHED;
    t = top;
    got = false;
    if
    :: t < b -> got = true
    :: t == b ->
        atomic {
            FLUSHED;
            if
            :: top == t -> top = t + 1; got = true
            :: else
            fi
        };
        b++;
        stores!b
    :: else ->
        b++;
        stores!b
    fi
}

proctype owner()
{
    byte b, t, task, me;
    bool got, mine, early;
    do
    :: b < TASKS -> b++; stores!b
    :: else -> break
    od;
    task = TASKS;
    do
    :: task > 0 ->
        task--;
        /* Only what lies at the end is taken back; b stays there, whoever has what lies below. */
        if
        :: b == task + 1 && t <= task ->
            b--;
            stores!b;
#ifdef EARLY_LOOK
            t = top;
#endif
            if
            :: atomic {
#ifndef NO_FENCE
                   FLUSHED &&
#endif
                   state[task] == PENDING -> state[task] = RUNNING
               }
#ifndef EARLY_LOOK
                t = top;
#endif
                mine = t < b;
                if
                :: t < b
                :: t == b ->
                    atomic {
                        FLUSHED;
                        if
                        :: top == t -> top = t + 1; mine = true
                        :: else
                        fi
                    };
                    b++;
                    stores!b
                :: t > b ->
                    b++;
                    stores!b
                fi;
#ifndef NO_HOLD
                if
                :: !mine -> atomic { assert(!freed[task]); references[task]++ }
                :: mine
                fi;
#endif
                perform(task)
            :: state[task] != PENDING ->
#ifndef NO_UNDO
                b++;
                stores!b;
#endif
                skip
            fi
        :: else
        fi;
        /* wait_helping: what lies at the end is taken until the one that is waited for is over. */
        do
        :: state[task] >= DONE -> break
        :: state[task] < DONE && b > 0 && b > t ->
            take();
            if
            :: got -> try_taken(me)
            :: else
            fi
        :: state[task] < DONE && (b == 0 || b <= t) -> state[task] >= DONE
        od;
        release(task)
    :: else -> break
    od;
    /* What a worker does when it has nothing else to do. */
    do
    :: b > 0 && b > t ->
        take();
        if
        :: got -> try_taken(me)
        :: else
        fi
    :: else -> break
    od;
    FLUSHED;
    ended++
}

proctype thief()
{
    byte t, tries = TASKS;
    bool got;
    do
    :: tries > 0 ->
        tries--;
        t = top;
        got = false;
        if
        :: t < bottom ->
            atomic {
                if
                :: top == t -> top = t + 1; got = true
                :: else
                fi
            }
        :: else
        fi;
        if
        :: got -> try_taken(t)
        :: else
        fi
    :: else -> break
    od;
    ended++
}

/* Holds the last one's future, too. */
proctype canceller()
{
    if
    :: atomic { state[TASKS - 1] == PENDING -> state[TASKS - 1] = CANCELLED }
    :: state[TASKS - 1] != PENDING
    fi;
    release(TASKS - 1);
    ended++
}

init {
    byte i;
    atomic {
        references[TASKS - 1] = 3;
        run owner();
        run thief();
        run canceller()
    }
    ended == 3;
    for (i : 0 .. TASKS - 1) {
        assert(freed[i]);
        assert(runs[i] == (state[i] == CANCELLED -> 0 : 1))
    }
}
