/* See probe_kernels.h. */
#include "probe_kernels.h"
#include "support.h"

/* Element (i, j, k) of a u32 view. */
static uint32_t *element(const allot_value *value, size_t i, size_t j, size_t k)
{
    return (uint32_t *)value->data + i * value->stride[0] + j * value->stride[1] + k * value->stride[2];
}

static allot_status square(allot_call *call, const allot_part *part)
{
    (void)call;
    for (size_t i = part->begin; i < part->end; i++)
        if (part->type == ALLOT_F32)
            ((float *)part->args[1].data)[i] =
                ((const float *)part->args[0].data)[i] * ((const float *)part->args[0].data)[i];
        else
            ((double *)part->args[1].data)[i] =
                ((const double *)part->args[0].data)[i] * ((const double *)part->args[0].data)[i];
    return ALLOT_OK;
}

static uint32_t u32(const allot_part *part, size_t index)
{
    return *(const uint32_t *)part->args[index].data;
}

static allot_status affine(allot_call *call, const allot_part *part)
{
    (void)call;
    for (size_t i = part->begin; i < part->end; i++)
        for (size_t j = 0; j < part->range.size[1]; j++)
            for (size_t k = 0; k < part->range.size[2]; k++) {
                uint32_t *y = element(&part->args[0], i, j, k);
                *y = u32(part, 1) * *y + u32(part, 2);
            }
    return ALLOT_OK;
}

static allot_status mix(allot_call *call, const allot_part *part)
{
    (void)call;
    for (size_t i = part->begin; i < part->end; i++)
        for (size_t j = 0; j < part->range.size[1]; j++)
            for (size_t k = 0; k < part->range.size[2]; k++) {
                uint32_t *y = element(&part->args[1], i, j, k);
                *y = u32(part, 2) * *y + *element(&part->args[0], i, j, k);
            }
    return ALLOT_OK;
}

static allot_status fill(allot_call *call, const allot_part *part)
{
    (void)call;
    for (size_t i = part->begin; i < part->end; i++)
        for (size_t j = 0; j < part->range.size[1]; j++)
            for (size_t k = 0; k < part->range.size[2]; k++)
                *element(&part->args[0], i, j, k) = u32(part, 1) + (uint32_t)i;
    return ALLOT_OK;
}

uint32_t probe_slow_value(uint32_t value, uint32_t rounds)
{
    for (uint32_t round = 0; round < rounds; round++)
        value = value * 1664525u + 1013904223u + (value >> 16);
    return value;
}

static allot_status slow(allot_call *call, const allot_part *part)
{
    (void)call;
    for (size_t i = part->begin; i < part->end; i++)
        *element(&part->args[0], i, 0, 0) = probe_slow_value(*element(&part->args[0], i, 0, 0), u32(part, 1));
    return ALLOT_OK;
}

static allot_status reverse(allot_call *call, const allot_part *part)
{
    (void)call;
    for (size_t i = part->begin; i < part->end; i++)
        *element(&part->args[1], i, 0, 0) = *element(&part->args[0], part->args[0].count - 1 - i, 0, 0);
    return ALLOT_OK;
}

static allot_status blur(allot_call *call, const allot_part *part)
{
    (void)call;
    for (size_t i = part->begin; i < part->end; i++) {
        uint32_t left = i > 0 ? *element(&part->args[0], i - 1, 0, 0) : 0;
        uint32_t right = i + 1 < part->args[0].count ? *element(&part->args[0], i + 1, 0, 0) : 0;
        *element(&part->args[1], i, 0, 0) = left + *element(&part->args[0], i, 0, 0) + right;
    }
    return ALLOT_OK;
}

static allot_status wait_at_gate(allot_call *call, const allot_part *part)
{
    (void)call;
    gate_pass(*(const uint64_t *)part->args[1].data);
    return ALLOT_OK;
}

static allot_status wait_patiently(allot_call *call, const allot_part *part)
{
    gate_pass_unless_stopped(*(const uint64_t *)part->args[1].data, call);
    return ALLOT_OK;
}

static allot_status fail(allot_call *call, const allot_part *part)
{
    return allot_fail(call, (allot_status) * (const int32_t *)part->args[1].data, "%s", FAIL_TEXT);
}

static const allot_type floats[] = { ALLOT_F32, ALLOT_F64, ALLOT_NO_TYPE };
static const allot_param square_params[] = {
    { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_SLICED },
    { .name = "y", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
};
static const allot_param affine_params[] = {
    { .name = "y",
      .type = ALLOT_U32,
      .access = ALLOT_READ_WRITE,
      .distribution = ALLOT_SLICED,
      .rank = 2,
      .strided = true },
    { .name = "a", .type = ALLOT_U32 },
    { .name = "b", .type = ALLOT_U32 },
};
static const allot_param mix_params[] = {
    { .name = "x",
      .type = ALLOT_U32,
      .access = ALLOT_READ,
      .distribution = ALLOT_SLICED,
      .rank = 2,
      .strided = true },
    { .name = "y",
      .type = ALLOT_U32,
      .access = ALLOT_READ_WRITE,
      .distribution = ALLOT_SLICED,
      .rank = 2,
      .strided = true },
    { .name = "a", .type = ALLOT_U32 },
};
static const allot_param fill_params[] = {
    { .name = "y", .type = ALLOT_U32, .access = ALLOT_WRITE, .distribution = ALLOT_SLICED, .strided = true },
    { .name = "b", .type = ALLOT_U32 },
};
static const allot_param slow_params[] = {
    { .name = "y", .type = ALLOT_U32, .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED },
    { .name = "rounds", .type = ALLOT_U32 },
};
static const allot_param reverse_params[] = {
    { .name = "x", .type = ALLOT_U32, .access = ALLOT_READ, .distribution = ALLOT_WHOLE },
    { .name = "y", .type = ALLOT_U32, .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
};
static const allot_param blur_params[] = {
    { .name = "x",
      .type = ALLOT_U32,
      .access = ALLOT_READ,
      .distribution = ALLOT_HALO,
      .before = 1,
      .after = 1 },
    { .name = "y", .type = ALLOT_U32, .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
};
static const allot_param gate_params[] = {
    { .name = "y", .type = ALLOT_F32, .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED },
    { .name = "key", .type = ALLOT_U64 },
};
static const allot_param fail_params[] = {
    { .name = "y", .type = ALLOT_F32, .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED },
    { .name = "status", .type = ALLOT_I32 },
};

#define AT(layout)                                                                                           \
    "[get_global_id(0) * " layout ".stride[0] + get_global_id(1) * " layout                                  \
    ".stride[1] + get_global_id(2) * " layout ".stride[2]]"

static const char square_text[] = "kernel void square(global const T *x, global T *y)\n"
                                  "{ size_t i = get_global_id(0); y[i] = x[i] * x[i]; }\n";
static const char affine_text[] = "kernel void affine(global uint *y, allot_layout at, uint a, uint b)\n"
                                  "{ global uint *e = &y" AT("at") "; *e = a * *e + b; }\n";
static const char mix_text[] =
    "kernel void mix_in(global const uint *x, allot_layout of, global uint *y, allot_layout at, uint a)\n"
    "{ global uint *e = &y" AT("at") "; *e = a * *e + x" AT("of") "; }\n";
static const char fill_text[] = "kernel void fill(global uint *y, allot_layout at, uint b)\n"
                                "{ y" AT("at") " = b + (uint)get_global_id(0); }\n";
static const char slow_text[] =
    "kernel void slow(global uint *y, uint rounds)\n"
    "{ uint v = y[get_global_id(0)];\n"
    "  for (uint r = 0; r < rounds; r++) v = v * 1664525u + 1013904223u + (v >> 16);\n"
    "  y[get_global_id(0)] = v; }\n";
static const char reverse_text[] =
    "kernel void reverse(global const uint *x, global uint *y)\n"
    "{ y[get_global_id(0)] = x[get_global_size(0) - 1 - get_global_id(0)]; }\n";
static const char blur_text[] = "kernel void blur(global const uint *x, global uint *y)\n"
                                "{ size_t i = get_global_id(0), n = get_global_size(0);\n"
                                "  y[i] = (i > 0 ? x[i - 1] : 0) + x[i] + (i + 1 < n ? x[i + 1] : 0); }\n";
static const char broken_text[] = "kernel void fail(global float *y, int status)\n"
                                  "{ y[0] = not_declared_anywhere; }\n";
/* The guard of clang's header of built-in functions. No cache keeps what does not compile, and to read that
 * header each time takes half a second, and half a minute under memcheck. */
#define WITHOUT_FUNCTIONS "-D_OPENCL_H_"

#define PARAMS(list) .params = list, .param_count = sizeof list / sizeof list[0]
/* Work-groups of one: PoCL compiles a kernel anew for every size of group that it is left to choose. */
#define ONE_EACH .local = { 1, 1, 1 }
#define DESC(...)                                                                                            \
    {                                                                                                        \
        .size = sizeof(allot_kernel_desc), __VA_ARGS__                                                       \
    }

static const allot_kernel_desc descs[PROBES] = {
    [PROBE_SQUARE] = DESC(.name = "square", PARAMS(square_params), .types = floats, .cpu = square,
                          .opencl_source = square_text),
    [PROBE_AFFINE] =
        DESC(.name = "affine", PARAMS(affine_params), .cpu = affine, .opencl_source = affine_text, ONE_EACH),
    [PROBE_MIX] = DESC(.name = "mix_in", PARAMS(mix_params), .cpu = mix, .opencl_source = mix_text, ONE_EACH),
    [PROBE_FILL] =
        DESC(.name = "fill", PARAMS(fill_params), .cpu = fill, .opencl_source = fill_text, ONE_EACH),
    [PROBE_SLOW] = DESC(.name = "slow", PARAMS(slow_params), .cpu = slow, .opencl_source = slow_text),
    [PROBE_REVERSE] = DESC(.name = "reverse", PARAMS(reverse_params), .cpu = reverse,
                           .opencl_source = reverse_text, ONE_EACH),
    [PROBE_BLUR] =
        DESC(.name = "blur", PARAMS(blur_params), .cpu = blur, .opencl_source = blur_text, ONE_EACH),
    [PROBE_GATE] = DESC(.name = "gate", PARAMS(gate_params), .cpu = wait_at_gate),
    [PROBE_PATIENT] = DESC(.name = "patient", PARAMS(gate_params), .cpu = wait_patiently),
    [PROBE_FAIL] = DESC(.name = "fail", PARAMS(fail_params), .cpu = fail, .opencl_source = broken_text,
                        .opencl_options = WITHOUT_FUNCTIONS),
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards `made` */
static allot_kernel *made[PROBES];

allot_kernel *probe_kernel(probe which)
{
    pthread_mutex_lock(&lock);
    if (!made[which])
        made[which] = allot_kernel_create(&descs[which]);
    allot_kernel *kernel = made[which];
    pthread_mutex_unlock(&lock);
    if (!kernel) {
        fprintf(stderr, "probe kernel %s: %s\n", descs[which].name, allot_last_error());
        abort();
    }
    return kernel;
}

void probe_kernels_free(void)
{
    for (int i = 0; i < PROBES; i++) {
        allot_kernel_release(made[i]);
        made[i] = NULL;
    }
}
