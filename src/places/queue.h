/* A first-in first-out list of tasks, linked through the tasks themselves, so that queueing cannot fail. Its
 * owner locks. */
#ifndef AL_PLACES_QUEUE_H
#define AL_PLACES_QUEUE_H

#include "core/task.h"

typedef struct al_queue {
    al_task *first, *last;
    size_t length;
} al_queue;

static inline void al_queue_push(al_queue *queue, al_task *task)
{
    task->next = NULL;
    task->more->previous = queue->last;
    if (queue->last)
        queue->last->next = task;
    else
        queue->first = task;
    queue->last = task;
    queue->length++;
}

static inline void al_queue_push_first(al_queue *queue, al_task *task)
{
    task->more->previous = NULL;
    task->next = queue->first;
    if (queue->first)
        queue->first->more->previous = task;
    else
        queue->last = task;
    queue->first = task;
    queue->length++;
}

/* The task must be in this queue. */
static inline void al_queue_remove(al_queue *queue, al_task *task)
{
    if (task->more->previous)
        task->more->previous->next = task->next;
    else
        queue->first = task->next;
    if (task->next)
        task->next->more->previous = task->more->previous;
    else
        queue->last = task->more->previous;
    task->next = task->more->previous = NULL;
    queue->length--;
}

/* True if the task is in this queue. A task that is alone has no links: it is looked for at the head. */
static inline bool al_queue_has(const al_queue *queue, const al_task *task)
{
    return task->next || task->more->previous || queue->first == task;
}

static inline al_task *al_queue_pop(al_queue *queue)
{
    al_task *task = queue->first;
    if (task)
        al_queue_remove(queue, task);
    return task;
}

#endif
