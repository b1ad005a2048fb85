/* gemm on square matrices: A and B are the inputs, row by row, or seeded; C begins as NaN, since with beta =
 * 0 it must not be read. */
#include "workload.h"

#include <allot/numeric.h>
#include <math.h>
#include <stdlib.h>

/* Of a series, the largest square that it fills. */
static size_t size(const al_feed *feed)
{
    if (feed->n_given)
        return feed->n;
    return feed->inputs[0] ? (size_t)sqrt((double)feed->inputs[0]->series.count) : 512;
}

/* A, B, C, and of A, B, C the values to start from; absolute A and B; expected and scale. */
static double bytes(const al_feed *feed, size_t n)
{
    return (double)n * (double)n * (8.0 * (double)allot_type_size(feed->type) + 16);
}

static bool expect(al_workload *work, const void *a, const void *b, al_problem *problem)
{
    size_t n = work->n;
    void *a_size = al_values_absolute(work->type, a, n * n, problem);
    void *b_size = al_values_absolute(work->type, b, n * n, problem);
    bool ok = a_size && b_size;
    if (ok) {
        allot_gemm_reference(work->type, n, n, n, 1, a, b, 0, work->initial, work->expected);
        allot_gemm_reference(work->type, n, n, n, 1, a_size, b_size, 0, work->initial, work->scale);
        work->roundings = 2 * (double)n;
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

static bool set_arguments(al_workload *work, const void *a_data, const void *b_data, void *initial,
                          al_problem *problem)
{
    size_t n = work->n;
    allot_array *a = al_workload_array(work, work->type, n * n, a_data, problem);
    allot_array *b = a ? al_workload_array(work, work->type, n * n, b_data, problem) : NULL;
    allot_array *c = b ? al_workload_array(work, work->type, n * n, NULL, problem) : NULL;
    if (!c) {
        free(initial);
        return false;
    }
    allot_view view = allot_view_2d(c, 0, n, n, n);
    work->range = allot_range_2d(n, n);
    work->args[work->arg_count++] = allot_f64(1);
    work->args[work->arg_count++] = allot_in_view(allot_view_2d(a, 0, n, n, n));
    work->args[work->arg_count++] = allot_in_view(allot_view_2d(b, 0, n, n, n));
    work->args[work->arg_count++] = allot_f64(0);
    work->args[work->arg_count++] = allot_inout_view(view);
    return al_workload_result(work, c, &view, initial, problem);
}

static bool init(al_workload *work, const al_feed *feed, al_problem *problem)
{
    size_t count = work->n * work->n; /* no overflow: memory was judged before */
    const al_series *first = feed->inputs[0] ? &feed->inputs[0]->series : NULL;
    const al_series *second = feed->inputs[1] ? &feed->inputs[1]->series : NULL;
    void *a = al_values_make(first, 1, feed->type, count, problem);
    void *b = a ? al_values_make(second, 2, feed->type, count, problem) : NULL;
    void *initial = b ? not_numbers(feed->type, count, problem) : NULL;
    for (size_t i = 0; i < AL_INPUTS; i++)
        al_workload_describe(work, feed->inputs[i], count, "n x n");
    bool ok = initial && set_arguments(work, a, b, initial, problem) && expect(work, a, b, problem);
    free(a);
    free(b);
    return ok;
}

const al_workload_kind al_gemm_kind = {
    .name = "gemm",
    .says = "C = A*B, n x n numbers each",
    .kernel = allot_gemm,
    .inputs = { { "A", AL_SERIES }, { "B", AL_SERIES } },
    .sizes = { 64, 256, 512 },
    .size = size,
    .bytes = bytes,
    .init = init,
};
