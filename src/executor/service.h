/* The executor's two threads of its own, each started when first needed: one calls users' callbacks, one
 * watches deadlines. Where time is virtual the latter is none: who lets time pass looks for what is due. */
#ifndef AL_EXECUTOR_SERVICE_H
#define AL_EXECUTOR_SERVICE_H

#include "core/task.h"
#include <pthread.h>

/* A job that a service thread runs once, at its time. */
typedef struct al_job {
    struct al_job *next;
    int64_t at_ns;                   /* of timers */
    void (*run)(struct al_job *job); /* may free it */
} al_job;

typedef struct al_service {
    const char *name;
    bool timed;           /* jobs are sorted by at_ns and wait for it; else they run in order of arrival */
    bool by_hand;         /* timed, by a clock that only al_service_run_due() knows: there is no thread */
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    al_job *first, *last;
    bool started, closing;
    pthread_t thread;
    _Atomic size_t due; /* untimed jobs that have not ended */
} al_service;

void al_service_init(al_service *service, const char *name, bool timed);

/* Starts the thread if it does not run yet; false if the system refuses. Then adding cannot fail. */
bool al_service_start(al_service *service);
void al_service_add(al_service *service, al_job *job);

/* Takes out a job that has not begun; false if it is not there any more. */
bool al_service_remove(al_service *service, al_job *job);

/* Takes out a job that runs this function and has not begun; NULL if there is none. */
al_job *al_service_take(al_service *service, void (*run)(al_job *job));

/* Of a service that is worked by hand: when the next job is due (INT64_MAX: there is none), and
 * running those that are due by a moment. Any thread. */
int64_t al_service_next_ns(al_service *service);
void al_service_run_due(al_service *service, int64_t now_ns);

/* Runs what is left of untimed jobs, joins the thread. Timed jobs must have been removed. */
void al_service_fini(al_service *service);

#endif
