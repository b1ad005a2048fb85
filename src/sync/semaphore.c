/* The number of units is the word that is slept on; taking one is a single operation, so a death leaves
 * nothing half done. */
#include "sync/wait.h"
#include <limits.h>

struct allot_semaphore {
    al_sync_object base; /* first */
};

typedef struct semaphore_shared {
    al_sync_shared base; /* first */
    _Alignas(64) _Atomic uint32_t units, sleepers;
} semaphore_shared;

static semaphore_shared *shared_of(const allot_semaphore *semaphore)
{
    return (semaphore_shared *)semaphore->base.shared;
}

static bool try_take(_Atomic uint32_t *units)
{
    uint32_t before = atomic_load(units);
    while (before)
        if (atomic_compare_exchange_weak(units, &before, before - 1))
            return true;
    return false;
}

allot_status allot_semaphore_acquire(allot_semaphore *semaphore, int64_t timeout_ns)
{
    allot_status status = al_sync_check(semaphore ? &semaphore->base : NULL);
    if (status != ALLOT_OK)
        return status;
    semaphore_shared *shared = shared_of(semaphore);
    al_wait wait = al_wait_begin(&semaphore->base, &shared->sleepers, timeout_ns);
    while (status == ALLOT_OK && !try_take(&shared->units))
        status = al_wait_step(&wait, &shared->units, 0);
    al_wait_end(&wait);
    return status;
}

allot_status allot_semaphore_release(allot_semaphore *semaphore, uint32_t units)
{
    allot_status status = al_sync_check(semaphore ? &semaphore->base : NULL);
    if (status != ALLOT_OK)
        return status;
    semaphore_shared *shared = shared_of(semaphore);
    uint32_t before = atomic_load(&shared->units);
    do
        if (units > ALLOT_SEMAPHORE_MAX || before > ALLOT_SEMAPHORE_MAX - units)
            return ALLOT_TOO_LARGE;
    while (!atomic_compare_exchange_weak(&shared->units, &before, before + units));
    if (units && atomic_load(&shared->sleepers))
        al_futex_wake(&shared->units, (int)units, AL_FUTEX_SHARED);
    return ALLOT_OK;
}

uint32_t allot_semaphore_value(const allot_semaphore *semaphore)
{
    return semaphore && !al_forked() ? atomic_load(&shared_of(semaphore)->units) : 0;
}

static void died(al_sync_object *object, uint32_t party)
{
    (void)party;
    al_futex_wake(&((semaphore_shared *)object->shared)->units, INT_MAX, AL_FUTEX_SHARED);
}

const al_sync_type al_semaphore_type = { "semaphore", sizeof(allot_semaphore), died };

allot_semaphore *allot_semaphore_create(allot_executor *executor, uint32_t units)
{
    if (units > ALLOT_SEMAPHORE_MAX)
        return al_last_error(ALLOT_INVALID, "allot_semaphore_create: %u units: at most %d are possible",
                             units, ALLOT_SEMAPHORE_MAX);
    allot_semaphore *semaphore = (allot_semaphore *)al_sync_create(
        "allot_semaphore_create", executor,
        &(al_sync_form){ .kind = AL_SYNC_SEMAPHORE, .bytes = sizeof(semaphore_shared) });
    if (semaphore)
        atomic_store(&shared_of(semaphore)->units, units);
    return semaphore;
}

void allot_semaphore_destroy(allot_semaphore *semaphore)
{
    al_sync_destroy(semaphore ? &semaphore->base : NULL);
}

allot_sync_ref allot_semaphore_ref(const allot_semaphore *semaphore)
{
    return al_sync_ref(semaphore ? &semaphore->base : NULL);
}

allot_semaphore *allot_semaphore_from(allot_call *call, const allot_sync_ref *ref)
{
    return (allot_semaphore *)al_sync_from(call, ref, AL_SYNC_SEMAPHORE);
}
