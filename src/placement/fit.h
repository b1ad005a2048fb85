/* A fit: the time of a run of any size, as an overhead and a rate that may both be other than was thought.
 *
 * time = overhead * exp(a) + load * exp(b), where overhead and load are the prior's for the place. Both
 * factors stay positive, and small runs teach the one, large ones the other. */
#ifndef AL_PLACEMENT_FIT_H
#define AL_PLACEMENT_FIT_H

#include <stdbool.h>
#include <stddef.h>

/* A normal distribution of the two logarithms, a then b. */
typedef struct al_belief {
    double mean[2], variance[2];
} al_belief;

typedef struct al_fit {
    double factor[2];     /* a and b */
    double times[2];      /* exp(a) and exp(b), which are wanted more often than they change */
    double covariance[3]; /* of a; of both; of b */
    double misfit;        /* variance of how far the truth at one size lies from the fit */
} al_fit;

/* What is known at one size. */
typedef struct al_point {
    double load_s, log_time, variance;
} al_point;

/* The variance of the misfit before there is anything to fit. */
#define AL_FIT_MISFIT 0.0625

al_fit al_fit_of(const al_belief *prior);

/* The best fit to the points and the prior together. Depends on nothing else. */
al_fit al_fit_points(const al_belief *prior, double overhead_s, const al_point *points, size_t count);

/* The logarithm of the time by the fit, and (if not NULL) the variance that the factors' uncertainty gives
 * it. Overhead and load are not negative, and not both 0. */
double al_fit_log_time(const al_fit *fit, double overhead_s, double load_s, double *variance);

#endif
