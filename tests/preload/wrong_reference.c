/* A reference that is wrong in one element: preloaded before the real one, it lets a right result look wrong.
 */
#include <allot/numeric.h>

void allot_axpy_reference(allot_type type, size_t n, double a, const void *x, const void *y, double *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = type == ALLOT_F32 ? a * (double)((const float *)x)[i] + (double)((const float *)y)[i]
                                   : a * ((const double *)x)[i] + ((const double *)y)[i];
    if (n > 3)
        out[3] *= 1.01;
}
