/* x·y: a reduction.
 *
 * Summed one by one, n products of f32 lose n units of roundoff. Here a part of the range is summed in
 * blocks, a block in lanes and then pairwise, and the blocks' sums with compensation (Higham, Accuracy and
 * Stability of Numerical Algorithms, 2002: sections 3.1 on inner products in blocks, 4.2 pairwise, 4.3
 * compensated summation, here in Neumaier's form): of ROUNDS + 7 roundings in a block, 2 over the blocks, and
 * those of combining the parts, none grows with n but the last, by its logarithm. */
#include "once.h"
#include "wide.h"
#include <allot/numeric.h>
#include <math.h>
#include <string.h>

extern const char allot_dot_cl[];

enum {
    X,
    Y,
    RESULT
}; /* the parameters */

enum {
    CHAINS = 4, /* vectors of sums, so that an addition need not wait for the one before it */
    ROUNDS = 16 /* products that each lane adds up in a block */
};

#define T            float
#define OF(name)     name##_f32_plain
#define TARGET       PLAIN_TARGET
#define VECTOR_BYTES PLAIN_BYTES
#include "dot_block.h"

#define T            float
#define OF(name)     name##_f32_wide
#define TARGET       WIDE_TARGET
#define VECTOR_BYTES WIDE_BYTES
#include "dot_block.h"

#define T            double
#define OF(name)     name##_f64_plain
#define TARGET       PLAIN_TARGET
#define VECTOR_BYTES PLAIN_BYTES
#include "dot_block.h"

#define T            double
#define OF(name)     name##_f64_wide
#define TARGET       WIDE_TARGET
#define VECTOR_BYTES WIDE_BYTES
#include "dot_block.h"

static allot_status run(allot_call *call, const allot_part *part)
{
    (void)call;
    const allot_value *x = &part->args[X], *y = &part->args[Y];
    size_t n = part->end - part->begin, dx = x->stride[0], dy = y->stride[0];
    size_t x_begin = part->begin * dx, y_begin = part->begin * dy;
    bool wide = widest() >= WIDE;
    void *result = part->args[RESULT].data;
    if (part->type == ALLOT_F32)
        *(float *)result += (wide ? dot_f32_wide : dot_f32_plain)(n, (const float *)x->data + x_begin, dx,
                                                                  (const float *)y->data + y_begin, dy);
    else
        *(double *)result += (wide ? dot_f64_wide : dot_f64_plain)(n, (const double *)x->data + x_begin, dx,
                                                                   (const double *)y->data + y_begin, dy);
    return ALLOT_OK;
}

static const char *check(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)type;
    if (range.rank != 1)
        return "the range needs 1 dimension, the elements of x and y";
    return args[RESULT].count == 1 ? NULL : "the result needs 1 element";
}

/* A multiplication and an addition an element; x and y are read. */
static allot_work work(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)args;
    double n = (double)range.size[0];
    return (allot_work){ .flops = 2 * n, .bytes = 2 * n * (double)allot_type_size(type) };
}

const allot_kernel *allot_dot(void)
{
    static const allot_param params[] = {
        [X] = { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_SLICED, .strided = true },
        [Y] = { .name = "y", .access = ALLOT_READ, .distribution = ALLOT_SLICED, .strided = true },
        [RESULT] = { .name = "result",
                     .access = ALLOT_WRITE,
                     .distribution = ALLOT_REDUCED,
                     .reduce = ALLOT_SUM },
    };
    static const allot_selftest_arg test_args[] = {
        [X] = { .shape = { 9001 } }, [Y] = { .shape = { 9001 } }, [RESULT] = { .shape = { 1 } }
    };
    static const allot_selftest test = { .range = { 1, { 9001 } }, .args = test_args };
    static const allot_type types[] = { ALLOT_F32, ALLOT_F64, ALLOT_NO_TYPE };
    static _Atomic(allot_kernel *) kept;
    /* Tile and group are those of dot.cl. */
    return kernel_once(&kept, ALLOT_KERNEL(.name = "dot", .params = params, .param_count = 3, .types = types,
                                           .cpu = run, .grain = 16384, /* some microseconds */
                                           .opencl_source = allot_dot_cl, .opencl_entry = "dot_product",
                                           /* dot() is a built-in */ .tile = { 64 }, .local = { 64 },
                                           .work = work, .check = check, .selftest = &test));
}

/* In twice the precision of double (Ogita, Rump, Oishi, Accurate Sum and Dot Product, 2005, algorithm 5.3).
 * The volatile product is rounded by itself, whatever the compiler would contract. */
void allot_dot_reference(allot_type type, size_t n, const void *x, const void *y, double *out)
{
    double sum = 0, lost = 0;
    for (size_t i = 0; i < n; i++) {
        double a = element(type, x, i), b = element(type, y, i);
        volatile double product = a * b;
        double rounded = product, next = sum + rounded, part = next - sum;
        lost += (sum - (next - part)) + (rounded - part) + fma(a, b, -rounded);
        sum = next;
    }
    *out = isfinite(lost) ? sum + lost : sum;
}
