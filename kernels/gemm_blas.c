/* gemm by OpenBLAS, where each matrix has unit stride in one dimension. Several workers call it at once, each
 * for its rows, with one thread a call: the executor sees to OpenBLAS's thread count. */
#include "gemm.h"
#include <cblas.h>
#include <limits.h>

/* How BLAS sees a matrix, in the order in which C lies. */
typedef struct operand {
    CBLAS_TRANSPOSE transpose;
    blasint leading; /* elements from one row (or column) to the next */
} operand;

/* Whether rows of `columns` elements can be told to BLAS as lying `stride` apart; a single row lies anywhere.
 */
static bool leading(size_t rows, size_t columns, size_t stride, size_t unit, blasint *result)
{
    size_t apart = rows > 1 ? stride : columns;
    if ((columns > 1 && unit != 1) || apart < columns || apart > INT_MAX)
        return false;
    *result = apart ? (blasint)apart : 1;
    return true;
}

static bool describe(size_t rows, size_t columns, const size_t stride[2], operand *result)
{
    if (leading(rows, columns, stride[0], stride[1], &result->leading)) {
        result->transpose = CblasNoTrans;
        return true;
    }
    result->transpose = CblasTrans;
    return leading(columns, rows, stride[1], stride[0], &result->leading);
}

/* C must lie in rows; a C in columns is the transposed product B'A' in rows. */
static al_gemm_product transposed(const al_gemm_product *product)
{
    al_gemm_product result = *product;
    result.m = product->n;
    result.n = product->m;
    result.a = (al_gemm_matrix){ product->b.data, { product->b.stride[1], product->b.stride[0] } };
    result.b = (al_gemm_matrix){ product->a.data, { product->a.stride[1], product->a.stride[0] } };
    result.c = (al_gemm_matrix){ product->c.data, { product->c.stride[1], product->c.stride[0] } };
    return result;
}

static void call_blas(const al_gemm_product *p, const operand *a, const operand *b, const operand *c)
{
    blasint m = (blasint)p->m, n = (blasint)p->n, k = (blasint)p->k;
    if (p->type == ALLOT_F32)
        cblas_sgemm(CblasRowMajor, a->transpose, b->transpose, m, n, k, (float)p->alpha, p->a.data,
                    a->leading, p->b.data, b->leading, (float)p->beta, p->c.data, c->leading);
    else
        cblas_dgemm(CblasRowMajor, a->transpose, b->transpose, m, n, k, p->alpha, p->a.data, a->leading,
                    p->b.data, b->leading, p->beta, p->c.data, c->leading);
}

bool al_gemm_blas(const al_gemm_product *product)
{
    al_gemm_product p = *product;
    operand a, b, c;
    if (p.m > INT_MAX || p.n > INT_MAX || p.k > INT_MAX || p.k == 0)
        return false;
    if (!describe(p.m, p.n, p.c.stride, &c))
        return false;
    if (c.transpose == CblasTrans) {
        p = transposed(product);
        c.transpose = CblasNoTrans;
    }
    if (!describe(p.m, p.k, p.a.stride, &a) || !describe(p.k, p.n, p.b.stride, &b))
        return false;
    call_blas(&p, &a, &b, &c);
    return true;
}
