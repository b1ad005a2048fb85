/* axpy on numbers: x is the input, repeated or cut to n; y a second input, or seeded. */
#include "workload.h"

#include <allot/numeric.h>
#include <stdlib.h>
#include <string.h>

static const double factor = 0.75; /* exact in every type, also times a few launches */

static size_t size(const al_feed *feed)
{
    if (feed->n_given)
        return feed->n;
    return feed->inputs[0] ? al_block_count(&feed->inputs[0]->block) : 1000000;
}

/* Arrays x, y; initial; absolute x, y; expected and scale. */
static double bytes(const al_feed *feed, size_t n)
{
    return (double)n * (6.0 * (double)allot_type_size(feed->type) + 16);
}

/* Launched several times, y = a*x + y adds the factor up. */
static bool expect(al_workload *work, const void *x, const void *y, int launches, al_problem *problem)
{
    void *x_size = al_values_absolute(work->type, x, work->n, problem);
    void *y_size = al_values_absolute(work->type, y, work->n, problem);
    bool ok = x_size && y_size;
    if (ok) {
        double total = factor * launches;
        allot_axpy_reference(work->type, work->n, total, x, y, work->expected);
        allot_axpy_reference(work->type, work->n, total, x_size, y_size, work->scale);
        work->roundings = 2 * launches;
    }
    free(x_size);
    free(y_size);
    return ok;
}

static bool init(al_workload *work, const al_feed *feed, al_problem *problem)
{
    const al_block *first = feed->inputs[0] ? &feed->inputs[0]->block : NULL;
    const al_block *second = feed->inputs[1] ? &feed->inputs[1]->block : NULL;
    void *x_data = al_values_make(first, 1, feed->type, work->n, problem);
    void *y_data = x_data ? al_values_make(second, 2, feed->type, work->n, problem) : NULL;
    allot_array *x = y_data ? al_workload_array(work, feed->type, work->n, x_data, problem) : NULL;
    allot_array *y = x ? al_workload_array(work, feed->type, work->n, y_data, problem) : NULL;
    bool ok = false;
    if (y) {
        allot_view view = allot_view_all(y);
        ok = al_workload_result(work, y, &view, y_data, problem);
        work->range = allot_range(work->n);
        work->args[work->arg_count++] = allot_f64(factor);
        work->args[work->arg_count++] = allot_in(x);
        work->args[work->arg_count++] = allot_inout(y);
        for (size_t i = 0; i < AL_INPUTS; i++)
            al_workload_describe(work, feed->inputs[i], work->n, "n");
        ok = ok && expect(work, x_data, y_data, feed->launches, problem);
    } else {
        free(y_data);
    }
    free(x_data);
    return ok;
}

const al_workload_kind al_axpy_kind = {
    .name = "axpy",
    .says = "y = 0.75*x + y, n numbers",
    .kernel = allot_axpy,
    .data = "ecg_108000.f32",
    .inputs = { { "x", AL_DENSE }, { "y", AL_DENSE } },
    .sizes = { 1000, 100000, 4000000 },
    .size = size,
    .bytes = bytes,
    .init = init,
};
