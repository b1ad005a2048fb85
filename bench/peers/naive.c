#include "naive.h"
#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the queue */
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static naive_task *first, **last = &first;

static naive_task *make(void *(*function)(void *), void *argument, bool detached)
{
    naive_task *task = malloc(sizeof *task);
    if (task)
        *task = (naive_task){ .function = function, .argument = argument, .detached = detached };
    return task;
}

static void append(naive_task *from, naive_task *to)
{
    pthread_mutex_lock(&lock);
    *last = from;
    last = &to->next;
    if (from == to)
        pthread_cond_signal(&filled);
    else
        pthread_cond_broadcast(&filled);
    pthread_mutex_unlock(&lock);
}

static naive_task *take(void)
{
    pthread_mutex_lock(&lock);
    while (!first)
        pthread_cond_wait(&filled, &lock);
    naive_task *task = first;
    first = task->next;
    if (!first)
        last = &first;
    pthread_mutex_unlock(&lock);
    return task;
}

static void *work(void *unused)
{
    for (;;) {
        naive_task *task = take();
        bool detached = task->detached;
        task->result = task->function(task->argument);
        if (detached)
            free(task);
        else
            bench_event_set(&task->done); /* may be freed from here on */
    }
    return unused;
}

bool naive_open(int workers)
{
    pthread_t thread;
    for (int i = 0; i < workers; i++)
        if (pthread_create(&thread, NULL, work, NULL) != 0 || pthread_detach(thread) != 0)
            return false;
    return true;
}

naive_task *naive_submit(void *(*function)(void *), void *argument)
{
    naive_task *task = make(function, argument, false);
    if (task)
        append(task, task);
    return task;
}

bool naive_spawn(void *(*function)(void *), void *argument, int count)
{
    naive_task *from = make(function, argument, true), *to = from;
    for (int i = 1; to && i < count; i++)
        to = to->next = make(function, argument, true);
    if (to)
        append(from, to);
    return to != NULL;
}

void *naive_finish(naive_task *task)
{
    bench_event_wait(&task->done);
    void *result = task->result;
    free(task);
    return result;
}
