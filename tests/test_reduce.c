/* What combines accumulators: each operation on each type, and the order. */
#include "core/array.h"
#include "core/reduce.h"
#include "test.h"
#include <allot/allot.h>
#include <math.h>
#include <string.h>

static const allot_type types[] = { ALLOT_I8,  ALLOT_U8,  ALLOT_I16, ALLOT_U16, ALLOT_I32,
                                    ALLOT_U32, ALLOT_I64, ALLOT_U64, ALLOT_F32, ALLOT_F64 };
#define TYPES (sizeof types / sizeof types[0])

static void put(allot_type type, void *to, double value)
{
    switch (type) {
#define PUT(name, T)                                                                                         \
    case ALLOT_##name:                                                                                       \
        *(T *)to = (T)value;                                                                                 \
        break;
        PUT(I8, int8_t)
        PUT(U8, uint8_t)
        PUT(I16, int16_t)
        PUT(U16, uint16_t)
        PUT(I32, int32_t)
        PUT(U32, uint32_t)
        PUT(I64, int64_t)
        PUT(U64, uint64_t)
        PUT(F32, float)
        PUT(F64, double)
    default:
        break;
    }
}

/* The outcome of a op b is exactly what is expected. */
static bool gives(allot_reduce reduce, allot_type type, double a, double b, double expected)
{
    unsigned char x[8] = { 0 }, y[8] = { 0 }, want[8] = { 0 };
    put(type, x, a), put(type, y, b), put(type, want, expected);
    al_reduce_combine(reduce, type, x, y, 1);
    return memcmp(x, want, sizeof x) == 0;
}

static void combines_every_type(void)
{
    for (size_t i = 0; i < TYPES; i++) {
        CU_ASSERT(gives(ALLOT_SUM, types[i], 5, 7, 12));
        CU_ASSERT(gives(ALLOT_PRODUCT, types[i], 5, 7, 35));
        CU_ASSERT(gives(ALLOT_MIN, types[i], 5, 7, 5));
        CU_ASSERT(gives(ALLOT_MIN, types[i], 7, 5, 5));
        CU_ASSERT(gives(ALLOT_MAX, types[i], 5, 7, 7));
        CU_ASSERT(gives(ALLOT_MAX, types[i], 7, 5, 7));
    }
    for (size_t i = 0; i < TYPES; i++)
        if (types[i] != ALLOT_U8 && types[i] != ALLOT_U16 && types[i] != ALLOT_U32 && types[i] != ALLOT_U64)
            CU_ASSERT(gives(ALLOT_SUM, types[i], 5, -7, -2) && gives(ALLOT_PRODUCT, types[i], 5, -7, -35) &&
                      gives(ALLOT_MIN, types[i], 5, -7, -7) && gives(ALLOT_MAX, types[i], -5, -7, -5));
}

static void the_identity_changes_nothing(void)
{
    static const allot_reduce all[] = { ALLOT_SUM, ALLOT_MIN, ALLOT_MAX, ALLOT_PRODUCT };
    for (size_t i = 0; i < TYPES; i++)
        for (size_t r = 0; r < 4; r++)
            for (int value = 0; value < 100; value += 33) {
                unsigned char x[8] = { 0 }, identity[8] = { 0 };
                put(types[i], x, value);
                al_reduce_identity(all[r], types[i], identity, 1);
                al_reduce_combine(all[r], types[i], identity, x, 1);
                CU_ASSERT_EQUAL(memcmp(x, identity, sizeof x), 0);
            }
}

static void integers_wrap_around(void)
{
    CU_ASSERT(gives(ALLOT_SUM, ALLOT_I8, 127, 1, -128));
    CU_ASSERT(gives(ALLOT_PRODUCT, ALLOT_U16, 65535, 65535, 1));
    int64_t most = INT64_MAX, one = 1, two = 2;
    al_reduce_combine(ALLOT_SUM, ALLOT_I64, &most, &one, 1);
    CU_ASSERT_EQUAL(most, INT64_MIN);
    al_reduce_combine(ALLOT_PRODUCT, ALLOT_I64, &most, &two, 1);
    CU_ASSERT_EQUAL(most, 0);
}

static void not_a_number_stays(void)
{
    static const allot_reduce all[] = { ALLOT_SUM, ALLOT_MIN, ALLOT_MAX, ALLOT_PRODUCT };
    for (size_t r = 0; r < 4; r++) {
        double a = NAN, b = 3;
        al_reduce_combine(all[r], ALLOT_F64, &a, &b, 1);
        CU_ASSERT(isnan(a));
        double c = 3, d = NAN;
        al_reduce_combine(all[r], ALLOT_F64, &c, &d, 1);
        CU_ASSERT(isnan(c));
    }
}

static void other_types_are_not_taken(void)
{
    CU_ASSERT_FALSE(al_reduce_takes(ALLOT_F16));
    CU_ASSERT_FALSE(al_reduce_takes(ALLOT_C32));
    CU_ASSERT_FALSE(al_reduce_takes(ALLOT_C64));
    CU_ASSERT_FALSE(al_reduce_takes(ALLOT_NO_TYPE));
    for (size_t i = 0; i < TYPES; i++)
        CU_ASSERT(al_reduce_takes(types[i]));
}

/* Each kind of memory, any number of accumulators. */
static void accumulators_are_combined(void)
{
    for (int shared = 0; shared < 2; shared++)
        for (size_t count = 1; count < 40; count++) {
            const al_accumulators_shape shape = { ALLOT_SUM, ALLOT_U32, 5, AL_ACCUMULATOR_ALIGN };
            al_accumulators own = { 0 };
            uint32_t to[6] = { 9, 9, 9, 9, 9, 9 };
            CU_ASSERT_EQUAL_FATAL(al_accumulators_init(&own, &shape, count, shared), ALLOT_OK);
            for (size_t i = 0; i < count; i++) {
                CU_ASSERT_EQUAL((uintptr_t)al_accumulator(&own, i) % AL_ACCUMULATOR_ALIGN, 0);
                for (size_t j = 0; j < 5; j++)
                    ((uint32_t *)al_accumulator(&own, i))[j] += (uint32_t)(i * j + 1);
            }
            al_accumulators_combine(&own, to);
            for (size_t j = 0; j < 5; j++)
                CU_ASSERT_EQUAL(to[j], count + j * count * (count - 1) / 2);
            CU_ASSERT_EQUAL(to[5], 9);
            al_accumulators_fini(&own);
        }
}

/* Neighbours first: summed one by one, the small ones would be lost. */
static void combines_pairwise(void)
{
    const al_accumulators_shape shape = { ALLOT_SUM, ALLOT_F32, 1, 1 };
    al_accumulators own = { 0 };
    float sum;
    CU_ASSERT_EQUAL_FATAL(al_accumulators_init(&own, &shape, 1 << 16, false), ALLOT_OK);
    for (size_t i = 0; i < 1 << 16; i++)
        *(float *)al_accumulator(&own, i) = 1.1f;
    al_accumulators_combine(&own, &sum);
    CU_ASSERT_EQUAL(sum, 65536 * 1.1f);
    al_accumulators_fini(&own);
}

static void absurd_sizes_are_refused(void)
{
    al_accumulators own = { 0 };
    const al_accumulators_shape wide = { ALLOT_SUM, ALLOT_F64, SIZE_MAX / 4, 1 };
    CU_ASSERT_EQUAL(al_accumulators_init(&own, &wide, 1, false), ALLOT_TOO_LARGE);
    const al_accumulators_shape most = { ALLOT_SUM, ALLOT_U8, SIZE_MAX - 5, 1 };
    CU_ASSERT_EQUAL(al_accumulators_init(&own, &most, 1, false), ALLOT_TOO_LARGE);
    const al_accumulators_shape many = { ALLOT_SUM, ALLOT_F64, 1 << 20, 1 };
    CU_ASSERT_EQUAL(al_accumulators_init(&own, &many, SIZE_MAX / 4, false), ALLOT_TOO_LARGE);
    al_accumulators_fini(&own);
}

int main(void)
{
    static const test_fact facts[] = {
        { "each operation combines each type", combines_every_type },
        { "combining with the identity changes nothing", the_identity_changes_nothing },
        { "integers wrap around", integers_wrap_around },
        { "a NaN stays", not_a_number_stays },
        { "halves and complex numbers are not taken", other_types_are_not_taken },
        { "accumulators are apart and come to one result", accumulators_are_combined },
        { "accumulators are combined pairwise", combines_pairwise },
        { "sizes that overflow are refused", absurd_sizes_are_refused },
        { NULL, NULL },
    };
    return test_main("reduce", facts);
}
