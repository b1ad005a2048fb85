/* A curve: what runs of one kernel, type and place took, by size.
 *
 * One bucket for each octave of size holds a mean that follows what it sees. Sizes between buckets are
 * interpolated, sizes outside are scaled from the nearest with the prior's shape: an overhead plus a part
 * that grows with the work.
 *
 * No single run is believed that says something quite new, and no second one is doubted. What is not seen
 * again fades. */
#ifndef AL_PLACEMENT_CURVE_H
#define AL_PLACEMENT_CURVE_H

#include "placement/model.h"
#include "placement/prior.h"

/* Sizes are a prior's load_s; the first octave holds all below 2 ns, the last all from 39 hours up. */
#define AL_CURVE_BUCKETS 48

/* So many runs of anything halve what a bucket's samples count for: a place that looked bad is tried again
 * one day. */
#define AL_CURVE_FADE_RUNS 1024

typedef struct al_bucket {
    uint64_t samples; /* runs that the mean rests on, fading */
    uint64_t seen;    /* the clock when it last learned */
    double load_s;    /* their mean size */
    double mean_s, variance, least_s;
    int surprises; /* how many runs in a row, up to now, took far more (positive) or far less (negative) than
                      expected */
    bool used;
    bool cold; /* the mean is a guess from the run that was compiled: drivers do half of that work in it */
} al_bucket;

typedef struct al_curve {
    uint64_t runs;
    int surprises; /* how many runs in a row, up to now, took far more (positive) or far less (negative) than
                      expected */
    bool cold; /* there was but one run, and it had been compiled just before. Many drivers end that work in
                  it: all is a guess still */
    al_bucket buckets[AL_CURVE_BUCKETS];
} al_curve;

/* Fills all of *prediction but compile_s. `clock` counts the runs of anything so far. */
void al_curve_predict(const al_curve *curve, const al_prior *prior, uint64_t clock,
                      al_prediction *prediction);

/* A run took run_s; compile_s > 0: it was compiled just before, in that time. Both are finite and not
 * negative. */
void al_curve_learn(al_curve *curve, const al_prior *prior, uint64_t clock, double run_s, double compile_s);

#endif
