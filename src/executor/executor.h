/* The executor: its places, its gate, its model. */
#ifndef AL_EXECUTOR_EXECUTOR_H
#define AL_EXECUTOR_EXECUTOR_H

#include "executor/book.h"
#include "executor/service.h"
#include "executor/terms.h"
#include "placement/policy.h"
#include "places/place.h"
#include <allot/executor.h>

/* What an executor has room for beside the places that its options alone bring (a simulated machine's). */
#define AL_PLACES_MAX 64

#define AL_DIRECT_KINDS (ALLOT_PROCESS + 1) /* those that there is one place of at most */

typedef enum al_devices {
    AL_DEVICES_UNKNOWN,   /* nobody needed them yet */
    AL_DEVICES_SEARCHING, /* the search thread runs */
    AL_DEVICES_KNOWN      /* they are among the places, or `devices_message` says why there is none */
} al_devices;

struct allot_executor {
    al_gate *gate; /* unfinished tasks and callbacks are inside */
    al_place_config config;
    uint32_t kinds;    /* allowed, as bits */
    al_place **places; /* room for all that there can be, made before the first: it never moves, so that it is
                          read without a lock */
    size_t place_capacity;
    _Atomic size_t place_count;        /* only grows; release after the entry is written */
    al_place *direct[AL_DIRECT_KINDS]; /* where plain functions go whose hints say that kind and nothing else;
                                          ALLOT_ANYWHERE: that have none. NULL: it is to be looked into */
    struct al_class **classes;         /* of places that are alike, as many at most; executor/classes.h */
    _Atomic size_t class_count;        /* only grows; release after the entry is written */
    al_load cpus;                      /* of the places that share them */
    al_model *model;
    al_book book;               /* the model's entries for each kernel and place */
    allot_policy *policy;       /* by which launches are placed */
    struct al_journal *journal; /* the decision log; NULL: none */
    double core_watts, device_watts;
    _Atomic uint64_t decisions; /* made so far */
    al_service callbacks, timers;
    int pins; /* threads that use a place for a task that was unfinished when they came; see al_executor_pin
               */

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    _Atomic bool cancelling; /* shut down with ALLOT_CANCEL_PENDING or ALLOT_KILL; set under the lock */
    al_terms *arming;        /* tasks that wait for dependencies */
    al_devices devices;
    _Atomic bool devices_known; /* released when `devices` comes to say so */
    al_terms *for_devices;      /* tasks that wait for the search */
    pthread_t search;
    bool search_started;
    char devices_message[4096];

    _Atomic uint64_t retries;
    _Atomic uint64_t deciding_ns; /* real time, on simulated machines only */
    _Atomic int64_t busy_ns,
        explored_ns, /* what decided launches took, and how much of it for knowledge's sake, */
        retried_ns;  /* and of that where they had run before */
};

/* Keeps the executor and its places alive while a task is unfinished; NULL if the task is done or has no
 * executor. */
allot_executor *al_executor_pin(al_task *task);
void al_executor_unpin(allot_executor *executor);

/* From now on waits for sync objects in thread tasks count as allot_blocking_begin(). */
void al_workers_watch_waits(void);

bool al_executor_bring_up(allot_executor *executor, al_place *place);

/* Brings a place up if nobody did yet; false if it is aside. */
static inline bool al_executor_ensure_open(allot_executor *executor, al_place *place)
{
    return __builtin_expect(atomic_load_explicit(&place->state, memory_order_acquire) == ALLOT_PLACE_READY,
                            true) ||
           al_executor_bring_up(executor, place);
}

/* Starts the search for devices unless it was; true once they are known. */
bool al_devices_search(allot_executor *executor);
/* True while the search runs. */
bool al_devices_searching(allot_executor *executor);
/* True once they are known; costs one load. */
static inline bool al_devices_known(const allot_executor *executor)
{
    return atomic_load_explicit(&executor->devices_known, memory_order_acquire);
}
/* Starts the search unless it was, and waits for its end. */
void al_devices_wait(allot_executor *executor);
/* Queues a task for the end of the search; false if it has ended. */
bool al_devices_await(allot_executor *executor, al_terms *terms);
/* Joins the search's thread if that has not been done. */
void al_devices_fini(allot_executor *executor);

#endif
