/* The Chase-Lev deque of src/base/deque.c on x86-TSO: what the owner stores goes through a store buffer, and thieves
 * see it later; locked operations (compare-and-swap) and the full fence wait until the buffer is empty. Loads are in
 * order there, so the thief's fence needs no step of its own.
 *
 * Runs:
 *   holds | each item that was pushed goes to exactly one, while the owner takes, two thieves steal and the ring grows and wraps
 *   holds -DSOME | the same for steal_some, two items at a time, on a deque whose owner never takes
 *   fails -DNO_FENCE | without the fence in take the owner and a thief both get the last item
 *   fails -DNO_SWAP | nor may the owner take the last item without a compare-and-swap
 *   fails -DEARLY_BOTTOM | nor may the new bottom be seen before the item
 *   fails -DEARLY_RING | nor may a new ring be seen before the items that were copied
 *   fails -DSOME -DTAKES | an owner who takes gives items out twice where thieves steal several at once */

#define ITEMS   4
#define THIEVES 2
#define DEPTH   3 /* of the store buffer */
#ifdef SOME
#define MOST 2 /* that a thief gets at once */
#endif

/* What everybody sees. The first ring has two slots, the one that it grows into has four. */
short top, bottom;
byte ring;
byte slots[6];
#define SLOT(of, index) (of -> 2 + ((index) & 3) : (index) & 1)
#define MASK(of)        (of -> 3 : 1)

/* The owner's stores on their way: 0: bottom, 1: ring, from 2 on a slot. */
chan stores = [DEPTH] of { byte, short };

bool gone[ITEMS + 1] = false; /* who got what; [0] stands for what is no item */
byte count, ended;

active proctype memory()
{
    byte at;
    short value;
end:
    do
    :: atomic {
           stores?at, value;
           if
           :: at == 0 -> bottom = value
           :: at == 1 -> ring = value
           :: else -> slots[at - 2] = value
           fi;
           at = 0;
           value = 0
       }
    od
}

#define FLUSHED empty(stores)

inline got(item)
{
    assert(item != 0 && !gone[item]);
    gone[item] = true;
    count++
}

inline put(index, item)
{
    own[SLOT(large, index)] = item;
    stores!2 + SLOT(large, index), item
}

inline grow()
{
    assert(!large);
    i = seen;
#ifdef EARLY_RING
    stores!1, 1;
#endif
    do
    :: i < b ->
        item = own[SLOT(0, i)];
        own[SLOT(1, i)] = item;
        stores!2 + SLOT(1, i), item;
        i++
    :: else -> break
    od;
#ifndef EARLY_RING
    stores!1, 1;
#endif
    large = 1;
    i = 0
}

inline push()
{
    if
    :: b - seen > MASK(large) ->
        seen = top;
        if
        :: b - seen > MASK(large) -> grow()
        :: else
        fi
    :: else
    fi;
    pushed++;
#ifdef EARLY_BOTTOM
    stores!0, b + 1;
    put(b, pushed);
#else
    put(b, pushed);
    stores!0, b + 1;
#endif
    b++
}

inline take()
{
    if
    :: b - 1 < seen -> skip
    :: else ->
        b--;
        stores!0, b;
#ifndef NO_FENCE
        FLUSHED;
#endif
        t = top;
        seen = t;
        if
        :: t < b -> atomic { item = own[SLOT(large, b)]; got(item) }
        :: t == b ->
#ifdef NO_SWAP
            atomic { FLUSHED; top = t + 1; got(own[SLOT(large, b)]) };
#else
            atomic {
                FLUSHED;
                if
                :: top == t -> top = t + 1; got(own[SLOT(large, b)])
                :: else
                fi
            };
#endif
            b++;
            stores!0, b
        :: else ->
            b++;
            stores!0, b
        fi
    fi;
    item = 0;
    t = 0
}

active proctype owner()
{
    short b, seen, t, i;
    byte own[6]; /* the slots as the owner, who alone writes them, knows them */
    bit large;
    byte item, pushed, takes;
    do
    :: pushed < ITEMS -> push()
#if !defined(SOME) || defined(TAKES)
    :: takes < 2 -> takes++; take()
#endif
    :: pushed == ITEMS -> break
    od;
#ifndef SOME
    do
    :: b - 1 < seen -> break
    :: else -> take()
    od;
#endif
    FLUSHED;
    ended++
}

proctype thief(byte tries)
{
    short t, b;
    byte item, more, large;
    do
    :: tries ->
        tries--;
        t = top;
        b = bottom;
        if
        :: t >= b -> skip
        :: else ->
            large = ring;
            item = slots[SLOT(large, t)];
#ifdef SOME
            if
            :: b - t >= 3 -> more = slots[SLOT(large, t + 1)] /* half of three, rounded up, is two */
            :: else
            fi;
            atomic {
                if
                :: top == t && more -> top = t + 2; got(item); got(more)
                :: top == t && !more -> top = t + 1; got(item)
                :: else
                fi
            };
#else
            atomic {
                if
                :: top == t -> top = t + 1; got(item)
                :: else
                fi
            };
#endif
        fi;
        atomic { t = 0; b = 0; item = 0; more = 0; large = 0 }
    :: else -> break
    od;
    ended++
}

init {
    byte left, i;
    atomic { run thief(2); run thief(1) }
    ended == THIEVES + 1;
    atomic { /* what is left lies there in order */
        i = 0;
        left = bottom - top;
        assert(count + left == ITEMS);
        do
        :: i < left -> got(slots[SLOT(ring, top + i)]); i++
        :: else -> break
        od;
        assert(count == ITEMS)
#ifndef SOME
        assert(left == 0)
#endif
    }
}
