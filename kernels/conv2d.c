/* Filters of images: each element of the result is a weighted sum of those around it.
 *
 * An image is worked through in strips that fit a cache, a strip in bands of rows. The rows that a band reads
 * are copied once, with the borders filled in, into a ring, so that the loops that compute meet no border;
 * channels are interleaved, so that a step along a row is a step of as many elements. A separable filter sums
 * along a row as it is copied, and down the columns in the band. */
#include "once.h"
#include "wide.h"
#include <allot/numeric.h>
#include <stdlib.h>
#include <string.h>

extern const char allot_conv2d_cl[];

enum {
    SIDE_MAX = 15, /* of the weights */
    BAND = 4,      /* rows that are computed together: they share what they load */
    STRIP = 1024   /* elements of a row that are worked on at a time; a multiple of four vectors */
};

typedef struct filter {
    const allot_value *image, *out;
    const void *weights;     /* height x width of them; of a separable filter the column's, height x 1 */
    const void *row_weights; /* width; NULL: not separable */
    size_t height, width;
    size_t rows, columns, channels;
    bool image_dense, out_dense; /* along a row */
    allot_border border;
    size_t pitch; /* elements between rows of the ring */
} filter;

static size_t at_most(size_t n, size_t limit)
{
    return n < limit ? n : limit;
}

#define T            float
#define OF(name)     name##_f32_plain
#define TARGET       PLAIN_TARGET
#define VECTOR_BYTES PLAIN_BYTES
#include "conv2d_block.h"

#define T            float
#define OF(name)     name##_f32_wide
#define TARGET       WIDE_TARGET
#define VECTOR_BYTES WIDE_BYTES
#include "conv2d_block.h"

#define T            float
#define OF(name)     name##_f32_wider
#define TARGET       WIDER_TARGET
#define VECTOR_BYTES WIDER_BYTES
#include "conv2d_block.h"

#define T            double
#define OF(name)     name##_f64_plain
#define TARGET       PLAIN_TARGET
#define VECTOR_BYTES PLAIN_BYTES
#include "conv2d_block.h"

#define T            double
#define OF(name)     name##_f64_wide
#define TARGET       WIDE_TARGET
#define VECTOR_BYTES WIDE_BYTES
#include "conv2d_block.h"

#define T            double
#define OF(name)     name##_f64_wider
#define TARGET       WIDER_TARGET
#define VECTOR_BYTES WIDER_BYTES
#include "conv2d_block.h"

typedef void add_strip(const filter *of, size_t begin, size_t end, size_t from, size_t count, void *block);

static add_strip *strip_of(allot_type type)
{
    static add_strip *const table[2][3] = {
        { add_strip_f32_plain, add_strip_f32_wide, add_strip_f32_wider },
        { add_strip_f64_plain, add_strip_f64_wide, add_strip_f64_wider },
    };
    return table[type == ALLOT_F64][widest()];
}

/* Weights as they lie in memory, copied side by side. */
static const void *gather_weights(allot_type type, const allot_value *weights, void *to)
{
    size_t size = allot_type_size(type);
    char *next = to;
    for (size_t p = 0; p < weights->shape[0]; p++)
        for (size_t q = 0; q < weights->shape[1]; q++, next += size)
            memcpy(next,
                   (const char *)weights->data + (p * weights->stride[0] + q * weights->stride[1]) * size,
                   size);
    return to;
}

static bool dense(const allot_value *value)
{
    return (value->stride[2] == 1 || value->shape[2] == 1) &&
           (value->stride[1] == value->shape[2] || value->shape[1] == 1);
}

static allot_status compute(allot_call *call, const allot_part *part, filter *of)
{
    of->rows = of->image->shape[0];
    of->columns = of->image->shape[1];
    of->channels = of->image->shape[2];
    of->image_dense = dense(of->image);
    of->out_dense = dense(of->out);
    size_t length = of->columns * of->channels,
           slots = of->height + BAND; /* and a row before its first pass */
    if (part->begin == part->end || length == 0)
        return ALLOT_OK;
    if (__builtin_mul_overflow(SIDE_MAX, of->channels, &of->pitch) ||
        __builtin_add_overflow(of->pitch, STRIP, &of->pitch))
        return allot_fail(call, ALLOT_TOO_LARGE, "conv2d: %zu channels are too many", of->channels);
    /* Zeros: what lies behind a strip's last element is summed too, and left out of the result. */
    void *block = calloc(of->pitch, slots * allot_type_size(part->type));
    if (!block)
        return allot_fail(call, ALLOT_NO_MEMORY, "conv2d: no memory for %zu rows", slots);
    for (size_t from = 0; from < length; from += STRIP)
        strip_of(part->type)(of, part->begin, part->end, from, at_most(length - from, STRIP), block);
    free(block);
    return ALLOT_OK;
}

/* ---- What both kernels check ---- */

static const char *check_images(allot_ndrange range, const allot_value *image, const allot_value *out,
                                const allot_value *border)
{
    const int32_t kind = *(const int32_t *)border->data;
    if (range.rank != 2)
        return "the range needs 2 dimensions, the rows and columns of the image";
    if (image->shape[0] != range.size[0] || image->shape[1] != range.size[1])
        return "the image needs as many rows and columns as the range";
    if (out->shape[0] != image->shape[0] || out->shape[1] != image->shape[1] ||
        out->shape[2] != image->shape[2])
        return "image and out need the same shape";
    return kind == ALLOT_BORDER_CLAMP || kind == ALLOT_BORDER_ZERO ? NULL : "the border is no allot_border";
}

static bool is_side(size_t length)
{
    return length % 2 == 1 && length <= SIDE_MAX;
}

/* Multiplications and additions of an element; image and out move once. */
static allot_work work_of(allot_type type, const allot_value *image, size_t weights)
{
    double elements = (double)image->count;
    return (allot_work){ .flops = 2 * (double)weights * elements,
                         .bytes = (2 * elements + (double)weights) * (double)allot_type_size(type) };
}

#define IMAGE_PARAM                                                                                          \
    {                                                                                                        \
        .name = "image", .access = ALLOT_READ, .distribution = ALLOT_HALO, .before = SIDE_MAX / 2,           \
        .after = SIDE_MAX / 2, .rank = 3, .strided = true                                                    \
    }
#define OUT_PARAM                                                                                            \
    {                                                                                                        \
        .name = "out", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED, .rank = 3, .strided = true       \
    }
static const allot_type types[] = { ALLOT_F32, ALLOT_F64, ALLOT_NO_TYPE };

/* ---- Any weights ---- */

enum {
    IMAGE,
    WEIGHTS,
    BORDER,
    OUT
};

static allot_status run(allot_call *call, const allot_part *part)
{
    const allot_value *args = part->args, *weights = &args[WEIGHTS];
    double room[SIDE_MAX * SIDE_MAX]; /* for either type */
    return compute(call, part,
                   &(filter){ .image = &args[IMAGE],
                              .out = &args[OUT],
                              .weights = gather_weights(part->type, weights, room),
                              .height = weights->shape[0],
                              .width = weights->shape[1],
                              .border = (allot_border) * (const int32_t *)args[BORDER].data });
}

static const char *check(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)type;
    if (!is_side(args[WEIGHTS].shape[0]) || !is_side(args[WEIGHTS].shape[1]))
        return "the weights need an odd number of rows and of columns, 15 at most";
    return check_images(range, &args[IMAGE], &args[OUT], &args[BORDER]);
}

static allot_work work(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)range;
    return work_of(type, &args[IMAGE], args[WEIGHTS].count);
}

const allot_kernel *allot_conv2d(void)
{
    static const allot_param params[] = {
        [IMAGE] = IMAGE_PARAM,
        [WEIGHTS] = { .name = "weights", .access = ALLOT_READ, .rank = 2, .strided = true },
        [BORDER] = { .name = "border", .type = ALLOT_I32 },
        [OUT] = OUT_PARAM,
    };
    static const allot_selftest_arg test_args[] = {
        [IMAGE] = { .shape = { 21, 37, 2 } },
        [WEIGHTS] = { .shape = { 3, 5 } },
        [BORDER] = { .value = ALLOT_BORDER_CLAMP },
        [OUT] = { .shape = { 21, 37, 2 } },
    };
    static const allot_selftest test = { .range = { 2, { 21, 37 } }, .args = test_args };
    static _Atomic(allot_kernel *) kept;
    /* The tile is the one that conv2d.cl computes; side by side along a row, work-items read what lies
     * together. */
    return kernel_once(
        &kept, ALLOT_KERNEL(.name = "conv2d", .params = params, .param_count = 4, .types = types, .cpu = run,
                            .grain = 16, .opencl_source = allot_conv2d_cl, .tile = { 4, 16 },
                            .local = { 2, 16 }, .work = work, .check = check, .selftest = &test));
}

/* ---- Weights of a row times weights of a column ---- */

enum {
    COLUMN = 1,
    ROW,
    BORDER_OF_SEPARABLE,
    OUT_OF_SEPARABLE
};

static allot_status run_separable(allot_call *call, const allot_part *part)
{
    const allot_value *args = part->args;
    double column[SIDE_MAX], row[SIDE_MAX];
    return compute(call, part,
                   &(filter){ .image = &args[IMAGE],
                              .out = &args[OUT_OF_SEPARABLE],
                              .weights = gather_weights(part->type, &args[COLUMN], column),
                              .row_weights = gather_weights(part->type, &args[ROW], row),
                              .height = args[COLUMN].count,
                              .width = args[ROW].count,
                              .border = (allot_border) * (const int32_t *)args[BORDER_OF_SEPARABLE].data });
}

static const char *check_separable(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)type;
    if (!is_side(args[COLUMN].count) || !is_side(args[ROW].count))
        return "column and row need an odd number of weights each, 15 at most";
    return check_images(range, &args[IMAGE], &args[OUT_OF_SEPARABLE], &args[BORDER_OF_SEPARABLE]);
}

static allot_work work_separable(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)range;
    return work_of(type, &args[IMAGE], args[COLUMN].count + args[ROW].count);
}

const allot_kernel *allot_conv2d_separable(void)
{
    static const allot_param params[] = {
        [IMAGE] = IMAGE_PARAM,
        [COLUMN] = { .name = "column", .access = ALLOT_READ, .strided = true },
        [ROW] = { .name = "row", .access = ALLOT_READ, .strided = true },
        [BORDER_OF_SEPARABLE] = { .name = "border", .type = ALLOT_I32 },
        [OUT_OF_SEPARABLE] = OUT_PARAM,
    };
    static const allot_selftest_arg test_args[] = {
        [IMAGE] = { .shape = { 21, 37, 2 } },
        [COLUMN] = { .shape = { 5 } },
        [ROW] = { .shape = { 3 } },
        [BORDER_OF_SEPARABLE] = { .value = ALLOT_BORDER_ZERO },
        [OUT_OF_SEPARABLE] = { .shape = { 21, 37, 2 } },
    };
    static const allot_selftest test = { .range = { 2, { 21, 37 } }, .args = test_args };
    static _Atomic(allot_kernel *) kept;
    return kernel_once(&kept,
                       ALLOT_KERNEL(.name = "conv2d_separable", .params = params, .param_count = 5,
                                    .types = types, .cpu = run_separable, .grain = 32,
                                    .opencl_source = allot_conv2d_cl, .tile = { 8, 16 }, .local = { 2, 16 },
                                    .work = work_separable, .check = check_separable, .selftest = &test));
}

/* ---- References ---- */

typedef struct picture {
    allot_type type;
    size_t rows, columns, channels;
    const void *data;
    allot_border border;
} picture;

/* Element (i, j, c), or what the border says. */
static double pixel(const picture *of, ptrdiff_t i, ptrdiff_t j, size_t c)
{
    ptrdiff_t rows = (ptrdiff_t)of->rows, columns = (ptrdiff_t)of->columns;
    bool inside = i >= 0 && i < rows && j >= 0 && j < columns;
    if (!inside && of->border == ALLOT_BORDER_ZERO)
        return 0;
    i = i < 0 ? 0 : i < rows ? i : rows - 1;
    j = j < 0 ? 0 : j < columns ? j : columns - 1;
    return element(of->type, of->data, ((size_t)i * of->columns + (size_t)j) * of->channels + c);
}

static double sum_around(const picture *of, size_t i, size_t j, size_t c, size_t height, size_t width,
                         const double *weights)
{
    double sum = 0;
    for (size_t p = 0; p < height; p++)
        for (size_t q = 0; q < width; q++)
            sum += weights[p * width + q] * pixel(of, (ptrdiff_t)(i + p) - (ptrdiff_t)(height / 2),
                                                  (ptrdiff_t)(j + q) - (ptrdiff_t)(width / 2), c);
    return sum;
}

static void sum_everywhere(const picture *of, size_t height, size_t width, const double *weights, double *out)
{
    for (size_t i = 0; i < of->rows; i++)
        for (size_t j = 0; j < of->columns; j++)
            for (size_t c = 0; c < of->channels; c++)
                *out++ = sum_around(of, i, j, c, height, width, weights);
}

void allot_conv2d_reference(allot_type type, size_t rows, size_t columns, size_t channels, const void *image,
                            size_t height, size_t width, const void *weights, allot_border border,
                            double *out)
{
    const picture of = { type, rows, columns, channels, image, border };
    double values[SIDE_MAX * SIDE_MAX];
    if (height > SIDE_MAX || width > SIDE_MAX)
        return;
    for (size_t i = 0; i < height * width; i++)
        values[i] = element(type, weights, i);
    sum_everywhere(&of, height, width, values, out);
}

void allot_conv2d_separable_reference(allot_type type, size_t rows, size_t columns, size_t channels,
                                      const void *image, size_t height, const void *column, size_t width,
                                      const void *row, allot_border border, double *out)
{
    const picture of = { type, rows, columns, channels, image, border };
    double values[SIDE_MAX * SIDE_MAX];
    if (height > SIDE_MAX || width > SIDE_MAX)
        return;
    for (size_t p = 0; p < height; p++)
        for (size_t q = 0; q < width; q++)
            values[p * width + q] = element(type, column, p) * element(type, row, q);
    sum_everywhere(&of, height, width, values, out);
}
