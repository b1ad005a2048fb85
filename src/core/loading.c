#include "core/loading.h"
#include "core/failure.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S 10 /* a driver that hangs must not hold up the end for ever */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the two below */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int loading;
static bool closed;
static _Thread_local bool here;

bool al_loading_begin(void)
{
    pthread_mutex_lock(&lock);
    bool open = !closed;
    loading += open;
    pthread_mutex_unlock(&lock);
    return open;
}

void al_loading_here(void)
{
    here = true;
}

void al_loading_end(void)
{
    here = false;
    pthread_mutex_lock(&lock);
    loading--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void al_loading_close(void)
{
    if (here || al_forked())
        return;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until); /* what a statically made condition goes by */
    until.tv_sec += WAIT_S;
    int error = 0;
    pthread_mutex_lock(&lock);
    closed = true;
    while (loading && !error)
        error = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
}

/* Stands before the C library's exit, which main's return reaches through the start hook
 * (places/process/start.c). Exit handlers will not do: those that drivers add while they load run before any
 * that was there. Weak, so that a program linked with -static may keep its C library's own. */
__attribute__((weak, visibility("default"))) _Noreturn void exit(int code)
{
    void (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, "exit");
    al_loading_close();
    if (real)
        real(code);
    fflush(NULL);
    _exit(code);
}
