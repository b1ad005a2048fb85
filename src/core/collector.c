#include "core/collector.h"
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards `all` and every collector's `visitors` */
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static al_collector *all;
static _Atomic size_t known; /* so that programs without any pay one load a wait */

void al_collector_add(al_collector *collector)
{
    pthread_mutex_lock(&lock);
    collector->visitors = 0;
    collector->next = all;
    all = collector;
    pthread_mutex_unlock(&lock);
    atomic_fetch_add_explicit(&known, 1, memory_order_relaxed);
}

void al_collector_remove(al_collector *collector)
{
    pthread_mutex_lock(&lock);
    al_collector **link = &all;
    while (*link && *link != collector)
        link = &(*link)->next;
    if (*link) {
        *link = collector->next;
        atomic_fetch_sub_explicit(&known, 1, memory_order_relaxed);
    }
    while (collector->visitors)
        pthread_cond_wait(&left, &lock);
    pthread_mutex_unlock(&lock);
}

void al_collecting_begin(al_collecting *collecting)
{
    collecting->count = 0;
    if (!atomic_load_explicit(&known, memory_order_relaxed))
        return;
    pthread_mutex_lock(&lock);
    for (al_collector *each = all; each && collecting->count < AL_COLLECTORS_VISITED; each = each->next) {
        if (!each->wanted(each))
            continue;
        each->visitors++;
        collecting->visited[collecting->count++] = each;
    }
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < collecting->count; i++)
        collecting->visited[i]->begin(collecting->visited[i]);
}

void al_collecting_step(const al_collecting *collecting)
{
    for (size_t i = 0; i < collecting->count; i++)
        collecting->visited[i]->collect(collecting->visited[i]);
}

bool al_collecting_slow(const al_collecting *collecting)
{
    const al_collector *only = collecting->count == 1 ? collecting->visited[0] : NULL;
    return only && only->slow && only->slow(collecting->visited[0]);
}

bool al_collecting_sleep(const al_collecting *collecting, _Atomic uint32_t *word, uint32_t expected,
                         int64_t deadline_ns)
{
    return collecting->count == 1 && collecting->visited[0]->sleep &&
           collecting->visited[0]->sleep(collecting->visited[0], word, expected, deadline_ns);
}

void al_collecting_end(const al_collecting *collecting)
{
    if (!collecting->count)
        return;
    for (size_t i = 0; i < collecting->count; i++)
        collecting->visited[i]->end(collecting->visited[i]);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < collecting->count; i++)
        if (--collecting->visited[i]->visitors == 0)
            pthread_cond_broadcast(&left);
    pthread_mutex_unlock(&lock);
}
