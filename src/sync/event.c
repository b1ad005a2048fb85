/* One word: whether it is set, and above that how often it was set anew, so that who has slept through a set
 * and a reset knows of the set. */
#include "sync/wait.h"
#include <limits.h>

#define SET  UINT32_C(1)
#define ANEW UINT32_C(2)

struct allot_event {
    al_sync_object base; /* first */
};

typedef struct event_shared {
    al_sync_shared base; /* first */
    _Alignas(64) _Atomic uint32_t word, sleepers;
} event_shared;

static event_shared *shared_of(const allot_event *event)
{
    return (event_shared *)event->base.shared;
}

static bool resets(const allot_event *event)
{
    return event->base.form.first == ALLOT_EVENT_RESETS;
}

allot_status allot_event_set(allot_event *event)
{
    allot_status status = al_sync_check(event ? &event->base : NULL);
    if (status != ALLOT_OK)
        return status;
    event_shared *shared = shared_of(event);
    uint32_t before = atomic_load(&shared->word);
    do
        if (before & SET)
            return ALLOT_OK;
    while (!atomic_compare_exchange_weak(&shared->word, &before, (before + ANEW) | SET));
    if (atomic_load(&shared->sleepers))
        al_futex_wake(&shared->word, resets(event) ? 1 : INT_MAX, AL_FUTEX_SHARED);
    return ALLOT_OK;
}

allot_status allot_event_reset(allot_event *event)
{
    allot_status status = al_sync_check(event ? &event->base : NULL);
    if (status == ALLOT_OK)
        atomic_fetch_and(&shared_of(event)->word, ~SET);
    return status;
}

/* True if who came when the word was `first` may pass. */
static bool try_pass(const allot_event *event, uint32_t first, uint32_t *seen)
{
    _Atomic uint32_t *word = &shared_of(event)->word;
    *seen = atomic_load(word);
    if (!resets(event))
        return *seen & SET || *seen / ANEW != first / ANEW;
    while (*seen & SET)
        if (atomic_compare_exchange_weak(word, seen, *seen & ~SET))
            return true;
    return false;
}

allot_status allot_event_wait(allot_event *event, int64_t timeout_ns)
{
    allot_status status = al_sync_check(event ? &event->base : NULL);
    if (status != ALLOT_OK)
        return status;
    event_shared *shared = shared_of(event);
    al_wait wait = al_wait_begin(&event->base, &shared->sleepers, timeout_ns);
    uint32_t first = atomic_load(&shared->word), seen;
    while (status == ALLOT_OK && !try_pass(event, first, &seen))
        status = al_wait_step(&wait, &shared->word, seen);
    al_wait_end(&wait);
    return status;
}

bool allot_event_is_set(const allot_event *event)
{
    return event && !al_forked() && atomic_load(&shared_of(event)->word) & SET;
}

static void died(al_sync_object *object, uint32_t party)
{
    (void)party;
    al_futex_wake(&((event_shared *)object->shared)->word, INT_MAX, AL_FUTEX_SHARED);
}

const al_sync_type al_event_type = { "event", sizeof(allot_event), died };

allot_event *allot_event_create(allot_executor *executor, allot_event_kind kind)
{
    if (kind != ALLOT_EVENT_STAYS && kind != ALLOT_EVENT_RESETS)
        return al_last_error(ALLOT_INVALID, "allot_event_create: %d is no kind of event", (int)kind);
    return (allot_event *)al_sync_create(
        "allot_event_create", executor,
        &(al_sync_form){ .kind = AL_SYNC_EVENT, .bytes = sizeof(event_shared), .first = kind });
}

void allot_event_destroy(allot_event *event)
{
    al_sync_destroy(event ? &event->base : NULL);
}

allot_sync_ref allot_event_ref(const allot_event *event)
{
    return al_sync_ref(event ? &event->base : NULL);
}

allot_event *allot_event_from(allot_call *call, const allot_sync_ref *ref)
{
    return (allot_event *)al_sync_from(call, ref, AL_SYNC_EVENT);
}
