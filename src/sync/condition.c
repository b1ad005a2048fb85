/* A number that signals move and waiters sleep on. A waiter is counted before it unlocks the mutex, so who
 * signals with the mutex held, or after, sees it. */
#include "sync/mutex.h"
#include "sync/wait.h"
#include <limits.h>

struct allot_condition {
    al_sync_object base; /* first */
};

typedef struct condition_shared {
    al_sync_shared base; /* first */
    _Alignas(64) _Atomic uint32_t signals, sleepers;
} condition_shared;

static condition_shared *shared_of(const allot_condition *condition)
{
    return (condition_shared *)condition->base.shared;
}

/* The first step only counts the waiter. */
static allot_status wait_for_signal(allot_condition *condition, allot_mutex *mutex, int64_t timeout_ns)
{
    condition_shared *shared = shared_of(condition);
    al_wait wait = al_wait_begin(&condition->base, &shared->sleepers, timeout_ns);
    wait.spins = 0;
    uint32_t seen = atomic_load(&shared->signals);
    allot_status status = al_wait_step(&wait, &shared->signals, seen);
    if (status == ALLOT_OK) {
        allot_mutex_unlock(mutex);
        while (status == ALLOT_OK && atomic_load(&shared->signals) == seen)
            status = al_wait_step(&wait, &shared->signals, seen);
    }
    al_wait_end(&wait);
    return status;
}

allot_status allot_condition_wait(allot_condition *condition, allot_mutex *mutex, int64_t timeout_ns)
{
    allot_status status = al_sync_check(condition ? &condition->base : NULL);
    if (status != ALLOT_OK)
        return status;
    if (!mutex || !al_mutex_is_mine(mutex))
        return ALLOT_INVALID;
    status = wait_for_signal(condition, mutex, timeout_ns);
    if (al_mutex_is_mine(mutex))
        return status;
    allot_status locked = al_mutex_relock(mutex);
    return locked == ALLOT_OK ? status : locked;
}

static allot_status wake(allot_condition *condition, int count)
{
    allot_status status = al_sync_check(condition ? &condition->base : NULL);
    if (status == ALLOT_OK)
        al_wake(&shared_of(condition)->signals, &shared_of(condition)->sleepers, count);
    return status;
}

allot_status allot_condition_signal(allot_condition *condition)
{
    return wake(condition, 1);
}

allot_status allot_condition_broadcast(allot_condition *condition)
{
    return wake(condition, INT_MAX);
}

static void died(al_sync_object *object, uint32_t party)
{
    (void)party;
    al_wake_everybody(&((condition_shared *)object->shared)->signals);
}

const al_sync_type al_condition_type = { "condition", sizeof(allot_condition), died };

allot_condition *allot_condition_create(allot_executor *executor)
{
    return (allot_condition *)al_sync_create(
        "allot_condition_create", executor,
        &(al_sync_form){ .kind = AL_SYNC_CONDITION, .bytes = sizeof(condition_shared) });
}

void allot_condition_destroy(allot_condition *condition)
{
    al_sync_destroy(condition ? &condition->base : NULL);
}

allot_sync_ref allot_condition_ref(const allot_condition *condition)
{
    return al_sync_ref(condition ? &condition->base : NULL);
}

allot_condition *allot_condition_from(allot_call *call, const allot_sync_ref *ref)
{
    return (allot_condition *)al_sync_from(call, ref, AL_SYNC_CONDITION);
}
