/* C = alpha*A*B + beta*C, rows of C shared out. As in BLAS, A and B are not read when alpha is 0, nor C when
 * beta is. */
#include "gemm.h"
#include "once.h"
#include <allot/numeric.h>

extern const char allot_gemm_cl[];

enum {
    ALPHA,
    A,
    B,
    BETA,
    C
}; /* the parameters */

static double scalar(allot_type type, const allot_value *value)
{
    return element(type, value->data, 0);
}

/* The matrix from row `row` on. */
static al_gemm_matrix matrix(allot_type type, const allot_value *value, size_t row)
{
    char *data = (char *)value->data + row * value->stride[0] * allot_type_size(type);
    return (al_gemm_matrix){ data, { value->stride[0], value->stride[1] } };
}

static allot_status run(allot_call *call, const allot_part *part)
{
    const allot_value *args = part->args;
    allot_type type = part->type;
    al_gemm_product product = {
        .type = type,
        .m = part->end - part->begin,
        .n = part->range.size[1],
        .k = args[A].shape[1],
        .alpha = scalar(type, &args[ALPHA]),
        .beta = scalar(type, &args[BETA]),
        .a = matrix(type, &args[A], part->begin),
        .b = matrix(type, &args[B], 0),
        .c = matrix(type, &args[C], part->begin),
    };
    if (product.alpha == 0)
        product.k = 0;
    if (product.m == 0 || product.n == 0 || al_gemm_blas(&product) || al_gemm_plain(&product))
        return ALLOT_OK;
    return allot_fail(call, ALLOT_NO_MEMORY, "gemm: no memory for a block of B");
}

static const char *check(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)type;
    if (range.rank != 2)
        return "the range needs 2 dimensions, the rows and columns of C";
    if (args[A].shape[1] != args[B].shape[0])
        return "A needs as many columns as B has rows";
    if (args[B].shape[1] != range.size[1] || args[C].shape[1] != range.size[1])
        return "B and C need as many columns as the range";
    return NULL;
}

static allot_work work(allot_type type, allot_ndrange range, const allot_value *args)
{
    double m = (double)range.size[0], n = (double)range.size[1], k = (double)args[A].shape[1];
    double passes_over_c = scalar(type, &args[BETA]) == 0 ? 1 : 2;
    double elements = m * k + k * n + passes_over_c * m * n;
    return (allot_work){ .flops = 2 * m * n * k, .bytes = elements * (double)allot_type_size(type) };
}

const allot_kernel *allot_gemm(void)
{
    static const allot_param params[] = {
        [ALPHA] = { .name = "alpha" },
        [A] = { .name = "A", .access = ALLOT_READ, .distribution = ALLOT_SLICED, .rank = 2, .strided = true },
        [B] = { .name = "B", .access = ALLOT_READ, .distribution = ALLOT_WHOLE, .rank = 2, .strided = true },
        [BETA] = { .name = "beta" },
        [C] = { .name = "C",
                .access = ALLOT_READ_WRITE,
                .distribution = ALLOT_SLICED,
                .rank = 2,
                .strided = true },
    };
    static const allot_selftest_arg test_args[] = {
        [ALPHA] = { .value = 0.5 }, [A] = { .shape = { 37, 23 } }, [B] = { .shape = { 23, 29 } },
        [BETA] = { .value = 0.25 }, [C] = { .shape = { 37, 29 } },
    };
    static const allot_selftest test = { .range = { 2, { 37, 29 } }, .args = test_args };
    static const allot_type types[] = { ALLOT_F32, ALLOT_F64, ALLOT_NO_TYPE };
    static _Atomic(allot_kernel *) kept;
    /* The tile is the one that gemm.cl computes. A fixed work-group size spares drivers that compile for each
     * size a new compilation a launch; 32 work-items fill a GPU's warp and leave a CPU enough groups to share
     * out. */
    return kernel_once(&kept, ALLOT_KERNEL(.name = "gemm", .params = params, .param_count = 5, .types = types,
                                           .cpu = run, .grain = 32, .opencl_source = allot_gemm_cl,
                                           .tile = { 8, 16 }, .local = { 8, 4 }, .work = work, .check = check,
                                           .selftest = &test));
}

static void add_row(allot_type type, size_t n, double factor, const void *b, size_t begin, double *out)
{
    for (size_t j = 0; j < n; j++)
        out[j] += factor * element(type, b, begin + j);
}

void allot_gemm_reference(allot_type type, size_t m, size_t n, size_t k, double alpha, const void *a,
                          const void *b, double beta, const void *c, double *out)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++)
            out[i * n + j] = beta == 0 ? 0 : beta * element(type, c, i * n + j);
        for (size_t p = 0; p < k && alpha != 0; p++)
            add_row(type, n, alpha * element(type, a, i * k + p), b, p * n, out + i * n);
    }
}
