/* The memory that one worker process shares with its parent: a ring of slots, each holding one call on its
 * way there and back. A small call is one cache line, the slot's; larger arguments and results lie in the
 * slot's body.
 *
 *     FREE ──parent──► QUEUED ──worker──► RUNNING ──worker──► DONE ──parent──► (next turn)
 *                        │                   └─────parent───► KILLING: the worker is about to be ended
 *                        └──────parent─────► DROPPED: taken back before it ran ──parent──► (next turn)
 *
 * A slot's word holds its state and its turn. Turns count up, turn t uses slot t % AL_SLOTS, and a worker
 * takes them in order, so that no word of an older turn is ever mistaken for a newer one. The parent trusts
 * nothing here but what it wrote itself: it copies once, checks sizes, and keeps its own account of which
 * call is where.
 *
 * Who writes what: the parent all of a slot, but its word last, and only while the turn that used it before
 * is over by the parent's own account: it has taken the answer (DONE), or has taken the call back (DROPPED; a
 * worker that has not come by yet finds a later turn there, and passes on). After a KILLING one no turn is
 * given. The worker writes the answer, which takes the place of the call, between RUNNING and DONE; the
 * parent only `stopping` then.
 *
 * Who sleeps how: the worker says so (worker_sleeps), looks at its slot once more, and sleeps on `bell`; the
 * parent publishes a call, then looks whether it sleeps. The parent's threads set a bit in `notify`, look at
 * the slots once more, and sleep: the keeper on the socket, others on `notify`. The worker publishes DONE,
 * then takes all bits down if any is up, and sends a message or wakes them. While more parts of the same
 * launch lie ahead of it, nobody gains by hearing of one: it may leave that to the next, but must not sleep
 * before it has done it, as what lay ahead may have been taken back. */
#ifndef AL_PLACES_PROCESS_SLOT_H
#define AL_PLACES_PROCESS_SLOT_H

#include "base/shared.h"
#include "core/failure.h"
#include "places/process/crash.h"
#include <allot/kernel.h>
#include <stdatomic.h>

#define AL_SLOTS       64
#define AL_SLOT_INLINE 32   /* of arguments and result together that lie beside the slot's word */
#define AL_SLOT_BYTES  8192 /* the same in its body: what is larger travels in a parcel */
#define AL_ARRAYS_MAX  64   /* arrays that one worker has mapped at a time */

typedef enum al_slot_state {
    AL_SLOT_FREE,
    AL_SLOT_QUEUED,
    AL_SLOT_RUNNING,
    AL_SLOT_DONE,
    AL_SLOT_KILLING,
    AL_SLOT_DROPPED
} al_slot_state;

typedef enum al_slot_kind {
    AL_SLOT_CALL,      /* a plain function: arguments, then the result */
    AL_SLOT_PART,      /* a part of a launch: an al_slot_part */
    AL_SLOT_NEXT_PART, /* the same, of the launch that the turn before is a part of */
    AL_SLOT_CHUNK /* the same as a call, but of a chunk of a map (core/chunk.h): the function is its items' */
} al_slot_kind;

typedef struct al_slot {
    _Alignas(64) _Atomic uint64_t word; /* al_slot_word(); every access is seq_cst: sleeping relies on it */
    union {
        uint64_t offset; /* of the function from its module's load base */
        uint64_t ran_ns; /* of the answer: what the call took */
    };
    uint16_t module;
    uint8_t kind;              /* al_slot_kind */
    bool in_parcel;            /* arguments and result are in the parcel sent before: an al_slot_parcel */
    _Atomic uint32_t stopping; /* not 0: the parent wants the call to end */
    union {
        struct {
            uint16_t in_size, out_size;
        };
        struct {
            uint16_t message_size, payload_size; /* of the answer */
        };
    };
    int32_t status; /* of the answer */
    _Alignas(16) unsigned char bytes[AL_SLOT_INLINE];
} al_slot;

_Static_assert(sizeof(al_slot) == 64, "a small call and its answer cost one cache line each way");

typedef struct al_slot_body {
    _Alignas(64) unsigned char bytes[AL_SLOT_BYTES];
    char message[AL_FAILURE_TEXT_MAX]; /* not ended by a zero */
    unsigned char payload[AL_FAILURE_TEXT_MAX];
} al_slot_body;

/* An argument of a part: an array by the index under which the worker has it mapped, or a scalar's bytes. */
typedef struct al_slot_argument {
    allot_value value; /* data is not used */
    uint32_t is_array, index;
    uint64_t offset;
    _Alignas(16) unsigned char scalar[16];
} al_slot_argument;

typedef struct al_slot_part {
    allot_type type;
    allot_ndrange range;
    size_t begin, end;
    size_t arg_count;
    al_slot_argument args[];
} al_slot_part;

/* In the body of a slot that is in_parcel. */
typedef struct al_slot_parcel {
    uint64_t in_size, out_size;
} al_slot_parcel;

enum {
    AL_NOTIFY_KEEPER = 1, /* by a message over the socket */
    AL_NOTIFY_WAITERS = 2 /* they sleep on `notify` itself */
};

typedef struct al_page {
    /* Written by the parent. */
    _Alignas(64) _Atomic uint32_t bell; /* moved before a sleeping worker is woken: it sleeps on this word */
    _Atomic uint32_t
        mail; /* messages sent over the socket so far: all of them are to be read before the next slot */
    _Atomic uint32_t closing; /* not 0: the worker is to exit once it has done what it was given */
    uint32_t first_mail;      /* messages to be read before anything else; written before the worker starts */
    /* AL_NOTIFY_*: who sleeps and wants to know when a call is done. The worker clears it then. */
    _Alignas(64) _Atomic uint32_t notify;
    /* Set by the worker about to sleep, cleared by who wakes it. */
    _Alignas(64) _Atomic uint32_t worker_sleeps;
    al_slot slots[AL_SLOTS];
    al_slot_body bodies[AL_SLOTS];
    al_crash crash;
} al_page;

static inline uint64_t al_slot_word(uint64_t turn, al_slot_state state)
{
    return turn << 8 | (uint64_t)state;
}

static inline al_slot_state al_slot_state_of(uint64_t word)
{
    return (al_slot_state)(word & 0xff);
}

static inline uint64_t al_slot_turn_of(uint64_t word)
{
    return word >> 8;
}

static inline al_slot *al_page_slot(al_page *page, uint64_t turn)
{
    return &page->slots[turn % AL_SLOTS];
}

static inline al_slot_body *al_page_body(al_page *page, uint64_t turn)
{
    return &page->bodies[turn % AL_SLOTS];
}

/* Where the result begins behind arguments of that size. */
static inline size_t al_slot_out_offset(size_t in_size)
{
    return (in_size + 15) & ~(size_t)15;
}

/* Where arguments and result of these sizes lie if they fit the slot. */
static inline unsigned char *al_page_bytes(al_page *page, uint64_t turn, size_t in_size, size_t out_size)
{
    size_t before = al_slot_out_offset(in_size);
    bool small = before <= AL_SLOT_INLINE && out_size <= AL_SLOT_INLINE - before;
    return small ? al_page_slot(page, turn)->bytes : al_page_body(page, turn)->bytes;
}

/* True if arguments and result of these sizes fit the slot, beside its word or in its body. */
static inline bool al_slot_holds(size_t in_size, size_t out_size)
{
    return in_size <= AL_SLOT_BYTES && out_size <= AL_SLOT_BYTES - al_slot_out_offset(in_size);
}

/* Changes a slot of that turn from one state to another; false if it was not in that state. */
bool al_slot_change(al_slot *slot, uint64_t turn, al_slot_state from, al_slot_state to);

/* Makes the slot of a killed call KILLING whatever a worker gone wrong wrote into it; false if the call is
 * done. */
bool al_slot_kill(al_slot *slot, uint64_t turn);

/* A new page, all zero; *fd receives its descriptor. NULL with errno set. */
al_page *al_page_create(int *fd);
al_page *al_page_map(int fd);
void al_page_unmap(al_page *page);

/* Parent: rings for what was published before. Returns the word to wake by al_page_wake() once no lock is
 * held, or NULL: it is awake. */
_Atomic uint32_t *al_page_ring(al_page *page);
void al_page_wake(_Atomic uint32_t *bell);

/* Parent: copies the answer of a done call. *failure receives message and payload, both cut to their limits.
 */
allot_status al_slot_answer(al_page *page, uint64_t turn, al_failure *failure, int64_t *ran_ns);

/* Worker: writes the answer, emptying the failure. */
void al_slot_respond(al_page *page, uint64_t turn, allot_status status, al_failure *failure);

#endif
