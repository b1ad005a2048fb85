/* gemm: A and B are the inputs, or seeded. Without an n, matrices from files keep their shapes; with one, and
 * from series or seeds, all three are n x n. C begins as NaN, since with beta = 0 it must not be read. */
#include "workload.h"

#include <allot/numeric.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* C = A*B: A is rows x inner, B inner x columns. */
typedef struct shape {
    size_t rows, inner, columns;
} shape;

static const al_block *block_of(const al_feed *feed, size_t index)
{
    return feed->inputs[index] ? &feed->inputs[index]->block : NULL;
}

static bool is_matrix(const al_block *block)
{
    return block && block->rank == 2;
}

/* Of a series, the largest square that it fills. */
static shape shape_of(const al_feed *feed)
{
    const al_block *a = block_of(feed, 0), *b = block_of(feed, 1);
    size_t n = feed->n_given ? feed->n : a ? (size_t)sqrt((double)al_block_count(a)) : 512;
    shape s = { n, n, n };
    if (!feed->n_given && is_matrix(a))
        s = (shape){ a->shape[0], a->shape[1], a->shape[0] };
    if (!feed->n_given && is_matrix(b))
        s.columns = b->shape[1];
    return s;
}

static size_t size(const al_feed *feed)
{
    return shape_of(feed).rows;
}

/* A, B, C, and of A, B, C the values to start from; absolute A and B; expected and scale. */
static double bytes(const al_feed *feed, size_t n)
{
    shape s = shape_of(feed);
    (void)n;
    double element = (double)allot_type_size(feed->type), rows = (double)s.rows, inner = (double)s.inner,
           columns = (double)s.columns;
    return (rows * inner + inner * columns) * 3 * element + rows * columns * (2 * element + 16);
}

static bool check_shapes(const al_feed *feed, const shape *s, al_problem *problem)
{
    char text[AL_SHAPE];
    for (size_t i = 0; i < AL_INPUTS; i++)
        if (block_of(feed, i) && block_of(feed, i)->rank > 2)
            return al_problem_set(problem, AL_EXIT_INPUT,
                                  "%s: %s numbers are no matrix: gemm takes rows and columns, or a series",
                                  feed->inputs[i]->name, al_block_shape_text(block_of(feed, i), text));
    const al_block *b = block_of(feed, 1);
    if (feed->n_given || !is_matrix(b) || b->shape[0] == s->inner)
        return true;
    return al_problem_set(
        problem, AL_EXIT_INPUT,
        "%s: B has %zu rows, and A %zu columns: they must agree, or give -n to cut or repeat both",
        feed->inputs[1]->name, b->shape[0], s->inner);
}

static bool expect(al_workload *work, const shape *s, const void *a, const void *b, al_problem *problem)
{
    void *a_size = al_values_absolute(work->type, a, s->rows * s->inner, problem);
    void *b_size = al_values_absolute(work->type, b, s->inner * s->columns, problem);
    bool ok = a_size && b_size;
    if (ok) {
        allot_gemm_reference(work->type, s->rows, s->columns, s->inner, 1, a, b, 0, work->initial,
                             work->expected);
        allot_gemm_reference(work->type, s->rows, s->columns, s->inner, 1, a_size, b_size, 0, work->initial,
                             work->scale);
        work->roundings = 2 * (double)s->inner;
    }
    free(a_size);
    free(b_size);
    return ok;
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

static bool set_arguments(al_workload *work, const shape *s, const void *a_data, const void *b_data,
                          void *initial, al_problem *problem)
{
    allot_array *a = al_workload_array(work, work->type, s->rows * s->inner, a_data, problem);
    allot_array *b = a ? al_workload_array(work, work->type, s->inner * s->columns, b_data, problem) : NULL;
    allot_array *c = b ? al_workload_array(work, work->type, s->rows * s->columns, NULL, problem) : NULL;
    if (!c) {
        free(initial);
        return false;
    }
    allot_view view = allot_view_2d(c, 0, s->rows, s->columns, s->columns);
    work->range = allot_range_2d(s->rows, s->columns);
    work->args[work->arg_count++] = allot_f64(1);
    work->args[work->arg_count++] = allot_in_view(allot_view_2d(a, 0, s->rows, s->inner, s->inner));
    work->args[work->arg_count++] = allot_in_view(allot_view_2d(b, 0, s->inner, s->columns, s->columns));
    work->args[work->arg_count++] = allot_f64(0);
    work->args[work->arg_count++] = allot_inout_view(view);
    return al_workload_result(work, c, &view, initial, problem);
}

/* A matrix has its shape said, and whether it is as it was. */
static void describe(al_workload *work, const al_input *input, size_t rows, size_t columns)
{
    char text[AL_SHAPE];
    size_t used = strlen(work->input);
    if (!input || !is_matrix(&input->block)) {
        al_workload_describe(work, input, rows * columns, "n x n");
        return;
    }
    bool whole = input->block.shape[0] == rows && input->block.shape[1] == columns;
    snprintf(work->input + used, sizeof work->input - used, "%s%s (%s)%s", used ? "; " : "", input->name,
             al_block_shape_text(&input->block, text), whole ? "" : ", cut or repeated to n x n");
}

static bool init(al_workload *work, const al_feed *feed, al_problem *problem)
{
    shape s = shape_of(feed); /* its products do not overflow: memory was judged before */
    if (!check_shapes(feed, &s, problem))
        return false;
    void *a = al_values_make_2d(block_of(feed, 0), 1, feed->type, s.rows, s.inner, problem);
    void *b = a ? al_values_make_2d(block_of(feed, 1), 2, feed->type, s.inner, s.columns, problem) : NULL;
    void *initial = b ? not_numbers(feed->type, s.rows * s.columns, problem) : NULL;
    describe(work, feed->inputs[0], s.rows, s.inner);
    describe(work, feed->inputs[1], s.inner, s.columns);
    bool ok = initial && set_arguments(work, &s, a, b, initial, problem) && expect(work, &s, a, b, problem);
    free(a);
    free(b);
    return ok;
}

const al_workload_kind al_gemm_kind = {
    .name = "gemm",
    .says = "C = A*B, n x n numbers each",
    .kernel = allot_gemm,
    .inputs = { { "A", AL_DENSE }, { "B", AL_DENSE } },
    .sizes = { 64, 256, 512 },
    .size = size,
    .bytes = bytes,
    .init = init,
    .picture = true,
};
