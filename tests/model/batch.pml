/* The batches of src/core/batch.c as src/places/thread/batch.c works at them: one of CALLS calls, workers who find it or
 * a half of it in the queues, and one who withdraws and cancels what he finds. The queues are a bag: whoever takes gets
 * any of those in it. Each step is one atomic operation; the calls that are left are one word.
 *
 * Runs:
 *   holds | each call runs or is cancelled, once; each part is freed once, when nobody has it any more, and no call was left
 *   holds -DCANCELS | the same while somebody cancels
 *   fails -DNO_REFERENCE | whoever leaves it in the queues while he works at it must keep a reference of his own
 *   fails -DTORN_TAKE | the look at what is left and the taking must be one step
 *   fails -DTORN_HALVE | so must those of who takes half
 *   fails -DLATE_LEAVE | who has halved it must leave what he did not take where others find it */

#define WORKERS 2
#define CALLS   4
#define STRETCH 1 /* calls until it looks round */
#define PARTS   4 /* that a batch may come to */
#define NOBODY  15

byte begin[PARTS], end[PARTS]; /* one word in the code: read and changed in one step */
byte holder[PARTS] = NOBODY;
byte references[PARTS];
byte queued[PARTS]; /* how often it is in the bag */
bool freed[PARTS];
byte parts = 1;
byte over[CALLS]; /* how often a call was run or cancelled */
byte left_workers;

#define EMPTY(which) (begin[which] == end[which])

inline drop(which)
{
    atomic {
        assert(references[which] > 0 && !freed[which]);
        references[which]--;
        if
        :: references[which] == 0 -> freed[which] = true; assert(EMPTY(which) && !queued[which])
        :: else
        fi
    }
}

inline leave(which)
{
    atomic { assert(!freed[which]); queued[which]++ }
}

inline find()
{
    if
    :: atomic { queued[0] -> queued[0]--; task = 0 }
    :: atomic { queued[1] -> queued[1]--; task = 1 }
    :: atomic { queued[2] -> queued[2]--; task = 2 }
    :: atomic { queued[3] -> queued[3]--; task = 3 }
    :: !queued[0] && !queued[1] && !queued[2] && !queued[3] -> task = NOBODY
    fi
}

inline halve()
{
    half = NOBODY;
#ifdef TORN_HALVE
    first = begin[task]; last = end[task];
    if
    :: last - first >= 2 && parts < PARTS -> atomic {
#else
    atomic {
        first = begin[task]; last = end[task];
        if
        :: last - first >= 2 && parts < PARTS ->
#endif
            half = parts; parts++;
            references[half] = 1;
            holder[half] = me;
            begin[half] = first + (last - first + 1) / 2;
            end[half] = last;
            end[task] = first + (last - first + 1) / 2
#ifdef TORN_HALVE
        }
    :: else
    fi;
#else
        :: else
        fi
    };
#endif
    first = 0; last = 0
}

inline part_of()
{
    if
    :: holder[task] == me
    :: atomic { holder[task] == NOBODY -> holder[task] = me }
    :: holder[task] != me && holder[task] != NOBODY ->
        halve();
        if
        :: half != NOBODY ->
#ifndef LATE_LEAVE
            leave(task);
#endif
            task = half
        :: else
        fi;
        half = 0
    fi
}

inline run_one()
{
#ifdef TORN_TAKE
    first = begin[task];
    if
    :: first < end[task] -> begin[task] = first + 1; taken = true
#else
    if
    :: atomic { !EMPTY(task) -> first = begin[task]; begin[task] = first + 1; taken = true }
#endif
    :: EMPTY(task) -> taken = false
    fi;
    if
    :: taken -> atomic { over[first]++; assert(over[first] == 1) }
    :: else
    fi;
    first = 0
}

inline work()
{
    if
    :: EMPTY(task) -> drop(task)
    :: !EMPTY(task) ->
        part_of();
#ifndef NO_REFERENCE
        atomic { assert(!freed[task]); references[task]++ };
#endif
        leave(task);
        ran = 0;
        taken = true;
        do
        :: taken && ran < STRETCH -> ran++; run_one()
        :: else -> break
        od;
        taken = false;
#ifndef NO_REFERENCE
        drop(task);
#endif
        ran = 0
    fi
}

proctype worker(byte me)
{
    byte task, half, first, last, ran;
    bool taken;
    do
    :: find();
        if
        :: task == NOBODY -> break
        :: else -> work()
        fi;
        task = 0
    od;
    left_workers++
}

proctype canceller()
{
    byte task, first, last;
    find();
    if
    :: task != NOBODY ->
        atomic { first = begin[task]; last = end[task]; begin[task] = 0; end[task] = 0 };
        do
        :: atomic { first < last -> over[first]++; assert(over[first] == 1); first++ }
        :: else -> break
        od;
        drop(task)
    :: else
    fi;
    left_workers++
}

init {
    byte i;
    atomic {
        end[0] = CALLS;
        references[0] = 1;
        queued[0] = 1;
        run worker(0);
        run worker(1);
#ifdef CANCELS
        run canceller();
#else
        left_workers++
#endif
    }
    left_workers == WORKERS + 1;
    /* A worker finds nothing and sleeps while another one still has it: that one finds it again. */
    do
    :: i < CALLS -> assert(over[i] == 1); i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < parts -> assert(freed[i]); i++
    :: else -> break
    od
}
