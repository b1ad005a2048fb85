/* One product C = alpha*A*B + beta*C as the C variant's two ways of computing it see it. */
#ifndef KERNELS_GEMM_H
#define KERNELS_GEMM_H

#include <allot/kernel.h>

/* Element (i, j) lies at data[i * stride[0] + j * stride[1]]. */
typedef struct al_gemm_matrix {
    void *data;
    size_t stride[2];
} al_gemm_matrix;

/* A is m x k, B is k x n, C is m x n; none of m and n is 0. */
typedef struct al_gemm_product {
    allot_type type;
    size_t m, n, k;
    double alpha, beta; /* exact for both types */
    al_gemm_matrix a, b, c;
} al_gemm_product;

/* Computes it with the BLAS that was found at build time; false, with nothing done, where there is none or it
 * does not take these strides or sizes. gemm_blas.c or gemm_no_blas.c. */
bool al_gemm_blas(const al_gemm_product *product);

/* Computes it with our own loops, whatever the strides; false, with nothing done, when memory is out.
 * gemm_plain.c. */
bool al_gemm_plain(const al_gemm_product *product);

#endif
