#include "executor/service.h"
#include "base/clock.h"
#include "base/thread.h"
#include <string.h>

void al_service_init(al_service *service, const char *name, bool timed)
{
    memset(service, 0, sizeof *service);
    service->name = name;
    service->timed = timed;
    pthread_mutex_init(&service->lock, NULL);
    al_condition_init(&service->changed);
}

static void wait_for_change(al_service *service)
{
    if (!service->timed || !service->first) {
        pthread_cond_wait(&service->changed, &service->lock);
        return;
    }
    struct timespec until = al_clock_timespec(service->first->at_ns);
    pthread_cond_timedwait(&service->changed, &service->lock, &until);
}

static bool is_due(const al_service *service)
{
    return service->first && (!service->timed || al_clock_passed(service->first->at_ns));
}

static void *serve(void *of)
{
    al_service *service = of;
    pthread_mutex_lock(&service->lock);
    for (;;) {
        while (!is_due(service) && !service->closing)
            wait_for_change(service);
        if (!is_due(service))
            break;
        al_job *job = service->first;
        service->first = job->next;
        if (!service->first)
            service->last = NULL;
        pthread_mutex_unlock(&service->lock);
        job->run(job);
        if (!service->timed && atomic_fetch_sub(&service->due, 1) == 1)
            al_epoch_bump(); /* a simulated machine's time may pass again */
        pthread_mutex_lock(&service->lock);
    }
    pthread_mutex_unlock(&service->lock);
    return NULL;
}

bool al_service_start(al_service *service)
{
    pthread_mutex_lock(&service->lock);
    if (!service->started && !service->by_hand)
        service->started = al_thread_start(&service->thread, service->name, serve, service) == 0;
    bool started = service->started || service->by_hand;
    pthread_mutex_unlock(&service->lock);
    return started;
}

/* After all jobs of the same or an earlier time. */
static al_job **place_of(al_service *service, const al_job *job)
{
    al_job **link = &service->first;
    while (*link && (*link)->at_ns <= job->at_ns)
        link = &(*link)->next;
    return link;
}

void al_service_add(al_service *service, al_job *job)
{
    if (!service->timed)
        atomic_fetch_add(&service->due, 1);
    pthread_mutex_lock(&service->lock);
    bool at_end = !service->last || !service->timed || service->last->at_ns <= job->at_ns;
    al_job **link = !at_end ? place_of(service, job) : service->last ? &service->last->next : &service->first;
    job->next = *link;
    *link = job;
    if (!job->next)
        service->last = job;
    pthread_cond_signal(&service->changed);
    pthread_mutex_unlock(&service->lock);
    if (service->by_hand)
        al_epoch_bump(); /* whoever waits may let time pass until then */
}

/* The first job that is `job` or, with NULL, runs `run`. */
static al_job *take(al_service *service, const al_job *job, void (*run)(al_job *job))
{
    pthread_mutex_lock(&service->lock);
    al_job **link = &service->first, *before = NULL;
    while (*link && (job ? *link != job : (*link)->run != run)) {
        before = *link;
        link = &before->next;
    }
    al_job *found = *link;
    if (found) {
        *link = found->next;
        if (service->last == found)
            service->last = before;
        if (!service->timed)
            atomic_fetch_sub(&service->due, 1);
    }
    pthread_mutex_unlock(&service->lock);
    return found;
}

int64_t al_service_next_ns(al_service *service)
{
    pthread_mutex_lock(&service->lock);
    int64_t at_ns = service->first ? service->first->at_ns : INT64_MAX;
    pthread_mutex_unlock(&service->lock);
    return at_ns;
}

static al_job *take_due(al_service *service, int64_t now_ns)
{
    pthread_mutex_lock(&service->lock);
    al_job *job = service->first && service->first->at_ns <= now_ns ? service->first : NULL;
    if (job)
        service->first = job->next;
    if (!service->first)
        service->last = NULL;
    pthread_mutex_unlock(&service->lock);
    return job;
}

void al_service_run_due(al_service *service, int64_t now_ns)
{
    for (al_job *job; (job = take_due(service, now_ns));)
        job->run(job);
}

bool al_service_remove(al_service *service, al_job *job)
{
    return take(service, job, NULL) != NULL;
}

al_job *al_service_take(al_service *service, void (*run)(al_job *job))
{
    return take(service, NULL, run);
}

void al_service_fini(al_service *service)
{
    pthread_mutex_lock(&service->lock);
    service->closing = true;
    bool started = service->started;
    pthread_cond_signal(&service->changed);
    pthread_mutex_unlock(&service->lock);
    if (started)
        pthread_join(service->thread, NULL);
    pthread_cond_destroy(&service->changed);
    pthread_mutex_destroy(&service->lock);
}
