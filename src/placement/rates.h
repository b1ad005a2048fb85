/* Rates: how fast this machine's CPUs are, measured in some hundredths of a second. */
#ifndef AL_PLACEMENT_RATES_H
#define AL_PLACEMENT_RATES_H

#include "placement/prior.h"
#include <stdatomic.h>

/* No more than this is spent on it, all threads and pauses counted. */
#define AL_RATES_BUDGET_S 0.1

/* Floating-point operations and bytes a second of one thread and of all, and what waking a thread takes. By
 * the threads' own CPU time, so that what else runs meanwhile matters little. False when *stop was set
 * meanwhile, memory was out, or what came out is no figure. */
bool al_rates_measure(int cpus, const _Atomic bool *stop, al_rates *rates);

#endif
