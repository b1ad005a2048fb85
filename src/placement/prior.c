#include "placement/prior.h"
#include <math.h>

/* One core with plain C. An OpenCL compute unit is taken for such a core: a graphics processor's does more,
 * and the first runs will say so. Memory is shared: a few cores have all of it. */
#define CORE_FLOPS_PER_S 2e9
#define CORE_BYTES_PER_S 8e9
#define CORES_FOR_MEMORY 4

/* A place may well be four times as fast as that, for vector units, a tuned library, caches; a device eight
 * times: 1.645 deviations. */
#define CPU_SIGMA    0.85
#define OPENCL_SIGMA 1.27

static al_rates rates(double overhead_s, double compile_s, double sigma)
{
    return (al_rates){ .flops_per_s = CORE_FLOPS_PER_S,
                       .bytes_per_s = CORE_BYTES_PER_S,
                       .memory_bytes_per_s = CORES_FOR_MEMORY * CORE_BYTES_PER_S,
                       .overhead_s = overhead_s,
                       .compile_s = compile_s,
                       .overhead_sigma = sigma,
                       .rate_sigma = sigma };
}

al_rates al_rates_guess(allot_kind kind)
{
    switch (kind) {
    case ALLOT_INLINE:
        return rates(2e-6, 0, CPU_SIGMA);
    case ALLOT_PROCESS:
        return rates(30e-6, 0, CPU_SIGMA);
    case ALLOT_OPENCL:
        return rates(40e-6, 0.2, OPENCL_SIGMA);
    default:
        return rates(5e-6, 0, CPU_SIGMA);
    }
}

al_rates al_rates_link(void)
{
    al_rates link = rates(AL_PRIOR_TRANSFER_LATENCY_S, 0, OPENCL_SIGMA);
    link.bytes_per_s = link.memory_bytes_per_s = AL_PRIOR_TRANSFER_BYTES_PER_S;
    return link;
}

static double figure(double value)
{
    return isfinite(value) && value > 0 ? value : 0;
}

al_prior al_prior_of(const al_rates *rates, int workers, allot_work work)
{
    double cores = workers > 1 ? workers : 1;
    double memory = fmin(cores * rates->bytes_per_s, rates->memory_bytes_per_s);
    double compute_s = figure(work.flops) / (cores * rates->flops_per_s);
    double memory_s = figure(work.bytes) / memory;
    return (al_prior){ rates->overhead_s, fmax(compute_s, memory_s) }; /* the two overlap */
}

double al_reference_s(allot_work work)
{
    return fmax(figure(work.flops) / CORE_FLOPS_PER_S, figure(work.bytes) / CORE_BYTES_PER_S);
}

al_belief al_rates_belief(const al_rates *rates)
{
    return (al_belief){ .variance = { rates->overhead_sigma * rates->overhead_sigma,
                                      rates->rate_sigma * rates->rate_sigma } };
}
