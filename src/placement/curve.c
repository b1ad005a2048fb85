#include "placement/curve.h"
#include <math.h>
#include <string.h>

/* The mean is over about so many runs: the last dozen decide. */
#define MEMORY_RUNS 16
/* A run this many times above or below what was expected is a surprise. */
#define SURPRISE 4.0
/* Up to so many samples a far shorter run shows that the ones before were disturbed: nothing runs too fast by
 * accident. */
#define YOUNG_SAMPLES 4
/* A driver is thought to hide at most so many times the time of a build in the run that follows. */
#define MOST_HIDDEN 2
/* The deviation of a single run, in shares of the mean, until runs have shown it. */
#define GUESSED_DEVIATION 0.5
/* The optimistic bound lies so many standard errors below the mean, but not below this share of the best run.
 */
#define BOUND_ERRORS 2.0
#define BOUND_LEAST  0.8
/* Each octave away from what is known, the optimistic bound divides the expectation by so much more; but not
 * by more than a rate or an overhead changes with size, if that has been seen. */
#define DOUBT_PER_OCTAVE 0.25
#define MOST_DOUBT       2.0
/* What has faded may have changed by so much. */
#define FADED_DOUBT 2.0

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
    if (prediction->samples == 0)
        prediction->low_s = prediction->run_s / FADED_DOUBT;
    else if (bucket->mean_s > 0)
        prediction->low_s = prediction->run_s * (bound(bucket, prediction->samples) / bucket->mean_s);
}

/* By what the optimistic bound divides an expectation that comes from another size. A large run informs about
 * the rate, a small one about the overhead; about the other nothing is known but the prior's own range. */
static double doubt(const al_bucket *nearest, const al_prior *prior, bool enclosed)
{
    double guess_s = prior->overhead_s + prior->load_s;
    double work = prior->load_s / guess_s, seen = nearest->load_s / (prior->overhead_s + nearest->load_s);
    double informed = enclosed ? 1 : work * seen + (1 - work) * (1 - seen);
    double most = informed * MOST_DOUBT + (1 - informed) * guess_s / prior->low_s;
    double octaves = fabs(log2(fmax(prior->load_s, 1e-9) / fmax(nearest->load_s, 1e-9)));
    return fmin(1 + DOUBT_PER_OCTAVE * fmax(octaves, 1), most);
}

/* From the nearest buckets below and above, either of which may be missing. */
static void predict_between(const al_bucket *below, const al_bucket *above, const al_prior *prior,
                            al_prediction *prediction)
{
    bool nearer_above = above && (!below || above->load_s * below->load_s < prior->load_s * prior->load_s);
    const al_bucket *nearest = nearer_above ? above : below;
    if (below && above) { /* an overhead plus a rate go exactly through two points */
        double share = (prior->load_s - below->load_s) / (above->load_s - below->load_s);
        prediction->run_s = below->mean_s + share * (above->mean_s - below->mean_s);
    } else {
        prediction->run_s = scaled_from(nearest, prior);
    }
    prediction->low_s = prediction->run_s / doubt(nearest, prior, below && above);
}

/* From the one run that was compiled just before, which is the only bucket's. */
static void predict_cold(const al_curve *curve, const al_prior *prior, al_prediction *prediction)
{
    const al_bucket *bucket = curve->buckets;
    while (!bucket->used)
        bucket++;
    double left = bucket->mean_s > 0 ? bucket->least_s / bucket->mean_s : 0;
    prediction->run_s = scaled_from(bucket, prior);
    prediction->low_s = fmin(fmax(prior->low_s, left * prediction->run_s), prediction->run_s);
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
    if (curve->cold) {
        predict_cold(curve, prior, prediction);
        return;
    }
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

static void begin(al_bucket *bucket, double load_s, double run_s)
{
    bucket->samples = 1;
    bucket->load_s = load_s;
    bucket->mean_s = bucket->least_s = run_s;
    bucket->variance = 0;
    bucket->used = true;
}

/* The driver may have gone on compiling in the run: what is above the expectation is thought to be that, if
 * it is not too much. */
static void begin_cold(al_curve *curve, const al_prior *prior, double run_s, double expected_s,
                       double compile_s)
{
    al_bucket *bucket = &curve->buckets[bucket_of(prior->load_s)];
    double hidden_s = fmax(compile_s, prior->compile_s);
    begin(bucket, prior->load_s, fmin(run_s, fmax(expected_s, run_s - hidden_s)));
    bucket->least_s = fmax(run_s - MOST_HIDDEN * hidden_s, 0);
    curve->cold = true;
}

static void end_cold(al_curve *curve)
{
    memset(curve->buckets, 0, sizeof curve->buckets);
    curve->cold = false;
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

void al_curve_learn(al_curve *curve, const al_prior *prior, uint64_t clock, double run_s, double compile_s)
{
    al_bucket *bucket = &curve->buckets[bucket_of(prior->load_s)];
    al_prediction expected;
    al_curve_predict(curve, prior, clock, &expected);
    if (curve->runs++ == 0 && compile_s > 0) {
        begin_cold(curve, prior, run_s, expected.run_s, compile_s);
        return;
    }
    if (curve->cold)
        end_cold(curve);
    bucket->samples = faded_samples(bucket, clock);
    bucket->seen = clock;
    curve->surprises = count_surprises(curve->surprises, run_s, expected.run_s);
    bool young = bucket->samples < YOUNG_SAMPLES, doubtful = curve->surprises == 1;
    double believed_s = doubtful ? SURPRISE * expected.run_s : run_s;
    if (bucket->samples == 0 || curve->surprises > 1 || curve->surprises < (young ? 0 : -1))
        begin(bucket, prior->load_s, believed_s); /* what was before does not count */
    else
        follow(bucket, prior->load_s, believed_s);
}
