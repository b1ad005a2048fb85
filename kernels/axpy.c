/* y = a*x + y: the smallest kernel, and the one to copy when you add your own. */
#include "once.h"
#include <allot/numeric.h>

extern const char allot_axpy_cl[];

enum {
    A,
    X,
    Y
}; /* the parameters */

static void add_f32(size_t n, float a, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static void add_f64(size_t n, double a, const double *restrict x, double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static allot_status run(allot_call *call, const allot_part *part)
{
    (void)call;
    const void *a = part->args[A].data, *x = part->args[X].data;
    void *y = part->args[Y].data;
    size_t n = part->end - part->begin;
    if (part->type == ALLOT_F32)
        add_f32(n, *(const float *)a, (const float *)x + part->begin, (float *)y + part->begin);
    else
        add_f64(n, *(const double *)a, (const double *)x + part->begin, (double *)y + part->begin);
    return ALLOT_OK;
}

static const char *check(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)type, (void)args;
    return range.rank == 1 ? NULL : "the range needs 1 dimension, the elements of y";
}

/* A multiplication and an addition an element; x is read, y is read and written. */
static allot_work work(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)args;
    double n = (double)range.size[0];
    return (allot_work){ .flops = 2 * n, .bytes = 3 * n * (double)allot_type_size(type) };
}

const allot_kernel *allot_axpy(void)
{
    static const allot_param params[] = {
        [A] = { .name = "a" },
        [X] = { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_SLICED },
        [Y] = { .name = "y", .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED },
    };
    static const allot_selftest_arg test_args[] = {
        [A] = { .value = 0.75 }, [X] = { .shape = { 301 } }, [Y] = { .shape = { 301 } }
    };
    static const allot_selftest test = { .range = { 1, { 301 } }, .args = test_args };
    static const allot_type types[] = { ALLOT_F32, ALLOT_F64, ALLOT_NO_TYPE };
    static _Atomic(allot_kernel *) kept;
    return kernel_once(&kept, ALLOT_KERNEL(.name = "axpy", .params = params, .param_count = 3, .types = types,
                                           .cpu = run, .grain = 16384, /* some microseconds */
                                           .opencl_source = allot_axpy_cl, .work = work, .check = check,
                                           .selftest = &test));
}

void allot_axpy_reference(allot_type type, size_t n, double a, const void *x, const void *y, double *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a * element(type, x, i) + element(type, y, i);
}
