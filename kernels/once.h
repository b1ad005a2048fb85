/* What the sample kernels share: being made once, and reading an element of either type. */
#ifndef KERNELS_ONCE_H
#define KERNELS_ONCE_H

#include <allot/kernel.h>
#include <stdatomic.h>

/* The kernel in *kept, made from the descriptor by whoever comes first. It stays for the life of the process.
 * After a failure (NULL: memory was out) the next call tries again, which pthread_once() would not. */
static inline const allot_kernel *kernel_once(_Atomic(allot_kernel *) *kept, const allot_kernel_desc *desc)
{
    allot_kernel *kernel = atomic_load_explicit(kept, memory_order_acquire);
    if (kernel)
        return kernel;
    allot_kernel *made = allot_kernel_create(desc), *none = NULL;
    if (!made || atomic_compare_exchange_strong(kept, &none, made))
        return made;
    allot_kernel_release(made); /* another thread was first */
    return none;
}

/* Element i of an array of f32 or f64. */
static inline double element(allot_type type, const void *data, size_t i)
{
    return type == ALLOT_F32 ? ((const float *)data)[i] : ((const double *)data)[i];
}

#endif
