#include "core/reduce.h"
#include "core/array.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* X(enumerator, type, type that sums and products are formed in, lowest, largest). Integers are computed as
 * unsigned ones, which wrap around. */
#define REDUCED_TYPES(X)                                                                                     \
    X(I8, int8_t, uint64_t, INT8_MIN, INT8_MAX)                                                              \
    X(U8, uint8_t, uint64_t, 0, UINT8_MAX)                                                                   \
    X(I16, int16_t, uint64_t, INT16_MIN, INT16_MAX)                                                          \
    X(U16, uint16_t, uint64_t, 0, UINT16_MAX)                                                                \
    X(I32, int32_t, uint64_t, INT32_MIN, INT32_MAX)                                                          \
    X(U32, uint32_t, uint64_t, 0, UINT32_MAX)                                                                \
    X(I64, int64_t, uint64_t, INT64_MIN, INT64_MAX)                                                          \
    X(U64, uint64_t, uint64_t, 0, UINT64_MAX)                                                                \
    X(F32, float, float, -INFINITY, INFINITY)                                                                \
    X(F64, double, double, -INFINITY, INFINITY)

bool al_reduce_takes(allot_type type)
{
#define IS_TYPE(name, type_name, wide, low, high) || type == ALLOT_##name
    return false REDUCED_TYPES(IS_TYPE);
}

/* ---- One type at a time ---- */

/* What is not equal to itself is NaN, which stays. */
#define DEFINE_TYPE(name, T, wide, low, high)                                                                \
    static void identity_##name(allot_reduce reduce, T *to, size_t count)                                    \
    {                                                                                                        \
        const T values[] = { [ALLOT_SUM] = 0, [ALLOT_MIN] = high, [ALLOT_MAX] = low, [ALLOT_PRODUCT] = 1 };  \
        for (size_t i = 0; i < count; i++)                                                                   \
            to[i] = values[reduce];                                                                          \
    }                                                                                                        \
    static void combine_##name(allot_reduce reduce, T *to, const T *from, size_t count)                      \
    {                                                                                                        \
        for (size_t i = 0; i < count; i++) {                                                                 \
            const T a = to[i], b = from[i];                                                                  \
            if (reduce == ALLOT_SUM)                                                                         \
                to[i] = (T)((wide)a + (wide)b);                                                              \
            else if (reduce == ALLOT_PRODUCT)                                                                \
                to[i] = (T)((wide)a * (wide)b);                                                              \
            else if (b != b || (reduce == ALLOT_MIN ? b < a : b > a))                                        \
                to[i] = b;                                                                                   \
        }                                                                                                    \
    }
REDUCED_TYPES(DEFINE_TYPE)

void al_reduce_identity(allot_reduce reduce, allot_type type, void *to, size_t count)
{
    switch (type) {
#define IDENTITY(name, T, wide, low, high)                                                                   \
    case ALLOT_##name:                                                                                       \
        identity_##name(reduce, to, count);                                                                  \
        break;
        REDUCED_TYPES(IDENTITY)
    default: /* refused long before */
        break;
    }
}

void al_reduce_combine(allot_reduce reduce, allot_type type, void *to, const void *from, size_t count)
{
    switch (type) {
#define COMBINE(name, T, wide, low, high)                                                                    \
    case ALLOT_##name:                                                                                       \
        combine_##name(reduce, to, from, count);                                                             \
        break;
        REDUCED_TYPES(COMBINE)
    default:
        break;
    }
}

/* ---- Accumulators ---- */

static bool measure(const al_accumulators_shape *shape, size_t count, size_t *stride, size_t *bytes)
{
    size_t size;
    if (__builtin_mul_overflow(shape->elements, allot_type_size(shape->type), &size) ||
        size > SIZE_MAX - AL_ACCUMULATOR_ALIGN)
        return false;
    *stride = (size + shape->align_bytes - 1) / shape->align_bytes * shape->align_bytes;
    return !__builtin_mul_overflow(*stride, count, bytes) && *bytes <= PTRDIFF_MAX - AL_ACCUMULATOR_ALIGN;
}

/* Both kinds of memory begin at a multiple of AL_ACCUMULATOR_ALIGN. */
static bool allocate(al_accumulators *own, size_t bytes, bool shared)
{
    size_t whole = (bytes / AL_ACCUMULATOR_ALIGN + 1) * AL_ACCUMULATOR_ALIGN;
    if (shared)
        own->shared = al_array_shared(whole);
    own->bytes = own->shared ? own->shared->host : shared ? NULL : aligned_alloc(AL_ACCUMULATOR_ALIGN, whole);
    return own->bytes != NULL;
}

allot_status al_accumulators_init(al_accumulators *own, const al_accumulators_shape *shape, size_t count,
                                  bool shared)
{
    size_t stride, bytes;
    al_accumulators_fini(own);
    if (!measure(shape, count, &stride, &bytes))
        return ALLOT_TOO_LARGE;
    if (!allocate(own, bytes, shared))
        return ALLOT_NO_MEMORY;
    own->shape = *shape;
    own->count = count;
    own->stride_bytes = stride;
    for (size_t i = 0; i < count; i++)
        al_reduce_identity(shape->reduce, shape->type, al_accumulator(own, i), shape->elements);
    return ALLOT_OK;
}

void al_accumulators_fini(al_accumulators *own)
{
    if (own->shared)
        allot_array_release(own->shared);
    else
        free(own->bytes);
    *own = (al_accumulators){ 0 };
}

void al_accumulators_combine(const al_accumulators *own, void *to)
{
    const al_accumulators_shape *shape = &own->shape;
    for (size_t step = 1; step < own->count; step *= 2)
        for (size_t i = 0; i + step < own->count; i += 2 * step)
            al_reduce_combine(shape->reduce, shape->type, al_accumulator(own, i),
                              al_accumulator(own, i + step), shape->elements);
    memcpy(to, own->bytes, shape->elements * allot_type_size(shape->type));
}
