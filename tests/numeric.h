/* What the tests of the sample kernels share: seeded values of either type, a tolerance, one part run by
 * hand, every place. */
#ifndef NUMERIC_H
#define NUMERIC_H

#include "core/call.h"
#include "core/kernel.h"
#include "test.h"
#include <allot/allot.h>
#include <allot/numeric.h>
#include <float.h>
#include <math.h>
#include <string.h>

/* Lengths at and around what blocks, tiles and vectors are made of, and primes. */
static const size_t ragged[] = { 0, 1, 2, 3, 7, 8, 15, 16, 17, 63, 64, 65, 127, 200, 257, 1009 };
#define RAGGED (sizeof ragged / sizeof ragged[0])

/* A block of count elements of f32 or f64, from malloc. Never NULL: a test machine out of memory ends here.
 */
static inline void *reals_new(allot_type type, size_t count)
{
    void *data = calloc(count + 1, allot_type_size(type));
    if (!data)
        abort();
    return data;
}

static inline double real_at(allot_type type, const void *data, size_t i)
{
    return type == ALLOT_F32 ? ((const float *)data)[i] : ((const double *)data)[i];
}

static inline void real_set(allot_type type, void *data, size_t i, double value)
{
    if (type == ALLOT_F32)
        ((float *)data)[i] = (float)value;
    else
        ((double *)data)[i] = value;
}

/* Values in (-1, 1), the same for the same seed. */
static inline void *reals_seeded(allot_type type, size_t count, uint64_t seed)
{
    void *data = reals_new(type, count);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        real_set(type, data, i, (double)(int64_t)seed / 9.3e18);
    }
    return data;
}

static inline void *reals_absolute(allot_type type, size_t count, const void *data)
{
    void *result = reals_new(type, count);
    for (size_t i = 0; i < count; i++)
        real_set(type, result, i, fabs(real_at(type, data, i)));
    return result;
}

/* Counts the results that are off by more than `operations` roundings of the terms' added magnitudes. NaN is
 * off. */
static inline size_t count_wrong(allot_type type, size_t count, const void *got, const double *want,
                                 const double *magnitude, size_t operations)
{
    double unit = type == ALLOT_F32 ? FLT_EPSILON : DBL_EPSILON;
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++)
        if (!(fabs(real_at(type, got, i) - want[i]) <=
              unit * (double)(operations + 2) * magnitude[i] + DBL_MIN))
            wrong++;
    return wrong;
}

/* Runs the C variant for one part of the range, as a place would. */
static inline allot_status run_part(const allot_kernel *kernel, allot_type type, allot_ndrange range,
                                    const allot_value *args, size_t begin, size_t end)
{
    struct allot_call call = { .place = "test" };
    allot_part part = { .type = type, .range = range, .begin = begin, .end = end, .args = args };
    allot_status status = kernel->desc.cpu(&call, &part);
    al_failure_fini(&call.failure);
    return status;
}

/* ---- Every place ---- */

#define PLACES_MAX 16
static allot_executor *executor; /* opened by numeric_main */
static allot_place_info places[PLACES_MAX];
static size_t place_count;

static inline bool can_compute(const allot_place_info *place, allot_type type)
{
    return type != ALLOT_F64 || place->has_f64;
}

static inline const allot_hints *at_place(const allot_place_info *place)
{
    static allot_hints hints;
    allot_hints_init(&hints);
    hints.place = place->kind;
    hints.place_id = place->id;
    return &hints;
}

/* Launches there, waits, and says what went wrong. */
static inline allot_status launch_at(const allot_place_info *place, const allot_kernel *kernel,
                                     allot_ndrange range, const allot_arg *args, size_t arg_count)
{
    allot_future *future = allot_launch(executor, kernel, range, args, arg_count, at_place(place));
    allot_status status = allot_get(future, NULL, 0, ALLOT_FOREVER);
    if (status != ALLOT_OK)
        printf("\n    %s at %s: %s", allot_kernel_name(kernel), place->id, allot_future_error(future));
    allot_release(future);
    return status;
}

static inline allot_array *array_of(allot_type type, size_t count, const void *data)
{
    allot_array *array = allot_array_from(executor, type, count, data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(array);
    return array;
}

static inline int numeric_main(const char *suite_name, const test_fact *facts)
{
    executor = allot_open(NULL);
    if (!executor) {
        printf("allot_open: %s\n", allot_open_error());
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < PLACES_MAX; i++)
        places[i].size = sizeof places[i];
    place_count = allot_places(executor, places, PLACES_MAX);
    if (place_count > PLACES_MAX)
        place_count = PLACES_MAX;
    size_t usable = 0;
    for (size_t i = 0; i < place_count; i++) {
        bool aside = places[i].state == ALLOT_PLACE_ASIDE;
        printf("%s: %s%s%s\n", places[i].id, places[i].name, aside ? " left out: " : "", places[i].message);
        if (!aside)
            places[usable++] = places[i];
    }
    place_count = usable;
    if (place_count == 0)
        return EXIT_FAILURE; /* the CPU's places are always there: facts about all places would say nothing */
    int result = test_main(suite_name, facts);
    return allot_close(executor) == ALLOT_OK ? result : EXIT_FAILURE;
}

#endif
