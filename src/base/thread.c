#include "base/thread.h"
#include <signal.h>
#include <time.h>

int al_thread_start(pthread_t *thread, const char *name, void *(*run)(void *of), void *of)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* which the new one inherits */
    int error = pthread_create(thread, NULL, run, of);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error && name)
        pthread_setname_np(*thread, name);
    return error;
}

void al_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}
