/* The library's own threads, and conditions that wait by its clock. */
#ifndef AL_BASE_THREAD_H
#define AL_BASE_THREAD_H

#include <pthread.h>

/* Starts a thread that handles no signal: the host's signals are the host's threads' affair. `name` (at most
 * 15 bytes; NULL: none) is what debuggers show. Returns pthread_create's error. */
int al_thread_start(pthread_t *thread, const char *name, void *(*run)(void *of), void *of);

/* A condition whose deadlines are of the monotonic clock, which al_clock_now_ns() reads. */
void al_condition_init(pthread_cond_t *condition);

#endif
