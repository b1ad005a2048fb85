/* The slots that a worker process shares with its parent (src/places/process/slot.h): the word of a slot, who sleeps
 * and who wakes, kills and deaths. Every access that matters there is a locked operation or a load, so no store buffers.
 *
 * One thread submits TASKS tasks, with EARLY before all else; the keeper starts workers one after the other, LIVES in all, collects, buries and
 * feeds; with STOPS a third thread stops a task; with COLLECTOR a fourth one collects and leaves again. The parent's
 * threads share the place's lock. DEATHS workers die of their own at any step; one that was signalled does so too, at
 * any step after it. When no worker is left and none is to be had, what is queued fails. Each worker has a page of its
 * own: a new one never sees an old one's slots. A new worker is started when the one before is buried; with BOTH at once,
 * and an idle one takes over what the other has not begun.
 *
 * Asserted: a task ends once at most, at the end all have; what is collected is the answer to that very task; a task
 * that is handed back was not begun; no worker begins a task after it was signalled. Nobody waits for ever: sleepers
 * here have no timeout, as those in the code have.
 *
 * Runs:
 *   holds -DLIVES=1 | every task ends once, and nobody is left asleep
 *   holds -DLIVES=1 -DTASKS=3 -DEARLY | the same when the ring goes round
 *   holds -DBOTH -DEARLY | the same where one worker takes over from another
 *   holds -DDEATHS=1 -DEARLY | the same when a worker dies, at any step, and its tasks go to the next
 *   holds -DLIVES=1 -DDEFERS -DSTOPS -DEARLY | the same when a worker may leave a notice to the call ahead, and a stop takes that back
 *   holds -DLIVES=1 -DDEFERS -DTASKS=3 -DEARLY | the same when the ring goes round
 *   holds -DLIVES=1 -DSTOPS -DDEATHS=1 -DEARLY | a stop ends its task alone, though a death comes at once, and hits no other
 *   holds -DLIVES=1 -DCOLLECTOR -DEARLY | the same while another thread collects, and leaves that to the keeper again
 *   holds -DLIVES=1 -DHOSTILE -DEARLY | whatever a worker gone wrong writes into its page, each task ends once
 *   holds -DLIVES=1 -DHOSTILE -DWRITES=1 -DSTOPS -DEARLY | also when it is stopped
 *   fails -DLIVES=1 -DSTOPS -DEARLY -DSIGNAL_FIRST | a signal before the slot is KILLING hits the task after it
 *   fails -DLIVES=1 -DSTOPS -DEARLY -DBLIND_KILL | a kill must leave what is DONE
 *   fails -DLIVES=1 -DSTOPS -DEARLY -DBLIND_DONE | a worker must find its slot RUNNING still when it is done
 *   fails -DDEATHS=1 -DEARLY -DBLIND_RETURN | what a dead worker had begun must not be queued again
 *   fails -DDEATHS=1 -DEARLY -DNO_LAST_ANSWERS | answers that were given before a death count
 *   fails -DLIVES=1 -DNO_SECOND_CALL | a worker must look again after it has said that it sleeps
 *   fails -DLIVES=1 -DBELL_LATE | a worker must read the bell before it says that it sleeps
 *   fails -DLIVES=1 -DRING_FIRST | the parent must look whether the worker sleeps after it has published
 *   fails -DLIVES=1 -DEARLY -DNO_LAST_LOOK | the keeper must look again after it has asked for a message
 *   fails -DLIVES=1 -DEARLY -DNOTIFY_FIRST | the worker must look for that after it is DONE
 *   fails -DLIVES=1 -DDEFERS -DSTOPS -DEARLY -DFORGETS | and must not sleep while it owes a notice
 *   fails -DLIVES=1 -DCOLLECTOR -DEARLY -DNO_REARM | who stops collecting must arm the workers for the keeper
 *   fails -DLIVES=1 -DCOLLECTOR -DEARLY -DONE_BATCH | and must take what came before that, to the last
 *   fails -DLIVES=1 -DHOSTILE -DEARLY -DTRUST_ANSWER | the parent must know by itself whose answer it takes */

#ifndef TASKS
#define TASKS 2
#endif
#ifndef LIVES
#define LIVES 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef WRITES
#define WRITES 3 /* of a worker gone wrong */
#endif
#define SLOTS 2
#define NOBODY 255

mtype = { FREE, QUEUED, RUNNING, DONE, KILLING, DROPPED };

/* ---- A page: what both sides see ---- */

#define AT(p, t) ((p) * SLOTS + (t) % SLOTS)
byte turn_of[LIVES * SLOTS];
mtype state_of[LIVES * SLOTS];
byte task_in[LIVES * SLOTS], answer_in[LIVES * SLOTS];
bool rung[LIVES]; /* the bell has moved since the worker read it */
bool sleeps[LIVES], closing_page[LIVES], notify[LIVES];
#define IS(p, t, s) (turn_of[AT(p, t)] == (t) && state_of[AT(p, t)] == s)

/* The kernel's: who is asleep on the bell, what is in the socket, who is dead. */
bool on_bell[LIVES], message[LIVES];
bool signalled[LIVES], dies[LIVES], dead[LIVES];

/* ---- The parent's own ---- */

bool lock, attention, keeper_asleep, keeper_event, closing;
byte collectors;
byte lives;                            /* workers started so far */
bool ready[LIVES], ending[LIVES], buried[LIVES], armed[LIVES];
byte head[LIVES], tail[LIVES];         /* turns: the next to give, the oldest not over; from 1 */
byte job[LIVES * SLOTS];               /* task + 1 */

mtype = { NEW, WAITING, GIVEN, ENDED };
mtype task[TASKS];
byte given_to[TASKS], given_turn[TASKS];

/* Known to nobody. */
byte ended, submitted;
bool begun[TASKS];   /* by the worker that has it */
byte deaths;

inline take_lock() { !lock -> lock = true }
/* And forgets what was found under it, so that fewer states differ. */
inline drop_lock() { lock = false; turn = 0; t = 0; p = 0 }

inline end_task(t)
{
    assert(task[t] != ENDED && task[t] != NEW);
    task[t] = ENDED;
    ended++
}

/* ---- slot.c, pool.c: with the lock held ---- */

inline pass_over(p)
{
    do
    :: tail[p] != head[p] && job[AT(p, tail[p])] == 0 -> tail[p]++
    :: else -> break
    od
}

#define WANTS_NOTICE (keeper_asleep && collectors == 0)

inline arm(p, value)
{
    atomic { notify[p] = value; armed[p] = value }
}

/* Adds a page whose worker is to be woken to `bells`. */
inline ring(p)
{
    if
    :: sleeps[p] ->
        sleeps[p] = false;
        atomic { rung[p] = true; bells = bells | (1 << p) }
    :: else
    fi
}

inline wake(p)
{
    if
    :: bells & (1 << p) -> on_bell[p] = false
    :: else
    fi
}

inline wake_all()
{
    wake(0);
#if LIVES > 1
    wake(1);
#endif
    bells = 0
}

inline prepare(p, t)
{
    turn = head[p];
    head[p]++;
    assert(job[AT(p, turn)] == 0);
    task_in[AT(p, turn)] = t;
    job[AT(p, turn)] = t + 1;
    task[t] = GIVEN; given_to[t] = p; given_turn[t] = turn;
    begun[t] = false
}

inline publish(p)
{
    atomic {
        if
        :: !armed[p] && WANTS_NOTICE -> arm(p, true)
        :: else
        fi
    };
#ifdef RING_FIRST
    ring(p);
#endif
    atomic { turn_of[AT(p, turn)] = turn; state_of[AT(p, turn)] = QUEUED };
#ifndef RING_FIRST
    ring(p)
#endif
}

#if TASKS > 2
#define ANY_WAITING (task[0] == WAITING || task[1] == WAITING || task[2] == WAITING)
#else
#define ANY_WAITING (task[0] == WAITING || task[1] == WAITING)
#endif

#define HAS_ROOM(p) (ready[p] && !ending[p] && head[p] - tail[p] < SLOTS)

/* What is queued goes to that worker, one or as much as it has room for. */
inline feed(p)
{
    do
    :: atomic { HAS_ROOM(p) && task[0] == WAITING -> prepare(p, 0) }; publish(p)
    :: atomic { HAS_ROOM(p) && task[1] == WAITING -> prepare(p, 1) }; publish(p)
#if TASKS > 2
    :: atomic { HAS_ROOM(p) && task[2] == WAITING -> prepare(p, 2) }; publish(p)
#endif
    :: head[p] != tail[p] || !HAS_ROOM(p) || !ANY_WAITING -> break
    od
}

/* Sets `found` if there was an answer. */
inline answered(p)
{
    if
    :: head[p] != tail[p] &&
       IS(p, tail[p], DONE) ->
        found = true;
#ifdef TRUST_ANSWER
        t = answer_in[AT(p, tail[p])];
#else
        t = job[AT(p, tail[p])] - 1;
#endif
#ifndef HOSTILE
        assert(answer_in[AT(p, tail[p])] == t);
#endif
        job[AT(p, tail[p])] = 0;
        pass_over(p);
        end_task(t)
    :: else
    fi
}

/* Sets `back` if the worker had not begun it. */
inline take_back(t)
{
    atomic {
        p = given_to[t];
        if
#ifdef BLIND_RETURN
        :: true ->
#else
        :: IS(p, given_turn[t], QUEUED) ->
#endif
#ifndef HOSTILE
            assert(!begun[t]);
#endif
            state_of[AT(p, given_turn[t])] = DROPPED;
            job[AT(p, given_turn[t])] = 0;
            pass_over(p);
            task[t] = WAITING;
            back = true
        :: else -> back = false
        fi
    }
}

inline attend()
{
    attention = true;
    atomic {
        if
        :: keeper_asleep -> keeper_asleep = false; keeper_event = true
        :: else
        fi
    }
}

/* ---- collect.c ---- */

#define IDLE(p) (ready[p] && !ending[p] && head[p] == tail[p])

/* What the one was given last goes to the other, if it has not begun it. */
inline steal(from, to)
{
    if
    :: atomic { IDLE(to) && head[from] - tail[from] > 1 && job[AT(from, head[from] - 1)] != 0 ->
            t = job[AT(from, head[from] - 1)] - 1 }
        take_back(t);
        if
        :: atomic { back -> prepare(to, t) }; publish(to)
        :: else
        fi
    :: else
    fi
}

/* A batch of one of each worker, and what is next to those who answered; another's to one that has nothing else. */
inline collect()
{
    atomic {
        !lock -> lock = true;
        found = false;
        answered(0);
#if LIVES > 1
        answered(1)
#endif
    };
    if
    :: found ->
        feed(0);
#if LIVES > 1
        feed(1);
#endif
#ifdef BOTH
        steal(0, 1);
        steal(1, 0)
#endif
    :: else
    fi;
    atomic { drop_lock(); wake_all(); back = false }
}

/* ---- Threads ---- */

#define LOCALS byte bells, turn, t, p; bool found, back

proctype submitter()
{
    LOCALS;
    byte n;
#ifdef EARLY
    n = TASKS;
#endif
    do
    :: n < TASKS ->
        atomic { take_lock(); task[n] = WAITING; submitted++; n++ };
        if
        :: ready[0] && !ending[0] && head[0] == tail[0] -> feed(0)
#if LIVES > 1
        :: ready[1] && !ending[1] && head[1] == tail[1] -> feed(1)
#endif
        :: else -> back = true /* the next answer takes it along, or the keeper sees to a worker */
        fi;
        atomic { drop_lock(); wake_all() };
        if
        :: back -> back = false; attend()
        :: else
        fi
    :: else -> break
    od
}

#ifdef STOPS
proctype stopper()
{
    LOCALS;
    t = 0;
    submitted > 0;
    atomic { take_lock() };
    if
    :: task[t] == WAITING -> atomic { end_task(t) }
    :: task[t] == GIVEN ->
        take_back(t);
        if
        :: back -> atomic { end_task(t) }
        :: else ->
            p = given_to[t];
            turn = given_turn[t];
#ifdef SIGNAL_FIRST
            signalled[p] = true;
#endif
            atomic {
                if
#ifndef BLIND_KILL
                :: IS(p, turn, DONE) -> found = true
#endif
                :: else -> turn_of[AT(p, turn)] = turn; state_of[AT(p, turn)] = KILLING
                fi
            }
            if
            :: !found -> ending[p] = true; signalled[p] = true
            :: else
            fi
        fi
    :: else
    fi;
    atomic { drop_lock(); found = false; back = false };
    attend()
}
#endif

#ifdef COLLECTOR
inline rearm()
{
    atomic {
    take_lock();
#ifndef NO_REARM
    if
    :: WANTS_NOTICE || armed[0] -> arm(0, WANTS_NOTICE)
    :: else
    fi;
#if LIVES > 1
    if
    :: WANTS_NOTICE || armed[1] -> arm(1, WANTS_NOTICE)
    :: else
    fi;
#endif
#endif
    back = ANY_WAITING;
    drop_lock()
    }
}

proctype collector()
{
    LOCALS;
    collectors++;
    rearm();
    collect();
    collectors--;
    rearm();
    if
    :: back -> attend()
    :: else
    fi;
#ifdef ONE_BATCH
    collect()
#else
    do
    :: collect();
        if
        :: !found -> break
        :: else
        fi
    od
#endif
}
#endif

/* ---- The keeper ---- */

inline bury(q)
{
    atomic { /* it is dead: nobody else touches its page */
        take_lock();
        buried[q] = true; ending[q] = true;
#ifndef NO_LAST_ANSWERS
        do
        :: found = false;
            answered(q);
            if
            :: !found -> break
            :: else
            fi
        od;
#endif
        do
        :: tail[q] != head[q] ->
            t = job[AT(q, tail[q])] - 1;
            take_back(t);
            if
            :: !back ->
#ifndef HOSTILE
                assert(!IS(q, tail[q], DONE));
#endif
                job[AT(q, tail[q])] = 0;
                pass_over(q);
                end_task(t)
            :: else
            fi
        :: else -> break
        od;
        found = false; back = false;
        drop_lock();
        attention = true
    }
}

inline start_worker()
{
    head[lives] = 1; tail[lives] = 1;
    run worker(lives);
    run reaper(lives);
    lives++
}

#if LIVES > 1
#define NO_WORKER (lives == LIVES && buried[0] && buried[1])
#ifdef BOTH
#define UNREADY   (lives > 0 && !ready[lives - 1] && !buried[lives - 1])
#else
#define UNREADY   (lives > 0 && !buried[lives - 1])
#endif
#else
#define NO_WORKER (lives == LIVES && buried[0])
#define UNREADY   (lives > 0 && !ready[lives - 1] && !buried[lives - 1])
#endif

inline give_up_one(n)
{
    if
    :: task[n] == WAITING -> end_task(n)
    :: else
    fi
}

inline look_after()
{
    atomic { take_lock() };
    feed(0);
#if LIVES > 1
    feed(1);
#endif
    atomic {
    back = ANY_WAITING;
    if
    :: back && NO_WORKER ->
        give_up_one(0);
        give_up_one(1);
#if TASKS > 2
        give_up_one(2);
#endif
    :: else
    fi;
    drop_lock();
    wake_all();
    if
    :: back && lives < LIVES && !UNREADY -> start_worker()
    :: else
    fi;
    back = false
    }
}

#define FREE_AT(p) (ready[p] && !ending[p] && head[p] == tail[p])

inline handle_page(p)
{
    if
    :: atomic { message[p] ->
            message[p] = false;
            if
            :: !ready[p] -> ready[p] = true; attention = true
            :: else
            fi }
    :: else
    fi;
    if
    :: dead[p] && !buried[p] -> bury(p)
    :: else
    fi
}

#if LIVES > 1
#define EVENT (keeper_event || message[0] || message[1] || (dead[0] && !buried[0]) || (dead[1] && !buried[1]))
#else
#define EVENT (keeper_event || message[0] || (dead[0] && !buried[0]))
#endif

inline sleep_until_event()
{
    keeper_asleep = true;
    atomic {
    take_lock();
    if
    :: WANTS_NOTICE || armed[0] -> arm(0, WANTS_NOTICE)
    :: else
    fi;
#if LIVES > 1
    if
    :: WANTS_NOTICE || armed[1] -> arm(1, WANTS_NOTICE)
    :: else
    fi;
    back = ANY_WAITING && (FREE_AT(0) || FREE_AT(1));
#else
    back = ANY_WAITING && FREE_AT(0);
#endif
    drop_lock();
    if
    :: back -> attention = true
    :: else
    fi;
    back = false
    };
    if
    :: attention
    :: else ->
#ifndef NO_LAST_LOOK
        collect();
#endif
        if
        :: found
        :: else -> EVENT
        fi
    fi;
    atomic { keeper_asleep = false; keeper_event = false; found = false };
    handle_page(0);
#if LIVES > 1
    handle_page(1)
#endif
}

inline dismiss_page(q)
{
    if
    :: lives > q ->
        closing_page[q] = true;
        ring(q);
        atomic { wake_all() };
        dead[q]
    :: else
    fi
}

proctype keeper()
{
    LOCALS;
    do
    :: closing -> break
    :: else ->
        collect();
        if
        :: attention -> attention = false; look_after()
        :: else -> sleep_until_event()
        fi
    od;
    dismiss_page(0);
#if LIVES > 1
    dismiss_page(1);
#endif
}

/* ---- The worker ---- */

#define CALLED (closing_page[me] || (turn_of[AT(me, turn)] >= turn && state_of[AT(me, turn)] != FREE && turn_of[AT(me, turn)] != 0))

#ifndef HOSTILE

inline begin_call()
{
    atomic { /* the compare-and-swap */
        IS(me, turn, QUEUED) ->
        assert(!signalled[me]);
        state_of[AT(me, turn)] = RUNNING;
        mine = task_in[AT(me, turn)];
        assert(task[mine] == GIVEN && given_to[mine] == me && given_turn[mine] == turn);
        begun[mine] = true
    }
}

inline tell_keeper()
{
    if
    :: notify[me] ->
        atomic {
            if
            :: notify[me] -> notify[me] = false; message[me] = true
            :: else
            fi
        }
    :: else
    fi
}

inline finish_call()
{
#ifdef NOTIFY_FIRST
    tell_keeper();
#endif
    atomic {
        if
#ifdef BLIND_DONE
        :: true -> state_of[AT(me, turn)] = DONE; answer_in[AT(me, turn)] = mine
#else
        :: IS(me, turn, RUNNING) -> state_of[AT(me, turn)] = DONE; answer_in[AT(me, turn)] = mine
        :: else -> goto gone /* being killed */
#endif
        fi;
        mine = 0;
        turn++
    };
#ifdef DEFERS
    if
    :: IS(me, turn, QUEUED) -> owes = true
    :: owes = false; tell_keeper()
    fi
#else
#ifndef NOTIFY_FIRST
    tell_keeper()
#endif
#endif
}

proctype worker(byte me)
{
    byte turn = 1, mine;
    bool owes;
    {
        message[me] = true; /* hello */
        do
        :: closing_page[me] -> break
        :: else ->
            if
            :: CALLED ->
                if
                :: begin_call();
                    finish_call()
                :: turn_of[AT(me, turn)] >= turn && !IS(me, turn, QUEUED) && state_of[AT(me, turn)] != FREE -> turn++
                :: closing_page[me]
                fi
            :: else ->
#ifdef DEFERS
#ifndef FORGETS
                if
                :: owes -> owes = false; tell_keeper()
                :: else
                fi;
#endif
#endif
#ifndef BELL_LATE
                rung[me] = false;
#endif
                sleeps[me] = true;
#ifdef NO_SECOND_CALL
                if
                :: true ->
#else
                if
                :: CALLED
                :: else ->
#endif
#ifdef BELL_LATE
                    rung[me] = false;
#endif
                    if
                    :: atomic { !rung[me] -> on_bell[me] = true };
                        !on_bell[me]
                    :: rung[me]
                    fi
                fi;
                sleeps[me] = false
            fi
        od
    } unless { dies[me] };
gone:
    dead[me] = true
}

#else /* a worker gone wrong: writes what it likes, until it is ended */

inline scribble(at)
{
    if
    :: atomic { turn_of[at] = 0; state_of[at] = FREE }
    :: atomic { turn_of[at] = 1; state_of[at] = QUEUED }
    :: atomic { turn_of[at] = 1; state_of[at] = RUNNING }
    :: atomic { turn_of[at] = 1; state_of[at] = DONE }
    :: atomic { turn_of[at] = 2; state_of[at] = QUEUED }
    :: atomic { turn_of[at] = 2; state_of[at] = RUNNING }
    :: atomic { turn_of[at] = 2; state_of[at] = DONE }
    :: atomic { turn_of[at] = 3; state_of[at] = DONE }
    :: atomic { turn_of[at] = 1; state_of[at] = KILLING }
    :: atomic { turn_of[at] = 2; state_of[at] = DROPPED }
    fi
}

proctype worker(byte me)
{
    byte writes;
    {
        message[me] = true;
        do
        :: writes < WRITES -> writes++; scribble(AT(me, 0))
        :: writes < WRITES -> writes++; scribble(AT(me, 1))
        :: writes < WRITES -> writes++; message[me] = true
        :: writes < WRITES -> writes++; atomic { sleeps[me] = !sleeps[me]; notify[me] = false }
        :: writes == WRITES || closing_page[me] -> break /* its deadline, if nothing else */
        od
    } unless { dies[me] };
    dead[me] = true
}

#endif

/* Ends a worker at whatever step it is. */
proctype reaper(byte which)
{
end:
    if
    :: signalled[which] && !dead[which] -> dies[which] = true
    :: atomic { deaths < DEATHS && !dead[which] -> deaths++; dies[which] = true }
    :: dead[which]
    fi
}

init {
    LOCALS;
    byte i;
    atomic {
        do
        :: i < LIVES * SLOTS -> state_of[i] = FREE; i++
        :: else -> break
        od;
        i = 0;
        do
#ifdef EARLY
        :: i < TASKS -> task[i] = WAITING; submitted++; i++
#else
        :: i < TASKS -> task[i] = NEW; i++
#endif
        :: else -> break
        od;
#ifdef EARLY
        attention = true;
#endif
        i = 0;
        run keeper();
        run submitter();
#ifdef STOPS
        run stopper();
#endif
#ifdef COLLECTOR
        run collector();
#endif
    }
    ended == TASKS;
    closing = true;
    attend()
}
