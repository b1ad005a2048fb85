/* The sample kernels on the places of this machine. */
#include "placement.h"
#include <allot/numeric.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZES      8
#define ARRAYS     6
#define FILTER     9
#define ENTRIES    16 /* of a sparse row */
#define PATIENCE_S 0.005

struct placement_work {
    const struct kind *kind;
    size_t n, side; /* elements; of a square: side * side is about n */
    allot_array *arrays[ARRAYS];
    allot_array *result;
    double expected; /* of every element of the result */
    allot_arg args[ARRAYS];
    size_t arg_count;
    allot_ndrange range;
};

typedef struct kind {
    const char *name;
    const allot_kernel *(*kernel)(void);
    bool (*fill)(placement_work *work, allot_executor *executor);
} kind;

/* ---- Data such that every element of the result is known ---- */

static allot_array *ones(placement_work *work, allot_executor *executor, size_t index, size_t count,
                         double value)
{
    return work->arrays[index] = allot_array_full(executor, ALLOT_F32, count, value);
}

/* y = 0.5 * x + y with x of zeros: y stays what it is, and the work is the same. */
static bool fill_axpy(placement_work *work, allot_executor *executor)
{
    allot_array *x = ones(work, executor, 0, work->n, 0);
    work->result = ones(work, executor, 1, work->n, 3);
    work->expected = 3;
    if (!x || !work->result)
        return false;
    allot_arg args[] = { allot_f32(0.5f), allot_in(x), allot_inout(work->result) };
    memcpy(work->args, args, sizeof args);
    work->arg_count = 3;
    return true;
}

static bool fill_dot(placement_work *work, allot_executor *executor)
{
    allot_array *x = ones(work, executor, 0, work->n, 0.5), *y = ones(work, executor, 1, work->n, 2);
    work->result = ones(work, executor, 2, 1, 0);
    work->expected = (double)work->n;
    if (!x || !y || !work->result)
        return false;
    allot_arg args[] = { allot_in(x), allot_in(y), allot_out(work->result) };
    memcpy(work->args, args, sizeof args);
    work->arg_count = 3;
    return true;
}

static bool fill_gemm(placement_work *work, allot_executor *executor)
{
    size_t m = work->side;
    allot_array *a = ones(work, executor, 0, m * m, 0.5), *b = ones(work, executor, 1, m * m, 2);
    work->result = ones(work, executor, 2, m * m, 0);
    work->expected = (double)m;
    work->range = allot_range_2d(m, m);
    if (!a || !b || !work->result)
        return false;
    allot_arg args[] = { allot_f32(1), allot_in_view(allot_view_2d(a, 0, m, m, m)),
                         allot_in_view(allot_view_2d(b, 0, m, m, m)), allot_f32(0),
                         allot_inout_view(allot_view_2d(work->result, 0, m, m, m)) };
    memcpy(work->args, args, sizeof args);
    work->arg_count = 5;
    return true;
}

static bool fill_spmv(placement_work *work, allot_executor *executor)
{
    size_t n = work->n / ENTRIES;
    work->range = allot_range(n);
    allot_array *start = work->arrays[0] = allot_array_new(executor, ALLOT_I32, n + 1);
    allot_array *column = work->arrays[1] = allot_array_new(executor, ALLOT_I32, n * ENTRIES);
    allot_array *value = ones(work, executor, 2, n * ENTRIES, 0.5), *x = ones(work, executor, 3, n, 2);
    work->result = ones(work, executor, 4, n, 0);
    work->expected = ENTRIES;
    if (!start || !column || !value || !x || !work->result)
        return false;
    int32_t *starts = allot_array_map(start, ALLOT_WRITE), *columns = allot_array_map(column, ALLOT_WRITE);
    for (size_t i = 0; i <= n; i++)
        starts[i] = (int32_t)(i * ENTRIES);
    for (size_t i = 0; i < n * ENTRIES; i++)
        columns[i] = (int32_t)((i / ENTRIES + i % ENTRIES * 7) % n);
    allot_array_unmap(start);
    allot_array_unmap(column);
    allot_arg args[] = { allot_in(start), allot_in(column), allot_in(value), allot_in(x),
                         allot_out(work->result) };
    memcpy(work->args, args, sizeof args);
    work->arg_count = 5;
    return true;
}

static bool fill_conv2d(placement_work *work, allot_executor *executor)
{
    size_t m = work->side;
    allot_array *image = ones(work, executor, 0, m * m, 2),
                *weights = ones(work, executor, 1, FILTER * FILTER, 0.5);
    work->result = ones(work, executor, 2, m * m, 0);
    work->expected = FILTER * FILTER;
    work->range = allot_range_2d(m, m);
    if (!image || !weights || !work->result)
        return false;
    allot_arg args[] = { allot_in_view(allot_view_3d(image, 0, m, m, 1)),
                         allot_in_view(allot_view_2d(weights, 0, FILTER, FILTER, FILTER)),
                         allot_i32(ALLOT_BORDER_CLAMP),
                         allot_out_view(allot_view_3d(work->result, 0, m, m, 1)) };
    memcpy(work->args, args, sizeof args);
    work->arg_count = 4;
    return true;
}

static const kind kinds[] = { { "axpy", allot_axpy, fill_axpy },
                              { "dot", allot_dot, fill_dot },
                              { "gemm", allot_gemm, fill_gemm },
                              { "spmv", allot_spmv, fill_spmv },
                              { "conv2d", allot_conv2d, fill_conv2d } };
enum {
    KINDS = sizeof kinds / sizeof kinds[0]
};

/* ---- The bed ---- */

/* Elements of the largest argument: a sparse matrix's entries. gemm's sizes end at 1e6: one of 1e7 takes
 * seconds. */
static size_t size_of(size_t cell)
{
    const kind *asked = &kinds[cell / SIZES];
    double top = !strcmp(asked->name, "gemm") ? 6 : 7;
    return (size_t)llround(pow(10, 2 + (top - 2) * (double)(cell % SIZES) / (SIZES - 1)));
}

static const char *name(size_t cell)
{
    static char text[64];
    snprintf(text, sizeof text, "%s %zu", kinds[cell / SIZES].name, size_of(cell));
    return text;
}

static allot_executor *open_here(bench_round *round, const char *policy)
{
    allot_executor *executor =
        allot_open(ALLOT_OPTIONS(.threads = bench_workers(round), .policy = policy, .model = "off"));
    if (!executor)
        bench_fail(round, "%s", allot_open_error());
    return executor;
}

static void finish(placement_work *work)
{
    for (size_t i = 0; i < ARRAYS; i++)
        allot_array_release(work->arrays[i]);
    free(work);
}

static placement_work *prepare(bench_round *round, allot_executor *executor, size_t cell)
{
    placement_work *work = bench_allocate(1, sizeof *work);
    *work = (placement_work){ .kind = &kinds[cell / SIZES], .n = size_of(cell) };
    work->side = (size_t)sqrt((double)work->n);
    work->range = allot_range(work->n);
    if (work->kind->fill(work, executor))
        return work;
    bench_fail(round, "%s: %s", name(cell), allot_last_error());
    finish(work);
    return NULL;
}

static allot_future *launch(placement_work *work, allot_executor *executor, const allot_hints *hints)
{
    return allot_launch(executor, work->kind->kernel(), work->range, work->args, work->arg_count, hints);
}

static bool right(placement_work *work)
{
    size_t count = allot_array_count(work->result), wrong = 0;
    const float *numbers = allot_array_map(work->result, ALLOT_READ);
    for (size_t i = 0; numbers && i < count; i++)
        wrong += !(fabs(numbers[i] - work->expected) <= 1e-5 * work->expected);
    if (numbers)
        allot_array_unmap(work->result);
    return numbers && wrong == 0;
}

const placement_bed placement_real = { KINDS * SIZES, 0,     PATIENCE_S, open_here, prepare,
                                       launch,        right, finish,     name };
