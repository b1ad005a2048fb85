#include "numeric.h"
#include "support.h"
#include <time.h>

/* One filter on one image, of either kernel. */
typedef struct filter {
    allot_type type;
    size_t rows, columns, channels, height, width;
    allot_border border;
    bool separable;
} filter;

typedef struct problem {
    size_t count;
    void *image, *weights, *column, *row;
    double *want, *magnitude;
} problem;

static void refer(const filter *f, const void *image, const void *weights, const void *column,
                  const void *row, double *out)
{
    if (f->separable)
        allot_conv2d_separable_reference(f->type, f->rows, f->columns, f->channels, image, f->height, column,
                                         f->width, row, f->border, out);
    else
        allot_conv2d_reference(f->type, f->rows, f->columns, f->channels, image, f->height, f->width, weights,
                               f->border, out);
}

static problem problem_new(const filter *f, uint64_t seed)
{
    problem p = { .count = f->rows * f->columns * f->channels };
    p.image = reals_seeded(f->type, p.count, seed);
    p.weights = reals_seeded(f->type, f->height * f->width, seed + 1);
    p.column = reals_seeded(f->type, f->height, seed + 2);
    p.row = reals_seeded(f->type, f->width, seed + 3);
    p.want = reals_new(ALLOT_F64, p.count);
    p.magnitude = reals_new(ALLOT_F64, p.count);
    refer(f, p.image, p.weights, p.column, p.row, p.want);
    void *image = reals_absolute(f->type, p.count, p.image);
    void *weights = reals_absolute(f->type, f->height * f->width, p.weights);
    void *column = reals_absolute(f->type, f->height, p.column),
         *row = reals_absolute(f->type, f->width, p.row);
    refer(f, image, weights, column, row, p.magnitude);
    free(image), free(weights), free(column), free(row);
    return p;
}

static void problem_free(problem *p)
{
    free(p->image), free(p->weights), free(p->column), free(p->row), free(p->want), free(p->magnitude);
}

/* How an image lies in its array: holes between rows, pixels and channels, and room before. */
typedef struct layout {
    size_t offset, strides[3];
} layout;

static layout dense_layout(const filter *f)
{
    return (layout){ 0, { f->columns * f->channels, f->channels, 1 } };
}

static allot_view view_of(allot_array *array, const filter *f, const layout *l)
{
    return (allot_view){ array,
                         l->offset,
                         3,
                         { f->rows, f->columns, f->channels },
                         { l->strides[0], l->strides[1], l->strides[2] } };
}

static size_t place_of(const filter *f, const layout *l, size_t element)
{
    size_t c = element % f->channels, j = element / f->channels % f->columns,
           i = element / f->channels / f->columns;
    return l->offset + i * l->strides[0] + j * l->strides[1] + c * l->strides[2];
}

static size_t room_of(const filter *f, const layout *l)
{
    return l->offset + f->rows * l->strides[0] + 1;
}

static allot_future *launch(const filter *f, allot_view image, const problem *p, allot_view out,
                            const allot_hints *hints)
{
    allot_ndrange range = allot_range_2d(f->rows, f->columns);
    allot_arg border = allot_i32((int32_t)f->border);
    allot_future *future;
    if (f->separable) {
        allot_array *column = array_of(f->type, f->height, p->column),
                    *row = array_of(f->type, f->width, p->row);
        future = allot_launch(
            executor, allot_conv2d_separable(), range,
            ALLOT_ARGS(allot_in_view(image), allot_in(column), allot_in(row), border, allot_out_view(out)),
            hints);
        allot_array_release(column), allot_array_release(row);
    } else {
        allot_array *weights = array_of(f->type, f->height * f->width, p->weights);
        allot_view matrix = allot_view_2d(weights, 0, f->height, f->width, f->width);
        future = allot_launch(
            executor, allot_conv2d(), range,
            ALLOT_ARGS(allot_in_view(image), allot_in_view(matrix), border, allot_out_view(out)), hints);
        allot_array_release(weights);
    }
    return future;
}

/* Elements of `out` that are wrong, or were written though they are none of it. */
static size_t wrong_in(const filter *f, const problem *p, const layout *to, const void *got)
{
    size_t room = room_of(f, to), wrong = 0;
    bool *is_result = calloc(room, sizeof *is_result);
    void *dense = reals_new(f->type, p->count);
    for (size_t e = 0; is_result && e < p->count; e++) {
        size_t at = place_of(f, to, e);
        is_result[at] = true;
        real_set(f->type, dense, e, real_at(f->type, got, at));
    }
    for (size_t at = 0; is_result && at < room; at++)
        wrong += !is_result[at] && real_at(f->type, got, at) != 77;
    /* A rounding for each product and sum; the separable reference rounds the weights' products too. */
    wrong += count_wrong(f->type, p->count, dense, p->want, p->magnitude,
                         f->separable ? f->height + f->width + 2 : f->height * f->width + 2);
    free(dense);
    free(is_result);
    return wrong;
}

static bool holds_at(const allot_place_info *place, const filter *f, const problem *p, const void *image,
                     const layout *from, const layout *to)
{
    allot_array *in = array_of(f->type, room_of(f, from), image);
    allot_array *out = allot_array_full(executor, f->type, room_of(f, to), 77);
    allot_future *future = launch(f, view_of(in, f, from), p, view_of(out, f, to), at_place(place));
    bool ok = allot_get(future, NULL, 0, ALLOT_FOREVER) == ALLOT_OK;
    if (!ok)
        printf("\n    %s", allot_future_error(future));
    const void *got = allot_array_map(out, ALLOT_READ);
    ok = ok && got && wrong_in(f, p, to, got) == 0;
    allot_array_unmap(out);
    if (!ok)
        printf("\n    wrong at %s: %s, %zu x %zu x %zu by %zu x %zu, border %d, %s", place->id,
               allot_type_name(f->type), f->rows, f->columns, f->channels, f->height, f->width,
               (int)f->border, f->separable ? "separable" : "general");
    allot_release(future);
    allot_array_release(in), allot_array_release(out);
    return ok;
}

/* The reference, which takes longer than all places together, is asked once. */
static void check_at_every_place(const filter *f, const layout *from, const layout *to, uint64_t seed)
{
    problem p = problem_new(f, seed);
    void *image = reals_seeded(f->type, room_of(f, from), seed + 4);
    for (size_t e = 0; e < p.count; e++)
        real_set(f->type, image, place_of(f, from, e), real_at(f->type, p.image, e));
    for (size_t i = 0; i < place_count; i++)
        if (can_compute(&places[i], f->type))
            CU_ASSERT(holds_at(&places[i], f, &p, image, from, to));
    free(image);
    problem_free(&p);
}

/* Both kernels, both borders, both types, at every place. */
static void check_everywhere(size_t rows, size_t columns, size_t channels, size_t height, size_t width)
{
    for (allot_type type = ALLOT_F32; type <= ALLOT_F64; type++)
        for (int kind = 0; kind < 4; kind++) {
            const filter f = { type,    rows, columns, channels, height, width, (allot_border)(kind / 2),
                               kind % 2 };
            const layout dense = dense_layout(&f);
            check_at_every_place(&f, &dense, &dense, 7);
        }
}

/* ---- Facts ---- */

static void refers_to_the_formula(void)
{
    const float image[] = { 1, 2, 3, 4, 5, 6 }, weights[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 },
                ones[] = { 1, 1, 1 };
    double out[6];
    allot_conv2d_reference(ALLOT_F32, 2, 3, 1, image, 3, 3, weights, ALLOT_BORDER_ZERO, out);
    CU_ASSERT_EQUAL(out[0], 5 * 1 + 6 * 2 + 8 * 4 + 9 * 5);
    CU_ASSERT_EQUAL(out[4], 1 * 1 + 2 * 2 + 3 * 3 + 4 * 4 + 5 * 5 + 6 * 6);
    allot_conv2d_reference(ALLOT_F32, 2, 3, 1, image, 3, 3, weights, ALLOT_BORDER_CLAMP, out);
    CU_ASSERT_EQUAL(out[0], 1 * (1 + 2 + 4 + 5) + 2 * (3 + 6) + 4 * (7 + 8) + 5 * 9);
    allot_conv2d_separable_reference(ALLOT_F32, 2, 3, 1, image, 3, ones, 3, ones, ALLOT_BORDER_ZERO, out);
    CU_ASSERT_EQUAL(out[1], 21);
    allot_conv2d_reference(ALLOT_F32, 1, 2, 3, image, 1, 3, ones, ALLOT_BORDER_ZERO,
                           out); /* channels apart */
    CU_ASSERT_EQUAL(out[0], 5);
    CU_ASSERT_EQUAL(out[5], 9);
}

static void are_made_once(void)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(allot_conv2d());
    CU_ASSERT_PTR_NOT_NULL_FATAL(allot_conv2d_separable());
    CU_ASSERT_PTR_EQUAL(allot_conv2d(), allot_conv2d());
    CU_ASSERT_STRING_EQUAL(allot_kernel_name(allot_conv2d()), "conv2d");
    CU_ASSERT_STRING_EQUAL(allot_kernel_name(allot_conv2d_separable()), "conv2d_separable");
}

static void agree_at_ragged_sizes(void)
{
    static const size_t sizes[] = { 1, 2, 3, 63, 64, 65 };
    for (size_t r = 0; r < 6; r++)
        for (size_t c = 0; c < 6; c++)
            check_everywhere(sizes[r], sizes[c], 1, 3, 3);
    check_everywhere(3, 997, 1, 5, 3);
    check_everywhere(997, 3, 1, 3, 5);
    check_everywhere(17, 1031, 3, 3, 7); /* more elements a row than a strip */
}

static void agree_at_every_radius(void)
{
    for (size_t radius = 0; radius <= 7; radius++)
        check_everywhere(37, 53, 1, 2 * radius + 1, 2 * radius + 1);
}

static void agree_for_any_channels(void)
{
    for (size_t channels = 1; channels <= 5; channels++)
        check_everywhere(19, 70, channels, 5, 5);
    check_everywhere(3, 5, 0, 3, 3);
}

static void agree_on_images_smaller_than_the_weights(void)
{
    for (size_t side = 1; side < 15; side += 4)
        for (size_t channels = 1; channels <= 3; channels += 2) {
            check_everywhere(side, 20, channels, 15, 15);
            check_everywhere(20, side, channels, 15, 15);
        }
}

static void leave_an_empty_range_alone(void)
{
    check_everywhere(0, 10, 1, 3, 3);
    check_everywhere(10, 0, 3, 3, 3);
}

static size_t below(uint64_t *seed, size_t limit)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(*seed >> 33) % limit;
}

/* Interleaved or in planes, with or without holes. */
static layout random_layout(const filter *f, uint64_t *seed)
{
    layout l = { .offset = below(seed, 4) };
    size_t hole = 1 + below(seed, 2);
    if (below(seed, 2)) {
        l.strides[2] = hole;
        l.strides[1] = f->channels * hole + below(seed, 2);
        l.strides[0] = f->columns * l.strides[1] + below(seed, 3);
    } else {
        l.strides[1] = hole;
        l.strides[2] = f->columns * hole + below(seed, 2);
        l.strides[0] = f->channels * l.strides[2] + below(seed, 3);
    }
    return l;
}

static void take_any_views(void)
{
    const char *given = getenv("TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("(TEST_SEED=%llu) ", (unsigned long long)seed);
    bool simulated = has_simulator(executor);
    int rounds = simulated ? 8 : 40;
    for (int round = 0; round < rounds; round++) {
        filter f = { .type = below(&seed, 2) ? ALLOT_F32 : ALLOT_F64,
                     .rows = 1 + below(&seed, 80),
                     .columns = 1 + below(&seed, below(&seed, 4) || simulated ? 90 : 1500),
                     .channels = 1 + below(&seed, 4),
                     .height = 1 + 2 * below(&seed, 8),
                     .width = 1 + 2 * below(&seed, 8),
                     .border = (allot_border)below(&seed, 2),
                     .separable = below(&seed, 2) };
        layout from = random_layout(&f, &seed), to = random_layout(&f, &seed);
        check_at_every_place(&f, &from, &to, seed);
    }
}

/* A weight of zero does not make a number of what is none, but the border is not read as one. */
static void read_nothing_beyond_the_border(void)
{
    const float kernel[] = { 0, 0, 0, 0, 1, 0, 0, 0, 0 };
    float image[100];
    for (int i = 0; i < 100; i++)
        image[i] = i % 10 == 0 || i % 10 == 9 || i < 10 || i >= 90 ? NAN : (float)i;
    for (size_t i = 0; i < place_count; i++) {
        allot_array *in = array_of(ALLOT_F32, 100, image), *out = allot_array_new(executor, ALLOT_F32, 64);
        allot_array *weights = array_of(ALLOT_F32, 9, kernel);
        allot_view inner = { in, 11, 3, { 8, 8, 1 }, { 10, 1, 1 } };
        CU_ASSERT_EQUAL(
            launch_at(&places[i], allot_conv2d(), allot_range_2d(8, 8),
                      ALLOT_ARGS(allot_in_view(inner), allot_in_view(allot_view_2d(weights, 0, 3, 3, 3)),
                                 allot_i32(ALLOT_BORDER_ZERO),
                                 allot_out_view(allot_view_3d(out, 0, 8, 8, 1)))),
            ALLOT_OK);
        const float *got = allot_array_map(out, ALLOT_READ);
        for (size_t e = 0; got && e < 64; e++)
            CU_ASSERT_EQUAL(got[e], image[11 + e / 8 * 10 + e % 8]);
        allot_array_unmap(out);
        allot_array_release(in), allot_array_release(out), allot_array_release(weights);
    }
}

/* Weights in a matrix that has more columns, and turned round. */
static void take_weights_with_strides(void)
{
    const filter f = { ALLOT_F32, 30, 31, 1, 3, 5, ALLOT_BORDER_CLAMP, false };
    problem p = problem_new(&f, 3);
    float turned[60] = { 0 };
    for (size_t w = 0; w < 15; w++)
        turned[w % 5 * 8 + w / 5 * 2] = ((const float *)p.weights)[w];
    for (size_t i = 0; i < place_count; i++) {
        allot_array *in = array_of(f.type, p.count, p.image), *weights = array_of(f.type, 60, turned);
        allot_array *out = allot_array_new(executor, f.type, p.count);
        layout dense = dense_layout(&f);
        allot_view matrix = { weights, 0, 2, { 3, 5 }, { 2, 8 } };
        CU_ASSERT_EQUAL(launch_at(&places[i], allot_conv2d(), allot_range_2d(30, 31),
                                  ALLOT_ARGS(allot_in_view(view_of(in, &f, &dense)), allot_in_view(matrix),
                                             allot_i32(f.border), allot_out_view(view_of(out, &f, &dense)))),
                        ALLOT_OK);
        const void *got = allot_array_map(out, ALLOT_READ);
        CU_ASSERT(got && count_wrong(f.type, p.count, got, p.want, p.magnitude, 17) == 0);
        allot_array_unmap(out);
        allot_array_release(in), allot_array_release(weights), allot_array_release(out);
    }
    problem_free(&p);
}

/* The bits of an element do not depend on who computed it. */
static void have_the_same_bits_however_cut(void)
{
    for (int separable = 0; separable < 2; separable++) {
        const filter f = { ALLOT_F32, 131, 77, 3, 7, 5, ALLOT_BORDER_CLAMP, separable };
        problem p = problem_new(&f, 9);
        layout dense = dense_layout(&f);
        float *first = NULL;
        for (size_t i = 0; i < place_count; i++) {
            if (places[i].kind == ALLOT_OPENCL)
                continue;
            allot_array *in = array_of(f.type, p.count, p.image),
                        *out = allot_array_new(executor, f.type, p.count);
            allot_future *future =
                launch(&f, view_of(in, &f, &dense), &p, view_of(out, &f, &dense), at_place(&places[i]));
            CU_ASSERT_EQUAL(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_OK);
            const void *got = allot_array_map(out, ALLOT_READ);
            CU_ASSERT_PTR_NOT_NULL_FATAL(got);
            if (!first) {
                first = reals_new(f.type, p.count);
                memcpy(first, got, p.count * sizeof *first);
            }
            CU_ASSERT_EQUAL(memcmp(first, got, p.count * sizeof *first), 0);
            allot_array_unmap(out);
            allot_release(future);
            allot_array_release(in), allot_array_release(out);
        }
        free(first);
        problem_free(&p);
    }
}

static void check_refused(const filter *f, size_t out_rows, const char *word)
{
    problem p = problem_new(&(const filter){ f->type, 1, 1, 1, 15, 15, ALLOT_BORDER_CLAMP, false }, 1);
    free(p.weights), free(p.column), free(p.row);
    p.weights = reals_new(f->type, f->height * f->width);
    p.column = reals_new(f->type, f->height), p.row = reals_new(f->type, f->width);
    allot_array *in = allot_array_new(executor, f->type, f->rows * f->columns * f->channels);
    allot_array *out = allot_array_new(executor, f->type, out_rows * f->columns * f->channels);
    for (int separable = 0; separable < 2; separable++) {
        filter g = *f;
        g.separable = separable;
        allot_future *future = launch(&g, allot_view_3d(in, 0, f->rows, f->columns, f->channels), &p,
                                      allot_view_3d(out, 0, out_rows, f->columns, f->channels), NULL);
        CU_ASSERT_EQUAL(allot_future_status(future), ALLOT_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(future), word));
        allot_release(future);
    }
    allot_array_release(in), allot_array_release(out);
    problem_free(&p);
}

static void refuse_what_does_not_fit(void)
{
    const filter good = { ALLOT_F32, 9, 9, 1, 3, 3, ALLOT_BORDER_CLAMP, false };
    filter even = good, large = good, empty = good, border = good;
    even.height = 4, large.width = 17, empty.width = 0, border.border = (allot_border)2;
    check_refused(&even, 9, "odd");
    check_refused(&large, 9, "15 at most");
    check_refused(&empty, 9, "odd");
    check_refused(&border, 9, "border");
    check_refused(&good, 8, "parameter out");
}

static void account_for_their_work(void)
{
    allot_array *image = allot_array_new(executor, ALLOT_F32, 100),
                *out = allot_array_new(executor, ALLOT_F32, 100);
    allot_array *weights = allot_array_new(executor, ALLOT_F32, 15);
    allot_arg from = allot_in_view(allot_view_3d(image, 0, 10, 10, 1)),
              to = allot_out_view(allot_view_3d(out, 0, 10, 10, 1));
    allot_work work = allot_kernel_work(
        allot_conv2d(), allot_range_2d(10, 10),
        ALLOT_ARGS(from, allot_in_view(allot_view_2d(weights, 0, 3, 5, 5)), allot_i32(0), to));
    CU_ASSERT_EQUAL(work.flops, 100 * 2 * 15);
    CU_ASSERT_EQUAL(work.bytes, (200 + 15) * 4);
    work = allot_kernel_work(allot_conv2d_separable(), allot_range_2d(10, 10),
                             ALLOT_ARGS(from, allot_in_view(allot_view_1d(weights, 0, 3)),
                                        allot_in_view(allot_view_1d(weights, 3, 5)), allot_i32(0), to));
    CU_ASSERT_EQUAL(work.flops, 100 * 2 * 8);
    allot_array_release(image), allot_array_release(out), allot_array_release(weights);
}

int main(void)
{
    static const test_fact facts[] = {
        { "the references are the formula", refers_to_the_formula },
        { "the kernels are made once", are_made_once },
        { "every place agrees with the reference at ragged sizes", agree_at_ragged_sizes },
        { "every place agrees with the reference at every radius", agree_at_every_radius },
        { "every place agrees with the reference for any number of channels", agree_for_any_channels },
        { "every place agrees with the reference on images smaller than the weights",
          agree_on_images_smaller_than_the_weights },
        { "an empty image is left alone", leave_an_empty_range_alone },
        { "every place takes any views and leaves alone what lies around", take_any_views },
        { "what lies beyond the border is not read", read_nothing_beyond_the_border },
        { "weights may have strides", take_weights_with_strides },
        { "an element has the same bits however the range is cut", have_the_same_bits_however_cut },
        { "shapes that do not fit are refused by name", refuse_what_does_not_fit },
        { "they account for their flops and bytes", account_for_their_work },
        { NULL, NULL },
    };
    return numeric_main("conv2d", facts);
}
