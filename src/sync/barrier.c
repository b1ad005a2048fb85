/* One word of state: the round, whether it is broken, and how many have arrived; who sleeps does so on a
 * number beside it, which whoever ends a round moves. */
#include "sync/wait.h"
#include <limits.h>

#define ARRIVED UINT64_C(0xffff)
#define BROKEN  (UINT64_C(1) << 16)
#define ROUND   (UINT64_C(1) << 32) /* counts up from here */

struct allot_barrier {
    al_sync_object base; /* first */
};

typedef struct barrier_shared {
    al_sync_shared base; /* first */
    _Alignas(64) _Atomic uint64_t state;
    _Atomic uint64_t last_broken; /* round + 1; written before a broken round is left */
    _Atomic uint32_t ends, sleepers;
} barrier_shared;

static barrier_shared *shared_of(const allot_barrier *barrier)
{
    return (barrier_shared *)barrier->base.shared;
}

/* How a round stands for who has arrived in it: ALLOT_TIMEOUT: it goes on. */
static allot_status outcome(const barrier_shared *shared, uint64_t round)
{
    uint64_t state = atomic_load(&shared->state);
    bool broken = state / ROUND == round ? state & BROKEN : atomic_load(&shared->last_broken) == round + 1;
    return broken ? ALLOT_WORKER_DIED : state / ROUND == round ? ALLOT_TIMEOUT : ALLOT_OK;
}

/* ALLOT_OK: this one was the last; ALLOT_TIMEOUT: it has to wait for the round's end. */
static allot_status arrive(const allot_barrier *barrier, uint64_t *round)
{
    barrier_shared *shared = shared_of(barrier);
    uint64_t state = atomic_load(&shared->state), next;
    bool last;
    do {
        if (state & BROKEN)
            return ALLOT_WORKER_DIED;
        *round = state / ROUND;
        last = (state & ARRIVED) + 1 >= barrier->base.form.first;
        next = last ? (*round + 1) * ROUND : state + 1;
    } while (!atomic_compare_exchange_weak(&shared->state, &state, next));
    if (last)
        al_wake(&shared->ends, &shared->sleepers, INT_MAX);
    return last ? ALLOT_OK : ALLOT_TIMEOUT;
}

/* Gives up waiting, unless the round has ended meanwhile. */
static allot_status withdraw(barrier_shared *shared, uint64_t round, allot_status why)
{
    uint64_t state = atomic_load(&shared->state);
    while (state / ROUND == round && !(state & BROKEN) && state & ARRIVED)
        if (atomic_compare_exchange_weak(&shared->state, &state, state - 1))
            return why;
    allot_status ended = outcome(shared, round);
    return ended == ALLOT_TIMEOUT ? why : ended;
}

static allot_status wait_for_others(const allot_barrier *barrier, uint64_t round, int64_t timeout_ns)
{
    barrier_shared *shared = shared_of(barrier);
    al_wait wait = al_wait_begin(&barrier->base, &shared->sleepers, timeout_ns);
    allot_status status = ALLOT_OK, ended;
    do {
        uint32_t seen = atomic_load(&shared->ends);
        ended = outcome(shared, round);
        if (ended == ALLOT_TIMEOUT)
            status = al_wait_step(&wait, &shared->ends, seen);
    } while (ended == ALLOT_TIMEOUT && status == ALLOT_OK);
    al_wait_end(&wait);
    return status == ALLOT_OK ? ended : withdraw(shared, round, status);
}

allot_status allot_barrier_wait(allot_barrier *barrier, int64_t timeout_ns, bool *last)
{
    uint64_t round;
    if (last)
        *last = false;
    allot_status status = al_sync_check(barrier ? &barrier->base : NULL);
    if (status != ALLOT_OK)
        return status;
    status = arrive(barrier, &round);
    if (status == ALLOT_OK && last)
        *last = true;
    return status == ALLOT_TIMEOUT ? wait_for_others(barrier, round, timeout_ns) : status;
}

allot_status allot_barrier_reset(allot_barrier *barrier)
{
    allot_status status = al_sync_check(barrier ? &barrier->base : NULL);
    if (status != ALLOT_OK)
        return status;
    barrier_shared *shared = shared_of(barrier);
    uint64_t state = atomic_load(&shared->state);
    if (!(state & BROKEN))
        return ALLOT_INVALID;
    atomic_store(&shared->last_broken, state / ROUND + 1);
    atomic_compare_exchange_strong(&shared->state, &state, (state / ROUND + 1) * ROUND);
    return ALLOT_OK; /* if not by this one, by another just now */
}

static void died(al_sync_object *object, uint32_t party)
{
    barrier_shared *shared = (barrier_shared *)object->shared;
    if (party && al_sync_is_user(object, party))
        atomic_fetch_or(&shared->state, BROKEN);
    al_wake_everybody(&shared->ends);
}

const al_sync_type al_barrier_type = { "barrier", sizeof(allot_barrier), died };

allot_barrier *allot_barrier_create(allot_executor *executor, uint32_t parties)
{
    if (!parties || parties > ALLOT_BARRIER_MAX)
        return al_last_error(ALLOT_INVALID, "allot_barrier_create: %u parties: 1 to %d are possible", parties,
                             ALLOT_BARRIER_MAX);
    return (allot_barrier *)al_sync_create(
        "allot_barrier_create", executor,
        &(al_sync_form){ .kind = AL_SYNC_BARRIER, .bytes = sizeof(barrier_shared), .first = parties });
}

void allot_barrier_destroy(allot_barrier *barrier)
{
    al_sync_destroy(barrier ? &barrier->base : NULL);
}

allot_sync_ref allot_barrier_ref(const allot_barrier *barrier)
{
    return al_sync_ref(barrier ? &barrier->base : NULL);
}

allot_barrier *allot_barrier_from(allot_call *call, const allot_sync_ref *ref)
{
    return (allot_barrier *)al_sync_from(call, ref, AL_SYNC_BARRIER);
}
