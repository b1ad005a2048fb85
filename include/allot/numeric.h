/* The sample kernels of Allot (library allot_numeric). Each is generic over its element type T = f32 or f64,
 * never released by the caller (the reference belongs to the library), and has a C and an OpenCL variant.
 * NULL only when memory is out. */
#ifndef ALLOT_NUMERIC_H
#define ALLOT_NUMERIC_H

#include <allot/kernel.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y = a*x + y (BLAS axpy). Range: n. Parameters: a (T), x (in, n), y (inout, n). 2n flops. */
ALLOT_API const allot_kernel *allot_axpy(void);

/* x·y (BLAS dot). Range: n. Parameters: x (in, n), y (in, n), result (out, 1, reduced): x and y are views of
 * rank 1 with any strides. 2n flops. The error is at most (40 + log2(n)) units of roundoff of the sum of
 * |x||y| (kernels/dot.c says how), not n of them as in a plain loop. With hints.deterministic the result is
 * bit-identical on the inline, thread and process places with any number of workers, and for repeated
 * launches on one device. */
ALLOT_API const allot_kernel *allot_dot(void);

/* C = alpha*A*B + beta*C (BLAS gemm). Range: 2 dimensions, rows m × columns n of C. Parameters: alpha (T),
 * A (in, m × k), B (in, k × n), beta (T), C (inout, m × n): views of rank 2 with any strides. 2mnk flops.
 * With beta = 0, C is not read; with alpha = 0, A and B are not. The C variant calls OpenBLAS where it was
 * found at build time. */
ALLOT_API const allot_kernel *allot_gemm(void);

/* y = A*x for a sparse matrix in compressed row storage (CSR; Saad, Iterative Methods for Sparse Linear
 * Systems, 2003, section 3.4). Range: rows n. Parameters: row_start (in, i32, n + 1), column (in, i32), value
 * (in, T), x (in, T), y (out, T, n). Row i's entries are row_start[i] to row_start[i + 1] - 1. Indices are
 * not checked: see allot_spmv_check(). 2 flops an entry. */
ALLOT_API const allot_kernel *allot_spmv(void);

/* What an image has beyond its edges. */
typedef enum allot_border {
    ALLOT_BORDER_CLAMP, /* its nearest element: the default where there is one */
    ALLOT_BORDER_ZERO
} allot_border;

/* Filters an image: out[i][j][c] = the sum over p, q of weights[p][q] * image[i + p - height / 2][j + q -
 * width / 2][c]. As in image processing and neural networks the weights are not turned round (a correlation;
 * the convolution of signal theory has them mirrored in both dimensions). Range: 2 dimensions, rows and
 * columns of the image. Parameters: image (in, rows × columns × channels), weights (in, height × width, both
 * odd and 15 at most), border (i32, an allot_border), out (out, the shape of image): views of rank 3, 2, 3
 * with any strides; fastest where channels are interleaved without holes. 2*height*width flops an element. An
 * element's bits do not depend on how the range is cut. */
ALLOT_API const allot_kernel *allot_conv2d(void);

/* The same for weights that are a product, weights[p][q] = column[p] * row[q], in height + width steps an
 * element instead of height times width. Parameters: image, column (in, height), row (in, width), border,
 * out. */
ALLOT_API const allot_kernel *allot_conv2d_separable(void);

/* Checks a CSR structure in host memory: row_start begins at 0, never falls, ends at `entries`; columns lie
 * in [0, columns). ALLOT_INVALID, with the first bad row named in message (size bytes, cut to fit; may be
 * NULL with size 0). */
ALLOT_API allot_status allot_spmv_check(size_t rows, size_t columns, size_t entries, const int32_t *row_start,
                                        const int32_t *column, char *message, size_t size);

/* Serial references in double precision, on host memory, for checking results. `type` is the element type of
 * all T arrays; results are written as double. */
ALLOT_API void allot_axpy_reference(allot_type type, size_t n, double a, const void *x, const void *y,
                                    double *out);
/* In twice the precision of double; *out is the sum. */
ALLOT_API void allot_dot_reference(allot_type type, size_t n, const void *x, const void *y, double *out);
ALLOT_API void allot_gemm_reference(allot_type type, size_t m, size_t n, size_t k, double alpha,
                                    const void *a, const void *b, double beta, const void *c, double *out);
/* Dense images; height and width at most 15. The separable one multiplies the weights out first. */
ALLOT_API void allot_conv2d_reference(allot_type type, size_t rows, size_t columns, size_t channels,
                                      const void *image, size_t height, size_t width, const void *weights,
                                      allot_border border, double *out);
ALLOT_API void allot_conv2d_separable_reference(allot_type type, size_t rows, size_t columns, size_t channels,
                                                const void *image, size_t height, const void *column,
                                                size_t width, const void *row, allot_border border,
                                                double *out);
ALLOT_API void allot_spmv_reference(allot_type type, size_t rows, const int32_t *row_start,
                                    const int32_t *column, const void *value, const void *x, double *out);

#ifdef __cplusplus
}
#endif
#endif
