/* What things take on a simulated machine: runs by points or rates, with noise and faults; pure functions of
 * the description, the work, and a number that stands for chance. */
#ifndef AL_PLACES_SIM_COST_H
#define AL_PLACES_SIM_COST_H

#include "places/sim/machine.h"
#include <allot/kernel.h>

/* What one run of a kernel takes on average, and its standard deviation. Between the points of a kernel's
 * table both are interpolated on logarithmic scales, beyond them scaled by flops. */
typedef struct al_sim_cost {
    double mean_s, stddev_s;
} al_sim_cost;

al_sim_cost al_sim_cost_of(const al_sim_class *class, const char *kernel, allot_work work);

/* The same for one run: lognormal, with that mean and deviation, by the number that `draw` is for it. */
double al_sim_cost_drawn(al_sim_cost cost, uint64_t draw);

/* A number that looks like chance, for the n-th draw of a stream of a seed (splitmix64; Steele, Lea and
 * Flood, Fast splittable pseudorandom number generators, OOPSLA 2014). */
uint64_t al_sim_draw(uint64_t seed, uint64_t stream, uint64_t n);

/* When work that takes duration_ns at full speed is over on a device (its number in the class), if it begins
 * at start_ns: slower from each moment on that a fault says. */
int64_t al_sim_end_ns(const al_sim_class *class, size_t device, int64_t start_ns, int64_t duration_ns);

/* When a device is lost; INT64_MAX: never. */
int64_t al_sim_death_ns(const al_sim_class *class, size_t device);

/* True if a device's n-th launch, counted from 1, fails. */
bool al_sim_fails(const al_sim_class *class, size_t device, uint64_t n);

/* Seconds as nanoseconds, rounded; beyond 292 years as that. */
int64_t al_sim_ns(double seconds);

#endif
