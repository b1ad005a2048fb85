#include "numeric.h"
#include "support.h"
#include <time.h>

#define UNITS(n) (40 + log2((double)(n) + 1)) /* what numeric.h promises, in units of roundoff */

static double magnitude(allot_type type, size_t n, const void *x, const void *y)
{
    double sum;
    void *a = reals_absolute(type, n, x), *b = reals_absolute(type, n, y);
    allot_dot_reference(type, n, a, b, &sum);
    free(a), free(b);
    return sum;
}

static bool is_close(allot_type type, size_t n, double got, double want, double scale)
{
    double unit = (type == ALLOT_F32 ? FLT_EPSILON : DBL_EPSILON) / 2;
    bool close = fabs(got - want) <= UNITS(n) * unit * scale + DBL_MIN;
    if (!close)
        printf("\n    %s, n %zu: %.17g, not %.17g (%.3g units)", allot_type_name(type), n, got, want,
               fabs(got - want) / unit / scale);
    return close;
}

static void refers_to_the_formula(void)
{
    const float x[] = { 1, -2, 3 }, y[] = { 10, 20, 30 };
    double out = 9;
    allot_dot_reference(ALLOT_F32, 3, x, y, &out);
    CU_ASSERT_EQUAL(out, 60);
    allot_dot_reference(ALLOT_F32, 0, NULL, NULL, &out);
    CU_ASSERT_EQUAL(out, 0);
}

static void refers_to_twice_the_precision(void)
{
    const double x[] = { 0x1p60, 1, -0x1p60, 1 + 0x1p-52 }, y[] = { 1, 0x1p-10, 1, 1 - 0x1p-53 };
    double out;
    allot_dot_reference(ALLOT_F64, 3, x, y, &out);
    CU_ASSERT_EQUAL(out, 0x1p-10);
    const double a[] = { 1 + 0x1p-30, -1 }, b[] = { 1 - 0x1p-30, 1 };
    allot_dot_reference(ALLOT_F64, 2, a, b, &out);
    CU_ASSERT_EQUAL(out, -0x1p-60);
}

static void is_made_once(void)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(allot_dot());
    CU_ASSERT_PTR_EQUAL(allot_dot(), allot_dot());
    CU_ASSERT_STRING_EQUAL(allot_kernel_name(allot_dot()), "dot");
}

static allot_future *launch(allot_executor *on, allot_array *x, allot_array *y, size_t n, allot_array *out,
                            const allot_hints *hints)
{
    return allot_launch(on, allot_dot(), allot_range(n), ALLOT_ARGS(allot_in(x), allot_in(y), allot_out(out)),
                        hints);
}

static double value_of(allot_array *out)
{
    const void *data = allot_array_map(out, ALLOT_READ);
    double value = data ? real_at(allot_array_type(out), data, 0) : NAN;
    allot_array_unmap(out);
    return value;
}

static void check_at(const allot_place_info *place, allot_type type, size_t n)
{
    void *x = reals_seeded(type, n, n + 1), *y = reals_seeded(type, n, n + 2);
    allot_array *xs = array_of(type, n, x), *ys = array_of(type, n, y);
    allot_array *out = allot_array_full(executor, type, 1, 77);
    double want;
    allot_dot_reference(type, n, x, y, &want);
    CU_ASSERT_EQUAL(
        launch_at(place, allot_dot(), allot_range(n), ALLOT_ARGS(allot_in(xs), allot_in(ys), allot_out(out))),
        ALLOT_OK);
    CU_ASSERT(is_close(type, n, value_of(out), want, magnitude(type, n, x, y)));
    allot_array_release(xs), allot_array_release(ys), allot_array_release(out);
    free(x), free(y);
}

static void agrees_with_the_reference_everywhere(void)
{
    static const size_t more[] = { 255, 256, 511, 512, 513, 997, 4095, 4096, 4097, 65537, 300007 };
    for (size_t i = 0; i < place_count; i++)
        for (allot_type type = ALLOT_F32; type <= ALLOT_F64; type++)
            for (size_t s = 0; s < RAGGED + 11 && can_compute(&places[i], type); s++)
                check_at(&places[i], type, s < RAGGED ? ragged[s] : more[s - RAGGED]);
}

/* A plain loop over these is off by thousands of units. */
static void loses_no_more_when_it_gets_longer(void)
{
    const size_t n = 3000017;
    float *x = reals_new(ALLOT_F32, n);
    for (size_t i = 0; i < n; i++)
        x[i] = 0.1f + 1e-6f * (float)(i % 1000);
    allot_array *xs = array_of(ALLOT_F32, n, x), *out = allot_array_new(executor, ALLOT_F32, 1);
    double want, plain = 0;
    allot_dot_reference(ALLOT_F32, n, x, x, &want);
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    plain = sum;
    CU_ASSERT_FALSE(fabs(plain - want) <= UNITS(n) * FLT_EPSILON / 2 * want);
    for (size_t i = 0; i < place_count; i++) {
        CU_ASSERT_EQUAL(launch_at(&places[i], allot_dot(), allot_range(n),
                                  ALLOT_ARGS(allot_in(xs), allot_in(xs), allot_out(out))),
                        ALLOT_OK);
        CU_ASSERT(is_close(ALLOT_F32, n, value_of(out), want, want));
    }
    allot_array_release(xs), allot_array_release(out);
    free(x);
}

/* A part adds what is its own to what is there. */
static void computes_a_part(void)
{
    for (allot_type type = ALLOT_F32; type <= ALLOT_F64; type++) {
        const size_t n = 2001;
        void *x = reals_seeded(type, n, 1), *y = reals_seeded(type, n, 2), *sum = reals_new(type, 1);
        const allot_value args[] = {
            { .data = x, .count = n, .shape = { n, 1, 1 }, .stride = { 1, 1, 1 } },
            { .data = y, .count = n, .shape = { n, 1, 1 }, .stride = { 1, 1, 1 } },
            { .data = sum, .count = 1, .shape = { 1, 1, 1 }, .stride = { 1, 1, 1 } },
        };
        double want;
        CU_ASSERT_EQUAL(run_part(allot_dot(), type, allot_range(n), args, 0, 700), ALLOT_OK);
        allot_dot_reference(type, 700, x, y, &want);
        CU_ASSERT(is_close(type, n, real_at(type, sum, 0), want, magnitude(type, n, x, y)));
        CU_ASSERT_EQUAL(run_part(allot_dot(), type, allot_range(n), args, 700, n), ALLOT_OK);
        allot_dot_reference(type, n, x, y, &want);
        CU_ASSERT(is_close(type, n, real_at(type, sum, 0), want, magnitude(type, n, x, y)));
        free(x), free(y), free(sum);
    }
}

/* ---- Any views ---- */

typedef struct random_case {
    allot_type type;
    size_t n, dx, dy, x_offset, y_offset, out_offset;
} random_case;

static size_t below(uint64_t *seed, size_t limit)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(*seed >> 33) % limit;
}

static bool holds(const allot_place_info *place, const random_case *c, uint64_t seed)
{
    size_t x_room = c->x_offset + c->n * c->dx + 1, y_room = c->y_offset + c->n * c->dy + 1;
    void *x = reals_seeded(c->type, x_room, seed), *y = reals_seeded(c->type, y_room, seed + 1);
    void *dense_x = reals_new(c->type, c->n), *dense_y = reals_new(c->type, c->n);
    for (size_t i = 0; i < c->n; i++) {
        real_set(c->type, dense_x, i, real_at(c->type, x, c->x_offset + i * c->dx));
        real_set(c->type, dense_y, i, real_at(c->type, y, c->y_offset + i * c->dy));
    }
    allot_array *xs = array_of(c->type, x_room, x), *ys = array_of(c->type, y_room, y);
    allot_array *out = allot_array_full(executor, c->type, 4, 77);
    allot_status status =
        launch_at(place, allot_dot(), allot_range(c->n),
                  ALLOT_ARGS(allot_in_view((allot_view){ xs, c->x_offset, 1, { c->n }, { c->dx } }),
                             allot_in_view((allot_view){ ys, c->y_offset, 1, { c->n }, { c->dy } }),
                             allot_out_view(allot_view_1d(out, c->out_offset, 1))));
    double want;
    allot_dot_reference(c->type, c->n, dense_x, dense_y, &want);
    const void *got = allot_array_map(out, ALLOT_READ);
    bool ok = status == ALLOT_OK && got &&
              is_close(c->type, c->n, real_at(c->type, got, c->out_offset), want,
                       magnitude(c->type, c->n, dense_x, dense_y));
    for (size_t i = 0; got && i < 4; i++)
        ok = ok && (i == c->out_offset || real_at(c->type, got, i) == 77);
    allot_array_unmap(out);
    allot_array_release(xs), allot_array_release(ys), allot_array_release(out);
    free(x), free(y), free(dense_x), free(dense_y);
    return ok;
}

static void takes_any_views(void)
{
    const char *given = getenv("TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("(TEST_SEED=%llu) ", (unsigned long long)seed);
    for (int round = 0; round < 40; round++) {
        random_case c = { .type = below(&seed, 2) ? ALLOT_F32 : ALLOT_F64,
                          .n = below(&seed, below(&seed, 4) ? 700 : 50000),
                          .dx = 1 + below(&seed, 3),
                          .dy = 1 + below(&seed, 3),
                          .x_offset = below(&seed, 5),
                          .y_offset = below(&seed, 5),
                          .out_offset = below(&seed, 4) };
        for (size_t i = 0; i < place_count; i++)
            if (can_compute(&places[i], c.type) && !holds(&places[i], &c, seed)) {
                printf("\n    round %d at %s: n %zu, strides %zu %zu", round, places[i].id, c.n, c.dx, c.dy);
                CU_FAIL("a wrong result");
            }
    }
}

/* ---- The same bits ---- */

static uint64_t bits_of(allot_array *out)
{
    uint64_t bits = 0;
    const void *data = allot_array_map(out, ALLOT_READ);
    if (data)
        memcpy(&bits, data, allot_type_size(allot_array_type(out)));
    allot_array_unmap(out);
    return bits;
}

/* Launches there a few times; true if all gave *bits, which the first may set. */
static bool repeats(const allot_options *options, const allot_hints *where, allot_type type, int rounds,
                    uint64_t *bits)
{
    const size_t n = 400009;
    bool same = true;
    allot_executor *on = allot_open(options);
    CU_ASSERT_PTR_NOT_NULL_FATAL(on);
    void *x = reals_seeded(type, n, 5), *y = reals_seeded(type, n, 6);
    allot_array *xs = allot_array_from(on, type, n, x), *ys = allot_array_from(on, type, n, y);
    for (int i = 0; i < rounds; i++) {
        allot_array *out = allot_array_new(on, type, 1);
        allot_future *future = launch(on, xs, ys, n, out, where);
        same &= allot_get(future, NULL, 0, ALLOT_FOREVER) == ALLOT_OK;
        uint64_t got = bits_of(out);
        if (!*bits)
            *bits = got;
        same &= got == *bits;
        allot_release(future);
        allot_array_release(out);
    }
    allot_array_release(xs), allot_array_release(ys);
    free(x), free(y);
    CU_ASSERT_EQUAL(allot_close(on), ALLOT_OK);
    return same;
}

static void has_the_same_bits_on_all_cpu_places(void)
{
    static const int workers[] = { 1, 2, 3, 8 };
    for (allot_type type = ALLOT_F32; type <= ALLOT_F64; type++) {
        uint64_t bits = 0;
        CU_ASSERT(repeats(NULL, ALLOT_HINTS(.place = ALLOT_INLINE, .deterministic = true), type, 2, &bits));
        for (int w = 0; w < 4; w++) {
            const allot_options *options = ALLOT_OPTIONS(.threads = workers[w], .processes = workers[w]);
            CU_ASSERT(repeats(options, ALLOT_HINTS(.place = ALLOT_THREAD, .deterministic = true), type, 100,
                              &bits));
            CU_ASSERT(repeats(options, ALLOT_HINTS(.place = ALLOT_PROCESS, .deterministic = true), type, 100,
                              &bits));
            CU_ASSERT(repeats(options, ALLOT_HINTS(.deterministic = true), type, 10, &bits));
        }
    }
}

static void has_the_same_bits_again_on_a_device(void)
{
    int rounds = has_simulator(executor) ? 3 : 50;
    for (size_t i = 0; i < place_count; i++) {
        allot_hints hints = *at_place(&places[i]);
        uint64_t bits = 0;
        hints.deterministic = true;
        if (places[i].kind == ALLOT_OPENCL)
            CU_ASSERT(repeats(NULL, &hints, ALLOT_F32, rounds, &bits) &&
                      repeats(NULL, &hints, ALLOT_F32, rounds, &bits));
    }
}

/* Whatever was learned of devices. */
static void stays_on_the_cpu_when_deterministic(void)
{
    allot_array *x = allot_array_full(executor, ALLOT_F32, 1000, 1),
                *out = allot_array_new(executor, ALLOT_F32, 1);
    allot_future *future = launch(executor, x, x, 1000, out, ALLOT_HINTS(.deterministic = true));
    CU_ASSERT_EQUAL(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
    const allot_decision *decision = allot_future_decision(future);
    CU_ASSERT_PTR_NOT_NULL_FATAL(decision);
    for (size_t i = 0; i < decision->candidate_count; i++)
        if (strncmp(decision->candidates[i].place, "opencl", 6) == 0) {
            CU_ASSERT_FALSE(decision->candidates[i].possible);
            CU_ASSERT_PTR_NOT_NULL(strstr(decision->candidates[i].reason, "deterministic"));
        }
    allot_release(future);
    allot_array_release(x), allot_array_release(out);
}

/* ---- What is not a number, and what is not a dot product ---- */

static void passes_on_infinities_and_nan(void)
{
    for (size_t i = 0; i < place_count; i++)
        for (int kind = 0; kind < 3; kind++) {
            float x[600];
            for (int j = 0; j < 600; j++)
                x[j] = 1;
            x[300] = kind == 2 ? NAN : INFINITY;
            allot_array *xs = array_of(ALLOT_F32, 600, x),
                        *ones = allot_array_full(executor, ALLOT_F32, 600, 1);
            allot_array *out = allot_array_new(executor, ALLOT_F32, 1);
            if (kind == 1) {
                ((float *)allot_array_map(ones, ALLOT_READ_WRITE))[300] = 0;
                allot_array_unmap(ones);
            }
            CU_ASSERT_EQUAL(launch_at(&places[i], allot_dot(), allot_range(600),
                                      ALLOT_ARGS(allot_in(xs), allot_in(ones), allot_out(out))),
                            ALLOT_OK);
            CU_ASSERT(kind == 0 ? value_of(out) == INFINITY : isnan(value_of(out)));
            allot_array_release(xs), allot_array_release(ones), allot_array_release(out);
        }
}

static void check_refused(allot_ndrange range, allot_array *x, allot_array *out, const char *word)
{
    allot_future *future = allot_launch(executor, allot_dot(), range,
                                        ALLOT_ARGS(allot_in(x), allot_in(x), allot_out(out)), NULL);
    CU_ASSERT_EQUAL(allot_future_status(future), ALLOT_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(future), word));
    allot_release(future);
}

static void refuses_other_shapes(void)
{
    allot_array *x = allot_array_new(executor, ALLOT_F32, 12), *one = allot_array_new(executor, ALLOT_F32, 1);
    allot_array *two = allot_array_new(executor, ALLOT_F32, 2),
                *wide = allot_array_new(executor, ALLOT_F64, 1);
    check_refused(allot_range_2d(3, 4), x, one, "1 dimension");
    check_refused(allot_range(12), x, two, "1 element");
    check_refused(allot_range(13), x, one, "parameter x");
    check_refused(allot_range(12), x, wide, "parameter result");
    check_refused(allot_range(12), x, x, "parameter result");
    allot_array_release(x), allot_array_release(one), allot_array_release(two), allot_array_release(wide);
}

static void accounts_for_its_work(void)
{
    allot_array *x = allot_array_new(executor, ALLOT_F64, 1000),
                *out = allot_array_new(executor, ALLOT_F64, 1);
    allot_work work = allot_kernel_work(allot_dot(), allot_range(1000),
                                        ALLOT_ARGS(allot_in(x), allot_in(x), allot_out(out)));
    CU_ASSERT_EQUAL(work.flops, 2000);
    CU_ASSERT_EQUAL(work.bytes, 16000);
    allot_array_release(x), allot_array_release(out);
}

int main(void)
{
    static const test_fact facts[] = {
        { "the reference is the formula", refers_to_the_formula },
        { "the reference has twice the precision", refers_to_twice_the_precision },
        { "the kernel is made once", is_made_once },
        { "the C variant adds its part and no more", computes_a_part },
        { "every place agrees with the reference at ragged sizes", agrees_with_the_reference_everywhere },
        { "long sums lose no more than short ones", loses_no_more_when_it_gets_longer },
        { "every place takes any views and writes one element", takes_any_views },
        { "F11 a deterministic launch has the same bits on 1, 2, 3 and 8 threads and processes, 100 times",
          has_the_same_bits_on_all_cpu_places },
        { "a deterministic launch has the same bits again on a device", has_the_same_bits_again_on_a_device },
        { "a deterministic launch stays on the CPU unless a device is asked for",
          stays_on_the_cpu_when_deterministic },
        { "infinities and NaN are passed on", passes_on_infinities_and_nan },
        { "other shapes are refused by name", refuses_other_shapes },
        { "it accounts for its flops and bytes", accounts_for_its_work },
        { NULL, NULL },
    };
    return numeric_main("dot", facts);
}
