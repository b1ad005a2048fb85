/* dot on numbers: x is the input, repeated or cut to n; y a second input, or seeded. */
#include "workload.h"

#include <allot/numeric.h>
#include <math.h>
#include <stdlib.h>

static size_t size(const al_feed *feed)
{
    if (feed->n_given)
        return feed->n;
    return feed->inputs[0] ? al_block_count(&feed->inputs[0]->block) : 1000000;
}

/* Arrays x, y; the values they are made from; absolute x, y. */
static double bytes(const al_feed *feed, size_t n)
{
    return (double)n * 6.0 * (double)allot_type_size(feed->type);
}

static bool expect(al_workload *work, const void *x, const void *y, al_problem *problem)
{
    void *x_size = al_values_absolute(work->type, x, work->n, problem);
    void *y_size = al_values_absolute(work->type, y, work->n, problem);
    bool ok = x_size && y_size;
    if (ok) {
        allot_dot_reference(work->type, work->n, x, y, work->expected);
        allot_dot_reference(work->type, work->n, x_size, y_size, work->scale);
        work->roundings = 40 + log2((double)work->n + 1); /* what numeric.h promises */
    }
    free(x_size);
    free(y_size);
    return ok;
}

/* The sum begins as NaN: one that is never written shows. */
static bool set_arguments(al_workload *work, const void *x_data, const void *y_data, al_problem *problem)
{
    allot_array *x = al_workload_array(work, work->type, work->n, x_data, problem);
    allot_array *y = x ? al_workload_array(work, work->type, work->n, y_data, problem) : NULL;
    allot_array *sum = y ? al_workload_array(work, work->type, 1, NULL, problem) : NULL;
    void *initial = sum ? calloc(1, allot_type_size(work->type)) : NULL;
    if (!initial)
        return sum ? al_out_of_memory(problem) : false;
    al_value_set(work->type, initial, 0, NAN);
    work->range = allot_range(work->n);
    work->args[work->arg_count++] = allot_in(x);
    work->args[work->arg_count++] = allot_in(y);
    work->args[work->arg_count++] = allot_out(sum);
    allot_view view = allot_view_all(sum);
    return al_workload_result(work, sum, &view, initial, problem);
}

static bool init(al_workload *work, const al_feed *feed, al_problem *problem)
{
    const al_block *first = feed->inputs[0] ? &feed->inputs[0]->block : NULL;
    const al_block *second = feed->inputs[1] ? &feed->inputs[1]->block : NULL;
    void *x = al_values_make(first, 1, feed->type, work->n, problem);
    void *y = x ? al_values_make(second, 2, feed->type, work->n, problem) : NULL;
    for (size_t i = 0; i < AL_INPUTS; i++)
        al_workload_describe(work, feed->inputs[i], work->n, "n");
    bool ok = y && set_arguments(work, x, y, problem) && expect(work, x, y, problem);
    free(x);
    free(y);
    return ok;
}

const al_workload_kind al_dot_kind = {
    .name = "dot",
    .says = "the sum of x*y, n numbers each",
    .kernel = allot_dot,
    .data = "ecg_108000.f32",
    .inputs = { { "x", AL_DENSE }, { "y", AL_DENSE } },
    .sizes = { 1000, 100000, 4000000 },
    .size = size,
    .bytes = bytes,
    .init = init,
};
