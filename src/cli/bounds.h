/* What no schedule of a workload on a machine can beat, on average times and with no transfers. */
#ifndef AL_CLI_BOUNDS_H
#define AL_CLI_BOUNDS_H

#include "scenario.h"

typedef struct al_bounds {
    double critical_s; /* the longest chain of launches, each on the class that is fastest for it */
    double area_s;  /* by linear program: the least time in which all classes together can do the work, when
                       launches may be cut in any way and wait for nothing */
    double bound_s; /* the larger */
} al_bounds;

/* Also sets every task's priority, if `rank` says so, to its upward rank: the longest chain from it on, on
 * times averaged over devices (Topcuoglu, Hariri and Wu, HEFT, 2002). False when memory is out. */
bool al_bounds_of(al_scenario *scenario, const allot_machine *machine, bool rank, al_bounds *bounds);

/* The least T with, for each of `kinds` of work, shares x[kind][class] >= 0 that add up to 1, and for each
 * class the sum over kinds of x * cost_s[kind * classes + class] <= T * counts[class]. Infinite costs: it
 * cannot run there. By the simplex method with Bland's rule (Bland, 1977). Negative when memory is out. Also
 * gives the dual's value, which is the same at the optimum: a proof. */
double al_area_bound(const double *cost_s, const double *counts, size_t kinds, size_t classes,
                     double *dual_s);

#endif
