/* A kernel: the checked, private copy of a descriptor. */
#ifndef AL_CORE_KERNEL_H
#define AL_CORE_KERNEL_H

#include <allot/kernel.h>
#include <stdatomic.h>

#define AL_PARAMS_MAX 32

struct allot_kernel {
    _Atomic uint32_t references;
    uint64_t id;            /* unique in the process: caches key by it, not by address */
    allot_kernel_desc desc; /* defaults filled in; texts and params still the caller's */
    bool splits;            /* its range may be split: no parameter writes an ALLOT_WHOLE array */
    bool reduces;           /* it has an ALLOT_REDUCED parameter */
    bool has_type;          /* T says something of it: it lists types, or a parameter is of it */
    void *owned;            /* freed with it: texts and params of a kernel that the library made itself */
};

static inline bool al_kernel_has_opencl(const allot_kernel *kernel)
{
    return kernel->desc.opencl_source || kernel->desc.opencl_program;
}

static inline bool al_param_is_number(const allot_param *param)
{
    return !param->access && !param->local && !param->bytes;
}

/* True if T may be this type. */
bool al_kernel_takes(const allot_kernel *kernel, allot_type type);

#endif
