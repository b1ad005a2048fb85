/* Reductions: each part of a launch adds into an accumulator of its own, and when all parts are over the
 * accumulators are combined pairwise, in an order that depends on their number alone. */
#ifndef AL_CORE_REDUCE_H
#define AL_CORE_REDUCE_H

#include <allot/kernel.h>

/* Accumulators of two threads share no cache line, nor a pair of lines that is fetched together. */
#define AL_ACCUMULATOR_ALIGN 128

/* True if elements of the type can be reduced: integers, f32, f64. */
bool al_reduce_takes(allot_type type);

/* Writes `count` times the operation's identity. */
void al_reduce_identity(allot_reduce reduce, allot_type type, void *to, size_t count);

/* to[i] = to[i] op from[i] for `count` elements. */
void al_reduce_combine(allot_reduce reduce, allot_type type, void *to, const void *from, size_t count);

typedef struct al_accumulators_shape {
    allot_reduce reduce;
    allot_type type;
    size_t elements;    /* of each accumulator */
    size_t align_bytes; /* of each one's start */
} al_accumulators_shape;

/* The accumulators of one argument; all zero: there are none. */
typedef struct al_accumulators {
    al_accumulators_shape shape;
    unsigned char *bytes; /* accumulator i begins at i * stride_bytes */
    size_t count, stride_bytes;
    allot_array *shared; /* holds the bytes where workers can map them; NULL: malloc does */
} al_accumulators;

/* Makes `count` accumulators, at least one, set to the identity; in pages that workers can map if `shared`.
 * To be ended by al_accumulators_fini() also when it fails, with ALLOT_NO_MEMORY or ALLOT_TOO_LARGE. Replaces
 * those that are there. */
allot_status al_accumulators_init(al_accumulators *own, const al_accumulators_shape *shape, size_t count,
                                  bool shared);
void al_accumulators_fini(al_accumulators *own);

static inline void *al_accumulator(const al_accumulators *own, size_t index)
{
    return own->bytes + index * own->stride_bytes;
}

/* Combines them all and copies the outcome to `to`. Uses the accumulators up. */
void al_accumulators_combine(const al_accumulators *own, void *to);

#endif
