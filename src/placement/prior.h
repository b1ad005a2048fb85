/* What a kind of place is thought to cost before anything has run there: a launch's overhead plus the work at
 * a plain rate. */
#ifndef AL_PLACEMENT_PRIOR_H
#define AL_PLACEMENT_PRIOR_H

#include "placement/fit.h"
#include "placement/model.h"
#include <allot/kernel.h>
#include <allot/place.h>

/* How fast a place is, measured or guessed. */
struct al_rates {
    double flops_per_s, bytes_per_s;   /* of one worker */
    double memory_bytes_per_s;         /* of all workers together, at most */
    double overhead_s;                 /* of one launch, whatever its size */
    double compile_s;                  /* before the first run */
    double overhead_sigma, rate_sigma; /* how wrong they may be: standard deviations of the logarithm */
};

typedef struct al_prior {
    double overhead_s; /* of one launch, whatever its size */
    double load_s;     /* of the work itself */
} al_prior;

/* Before the first transfer. */
#define AL_PRIOR_TRANSFER_LATENCY_S   20e-6
#define AL_PRIOR_TRANSFER_BYTES_PER_S 5e9

/* By kind alone. */
al_rates al_rates_guess(allot_kind kind);

/* A link's: bytes are its load. */
al_rates al_rates_link(void);

/* The roofline of `workers` workers at those rates. Work that is not finite or negative counts as none; fewer
 * than one worker as one. (Williams, Waterman and Patterson, Roofline: an insightful visual performance
 * model, CACM 52, 2009.) */
al_prior al_prior_of(const al_rates *rates, int workers, allot_work work);

/* What it would take one plain core without overhead, whatever the place. */
double al_reference_s(allot_work work);

/* What the rates say of any kernel's overhead and rate: nothing but how wrong they may be. */
al_belief al_rates_belief(const al_rates *rates);

#endif
