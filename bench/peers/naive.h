/* The pool that everybody writes first: one queue under a mutex, a condition to sleep on, malloc for each
 * task; a future is the task itself, with a futex to wait on. */
#ifndef PEERS_NAIVE_H
#define PEERS_NAIVE_H

#include "../event.h"
#include <stdbool.h>

typedef struct naive_task {
    struct naive_task *next;
    void *(*function)(void *argument);
    void *argument, *result;
    bench_event done;
    bool detached; /* nobody waits: freed when it has run */
} naive_task;

bool naive_open(int workers);
/* A future; NULL when memory is out. */
naive_task *naive_submit(void *(*function)(void *), void *argument);
/* So many calls at once, of which nobody hears again; false when memory is out. */
bool naive_spawn(void *(*function)(void *), void *argument, int count);
/* Waits for it, frees it and gives its result. */
void *naive_finish(naive_task *task);

#endif
