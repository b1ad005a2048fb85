#include "core/kernel_copy.h"
#include <stdlib.h>
#include <string.h>

/* Filled twice: first without bytes, to see how many it takes. */
typedef struct arena {
    unsigned char *bytes;
    size_t used;
} arena;

#define ALIGNED(size) (((size) + 15) & ~(size_t)15)

/* Its copy there; without bytes, or of nothing, NULL. */
static void *put(arena *to, const void *from, size_t size)
{
    size_t at = to->used;
    if (!from || !size)
        return NULL;
    to->used += ALIGNED(size);
    return to->bytes ? memcpy(to->bytes + at, from, size) : NULL;
}

static char *put_text(arena *to, const char *text)
{
    return put(to, text, text ? strlen(text) + 1 : 0);
}

static void put_params(arena *to, allot_kernel_desc *desc)
{
    const allot_param *from = desc->params;
    allot_param *params = put(to, from, desc->param_count * sizeof *params);
    for (size_t i = 0; i < desc->param_count; i++) {
        char *name = put_text(to, from[i].name);
        if (params)
            params[i].name = name;
    }
    desc->params = params;
}

static void put_types(arena *to, allot_kernel_desc *desc)
{
    size_t count = 0;
    while (desc->types && desc->types[count] != ALLOT_NO_TYPE)
        count++;
    desc->types = put(to, desc->types, (count + 1) * sizeof *desc->types);
}

static void put_constants(arena *to, allot_kernel_desc *desc)
{
    const allot_constant *from = desc->opencl_constants;
    allot_constant *constants = put(to, from, desc->opencl_constant_count * sizeof *constants);
    for (size_t i = 0; i < desc->opencl_constant_count; i++) {
        void *value = put(to, from[i].value, from[i].bytes);
        if (constants)
            constants[i].value = value;
    }
    desc->opencl_constants = constants;
}

static size_t elements(const allot_selftest_arg *arg)
{
    size_t count = 1;
    for (size_t d = 0; d < 3; d++)
        count *= arg->shape[d] ? arg->shape[d] : 1;
    return count;
}

/* Before the parameters, which it looks at. */
static void put_selftest(arena *to, allot_kernel_desc *desc)
{
    const allot_selftest *from = desc->selftest;
    allot_selftest *test = put(to, from, sizeof *test);
    allot_selftest_arg *args = from ? put(to, from->args, desc->param_count * sizeof *args) : NULL;
    for (size_t i = 0; from && from->args && i < desc->param_count; i++) {
        const allot_selftest_arg *arg = &from->args[i];
        double *values = put(to, arg->values, elements(arg) * sizeof *values);
        void *data = put(to, arg->data, desc->params[i].bytes);
        if (args) {
            args[i].values = values;
            args[i].data = data;
        }
    }
    if (test)
        test->args = args;
    desc->selftest = test;
}

static allot_kernel_desc put_desc(arena *to, const allot_kernel_desc *from)
{
    allot_kernel_desc desc = *from;
    desc.name = put_text(to, from->name);
    desc.opencl_source = put_text(to, from->opencl_source);
    desc.opencl_entry = put_text(to, from->opencl_entry);
    desc.opencl_options = put_text(to, from->opencl_options);
    desc.opencl_program = put(to, from->opencl_program, from->opencl_program_bytes);
    put_types(to, &desc);
    put_constants(to, &desc);
    put_selftest(to, &desc);
    put_params(to, &desc);
    return desc;
}

allot_kernel *al_kernel_copy(const allot_kernel *kernel)
{
    arena room = { NULL, 0 };
    put_desc(&room, &kernel->desc);
    allot_kernel *copy = calloc(1, sizeof *copy);
    room.bytes = copy ? malloc(room.used ? room.used : 1) : NULL;
    if (!room.bytes) {
        free(copy);
        return NULL;
    }
    room.used = 0;
    copy->desc = put_desc(&room, &kernel->desc);
    atomic_init(&copy->references, 1);
    copy->id = kernel->id;
    copy->splits = kernel->splits;
    copy->reduces = kernel->reduces;
    copy->has_type = kernel->has_type;
    copy->owned = room.bytes;
    return copy;
}
