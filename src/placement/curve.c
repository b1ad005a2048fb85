#include "placement/curve.h"
#include <math.h>

/* The mean is over about so many runs: the last dozen decide. */
#define MEMORY_RUNS 16
/* A run this many times above or below what was expected is a surprise. */
#define SURPRISE 4.0
/* Up to so many samples a far shorter run shows that the ones before were disturbed: nothing runs too fast by
 * accident. */
#define YOUNG_SAMPLES 4
/* The deviation of a single run, in shares of the mean, until runs have shown it. */
#define GUESSED_DEVIATION 0.5
/* The optimistic bound lies so many standard errors below the mean, but not below this share of the best run.
 */
#define BOUND_ERRORS 2.0
#define BOUND_LEAST  0.8
/* An octave further from what is known, the optimistic bound falls by so much of the expectation's inverse.
 */
#define DOUBT_PER_OCTAVE 0.5

static size_t bucket_of(double load_s)
{
    double nanoseconds = load_s * 1e9;
    if (nanoseconds < 2)
        return 0;
    int octave = ilogb(nanoseconds);
    return octave < AL_CURVE_BUCKETS ? (size_t)octave : AL_CURVE_BUCKETS - 1;
}

/* Fading begins at what the mean remembers, or a place with a million good runs would not be tried again for
 * an age. */
static uint64_t faded_samples(const al_bucket *bucket, uint64_t clock)
{
    uint64_t halvings = (clock - bucket->seen) / AL_CURVE_FADE_RUNS;
    if (halvings == 0)
        return bucket->samples;
    uint64_t remembered = bucket->samples < MEMORY_RUNS ? bucket->samples : MEMORY_RUNS;
    return halvings < 64 ? remembered >> halvings : 0;
}

/* What a run of the prior's size takes, from what runs of the bucket's size took.
 *
 * The prior splits a run into overhead and work. Where it is off by a ratio, each part is blamed by its
 * share: runs that are nearly all overhead say nothing about the work's rate, and large ones say nothing
 * about the overhead. */
static double scaled_from(const al_bucket *bucket, const al_prior *prior)
{
    if (bucket->load_s == prior->load_s)
        return bucket->mean_s;
    double guessed_s = prior->overhead_s + bucket->load_s;
    double ratio = bucket->mean_s / guessed_s, share = bucket->load_s / guessed_s;
    if (ratio <= 0)
        return 0;
    double work = pow(ratio, share), overhead = ratio / work; /* ratio to the power of 1 - share */
    double overhead_s = overhead * prior->overhead_s;
    double correction = bucket->mean_s / (overhead_s + work * bucket->load_s);
    return correction * (overhead_s + work * prior->load_s);
}

static double bound(const al_bucket *bucket, uint64_t samples)
{
    double count = fmin((double)samples, MEMORY_RUNS);
    double guessed = GUESSED_DEVIATION * bucket->mean_s;
    double error_s = sqrt((bucket->variance + guessed * guessed / count) / count);
    return fmax(bucket->mean_s - BOUND_ERRORS * error_s, BOUND_LEAST * bucket->least_s);
}

/* From the size's own bucket. */
static void predict_known(const al_bucket *bucket, const al_prior *prior, uint64_t clock,
                          al_prediction *prediction)
{
    prediction->samples = faded_samples(bucket, clock);
    prediction->run_s = scaled_from(bucket, prior);
    if (bucket->cold)
        prediction->low_s = prior->low_s;
    else if (prediction->samples == 0)
        prediction->low_s = prediction->run_s * DOUBT_PER_OCTAVE;
    else if (bucket->mean_s > 0)
        prediction->low_s = prediction->run_s * (bound(bucket, prediction->samples) / bucket->mean_s);
}

/* From the nearest buckets below and above, either of which may be missing. */
static void predict_between(const al_bucket *below, const al_bucket *above, const al_prior *prior,
                            al_prediction *prediction)
{
    const al_bucket *nearest = below ? below : above;
    double below_octaves = below ? log2(prior->load_s / fmax(below->load_s, 1e-9)) : INFINITY;
    double above_octaves = above ? log2(above->load_s / fmax(prior->load_s, 1e-9)) : INFINITY;
    if (above_octaves < below_octaves)
        nearest = above;
    double octaves = fmax(fmin(below_octaves, above_octaves), 1);
    if (below && above) { /* an overhead plus a rate go exactly through two points */
        double share = (prior->load_s - below->load_s) / (above->load_s - below->load_s);
        prediction->run_s = below->mean_s + share * (above->mean_s - below->mean_s);
    } else {
        prediction->run_s = scaled_from(nearest, prior);
    }
    prediction->low_s = nearest->cold ? prior->low_s : prediction->run_s / (1 + DOUBT_PER_OCTAVE * octaves);
}

void al_curve_predict(const al_curve *curve, const al_prior *prior, uint64_t clock, al_prediction *prediction)
{
    size_t own = bucket_of(prior->load_s);
    const al_bucket *below = NULL, *above = NULL;
    prediction->samples = 0;
    prediction->run_s = prior->overhead_s + prior->load_s;
    prediction->low_s = prior->low_s;
    if (!curve || curve->runs == 0)
        return;
    if (curve->buckets[own].used) {
        predict_known(&curve->buckets[own], prior, clock, prediction);
    } else {
        for (size_t i = own; i-- > 0 && !below;)
            below = curve->buckets[i].used ? &curve->buckets[i] : NULL;
        for (size_t i = own + 1; i < AL_CURVE_BUCKETS && !above; i++)
            above = curve->buckets[i].used ? &curve->buckets[i] : NULL;
        predict_between(below, above, prior, prediction);
    }
    prediction->low_s = fmin(prediction->low_s, prediction->run_s);
}

static void begin(al_bucket *bucket, double load_s, double run_s, bool cold)
{
    bucket->samples = cold ? 0 : 1;
    bucket->load_s = load_s;
    bucket->mean_s = bucket->least_s = run_s;
    bucket->variance = 0;
    bucket->used = true;
    bucket->cold = cold;
}

static void follow(al_bucket *bucket, double load_s, double run_s)
{
    bucket->samples++;
    double weight = 1 / fmin((double)bucket->samples, MEMORY_RUNS), step = run_s - bucket->mean_s;
    bucket->load_s += weight * (load_s - bucket->load_s);
    bucket->mean_s += weight * step;
    bucket->variance = (1 - weight) * (bucket->variance + weight * step * step);
    bucket->least_s = fmin(bucket->least_s, run_s);
}

/* Counts runs of surprising length in a row: 0, or how many there are now, negative for short ones. */
static int count_surprises(int before, double run_s, double expected_s)
{
    if (run_s > SURPRISE * expected_s)
        return before > 0 ? before + 1 : 1;
    if (run_s < expected_s / SURPRISE)
        return before < 0 ? before - 1 : -1;
    return 0;
}

void al_curve_learn(al_curve *curve, const al_prior *prior, uint64_t clock, double run_s, bool cold)
{
    al_bucket *bucket = &curve->buckets[bucket_of(prior->load_s)];
    al_prediction expected;
    al_curve_predict(curve, prior, clock, &expected);
    curve->runs++;
    int surprises = count_surprises(bucket->surprises, run_s, expected.run_s);
    bucket->samples = faded_samples(bucket, clock);
    bucket->seen = clock;
    if (bucket->samples ==
        0) { /* too long for what is known elsewhere? At first it is not believed; too short is */
        begin(bucket, prior->load_s, surprises == 1 ? SURPRISE * expected.run_s : run_s, cold);
    } else if (surprises > 1 ||
               surprises < -1) { /* seen twice: the place has changed, what was before does not count */
        begin(bucket, prior->load_s, run_s, false);
    } else {
        if (surprises < 0 && bucket->samples < YOUNG_SAMPLES)
            bucket->mean_s *= SURPRISE * run_s / expected.run_s;
        follow(bucket, prior->load_s, surprises > 0 ? SURPRISE * expected.run_s : run_s);
    }
    bucket->surprises = cold ? 0 : surprises;
}
