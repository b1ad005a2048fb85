/* A ring of slots, each with a word of its own that says what is in it and who is at it; no locks.
 *
 *     FREE ──► FILLING ──► FULL ──► TAKING ──► FREE of the next lap
 *       │         └─ its producer died: SKIPPED ──► FREE of the next lap
 *       └──► CLOSED: there will be no more
 *
 * A word holds the turn (push number t uses slot t % capacity), the party at work and the state, so that one
 * compare-and-swap claims a slot, names who claims it, and fails for whoever looked at another lap. `head`
 * and `tail` only say where to look first: whoever finds them behind moves them on. So no moment exists in
 * which a dead party's claim cannot be told: al_party_died() turns its FILLING into SKIPPED and its TAKING
 * into FREE. A slot that is being filled holds back those behind it, which keeps the order; not for ever,
 * since its producer goes on or dies.
 *
 * The idea of turns in the slots is D. Vyukov's ("Bounded MPMC queue", 1024cores.net); there it is the head
 * and the tail that are claimed, and a death in between stops the queue. */
#include "sync/wait.h"
#include <limits.h>
#include <string.h>

typedef enum slot_state {
    FREE,
    FILLING,
    FULL,
    TAKING,
    SKIPPED,
    CLOSED
} slot_state;

#define STATE_BITS 3
#define PARTY_BITS 13
#define TURN_SHIFT (STATE_BITS + PARTY_BITS)
#define TURN_MASK  (UINT64_MAX >> TURN_SHIFT)

_Static_assert(AL_PARTIES_MAX <= 1 << PARTY_BITS, "every party fits a word");

typedef struct slot {
    _Atomic uint64_t word;
    unsigned char item[];
} slot;

struct allot_queue {
    al_sync_object base; /* first; form.first is the capacity, form.second an item's bytes */
};

typedef struct queue_shared {
    al_sync_shared base;                /* first */
    _Alignas(64) _Atomic uint64_t head; /* the turn that is popped next, or one before it */
    _Alignas(64) _Atomic uint64_t tail; /* the turn that is pushed next, or one before it */
    _Alignas(64) _Atomic uint32_t closed;
    _Atomic uint32_t pushed, poppers; /* what consumers sleep on, and how many do */
    _Atomic uint32_t popped, pushers;
    _Alignas(64) unsigned char slots[];
} queue_shared;

static queue_shared *shared_of(const al_sync_object *object)
{
    return (queue_shared *)object->shared;
}

static uint64_t capacity_of(const al_sync_object *object)
{
    return object->form.first;
}

static size_t stride(size_t item_size)
{
    return (sizeof(slot) + item_size + 15) & ~(size_t)15;
}

static slot *slot_at(const al_sync_object *object, uint64_t index)
{
    return (slot *)(shared_of(object)->slots + index * stride(object->form.second));
}

static slot *slot_of(const al_sync_object *object, uint64_t turn)
{
    return slot_at(object, turn % capacity_of(object));
}

static uint64_t word_of(uint64_t turn, uint32_t party, slot_state state)
{
    return turn << TURN_SHIFT | (uint64_t)party << STATE_BITS | (uint64_t)state;
}

static slot_state state_of(uint64_t word)
{
    return (slot_state)(word & ((1 << STATE_BITS) - 1));
}

static uint32_t party_of(uint64_t word)
{
    return (uint32_t)(word >> STATE_BITS) & ((1 << PARTY_BITS) - 1);
}

static bool is_turn(uint64_t word, uint64_t turn)
{
    return word >> TURN_SHIFT == (turn & TURN_MASK);
}

/* Moves head or tail past a turn that others have dealt with. */
static void pass(_Atomic uint64_t *counter, uint64_t turn)
{
    atomic_compare_exchange_strong(counter, &turn, turn + 1);
}

/* ---- Push ---- */

typedef enum attempt {
    DONE,
    AGAIN, /* somebody else was faster */
    WAIT,  /* no room, no item */
    ENDED  /* closed */
} attempt;

/* One look at the slot that comes next; DONE: it is ours to fill. */
static attempt claim_free(const al_sync_object *object, uint64_t *turn)
{
    queue_shared *shared = shared_of(object);
    uint64_t mine = *turn = atomic_load(&shared->tail);
    _Atomic uint64_t *word = &slot_of(object, mine)->word;
    uint64_t seen = atomic_load(word);
    if (atomic_load(&shared->closed))
        return ENDED;
    if (seen == word_of(mine, 0, FREE)) {
        if (!atomic_compare_exchange_strong(word, &seen, word_of(mine, object->form.party, FILLING)))
            return AGAIN;
        pass(&shared->tail, mine);
        return DONE;
    }
    if (seen == word_of(mine, 0, CLOSED))
        return ENDED;
    if (is_turn(seen, mine) || is_turn(seen, mine + capacity_of(object))) {
        pass(&shared->tail, mine); /* taken, and its taker has not come to this yet, or never will */
        return AGAIN;
    }
    return atomic_load(&shared->tail) == mine ? WAIT : AGAIN; /* still there from the lap before */
}

/* Wakes one more if there is still something for it: two wakes may have met one sleeper. */
static void wake_producer(const al_sync_object *object)
{
    queue_shared *shared = shared_of(object);
    if (!atomic_load(&shared->pushers))
        return;
    uint64_t turn = atomic_load(&shared->tail);
    if (atomic_load(&slot_of(object, turn)->word) == word_of(turn, 0, FREE))
        al_wake(&shared->popped, &shared->pushers, 1);
}

static attempt try_push(const al_sync_object *object, void *item)
{
    uint64_t turn;
    attempt result = claim_free(object, &turn);
    if (result != DONE)
        return result;
    slot *mine = slot_of(object, turn);
    memcpy(mine->item, item, object->form.second);
    atomic_store(&mine->word, word_of(turn, 0, FULL));
    al_wake(&shared_of(object)->pushed, &shared_of(object)->poppers, 1);
    wake_producer(object);
    return DONE;
}

/* ---- Pop ---- */

/* Closed, and nothing there: a producer that looked before the closing may still come, and meets the mark or
 * is met. */
static attempt mark_end(const al_sync_object *object, uint64_t turn)
{
    uint64_t seen = word_of(turn, 0, FREE);
    if (!atomic_compare_exchange_strong(&slot_of(object, turn)->word, &seen, word_of(turn, 0, CLOSED)))
        return AGAIN;
    al_wake(&shared_of(object)->pushed, &shared_of(object)->poppers, INT_MAX);
    return ENDED;
}

/* One look at the slot that comes next; DONE: it is ours to empty. */
static attempt claim_full(const al_sync_object *object, uint64_t *turn)
{
    queue_shared *shared = shared_of(object);
    uint64_t mine = *turn = atomic_load(&shared->head);
    _Atomic uint64_t *word = &slot_of(object, mine)->word;
    bool closed = atomic_load(&shared->closed); /* before the word */
    uint64_t seen = atomic_load(word), next = word_of(mine + capacity_of(object), 0, FREE);
    if (seen == word_of(mine, 0, FULL)) {
        if (!atomic_compare_exchange_strong(word, &seen, word_of(mine, object->form.party, TAKING)))
            return AGAIN;
        pass(&shared->head, mine);
        return DONE;
    }
    if (seen == word_of(mine, 0, SKIPPED)) {
        if (atomic_compare_exchange_strong(word, &seen, next))
            al_wake(&shared->popped, &shared->pushers, 1);
        return AGAIN;
    }
    if (seen == word_of(mine, 0, CLOSED))
        return ENDED;
    if (seen == word_of(mine, 0, FREE))
        return closed ? mark_end(object, mine) : WAIT;
    if ((is_turn(seen, mine) && state_of(seen) == TAKING) || is_turn(seen, mine + capacity_of(object))) {
        pass(&shared->head, mine);
        return AGAIN;
    }
    return atomic_load(&shared->head) == mine ? WAIT : AGAIN; /* being filled */
}

static void wake_consumer(const al_sync_object *object)
{
    queue_shared *shared = shared_of(object);
    if (!atomic_load(&shared->poppers))
        return;
    uint64_t turn = atomic_load(&shared->head);
    slot_state state = state_of(atomic_load(&slot_of(object, turn)->word));
    if (state == FULL || state == SKIPPED || atomic_load(&shared->closed))
        al_wake(&shared->pushed, &shared->poppers, 1);
}

static attempt try_pop(const al_sync_object *object, void *item)
{
    uint64_t turn;
    attempt result = claim_full(object, &turn);
    if (result != DONE)
        return result;
    slot *mine = slot_of(object, turn);
    memcpy(item, mine->item, object->form.second);
    atomic_store(&mine->word, word_of(turn + capacity_of(object), 0, FREE));
    al_wake(&shared_of(object)->popped, &shared_of(object)->pushers, 1);
    wake_consumer(object);
    return DONE;
}

/* ---- Waiting ---- */

/* More looks in a row than any honest contention needs: memory that was written to wildly. */
#define LOOKS_MAX 100000

static allot_status transfer(const al_sync_object *object, attempt (*try)(const al_sync_object *, void *),
                             void *item, int64_t timeout_ns)
{
    queue_shared *shared = shared_of(object);
    _Atomic uint32_t *word = try == try_push ? &shared->popped : &shared->pushed;
    _Atomic uint32_t *sleepers = try == try_push ? &shared->pushers : &shared->poppers;
    al_wait wait = al_wait_begin(object, sleepers, timeout_ns);
    allot_status status = ALLOT_OK;
    attempt result = AGAIN;
    while (status == ALLOT_OK) {
        uint32_t seen = atomic_load(word);
        for (int looks = 0; looks < LOOKS_MAX && (result = try(object, item)) == AGAIN; looks++)
            continue;
        if (result == DONE || result == ENDED)
            break;
        status = al_wait_step(&wait, word, seen);
    }
    al_wait_end(&wait);
    return result == ENDED ? ALLOT_END : status;
}

static allot_status check(const allot_queue *queue, const void *item)
{
    allot_status status = al_sync_check(queue ? &queue->base : NULL);
    return status == ALLOT_OK && !item ? ALLOT_INVALID : status;
}

allot_status allot_queue_push(allot_queue *queue, const void *item, int64_t timeout_ns)
{
    allot_status status = check(queue, item);
    return status == ALLOT_OK ? transfer(&queue->base, try_push, (void *)item, timeout_ns) : status;
}

allot_status allot_queue_pop(allot_queue *queue, void *item, int64_t timeout_ns)
{
    allot_status status = check(queue, item);
    return status == ALLOT_OK ? transfer(&queue->base, try_pop, item, timeout_ns) : status;
}

static void wake_everybody(queue_shared *shared)
{
    al_wake_everybody(&shared->pushed);
    al_wake_everybody(&shared->popped);
}

allot_status allot_queue_close(allot_queue *queue)
{
    allot_status status = al_sync_check(queue ? &queue->base : NULL);
    if (status != ALLOT_OK)
        return status;
    atomic_store(&shared_of(&queue->base)->closed, 1);
    wake_everybody(shared_of(&queue->base));
    return ALLOT_OK;
}

size_t allot_queue_count(const allot_queue *queue)
{
    if (!queue || al_forked())
        return 0;
    uint64_t head = atomic_load(&shared_of(&queue->base)->head);
    uint64_t count = atomic_load(&shared_of(&queue->base)->tail) - head;
    return count > INT64_MAX ? 0 : count > queue->base.form.first ? queue->base.form.first : count;
}

size_t allot_queue_capacity(const allot_queue *queue)
{
    return queue ? queue->base.form.first : 0;
}

size_t allot_queue_item_size(const allot_queue *queue)
{
    return queue ? queue->base.form.second : 0;
}

/* ---- Death ---- */

static void settle_slot(_Atomic uint64_t *word, uint32_t party, uint64_t capacity)
{
    uint64_t seen = atomic_load(word), turn = seen >> TURN_SHIFT;
    if (party_of(seen) != party)
        return;
    if (state_of(seen) == FILLING)
        atomic_compare_exchange_strong(word, &seen, word_of(turn, 0, SKIPPED));
    else if (state_of(seen) == TAKING)
        atomic_compare_exchange_strong(word, &seen, word_of(turn + capacity, 0, FREE));
}

static void died(al_sync_object *object, uint32_t party)
{
    uint64_t capacity = capacity_of(object);
    for (uint64_t i = 0; party && al_sync_is_user(object, party) && i < capacity; i++)
        settle_slot(&slot_at(object, i)->word, party, capacity);
    wake_everybody(shared_of(object));
}

const al_sync_type al_queue_type = { "queue", sizeof(allot_queue), died };

/* ---- Life ---- */

static bool measure(size_t capacity, size_t item_size, uint64_t *bytes)
{
    size_t slots;
    return item_size <= PTRDIFF_MAX && !__builtin_mul_overflow(stride(item_size), capacity, &slots) &&
           !__builtin_add_overflow(sizeof(queue_shared), slots, bytes);
}

allot_queue *allot_queue_create(allot_executor *executor, size_t capacity, size_t item_size)
{
    static const char maker[] = "allot_queue_create";
    uint64_t bytes;
    if (!capacity || !item_size)
        return al_last_error(ALLOT_INVALID, "%s: capacity and item size must be at least 1", maker);
    if (!measure(capacity, item_size, &bytes))
        return al_last_error(ALLOT_TOO_LARGE, "%s: more than this machine's memory", maker);
    allot_queue *queue = (allot_queue *)al_sync_create(
        maker, executor,
        &(al_sync_form){ .kind = AL_SYNC_QUEUE, .bytes = bytes, .first = capacity, .second = item_size });
    for (size_t i = 0; queue && i < capacity; i++)
        atomic_store_explicit(&slot_at(&queue->base, i)->word, word_of(i, 0, FREE), memory_order_relaxed);
    return queue;
}

void allot_queue_destroy(allot_queue *queue)
{
    al_sync_destroy(queue ? &queue->base : NULL);
}

allot_sync_ref allot_queue_ref(const allot_queue *queue)
{
    return al_sync_ref(queue ? &queue->base : NULL);
}

allot_queue *allot_queue_from(allot_call *call, const allot_sync_ref *ref)
{
    return (allot_queue *)al_sync_from(call, ref, AL_SYNC_QUEUE);
}
