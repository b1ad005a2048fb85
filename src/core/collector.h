/* Answers that wait in memory until somebody takes them: a place whose workers are other processes has its
 * own thread for that, but a thread that waits for a future and spins anyway takes them itself, so that none
 * has to be woken in between. */
#ifndef AL_CORE_COLLECTOR_H
#define AL_CORE_COLLECTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct al_collector al_collector;
struct al_collector {
    al_collector *next;
    unsigned visitors;                   /* threads between visit and leave */
    bool (*wanted)(al_collector *self);  /* something is under way here: quick, any thread */
    void (*begin)(al_collector *self);   /* a thread will collect until it says end */
    void (*collect)(al_collector *self); /* takes what is there; runs continuations, no user code */
    void (*end)(al_collector *self);
    /* Whether somebody who collects is likely to find nothing for long, since what is under way had to be
     * woken first. Quick. NULL: never. */
    bool (*slow)(al_collector *self);
    /* If that is so, sleeps until there is something to collect, or *word is not `expected` and its sleepers
     * are woken. False, at once: it is not so. NULL where `slow` is. */
    bool (*sleep)(al_collector *self, _Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns);
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
/* The same where there is one of them alone. */
bool al_collecting_slow(const al_collecting *collecting);
bool al_collecting_sleep(const al_collecting *collecting, _Atomic uint32_t *word, uint32_t expected,
                         int64_t deadline_ns);
void al_collecting_end(const al_collecting *collecting);

#endif
