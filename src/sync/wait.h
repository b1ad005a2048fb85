/* Waiting for an object: a little while in a loop, then asleep on a word in shared memory, until a deadline,
 * or until the task that waits is to stop.
 *
 *     al_wait wait = al_wait_begin(object, &shared->sleepers, timeout_ns);
 *     do {
 *         seen = atomic_load(&shared->changed);
 *         if (there is what we want)
 *             break;
 *     } while ((status = al_wait_step(&wait, &shared->changed, seen)) == ALLOT_OK);
 *     al_wait_end(&wait);
 *
 * Who makes a change makes it with seq_cst, then calls al_wake(): it moves the word only if somebody is
 * counted among the sleepers, and whoever counts himself looks once more before he sleeps. A process that
 * dies asleep stays counted, which costs a needless call now and then, no more. */
#ifndef AL_SYNC_WAIT_H
#define AL_SYNC_WAIT_H

#include "base/futex.h"
#include "sync/object.h"

typedef struct al_wait {
    const al_sync_object *object;
    _Atomic uint32_t *sleepers; /* NULL: the word itself says that somebody sleeps */
    int64_t timeout_ns, deadline_ns;
    int spins;       /* still to be done */
    bool counted;    /* among the sleepers */
    bool unstopping; /* a stop is no reason to give up */
} al_wait;

/* Of the task that this thread runs in a worker process; NULL in all other threads. */
extern _Thread_local const _Atomic uint32_t *al_wait_stopping;

/* Called with true before a thread sleeps and with false after. Set once, by who has workers of his own to
 * replace one that sleeps; NULL: nobody. */
extern void (*_Atomic al_wait_blocking)(bool begins);

al_wait al_wait_begin(const al_sync_object *object, _Atomic uint32_t *sleepers, int64_t timeout_ns);

/* One step of waiting, while *word == seen: ALLOT_OK: look again. ALLOT_TIMEOUT, ALLOT_STOPPED,
 * ALLOT_INVALID (the object is gone): give up. */
allot_status al_wait_step(al_wait *wait, _Atomic uint32_t *word, uint32_t seen);

/* True if the step will sleep: for who must mark the word before. */
static inline bool al_wait_will_sleep(const al_wait *wait)
{
    return wait->spins == 0 && wait->timeout_ns > 0;
}

void al_wait_end(al_wait *wait);

/* Moves the word and wakes up to `count` of those who sleep on it, if there are any. */
static inline void al_wake(_Atomic uint32_t *word, const _Atomic uint32_t *sleepers, int count)
{
    if (atomic_load(sleepers)) {
        atomic_fetch_add(word, 1);
        al_futex_wake(word, count, AL_FUTEX_SHARED);
    }
}

/* The same for all of them whether they are counted or not: after a death. */
void al_wake_everybody(_Atomic uint32_t *word);

#endif
