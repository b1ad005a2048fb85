/* Which loops are over sooner than another thread could take part: what this thread remembers of those that
 * it ran last. A loop is the same if it has the same body, user pointer and length.
 *
 * It is told each time how long one thread takes, so that a loop that has grown long is run alone once. */
#ifndef AL_PLACES_THREAD_BRIEF_H
#define AL_PLACES_THREAD_BRIEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct al_brief {
    uintptr_t body, user;
    size_t items;
    bool is; /* not read from a key */
} al_brief;

/* True if that loop was brief the last time; false if it is not remembered. */
bool al_brief_is(const al_brief *key);

/* One thread has taken so long for all of it, or would have. */
void al_brief_tell(const al_brief *key, int64_t alone_ns);

#endif
