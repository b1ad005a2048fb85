#include "placement/prior.h"
#include <math.h>

/* One core with plain C. An OpenCL compute unit is taken for such a core: a graphics processor's does more,
 * and the first runs will say so. Memory is shared: a few cores have all of it. */
#define CORE_FLOPS_PER_S 2e9
#define CORE_BYTES_PER_S 8e9
#define CORES_FOR_MEMORY 4

/* How many times faster than that a place may turn out to be: vector units, a tuned library, caches. */
#define CPU_OPTIMISM    4
#define OPENCL_OPTIMISM 8

typedef struct rates {
    double overhead_s, compile_s, optimism;
    bool parallel;
} rates;

static rates rates_of(allot_kind kind)
{
    switch (kind) {
    case ALLOT_INLINE:
        return (rates){ 2e-6, 0, CPU_OPTIMISM, false };
    case ALLOT_PROCESS:
        return (rates){ 30e-6, 0, CPU_OPTIMISM, true };
    case ALLOT_OPENCL:
        return (rates){ 40e-6, 0.2, OPENCL_OPTIMISM, true };
    case ALLOT_THREAD:
    case ALLOT_ANYWHERE:
        break;
    }
    return (rates){ 5e-6, 0, CPU_OPTIMISM, true };
}

static double figure(double value)
{
    return isfinite(value) && value > 0 ? value : 0;
}

al_prior al_prior_of(allot_kind kind, int workers, allot_work work)
{
    rates rate = rates_of(kind);
    double cores = rate.parallel && workers > 1 ? workers : 1;
    double compute_s = figure(work.flops) / (cores * CORE_FLOPS_PER_S);
    double memory_s = figure(work.bytes) / (fmin(cores, CORES_FOR_MEMORY) * CORE_BYTES_PER_S);
    double load_s = fmax(compute_s, memory_s); /* the two overlap: a roofline */
    return (al_prior){ .overhead_s = rate.overhead_s,
                       .load_s = load_s,
                       .low_s = (rate.overhead_s + load_s) / rate.optimism,
                       .compile_s = rate.compile_s };
}
