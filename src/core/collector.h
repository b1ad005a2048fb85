/* Answers that wait in memory until somebody takes them: a place whose workers are other processes has its
 * own thread for that, but a thread that waits for a future and spins anyway takes them itself, so that none
 * has to be woken in between. */
#ifndef AL_CORE_COLLECTOR_H
#define AL_CORE_COLLECTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct al_collector al_collector;
struct al_collector {
    al_collector *next;
    unsigned visitors;                   /* threads between visit and leave */
    bool (*wanted)(al_collector *self);  /* something is under way here: quick, any thread */
    void (*begin)(al_collector *self);   /* a thread will collect until it says end */
    void (*collect)(al_collector *self); /* takes what is there; runs continuations, no user code */
    void (*end)(al_collector *self);
};

/* Makes it known to waiting threads. */
void al_collector_add(al_collector *collector);
/* Nobody visits it any more once this returns. */
void al_collector_remove(al_collector *collector);

#define AL_COLLECTORS_VISITED 4

/* What one waiting thread collects from. */
typedef struct al_collecting {
    size_t count;
    al_collector *visited[AL_COLLECTORS_VISITED];
} al_collecting;

/* For waiters: visits those where something is under way. */
void al_collecting_begin(al_collecting *collecting);
void al_collecting_step(const al_collecting *collecting);
void al_collecting_end(const al_collecting *collecting);

#endif
