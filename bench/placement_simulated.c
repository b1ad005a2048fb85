#include "placement.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZES 8

struct placement_work {
    allot_kernel *own;
    size_t n;
    allot_array *x, *y;
    uint64_t ran; /* launches that were called, counted by the variant */
    uint64_t launched;
};

/* ---- The kernels: operations an element; what they take is in the machine's file ---- */

#define KERNELS(X)                                                                                           \
    X(stream, 1)     /* as fast as memory */                                                                 \
    X(filter, 32)    /* what the signal processor is made for */                                             \
    X(transform, 64) /* and this up to a size */                                                             \
    X(branches, 16)  /* what only processors do well */                                                      \
    X(dense, 1024)   /* what the graphics processor is made for */                                           \
    X(mixed, 128)

static uint64_t *counter(const allot_value *value)
{
    uint64_t *counter;
    memcpy(&counter, value->data, sizeof counter);
    return counter;
}

static allot_status count_call(allot_call *call, const allot_part *part)
{
    (void)call;
    (*counter(&part->args[2]))++;
    return ALLOT_OK;
}

#define WORK(kernel, operations)                                                                             \
    static allot_work work_of_##kernel(allot_type type, allot_ndrange range, const allot_value *args)        \
    {                                                                                                        \
        (void)type, (void)args;                                                                              \
        return (allot_work){ (operations) * (double)range.size[0], 8 * (double)range.size[0] };              \
    }
KERNELS(WORK)

static const struct {
    const char *name;
    allot_work_function work;
} kinds[] = {
#define KIND(kernel, operations) { "mix_" #kernel, work_of_##kernel },
    KERNELS(KIND)
};
enum {
    KINDS = sizeof kinds / sizeof kinds[0]
};

static const allot_param params[] = { { .name = "x", .type = ALLOT_F32, .access = ALLOT_READ },
                                      { .name = "y", .type = ALLOT_F32, .access = ALLOT_WRITE },
                                      { .name = "counter", .type = ALLOT_U8, .bytes = sizeof(uint64_t *) } };

/* ---- The bed ---- */

static size_t size_of(size_t cell)
{
    return (size_t)llround(pow(10, 2 + 5 * (double)(cell % SIZES) / (SIZES - 1)));
}

static const char *name(size_t cell)
{
    static char text[64];
    snprintf(text, sizeof text, "%s %zu", kinds[cell / SIZES].name, size_of(cell));
    return text;
}

#define OWN_MACHINE PLACEMENT_MACHINES "/three.json"
static const char *machine_path = OWN_MACHINE;

void placement_simulated_machine(const char *path)
{
    machine_path = path ? path : OWN_MACHINE;
}

static allot_executor *open_machine(bench_round *round, const char *policy)
{
    static uint64_t seed; /* each has other noise */
    allot_executor *executor = allot_open(
        ALLOT_OPTIONS(.machine = machine_path, .machine_seed = ++seed, .policy = policy, .model = "off"));
    if (!executor)
        bench_fail(round, "%s", allot_open_error());
    return executor;
}

static void finish(placement_work *work)
{
    allot_array_release(work->x);
    allot_array_release(work->y);
    allot_kernel_release(work->own);
    free(work);
}

static placement_work *prepare(bench_round *round, allot_executor *executor, size_t cell)
{
    placement_work *work = bench_allocate(1, sizeof *work);
    *work = (placement_work){ .n = size_of(cell) };
    work->own =
        allot_kernel_create(ALLOT_KERNEL(.name = kinds[cell / SIZES].name, .params = params, .param_count = 3,
                                         .cpu = count_call, .work = kinds[cell / SIZES].work));
    work->x = allot_array_new(executor, ALLOT_F32, work->n);
    work->y = allot_array_new(executor, ALLOT_F32, work->n);
    if (work->own && work->x && work->y)
        return work;
    bench_fail(round, "%s: %s", name(cell), allot_last_error());
    finish(work);
    return NULL;
}

static allot_future *launch(placement_work *work, allot_executor *executor, const allot_hints *hints)
{
    uint64_t *ran = &work->ran;
    work->launched++;
    return allot_launch(executor, work->own, allot_range(work->n),
                        ALLOT_ARGS(allot_in(work->x), allot_out(work->y), allot_bytes(&ran, sizeof ran)),
                        hints);
}

static bool right(placement_work *work)
{
    return work->ran == work->launched;
}

const placement_bed placement_simulated = {
    KINDS * SIZES, (KINDS * SIZES + 4) / 5, INFINITY, open_machine, prepare, launch, right, finish, name
};
