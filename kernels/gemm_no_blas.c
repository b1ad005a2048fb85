/* In place of gemm_blas.c where no BLAS was found at build time. */
#include "gemm.h"

bool al_gemm_blas(const al_gemm_product *product)
{
    (void)product;
    return false;
}
