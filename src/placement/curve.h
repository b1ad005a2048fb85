/* A curve: what runs of one kernel, type and place took, by size.
 *
 * A bucket for each half octave of size knows the runs of about that size; a fit of an overhead and a rate
 * goes through all of them. What is expected at a size is the fit, corrected by how far the nearest buckets
 * lie from it: a bucket with few samples shrinks toward the fit, the fit of few buckets toward the prior. */
#ifndef AL_PLACEMENT_CURVE_H
#define AL_PLACEMENT_CURVE_H

#include "placement/bucket.h"
#include "placement/fit.h"
#include "placement/model.h"

/* The first holds all sizes below 32 ns of reference time, the last all from 12 hours up. */
#define AL_CURVE_BUCKETS 81

/* So many runs of the kernel elsewhere halve the samples that are told of a bucket. */
#define AL_CURVE_FADE_RUNS 1024

typedef struct al_curve {
    uint64_t runs;
    bool cold; /* there was but one run, and it had been compiled just before. Many drivers end that work in
                  it: all is a guess still */
    bool cut;  /* the last first run at a size was far above what was expected, and not believed */
    double overhead_s;    /* the prior's */
    double square, count; /* the spread of all buckets together, fading */
    al_fit fit;
    uint64_t
        used[(AL_CURVE_BUCKETS + 63) / 64]; /* a bit for each bucket that had samples when it was fitted */
    double residual[AL_CURVE_BUCKETS];      /* how far each used bucket lies from the fit */
    double fitted[AL_CURVE_BUCKETS];        /* its log_time when it was fitted */
    al_bucket buckets[AL_CURVE_BUCKETS];
} al_curve;

/* What is expected at a size; of times their logarithms. */
typedef struct al_expectation {
    double log_time;
    double variance; /* of log_time */
    double spread;   /* variance of a single run around it */
    uint64_t samples;
    al_source source;
} al_expectation;

/* Where a size is looked up. */
typedef struct al_place_size {
    size_t bucket;     /* by the reference time: the same on every place */
    double overhead_s; /* by the place's prior */
    double load_s;
} al_place_size;

size_t al_curve_bucket_of(double reference_s);
/* The middle of a bucket's sizes. */
double al_curve_size_of(size_t bucket);

/* What is usual for its buckets' spread. */
double al_curve_pooled(const al_curve *curve);

/* `belief` is the prior of the fit; `clock` counts the kernel's runs elsewhere. An empty curve gives the
 * prior. */
al_expectation al_curve_expect(const al_curve *curve, const al_belief *belief, const al_place_size *size,
                               uint64_t clock);

/* One run of log_time, the logarithm of seconds. Returns how far this showed the place to have changed; else
 * 0. */
double al_curve_learn(al_curve *curve, const al_belief *belief, const al_place_size *size, uint64_t clock,
                      double log_time);

/* The first run, just after it was compiled: drivers do half of that work in it, so it took between least_s
 * and most_s. Counts as no sample. */
void al_curve_learn_cold(al_curve *curve, const al_belief *belief, const al_place_size *size, uint64_t clock,
                         double least_s, double most_s);

/* Something suggests that the place has changed. */
void al_curve_suspect(al_curve *curve, double variance);

/* Whether some size became slower and may not have for good. */
bool al_curve_has_rise(const al_curve *curve);

/* Fits anew, for buckets that were filled by hand. */
void al_curve_refit(al_curve *curve, const al_belief *belief, double overhead_s);

#endif
