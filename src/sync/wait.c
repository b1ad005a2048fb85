#include "sync/wait.h"
#include "base/clock.h"
#include "core/task.h"
#include <limits.h>
#include <unistd.h>

#define SPINS   100               /* about as long as a sleep and a wake take on an awake processor */
#define LOOK_NS INT64_C(20000000) /* how often a sleeper in a task looks whether it is to stop */

_Thread_local const _Atomic uint32_t *al_wait_stopping;
void (*_Atomic al_wait_blocking)(bool begins);

/* Spinning for another thread is of use where it can run meanwhile. */
static int spins_here(void)
{
    static _Atomic int known; /* plus one */
    int spins = atomic_load_explicit(&known, memory_order_relaxed) - 1;
    if (spins < 0) {
        spins = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SPINS : 0;
        atomic_store_explicit(&known, spins + 1, memory_order_relaxed);
    }
    return spins;
}

al_wait al_wait_begin(const al_sync_object *object, _Atomic uint32_t *sleepers, int64_t timeout_ns)
{
    return (al_wait){ .object = object,
                      .sleepers = sleepers,
                      .timeout_ns = timeout_ns,
                      .spins = timeout_ns > 0 ? spins_here() : 0 };
}

/* The flag of the task that this thread runs; NULL outside of tasks. */
static const _Atomic uint32_t *stop_flag(void)
{
    return al_wait_stopping ? al_wait_stopping : al_task_here ? &al_task_here->future.stop : NULL;
}

static void set_blocking(bool begins)
{
    void (*tell)(bool) = atomic_load_explicit(&al_wait_blocking, memory_order_acquire);
    if (tell)
        tell(begins);
}

/* Before the first sleep. The caller looks once more afterwards. */
static void get_ready(al_wait *wait)
{
    wait->deadline_ns = al_clock_deadline_ns(wait->timeout_ns);
    wait->counted = true;
    set_blocking(true);
    if (wait->sleepers)
        atomic_fetch_add(wait->sleepers, 1);
}

static void fall_asleep(const al_wait *wait, _Atomic uint32_t *word, uint32_t seen, bool in_task)
{
    int64_t until_ns = in_task ? al_clock_deadline_ns(LOOK_NS) : INT64_MAX;
    al_futex_wait(word, seen, until_ns < wait->deadline_ns ? until_ns : wait->deadline_ns, AL_FUTEX_SHARED);
}

allot_status al_wait_step(al_wait *wait, _Atomic uint32_t *word, uint32_t seen)
{
    if (wait->timeout_ns <= 0)
        return ALLOT_TIMEOUT;
    if (wait->spins) {
        wait->spins--;
        al_pause();
        return ALLOT_OK;
    }
    if (atomic_load(&wait->object->shared->gone))
        return ALLOT_INVALID;
    const _Atomic uint32_t *stopping = wait->unstopping ? NULL : stop_flag();
    if (stopping && atomic_load_explicit(stopping, memory_order_relaxed))
        return ALLOT_STOPPED;
    if (!wait->counted) {
        get_ready(wait);
        return ALLOT_OK;
    }
    if (al_clock_passed(wait->deadline_ns))
        return ALLOT_TIMEOUT;
    fall_asleep(wait, word, seen, stopping);
    return ALLOT_OK;
}

void al_wait_end(al_wait *wait)
{
    if (!wait->counted)
        return;
    if (wait->sleepers)
        atomic_fetch_sub(wait->sleepers, 1);
    set_blocking(false);
}

void al_wake_everybody(_Atomic uint32_t *word)
{
    atomic_fetch_add(word, 1);
    al_futex_wake(word, INT_MAX, AL_FUTEX_SHARED);
}
