#include "placement/fit.h"
#include <math.h>

/* Newton steps until it stands still; a step changes no factor by more than e^MOST_STEP. */
#define STEPS     12
#define MOST_STEP 3.0
#define STILL     1e-6

/* The misfit's prior counts as so many points. */
#define MISFIT_POINTS 3.0
#define LEAST_MISFIT  0.01

static void set_factors(al_fit *fit, double a, double b)
{
    fit->factor[0] = a;
    fit->factor[1] = b;
    fit->times[0] = exp(a);
    fit->times[1] = exp(b);
}

al_fit al_fit_of(const al_belief *prior)
{
    al_fit fit = { .covariance = { prior->variance[0], 0, prior->variance[1] }, .misfit = AL_FIT_MISFIT };
    set_factors(&fit, prior->mean[0], prior->mean[1]);
    return fit;
}

/* The logarithm of the sum, and the load's share in it: how far b moves it; a moves it by the rest. */
static double evaluate(const al_fit *fit, double overhead_s, double load_s, double *share)
{
    double fixed_s = overhead_s * fit->times[0], work_s = load_s * fit->times[1];
    *share = work_s / (fixed_s + work_s);
    return log(fixed_s + work_s);
}

double al_fit_log_time(const al_fit *fit, double overhead_s, double load_s, double *variance)
{
    double share, log_time = evaluate(fit, overhead_s, load_s, &share), rest = 1 - share;
    if (variance)
        *variance = rest * rest * fit->covariance[0] + 2 * share * rest * fit->covariance[1] +
                    share * share * fit->covariance[2];
    return log_time;
}

/* One Gauss-Newton step; returns the larger change. The inverse of its matrix is the covariance (Laplace's
 * approximation; Bishop, Pattern Recognition and Machine Learning, 2006, section 4.4). */
static double improve(al_fit *fit, const al_belief *prior, double overhead_s, const al_point *points,
                      size_t count)
{
    double h0 = 1 / prior->variance[0], h1 = 0, h2 = 1 / prior->variance[1];
    double g0 = (prior->mean[0] - fit->factor[0]) * h0, g1 = (prior->mean[1] - fit->factor[1]) * h2;
    for (size_t i = 0; i < count; i++) {
        double share, left = points[i].log_time - evaluate(fit, overhead_s, points[i].load_s, &share);
        double information = 1 / (fit->misfit + points[i].variance), rest = 1 - share;
        h0 += information * rest * rest;
        h1 += information * rest * share;
        h2 += information * share * share;
        g0 += information * rest * left;
        g1 += information * share * left;
    }
    double determinant = h0 * h2 - h1 * h1; /* positive: the prior's part alone is */
    double step0 = (h2 * g0 - h1 * g1) / determinant, step1 = (h0 * g1 - h1 * g0) / determinant;
    double larger = fmax(fabs(step0), fabs(step1)), scale = larger > MOST_STEP ? MOST_STEP / larger : 1;
    set_factors(fit, fit->factor[0] + scale * step0, fit->factor[1] + scale * step1);
    fit->covariance[0] = h2 / determinant;
    fit->covariance[1] = -h1 / determinant;
    fit->covariance[2] = h0 / determinant;
    return larger;
}

/* How far the points lie from the fit, beyond their own errors. */
static double misfit_of(const al_fit *fit, double overhead_s, const al_point *points, size_t count)
{
    double sum = MISFIT_POINTS * AL_FIT_MISFIT, weights = MISFIT_POINTS;
    for (size_t i = 0; i < count; i++) {
        double share, left = points[i].log_time - evaluate(fit, overhead_s, points[i].load_s, &share);
        double weight = AL_FIT_MISFIT / (AL_FIT_MISFIT + points[i].variance);
        sum += weight * fmax(left * left - points[i].variance, 0);
        weights += weight;
    }
    return fmax(sum / weights, LEAST_MISFIT);
}

al_fit al_fit_points(const al_belief *prior, double overhead_s, const al_point *points, size_t count)
{
    al_fit fit = al_fit_of(prior);
    for (int i = 0; i < STEPS && improve(&fit, prior, overhead_s, points, count) > STILL; i++)
        ;
    if (count < 2)
        return fit;
    fit.misfit = misfit_of(&fit, overhead_s, points, count);
    for (int i = 0; i < STEPS && improve(&fit, prior, overhead_s, points, count) > STILL; i++)
        ;
    return fit;
}
