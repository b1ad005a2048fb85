/* What all objects of sync.h have in common: memory that other processes can map, a reference that names it,
 * and what is to be done when one of the processes that use it dies.
 *
 * Every process that uses an object is a party to it, with a number of its own: the maker's is
 * AL_PARTY_HOST, a worker is given one when it opens its first object. Whatever must not be left half done is
 * marked with the number of who does it, in the same atomic operation that begins it; so when a worker is
 * dead, the maker's process can find what it left and settle it (al_party_died). Nobody else ever waits for
 * it, and no state between two operations is unmarked.
 *
 * Sizes and such are never read from the shared memory, where another process may have written anything: the
 * maker keeps them in its own memory and sends them to whom it lends the object. */
#ifndef AL_SYNC_OBJECT_H
#define AL_SYNC_OBJECT_H

#include "core/failure.h"
#include <allot/sync.h>
#include <stdatomic.h>

typedef enum al_sync_kind {
    AL_SYNC_MUTEX = 1,
    AL_SYNC_CONDITION,
    AL_SYNC_SEMAPHORE,
    AL_SYNC_EVENT,
    AL_SYNC_BARRIER,
    AL_SYNC_COUNTER,
    AL_SYNC_QUEUE,
    AL_SYNC_KINDS
} al_sync_kind;

#define AL_PARTY_HOST  1
#define AL_PARTIES_MAX 4096 /* numbers are below this; 0 is nobody's */

/* Begins the shared memory of every object. */
typedef struct al_sync_shared {
    _Atomic uint32_t gone;                       /* not 0: the maker has destroyed it */
    _Atomic uint64_t users[AL_PARTIES_MAX / 64]; /* bit p: party p runs a task that has opened it */
} al_sync_shared;

/* What an object is; travels to whom it is lent. */
typedef struct al_sync_form {
    uint32_t kind;          /* al_sync_kind */
    uint32_t party;         /* the number of who gets this; 0: it cannot have the object */
    uint64_t bytes;         /* of shared memory */
    uint64_t first, second; /* what the kind makes of them: capacity and item size */
} al_sync_form;

typedef struct al_sync_object {
    struct al_sync_object *next; /* of its bucket here, or of those that this worker has opened */
    allot_sync_ref ref;
    al_sync_form form;
    al_sync_shared *shared;
    int fd;        /* -1: cannot be lent */
    bool lent;     /* to somebody, some time; guarded by the registry's lock */
    uint64_t used; /* when it was last opened; in workers */
} al_sync_object;

/* What differs between the kinds. */
typedef struct al_sync_type {
    const char *name;    /* "mutex" */
    size_t handle_bytes; /* of its struct, which begins with an al_sync_object */
    /* Settles what the dead party has left in the object, and wakes all who wait: the one that somebody woke
     * may just have died. In the maker's process, with the registry's lock held. */
    void (*died)(al_sync_object *object, uint32_t party);
} al_sync_type;

/* One a kind; indexed by it. */
extern const al_sync_type al_mutex_type, al_condition_type, al_semaphore_type, al_event_type, al_barrier_type,
    al_counter_type, al_queue_type;
const al_sync_type *al_sync_type_of(uint32_t kind);

/* A new object with shared memory of form->bytes, all zero; form->party is set here. NULL with the thread's
 * last error set. */
al_sync_object *al_sync_create(const char *maker, allot_executor *executor, const al_sync_form *form);
void al_sync_destroy(al_sync_object *object);

/* The object itself and its reference; what every _from and _ref returns. */
al_sync_object *al_sync_from(allot_call *call, const allot_sync_ref *ref, al_sync_kind kind);
allot_sync_ref al_sync_ref(const al_sync_object *object);

/* ALLOT_OK if the object can be used here. */
static inline allot_status al_sync_check(const al_sync_object *object)
{
    if (!object)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    return atomic_load_explicit(&object->shared->gone, memory_order_relaxed) ? ALLOT_INVALID : ALLOT_OK;
}

/* True if that party runs a task that has opened the object. */
static inline bool al_sync_is_user(const al_sync_object *object, uint32_t party)
{
    return atomic_load(&object->shared->users[party / 64]) >> (party % 64) & 1;
}

/* ---- For who lends objects to other processes: any thread ---- */

/* A number for a new process; 0 when there is none left. */
uint32_t al_party_take(void);

/* The process is dead, and not a moment before: settles what it has left and gives its number back. 0 is
 * fine.
 */
void al_party_died(uint32_t party);

/* A descriptor of the object's memory for another process, which the caller closes; -1 if there is no such
 * object or it cannot be lent. */
int al_sync_lend(const allot_sync_ref *ref, uint32_t party, al_sync_form *form);

/* ---- For who was lent one ---- */

/* A handle on an object of another process; the descriptor is not kept. NULL when memory is out or the form
 * makes no sense. */
al_sync_object *al_sync_adopt(const allot_sync_ref *ref, const al_sync_form *form, int fd);
void al_sync_abandon(al_sync_object *object);

#endif
