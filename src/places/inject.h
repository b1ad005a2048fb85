/* What comes to a pool of workers from outside.
 *
 * Each submitting thread has a queue of its own for each priority, so that submitters do not meet: it pushes,
 * whoever gives out work steals. Threads without a lane of their own share one queue behind a lock. A mailbox
 * takes tasks that should run near some memory, and those that no queue had room for. */
#ifndef AL_PLACES_INJECT_H
#define AL_PLACES_INJECT_H

#include "base/deque.h"
#include "base/lane.h"
#include "core/task.h"
#include <pthread.h>

typedef enum al_band {
    AL_BAND_HIGH,
    AL_BAND_NORMAL,
    AL_BAND_LOW,
    AL_BANDS
} al_band;

static inline al_band al_band_of(const al_task *task)
{
    int priority = task->more ? task->more->priority : 0;
    return priority > 0 ? AL_BAND_HIGH : priority < 0 ? AL_BAND_LOW : AL_BAND_NORMAL;
}

#define AL_MAILBOXES 64 /* memory nodes beyond share the last */

typedef struct al_inject {
    _Atomic uint64_t active[AL_BANDS]; /* bits: lanes that have a queue */
    al_deque *_Atomic queues[AL_BANDS][AL_LANES];
    pthread_mutex_t shared_lock; /* guards pushing to the queue of AL_LANE_SHARED */
    pthread_mutex_t mail_lock;   /* guards the mailboxes' lists */
    struct {
        al_task *first, *last;
    } mailboxes[AL_MAILBOXES];
    _Atomic size_t mail; /* in all of them */
} al_inject;

void al_inject_init(al_inject *inject);
void al_inject_fini(al_inject *inject);

void al_inject_push(al_inject *inject, al_band band, al_task *task);
/* The same for several of one priority, which are seen all at once. */
void al_inject_push_many(al_inject *inject, al_band band, al_task *const *tasks, size_t count);
/* To the mailbox of a memory node. */
void al_inject_mail(al_inject *inject, int node, al_task *task);

/* Takes up to `capacity` of the oldest tasks of one queue of that priority; 0: found none, `tasks` may have
 * been written to all the same. `start` says with which lane to begin. */
size_t al_inject_take(al_inject *inject, al_band band, unsigned start, al_task **tasks, size_t capacity);

/* From this node's mailbox, or with node < 0 from any. */
al_task *al_inject_take_mail(al_inject *inject, int node);

bool al_inject_has(const al_inject *inject, al_band band);

/* How many there are in all, or were a moment ago. */
size_t al_inject_length(const al_inject *inject);

#endif
