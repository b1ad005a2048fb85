/* conv2d on an image: rows x columns (x channels) from a picture or an array, or seeded; with an n cut or
 * repeated to n x n. The weights are a second input, or a Gaussian blur, which both kernels can do. */
#include "workload.h"

#include <allot/numeric.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    RADIUS = 4, /* of the blur: 9 x 9 weights */
    SIDE = 2 * RADIUS + 1,
    SIDE_MAX = 15 /* the kernel's */
};

typedef struct image {
    size_t rows, columns, channels;
} image;

static const al_block *block_of(const al_feed *feed, size_t index)
{
    return feed->inputs[index] ? &feed->inputs[index]->block : NULL;
}

/* Of a series, the largest square that it fills. */
static image shape_of(const al_feed *feed)
{
    const al_block *block = block_of(feed, 0);
    size_t n = feed->n_given ? feed->n : block ? (size_t)sqrt((double)al_block_count(block)) : 512;
    image shape = { n, n, block && block->rank == 3 ? block->shape[2] : 1 };
    if (!feed->n_given && block && block->rank > 1) {
        shape.rows = block->shape[0];
        shape.columns = block->shape[1];
    }
    return shape;
}

static size_t size(const al_feed *feed)
{
    return shape_of(feed).rows;
}

/* Image and result, and the values of both to start from; absolute image; expected and scale. */
static double bytes(const al_feed *feed, size_t n)
{
    image shape = shape_of(feed);
    (void)n;
    return (double)shape.rows * (double)shape.columns * (double)shape.channels *
           (5.0 * (double)allot_type_size(feed->type) + 16);
}

/* A pixel's channels stay together: they are columns of the rows that are cut or repeated. */
static void *make_image(const al_feed *feed, const image *shape, al_problem *problem)
{
    const al_block *given = block_of(feed, 0);
    al_block rows = { 0 };
    if (given) {
        rows = *given;
        rows.rank = given->rank == 3 ? 2 : given->rank;
        rows.shape[1] *= given->rank == 3 ? given->shape[2] : 1;
    }
    return al_values_make_2d(given ? &rows : NULL, 1, feed->type, shape->rows,
                             shape->columns * shape->channels, problem);
}

static void *not_numbers(allot_type type, size_t count, al_problem *problem)
{
    void *values = calloc(count ? count : 1, allot_type_size(type));
    if (!values)
        return al_out_of_memory(problem), NULL;
    for (size_t i = 0; i < count; i++)
        al_value_set(type, values, i, NAN);
    return values;
}

/* ---- Weights ---- */

typedef struct weights {
    size_t height, width;
    double value[SIDE_MAX * SIDE_MAX]; /* room for any; of either type */
    double absolute[SIDE_MAX * SIDE_MAX];
} weights;

/* One dimension of the blur; its sum is 1. */
static double bell(size_t at)
{
    double sum = 0, sigma = RADIUS / 2.0;
    for (int x = -RADIUS; x <= RADIUS; x++)
        sum += exp(-x * x / (2 * sigma * sigma));
    double x = (double)at - RADIUS;
    return exp(-x * x / (2 * sigma * sigma)) / sum;
}

static void make_blur(weights *w, allot_type type, size_t height)
{
    w->height = height;
    w->width = SIDE;
    for (size_t i = 0; i < height * SIDE; i++)
        al_value_set(type, w->value, i, (height > 1 ? bell(i / SIDE) : 1) * bell(i % SIDE));
}

static bool take_weights(weights *w, allot_type type, const al_input *input, al_problem *problem)
{
    char text[AL_SHAPE];
    const al_block *block = &input->block;
    w->height = block->shape[0];
    w->width = block->shape[1];
    bool odd = block->rank == 2 && w->height % 2 == 1 && w->width % 2 == 1;
    if (!odd || w->height > SIDE_MAX || w->width > SIDE_MAX)
        return al_problem_set(problem, AL_EXIT_INPUT,
                              "%s: %s numbers are no weights of conv2d: it takes an odd number of rows and "
                              "of columns, %d at most",
                              input->name, al_block_shape_text(block, text), SIDE_MAX);
    void *values = al_values_make(block, 0, type, w->height * w->width, problem);
    if (values)
        memcpy(w->value, values, w->height * w->width * allot_type_size(type));
    free(values);
    return values != NULL;
}

static bool make_weights(weights *w, const al_feed *feed, bool separable, al_problem *problem)
{
    if (!separable && feed->inputs[1]) {
        if (!take_weights(w, feed->type, feed->inputs[1], problem))
            return false;
    } else {
        make_blur(w, feed->type, separable ? 1 : SIDE);
    }
    for (size_t i = 0; i < w->height * w->width; i++)
        al_value_set(feed->type, w->absolute, i, fabs(al_value_get(feed->type, w->value, i)));
    return true;
}

/* ---- The workload ---- */

static bool is_separable(const al_workload *work)
{
    return work->kind->kernel == allot_conv2d_separable;
}

static void refer(const al_workload *work, const image *shape, const void *data, const weights *w,
                  const double *value, double *out)
{
    if (is_separable(work))
        allot_conv2d_separable_reference(work->type, shape->rows, shape->columns, shape->channels, data,
                                         w->width, value, w->width, value, ALLOT_BORDER_CLAMP, out);
    else
        allot_conv2d_reference(work->type, shape->rows, shape->columns, shape->channels, data, w->height,
                               w->width, value, ALLOT_BORDER_CLAMP, out);
}

static bool expect(al_workload *work, const image *shape, const void *data, const weights *w,
                   al_problem *problem)
{
    void *data_size = al_values_absolute(work->type, data, work->count, problem);
    if (!data_size)
        return false;
    refer(work, shape, data, w, w->value, work->expected);
    refer(work, shape, data_size, w, w->absolute, work->scale);
    work->roundings = 2.0 * (double)(is_separable(work) ? 2 * w->width : w->height * w->width);
    free(data_size);
    return true;
}

/* The result begins as NaN: an element that is never written shows. */
static bool set_arguments(al_workload *work, const image *shape, const void *data, const weights *w,
                          void *initial, al_problem *problem)
{
    size_t count = shape->rows * shape->columns * shape->channels;
    allot_array *from = al_workload_array(work, work->type, count, data, problem);
    allot_array *by =
        from ? al_workload_array(work, work->type, w->height * w->width, w->value, problem) : NULL;
    allot_array *to = by ? al_workload_array(work, work->type, count, NULL, problem) : NULL;
    if (!to) {
        free(initial);
        return false;
    }
    allot_view view = allot_view_3d(to, 0, shape->rows, shape->columns, shape->channels);
    allot_arg matrix = allot_in_view(allot_view_2d(by, 0, w->height, w->width, w->width));
    work->range = allot_range_2d(shape->rows, shape->columns);
    work->args[work->arg_count++] =
        allot_in_view(allot_view_3d(from, 0, shape->rows, shape->columns, shape->channels));
    work->args[work->arg_count++] = is_separable(work) ? allot_in(by) : matrix;
    if (is_separable(work))
        work->args[work->arg_count++] = allot_in(by);
    work->args[work->arg_count++] = allot_i32(ALLOT_BORDER_CLAMP);
    work->args[work->arg_count++] = allot_out_view(view);
    view.rank = shape->channels == 1 ? 2 : 3; /* what is written has rows and columns */
    return al_workload_result(work, to, &view, initial, problem);
}

static void describe(al_workload *work, const al_feed *feed, const image *shape, const weights *w)
{
    char text[AL_SHAPE];
    const al_input *input = feed->inputs[0];
    size_t used = 0, room = sizeof work->input;
    if (!input)
        used = (size_t)snprintf(work->input, room, "seeded values");
    else if (input->block.rank == 1)
        used = (size_t)snprintf(work->input, room, "%s, cut or repeated to n x n", input->name);
    else
        used = (size_t)snprintf(
            work->input, room, "%s (%s)%s", input->name, al_block_shape_text(&input->block, text),
            input->block.shape[0] == shape->rows && input->block.shape[1] == shape->columns
                ? ""
                : ", cut or repeated to n x n");
    if (used >= room)
        return;
    if (feed->inputs[1])
        snprintf(work->input + used, room - used, "; weights %s (%zu x %zu)", feed->inputs[1]->name,
                 w->height, w->width);
    else
        snprintf(work->input + used, room - used, "; a Gaussian blur of %d x %d", SIDE, SIDE);
}

static bool init(al_workload *work, const al_feed *feed, al_problem *problem)
{
    image shape = shape_of(feed); /* its product does not overflow: memory was judged before */
    weights w = { 0 };
    if (!make_weights(&w, feed, is_separable(work), problem))
        return false;
    void *data = make_image(feed, &shape, problem);
    void *initial =
        data ? not_numbers(feed->type, shape.rows * shape.columns * shape.channels, problem) : NULL;
    describe(work, feed, &shape, &w);
    work->white = block_of(feed, 0) ? block_of(feed, 0)->white : 0;
    bool ok = initial && set_arguments(work, &shape, data, &w, initial, problem) &&
              expect(work, &shape, data, &w, problem);
    free(data);
    return ok;
}

const al_workload_kind al_conv2d_kind = {
    .name = "conv2d",
    .says = "an image filtered by weights, n x n pixels",
    .kernel = allot_conv2d,
    .data = "astronaut.ppm",
    .inputs = { { "the image", AL_DENSE }, { "the weights", AL_DENSE } },
    .sizes = { 64, 256, 512 },
    .size = size,
    .bytes = bytes,
    .init = init,
    .picture = true,
};

const al_workload_kind al_conv2d_separable_kind = {
    .name = "conv2d_separable",
    .says = "the same by weights that are a row times a column",
    .kernel = allot_conv2d_separable,
    .data = "astronaut.ppm",
    .inputs = { { "the image", AL_DENSE } },
    .sizes = { 64, 256, 512 },
    .size = size,
    .bytes = bytes,
    .init = init,
    .picture = true,
};
