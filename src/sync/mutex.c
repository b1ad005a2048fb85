#include "sync/mutex.h"
#include "sync/wait.h"
#include <limits.h>
#include <pthread.h>

typedef struct mutex_shared {
    al_sync_shared base; /* first */
    _Alignas(64) _Atomic uint32_t word;
} mutex_shared;

static _Atomic uint32_t *word_of(const allot_mutex *mutex)
{
    return &((mutex_shared *)mutex->base.shared)->word;
}

/* ---- What a thread holds ---- */

static _Thread_local allot_mutex *held;
static pthread_key_t ends; /* its value is not used: only that a thread has one */
static pthread_once_t ends_made = PTHREAD_ONCE_INIT;
static bool ends_there;

/* The address of this thread's own. */
static uintptr_t here(void)
{
    return (uintptr_t)&held;
}

static void note_held(allot_mutex *mutex)
{
    mutex->previous_held = NULL;
    mutex->next_held = held;
    if (held)
        held->previous_held = mutex;
    held = mutex;
    atomic_store_explicit(&mutex->holder, here(), memory_order_relaxed);
}

static void note_free(allot_mutex *mutex)
{
    atomic_store_explicit(&mutex->holder, 0, memory_order_relaxed);
    if (mutex->next_held)
        mutex->next_held->previous_held = mutex->previous_held;
    *(mutex->previous_held ? &mutex->previous_held->next_held : &held) = mutex->next_held;
}

/* Frees the word; `leave`: what stays in it. */
static void let_go(allot_mutex *mutex, uint32_t leave)
{
    _Atomic uint32_t *word = word_of(mutex);
    uint32_t before = atomic_load_explicit(word, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(word, &before, (before & AL_MUTEX_DIED) | leave))
        continue;
    if (before & AL_MUTEX_WAITS)
        al_futex_wake(word, 1, AL_FUTEX_SHARED);
}

static void thread_ends(void *value)
{
    (void)value;
    while (held) {
        allot_mutex *mutex = held;
        note_free(mutex);
        let_go(mutex, AL_MUTEX_DIED);
    }
}

static void make_ends(void)
{
    ends_there = pthread_key_create(&ends, thread_ends) == 0;
}

static void watch_thread(void)
{
    static _Thread_local bool watched;
    if (watched)
        return;
    pthread_once(&ends_made, make_ends);
    watched = ends_there && pthread_setspecific(ends, &held) == 0;
}

bool al_mutex_is_mine(const allot_mutex *mutex)
{
    return atomic_load_explicit(&mutex->holder, memory_order_relaxed) == here();
}

/* ---- Locking ---- */

/* Who has slept cannot know whether others do. */
static bool try_take(const allot_mutex *mutex, bool slept, uint32_t *before)
{
    _Atomic uint32_t *word = word_of(mutex);
    uint32_t waits = slept ? AL_MUTEX_WAITS : 0;
    *before = atomic_load_explicit(word, memory_order_relaxed);
    while (!(*before & AL_MUTEX_PARTY))
        if (atomic_compare_exchange_weak(word, before, *before | mutex->base.form.party | waits))
            return true;
    return false;
}

/* Makes the holder wake us. False: look again. */
static bool mark(_Atomic uint32_t *word, uint32_t *seen)
{
    if (*seen & AL_MUTEX_WAITS)
        return true;
    if (!atomic_compare_exchange_strong(word, seen, *seen | AL_MUTEX_WAITS))
        return false;
    *seen |= AL_MUTEX_WAITS;
    return true;
}

static allot_status lock(allot_mutex *mutex, int64_t timeout_ns, bool unstopping)
{
    _Atomic uint32_t *word = word_of(mutex);
    al_wait wait = al_wait_begin(&mutex->base, NULL, timeout_ns);
    wait.unstopping = unstopping;
    allot_status status = ALLOT_OK;
    uint32_t seen;
    while (status == ALLOT_OK && !try_take(mutex, wait.counted, &seen))
        if (!al_wait_will_sleep(&wait) || mark(word, &seen))
            status = al_wait_step(&wait, word, seen);
    al_wait_end(&wait);
    if (status != ALLOT_OK)
        return status;
    watch_thread();
    note_held(mutex);
    return seen & AL_MUTEX_DIED ? ALLOT_OWNER_DIED : ALLOT_OK;
}

allot_status allot_mutex_lock(allot_mutex *mutex, int64_t timeout_ns)
{
    allot_status status = al_sync_check(mutex ? &mutex->base : NULL);
    if (status != ALLOT_OK)
        return status;
    return al_mutex_is_mine(mutex) ? ALLOT_WOULD_DEADLOCK : lock(mutex, timeout_ns, false);
}

allot_status allot_mutex_try_lock(allot_mutex *mutex)
{
    return allot_mutex_lock(mutex, 0);
}

allot_status al_mutex_relock(allot_mutex *mutex)
{
    return lock(mutex, ALLOT_FOREVER, true);
}

/* The holder may give back also what is gone. */
static allot_status check_holder(const allot_mutex *mutex)
{
    if (!mutex)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    return al_mutex_is_mine(mutex) ? ALLOT_OK : ALLOT_INVALID;
}

allot_status allot_mutex_unlock(allot_mutex *mutex)
{
    allot_status status = check_holder(mutex);
    if (status != ALLOT_OK)
        return status;
    note_free(mutex);
    let_go(mutex, 0);
    return ALLOT_OK;
}

allot_status allot_mutex_consistent(allot_mutex *mutex)
{
    allot_status status = check_holder(mutex);
    if (status == ALLOT_OK)
        atomic_fetch_and(word_of(mutex), ~AL_MUTEX_DIED);
    return status;
}

/* ---- Life ---- */

static void died(al_sync_object *object, uint32_t party)
{
    _Atomic uint32_t *word = &((mutex_shared *)object->shared)->word;
    uint32_t before = atomic_load(word);
    while (party && (before & AL_MUTEX_PARTY) == party)
        if (atomic_compare_exchange_weak(word, &before, AL_MUTEX_DIED))
            break;
    al_futex_wake(word, INT_MAX, AL_FUTEX_SHARED);
}

const al_sync_type al_mutex_type = { "mutex", sizeof(allot_mutex), died };

allot_mutex *allot_mutex_create(allot_executor *executor)
{
    return (allot_mutex *)al_sync_create(
        "allot_mutex_create", executor,
        &(al_sync_form){ .kind = AL_SYNC_MUTEX, .bytes = sizeof(mutex_shared) });
}

void allot_mutex_destroy(allot_mutex *mutex)
{
    if (mutex && !al_forked() && al_mutex_is_mine(mutex))
        note_free(mutex);
    al_sync_destroy(mutex ? &mutex->base : NULL);
}

allot_sync_ref allot_mutex_ref(const allot_mutex *mutex)
{
    return al_sync_ref(mutex ? &mutex->base : NULL);
}

allot_mutex *allot_mutex_from(allot_call *call, const allot_sync_ref *ref)
{
    return (allot_mutex *)al_sync_from(call, ref, AL_SYNC_MUTEX);
}
