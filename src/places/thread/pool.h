/* The threads of the thread place and the queue they share.
 *
 * Waking is what costs (a sleeping core takes tens of microseconds to wake), so a worker that runs dry spins
 * for a moment before it sleeps, and nobody is woken while another worker spins. */
#ifndef AL_PLACES_THREAD_POOL_H
#define AL_PLACES_THREAD_POOL_H

#include "places/place.h"
#include "places/queue.h"
#include <pthread.h>

struct al_gang;

typedef struct al_pool {
    al_place base;
    int worker_count;
    bool caps_libraries; /* workers keep other libraries from starting threads */
    pthread_t *threads;
    int started; /* threads that were created */

    pthread_mutex_t lock;   /* guards all below */
    pthread_cond_t changed; /* work came, or it closes */
    al_queue queue;
    struct al_gang *gangs; /* launches with parts to give out: before the queue, oldest first */
    struct al_gang *last_gang;
    int sleepers; /* workers in pthread_cond_wait */
    bool closing;
    _Atomic int spinners;     /* workers that look for work without sleeping */
    _Atomic int idle_helpers; /* workers that wait for a future inside a task: new work must bump the epoch */
    _Atomic size_t waiting;   /* length of queue, plus gangs: for spinners, who look without the lock */
} al_pool;

/* Starts the threads. */
allot_status al_pool_start(al_pool *pool, al_failure *failure);

/* Lets the workers finish what is queued, and joins them. */
void al_pool_stop(al_pool *pool);

void al_pool_push(al_pool *pool, al_task *task);
al_task *al_pool_withdraw(al_pool *pool, al_task *which);

/* Offers the parts of a launch to all workers. */
void al_pool_push_gang(al_pool *pool, struct al_gang *gang);

#endif
