/* A chunk: several calls of one function that travel as one task of a map.
 *
 * Its argument is an al_chunk and the items behind it, its result their statuses and then their results. The
 * messages of items that failed are packed into the payload of the chunk itself, which succeeds: they cost
 * nothing where nothing fails, and every place carries a payload already. */
#ifndef AL_CORE_CHUNK_H
#define AL_CORE_CHUNK_H

#include "core/failure.h"

typedef struct al_chunk {
    _Alignas(16) allot_function function; /* of the items, as the submitting process knows it */
    size_t first, count;                  /* its items, by their indices in the map */
    size_t in_size, out_size;             /* of one item */
    size_t nothing; /* 0: as padding it would take what the memory held to other processes */
} al_chunk;
_Static_assert(sizeof(al_chunk) == sizeof(allot_function) + 5 * sizeof(size_t), "a chunk has no padding");

/* The function of such a task. */
allot_status al_chunk_call(allot_call *call, const void *in, void *out);

/* The same with the items' function as this process knows it: for worker processes. */
allot_status al_chunk_run(allot_function function, allot_call *call, const void *in, void *out);

/* The user's function behind a task's: of a chunk its items'. */
static inline allot_function al_chunk_function(allot_function function, const void *in)
{
    return function == al_chunk_call ? ((const al_chunk *)in)->function : function;
}

/* Where the results begin behind the statuses. */
static inline size_t al_chunk_results_at(size_t count)
{
    return (count * sizeof(int32_t) + 15) & ~(size_t)15;
}

/* The message of item `index` of the map among those that a chunk's failure carries; NULL if there is none.
 * Valid as long as the failure. The bytes may come from a worker process gone wrong: nothing is taken on
 * trust. */
const char *al_chunk_message(const al_failure *failure, size_t index);

#endif
