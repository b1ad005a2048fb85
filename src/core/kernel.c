#include "core/kernel.h"
#include "core/failure.h"
#include "core/reduce.h"
#include <stdlib.h>
#include <string.h>

void allot_kernel_desc_init(allot_kernel_desc *desc)
{
    if (desc)
        *desc = (allot_kernel_desc){ .size = sizeof *desc };
}

/* ---- Checks of a descriptor ---- */

#define STRUCT_BYTES_MAX ((size_t)64 << 10)

static bool valid_type(allot_type type)
{
    return type == ALLOT_T || allot_type_size(type) != 0;
}

static const char *wrong_with_reduced(const allot_param *param)
{
    if (param->access != ALLOT_WRITE)
        return "what is reduced can only be written, ALLOT_WRITE";
    if (param->reduce < ALLOT_SUM || param->reduce > ALLOT_PRODUCT)
        return "its reduce is none of ALLOT_SUM, ALLOT_MIN, ALLOT_MAX, ALLOT_PRODUCT";
    if (param->type != ALLOT_T && !al_reduce_takes(param->type))
        return "elements of its type cannot be reduced";
    if (param->strided)
        return "what is reduced is dense, not strided";
    return NULL;
}

/* NULL if the parameter makes sense, else what is wrong with it. */
static const char *wrong_with_array(const allot_param *param)
{
    if (param->access < ALLOT_READ || param->access > ALLOT_READ_WRITE)
        return "its access is none of ALLOT_READ, ALLOT_WRITE, ALLOT_READ_WRITE";
    if (param->distribution < ALLOT_WHOLE || param->distribution > ALLOT_REDUCED)
        return "its distribution is none of ALLOT_WHOLE, ALLOT_SLICED, ALLOT_HALO, ALLOT_REDUCED";
    if (param->distribution == ALLOT_HALO && param->access != ALLOT_READ)
        return "a halo can only be read";
    if (param->rank > 3)
        return "its rank is above 3";
    return param->distribution == ALLOT_REDUCED ? wrong_with_reduced(param) : NULL;
}

static const char *wrong_with(const allot_param *param)
{
    if (!param->name || !*param->name)
        return "it has no name";
    if (!valid_type(param->type))
        return "its type is not a type";
    if (param->access && (param->local || param->bytes))
        return "local memory and structs have no access";
    if (param->bytes > STRUCT_BYTES_MAX)
        return "it is a struct of more than 64 KiB";
    return param->access ? wrong_with_array(param) : NULL;
}

static bool check_params(const allot_kernel_desc *desc)
{
    if (desc->param_count > AL_PARAMS_MAX || (desc->param_count && !desc->params)) {
        al_last_error(ALLOT_INVALID, "kernel %s: it has %zu parameters; 0 to %d and their table are possible",
                      desc->name, desc->param_count, AL_PARAMS_MAX);
        return false;
    }
    for (size_t i = 0; i < desc->param_count; i++) {
        const char *wrong = wrong_with(&desc->params[i]);
        if (wrong) {
            const char *name = desc->params[i].name ? desc->params[i].name : "";
            al_last_error(ALLOT_INVALID, "kernel %s: parameter %zu (%s): %s", desc->name, i, name, wrong);
            return false;
        }
    }
    return true;
}

static bool check(const allot_kernel_desc *desc)
{
    if (!desc || desc->size == 0)
        return al_last_error(ALLOT_INVALID, "allot_kernel_create: no descriptor, or its size is not set");
    if (!desc->name || !*desc->name)
        return al_last_error(ALLOT_INVALID, "allot_kernel_create: the kernel has no name");
    return true;
}

/* What older callers lack is 0 in the copy that this looks at. */
static bool check_program(const allot_kernel_desc *desc)
{
    if (!desc->cpu && !desc->opencl_source && !desc->opencl_program)
        return al_last_error(ALLOT_INVALID, "kernel %s: it has no variant", desc->name);
    if (desc->opencl_source && desc->opencl_program)
        return al_last_error(ALLOT_INVALID,
                             "kernel %s: it has an OpenCL text and a program: give one of them", desc->name);
    if (desc->opencl_program && desc->opencl_program_bytes < 4)
        return al_last_error(ALLOT_INVALID, "kernel %s: its OpenCL program of %zu bytes is none", desc->name,
                             desc->opencl_program_bytes);
    if (desc->opencl_constant_count && !desc->opencl_constants)
        return al_last_error(ALLOT_INVALID, "kernel %s: its OpenCL constants are missing", desc->name);
    return check_params(desc);
}

/* ---- Life ---- */

static bool splits(const allot_kernel_desc *desc)
{
    for (size_t i = 0; i < desc->param_count; i++)
        if (desc->params[i].access & ALLOT_WRITE && desc->params[i].distribution == ALLOT_WHOLE)
            return false;
    return true;
}

static bool reduces(const allot_kernel_desc *desc)
{
    bool any = false;
    for (size_t i = 0; i < desc->param_count; i++)
        any |= desc->params[i].access && desc->params[i].distribution == ALLOT_REDUCED;
    return any;
}

static bool has_type(const allot_kernel_desc *desc)
{
    bool any = desc->types != NULL;
    for (size_t i = 0; i < desc->param_count; i++)
        any |= desc->params[i].type == ALLOT_T &&
               (desc->params[i].access || al_param_is_number(&desc->params[i]));
    return any;
}

allot_kernel *allot_kernel_create(const allot_kernel_desc *desc)
{
    static _Atomic uint64_t ids;
    allot_kernel_desc whole = { 0 };
    if (!check(desc))
        return NULL;
    /* A caller built against an older header has a shorter struct: what it lacks stays 0. */
    memcpy(&whole, desc, desc->size < sizeof whole ? desc->size : sizeof whole);
    if (!check_program(&whole))
        return NULL;
    allot_kernel *kernel = calloc(1, sizeof *kernel);
    if (!kernel)
        return al_last_error(ALLOT_NO_MEMORY, "kernel %s: out of memory", desc->name);
    kernel->desc = whole;
    atomic_init(&kernel->references, 1);
    kernel->id = atomic_fetch_add(&ids, 1) + 1;
    kernel->splits = splits(&kernel->desc);
    kernel->reduces = reduces(&kernel->desc);
    kernel->has_type = has_type(&kernel->desc);
    if (!kernel->desc.grain)
        kernel->desc.grain = 1;
    if (!kernel->desc.opencl_entry)
        kernel->desc.opencl_entry = kernel->desc.name;
    return kernel;
}

allot_kernel *allot_kernel_hold(allot_kernel *kernel)
{
    if (kernel)
        atomic_fetch_add_explicit(&kernel->references, 1, memory_order_relaxed);
    return kernel;
}

void allot_kernel_release(allot_kernel *kernel)
{
    if (!kernel || atomic_fetch_sub_explicit(&kernel->references, 1, memory_order_acq_rel) != 1)
        return;
    free(kernel->owned);
    free(kernel);
}

const char *allot_kernel_name(const allot_kernel *kernel)
{
    return kernel ? kernel->desc.name : "";
}

bool al_kernel_takes(const allot_kernel *kernel, allot_type type)
{
    if (!kernel->desc.types)
        return allot_type_size(type) != 0;
    for (const allot_type *each = kernel->desc.types; *each != ALLOT_NO_TYPE; each++)
        if (*each == type)
            return true;
    return false;
}
