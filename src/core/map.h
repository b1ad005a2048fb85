/* What a map knows of its items: the chunks they travel in, and what came back.
 *
 * The map's own task runs nowhere: it is over when its last chunk has landed. Chunks land in any order; each
 * then copies its statuses and results to where they belong and lets its task go. */
#ifndef AL_CORE_MAP_H
#define AL_CORE_MAP_H

#include "core/task.h"
#include <pthread.h>

typedef struct al_map al_map;

typedef struct al_map_chunk {
    al_continuation done; /* first */
    al_map *map;
    struct al_map_chunk *next; /* of those that landed; guarded by the map's lock */
    allot_future *future;      /* held while it is under way, and longer if it has messages; NULL: it was not
                                  submitted, or is no longer needed. Guarded by the map's lock */
    _Atomic bool landed;       /* what follows is valid; seq_cst with the map's `waiters` */
    allot_state state;
    allot_status status; /* not ALLOT_OK: that of all its items */
    bool has_errors;     /* some item did not succeed */
} al_map_chunk;

struct al_map {
    size_t count, in_size, out_size; /* of items and of one item */
    size_t chunk_size, chunk_count;
    unsigned char *results;     /* in the map's task */
    int32_t *statuses;          /* one an item */
    void (*arrive)(void *whom); /* called once for each chunk that landed, as the last thing done with it */
    void *whom;                 /* for the executor */
    _Atomic uint32_t waiters;   /* who must be told when a chunk lands */
    pthread_mutex_t lock;       /* guards the chunks' futures and all below */
    al_map_chunk *first, *last; /* landed, and not all of their items given out */
    size_t taken;               /* items of the first of them that were given out */
    size_t given;               /* items given out in all */
    al_map_chunk chunks[];
};

/* NULL when memory is out or the sizes overflow. */
al_map *al_map_create(size_t count, size_t in_size, size_t out_size, size_t chunk_size);
void al_map_destroy(al_map *map);

/* The function of a map's task, whose argument is the al_map pointer, which it owns. Never called. */
allot_status al_map_function(allot_call *call, const void *in, void *out);
/* The map of a task; NULL: it is none. */
al_map *al_map_of(const al_task *task);

static inline al_map_chunk *al_map_chunk_of(al_map *map, size_t index)
{
    return &map->chunks[index / map->chunk_size];
}
size_t al_map_chunk_first(const al_map *map, const al_map_chunk *chunk);
size_t al_map_chunk_items(const al_map *map, const al_map_chunk *chunk);

/* The chunk's task was submitted: lands when it is done. The reference goes to the map. */
void al_map_launch(al_map_chunk *chunk, allot_future *future);
/* It was not: its items end this way. */
void al_map_skip(al_map_chunk *chunk, allot_state state, allot_status status);

/* The future of a chunk that is under way, held for the caller; NULL: there is none. */
allot_future *al_map_hold(al_map_chunk *chunk);

/* Waits until a chunk has landed. */
bool al_map_wait(al_map_chunk *chunk, int64_t deadline_ns);

/* Of an item whose chunk has landed. The message is valid as long as the map; "" if it succeeded. */
allot_state al_map_item_state(al_map *map, size_t index);
allot_status al_map_item_status(al_map *map, size_t index);
const char *al_map_item_message(al_map *map, size_t index);

/* Gives out one item of those that landed, each once; false: there is none now. */
bool al_map_take(al_map *map, size_t *index);
bool al_map_over(al_map *map); /* all have been given out */
/* Waits until one of both is true. */
bool al_map_wait_any(al_map *map, int64_t deadline_ns);

/* Once all have landed: the first error by index. */
allot_status al_map_outcome(al_map *map, al_failure *failure);

#endif
