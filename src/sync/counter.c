/* A number, and the lowest value that somebody waits for: who reaches it moves what the waiters sleep on, and
 * they say anew what they wait for. */
#include "sync/wait.h"
#include <limits.h>

struct allot_counter {
    al_sync_object base; /* first */
};

typedef struct counter_shared {
    al_sync_shared base; /* first */
    _Alignas(64) _Atomic int64_t value;
    _Atomic uint64_t distance; /* of the lowest awaited value from INT64_MAX; 0: nobody waits. So that all
                                  zero bytes are a counter */
    _Atomic uint32_t reached;
} counter_shared;

static counter_shared *shared_of(const allot_counter *counter)
{
    return (counter_shared *)counter->base.shared;
}

static uint64_t distance_of(int64_t value)
{
    return (uint64_t)INT64_MAX - (uint64_t)value;
}

/* seq_cst, as is the adding: who adds sees what is awaited, or who waits sees the sum. */
static void await(counter_shared *shared, int64_t value)
{
    uint64_t distance = value == INT64_MAX ? 1 : distance_of(value);
    uint64_t before = atomic_load(&shared->distance);
    while (before < distance && !atomic_compare_exchange_weak(&shared->distance, &before, distance))
        continue;
}

int64_t allot_counter_add(allot_counter *counter, int64_t delta)
{
    if (al_sync_check(counter ? &counter->base : NULL) != ALLOT_OK)
        return 0;
    counter_shared *shared = shared_of(counter);
    uint64_t before = (uint64_t)atomic_fetch_add(&shared->value, delta);
    int64_t value = (int64_t)(before + (uint64_t)delta);
    if (distance_of(value) <= atomic_load(&shared->distance) && atomic_exchange(&shared->distance, 0))
        al_wake_everybody(&shared->reached);
    return value;
}

int64_t allot_counter_get(const allot_counter *counter)
{
    return counter && !al_forked() ? atomic_load(&shared_of(counter)->value) : 0;
}

allot_status allot_counter_wait_until(allot_counter *counter, int64_t value, int64_t timeout_ns)
{
    allot_status status = al_sync_check(counter ? &counter->base : NULL);
    if (status != ALLOT_OK)
        return status;
    counter_shared *shared = shared_of(counter);
    al_wait wait = al_wait_begin(&counter->base, NULL, timeout_ns);
    do {
        uint32_t seen = atomic_load(&shared->reached);
        if (al_wait_will_sleep(&wait))
            await(shared, value);
        if (atomic_load(&shared->value) >= value)
            break;
        status = al_wait_step(&wait, &shared->reached, seen);
    } while (status == ALLOT_OK);
    al_wait_end(&wait);
    return status;
}

static void died(al_sync_object *object, uint32_t party)
{
    (void)party;
    al_wake_everybody(&((counter_shared *)object->shared)->reached);
}

const al_sync_type al_counter_type = { "counter", sizeof(allot_counter), died };

allot_counter *allot_counter_create(allot_executor *executor, int64_t value)
{
    allot_counter *counter = (allot_counter *)al_sync_create(
        "allot_counter_create", executor,
        &(al_sync_form){ .kind = AL_SYNC_COUNTER, .bytes = sizeof(counter_shared) });
    if (counter)
        atomic_store(&shared_of(counter)->value, value);
    return counter;
}

void allot_counter_destroy(allot_counter *counter)
{
    al_sync_destroy(counter ? &counter->base : NULL);
}

allot_sync_ref allot_counter_ref(const allot_counter *counter)
{
    return al_sync_ref(counter ? &counter->base : NULL);
}

allot_counter *allot_counter_from(allot_call *call, const allot_sync_ref *ref)
{
    return (allot_counter *)al_sync_from(call, ref, AL_SYNC_COUNTER);
}
