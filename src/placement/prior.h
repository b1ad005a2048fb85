/* What a kind of place is thought to cost before anything has run there: a launch's overhead plus the work at
 * a plain rate. */
#ifndef AL_PLACEMENT_PRIOR_H
#define AL_PLACEMENT_PRIOR_H

#include <allot/kernel.h>
#include <allot/place.h>

typedef struct al_prior {
    double overhead_s; /* of one launch, whatever its size */
    double load_s;     /* of the work itself: by it the sizes of a kernel's launches are compared */
    double low_s;      /* overhead and work at rates that only a good machine and a good variant reach */
    double compile_s;  /* before the first run */
} al_prior;

/* Before the first transfer. */
#define AL_PRIOR_TRANSFER_LATENCY_S   20e-6
#define AL_PRIOR_TRANSFER_BYTES_PER_S 5e9

/* Work that is not finite or negative counts as none; fewer than one worker as one. */
al_prior al_prior_of(allot_kind kind, int workers, allot_work work);

#endif
