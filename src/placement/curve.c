#include "placement/curve.h"
#include <math.h>
#include <string.h>

/* No time and no size is taken for less. */
#define LEAST_S 1e-10

/* The variance of a single run before runs have shown it, which counts as so many runs. */
#define GUESSED_SPREAD 0.0225
#define GUESSED_RUNS   4.0
#define SPREAD_MEMORY  64.0

/* The first run at a size is believed up to so many deviations above what was expected, unless that at
 * another size before was cut. Of what is cut, and of what the very first run took too long (it may have
 * warmed things up), a share becomes doubt. */
#define BELIEVED_DEVIATIONS 2.5
#define CUT_DOUBT           0.5
#define WARMING_DOUBT       0.25

/* Where other sizes had said for sure what it should take, to this variance, that is a rise. */
#define SURE 0.09

/* A place that changed at one size by this much is thought to have changed at all of them, give or take a
 * third of it. */
#define COMMON_SHIFT 0.4
#define SHIFT_DOUBT  0.3

/* How far apart two sizes' misfits still have to do with each other: they fall to 1/e in three octaves. */
#define MISFIT_RANGE (3 * 0.6931)

/* The fit is renewed when a bucket has moved by so much, or has so few samples. */
#define REFIT_MOVE    0.02
#define REFIT_SAMPLES 8

size_t al_curve_bucket_of(double reference_s)
{
    double halves = 2 * log2(fmax(reference_s, LEAST_S) * 1e9) - 2 * 5 + 1;
    return halves < 0 ? 0 : halves < AL_CURVE_BUCKETS ? (size_t)halves : AL_CURVE_BUCKETS - 1;
}

double al_curve_size_of(size_t bucket)
{
    return 1e-9 * exp2(0.5 * ((double)bucket + 9.5));
}

static double log_of(double seconds)
{
    return log(fmax(seconds, LEAST_S));
}

double al_curve_pooled(const al_curve *curve)
{
    return (curve->square + GUESSED_RUNS * GUESSED_SPREAD) / (curve->count + GUESSED_RUNS);
}

/* ---- Expecting ---- */

/* Fading begins at what the mean remembers, or a place with a million good runs would not be tried again for
 * an age. */
static uint64_t faded_samples(const al_bucket *bucket, uint64_t clock)
{
    uint64_t halvings = clock > bucket->seen ? (clock - bucket->seen) / AL_CURVE_FADE_RUNS : 0;
    if (halvings == 0)
        return bucket->samples;
    uint64_t most = (uint64_t)AL_BUCKET_MEMORY;
    uint64_t remembered = bucket->samples < most ? bucket->samples : most;
    return halvings < 64 ? remembered >> halvings : 0;
}

/* Buckets whose misfit tells of another size's, and how. */
typedef struct neighbours {
    size_t count;
    size_t index[2];
} neighbours;

/* The first used bucket from there on; AL_CURVE_BUCKETS: none. */
static size_t used_from(const al_curve *curve, size_t from)
{
    for (size_t word = from / 64; word < sizeof curve->used / sizeof *curve->used; word++) {
        uint64_t bits = curve->used[word] & (word == from / 64 ? UINT64_MAX << from % 64 : UINT64_MAX);
        if (bits)
            return 64 * word + (size_t)__builtin_ctzll(bits);
    }
    return AL_CURVE_BUCKETS;
}

/* One more than the last used one before there; 0: none. */
static size_t used_before(const al_curve *curve, size_t before)
{
    for (size_t word = before / 64 + 1; word-- > 0;) {
        uint64_t bits = curve->used[word] & (word == before / 64 ? ~(UINT64_MAX << before % 64) : UINT64_MAX);
        if (bits)
            return 64 * word + 64 - (size_t)__builtin_clzll(bits);
    }
    return 0;
}

/* The nearest used ones on either side, or the size's own and the nearer of those. Beyond them nothing more
 * is told: the misfit is thought to be a process without memory (Ornstein-Uhlenbeck). */
static neighbours find_neighbours(const al_curve *curve, size_t own)
{
    size_t below = used_before(curve, own), above = used_from(curve, own + 1);
    neighbours found = { 0 };
    bool has_own = curve->buckets[own].samples != 0, has_below = below > 0,
         has_above = above < AL_CURVE_BUCKETS;
    if (has_own)
        found.index[found.count++] = own;
    if (has_below && !(has_own && has_above && above - own < own - (below - 1)))
        found.index[found.count++] = below - 1;
    if (has_above && found.count < 2)
        found.index[found.count++] = above;
    return found;
}

static double kinship(double log_size, double other)
{
    return exp(-fabs(log_size - other) / MISFIT_RANGE);
}

/* The fit's misfit at log_size from that of the neighbours: simple kriging. (Rasmussen and Williams, Gaussian
 * Processes for Machine Learning, 2006, equations 2.25 and 2.26.) *left receives its remaining variance, and
 * *told how much of the expectation rests on the neighbours. */
static double misfit_at(const al_curve *curve, const neighbours *near, double log_size, uint64_t clock,
                        double *left, double *told)
{
    double misfit = curve->fit.misfit, usual = al_curve_pooled(curve), kin[2] = { 0 }, own[2] = { 1, 1 },
           both = 0;
    double residual[2] = { 0 };
    for (size_t i = 0; i < near->count; i++) {
        const al_bucket *bucket = &curve->buckets[near->index[i]];
        kin[i] = misfit * kinship(log_size, bucket->log_size);
        own[i] = misfit + al_bucket_error(bucket, usual, clock);
        residual[i] = curve->residual[near->index[i]];
    }
    if (near->count == 2)
        both = misfit *
               kinship(curve->buckets[near->index[0]].log_size, curve->buckets[near->index[1]].log_size);
    double determinant = own[0] * own[1] - both * both; /* positive: an error is */
    double weight0 = (own[1] * kin[0] - both * kin[1]) / determinant;
    double weight1 = (own[0] * kin[1] - both * kin[0]) / determinant;
    *left = fmax(misfit - weight0 * kin[0] - weight1 * kin[1], 0);
    *told = weight0 + weight1;
    return weight0 * residual[0] + weight1 * residual[1];
}

/* The size's own, or of one not seen the larger of its neighbours'. */
static double rise_near(const al_curve *curve, const neighbours *near, size_t own, uint64_t clock)
{
    double rise = 0;
    for (size_t i = 0; i < near->count && (i == 0 || near->index[0] != own); i++)
        rise = fmax(rise, al_bucket_rise(&curve->buckets[near->index[i]], clock));
    return rise;
}

static al_expectation from_prior(const al_belief *belief, const al_place_size *size)
{
    al_fit fit = al_fit_of(belief);
    al_expectation expectation = { .spread = GUESSED_SPREAD, .source = AL_FROM_PRIOR };
    expectation.log_time =
        al_fit_log_time(&fit, fmax(size->overhead_s, LEAST_S), size->load_s, &expectation.variance);
    expectation.variance += fit.misfit;
    return expectation;
}

al_expectation al_curve_expect(const al_curve *curve, const al_belief *belief, const al_place_size *size,
                               uint64_t clock)
{
    if (!curve || (curve->runs == 0 && !curve->cold))
        return from_prior(belief, size);
    const al_bucket *own = &curve->buckets[size->bucket];
    al_expectation expectation = { .samples = curve->cold ? 0 : faded_samples(own, clock) };
    expectation.source = curve->cold                ? AL_FROM_PRIOR
                         : expectation.samples != 0 ? AL_FROM_BUCKET
                                                    : AL_FROM_REGRESSION;
    expectation.spread =
        own->samples ? al_bucket_spread(own, al_curve_pooled(curve)) : al_curve_pooled(curve);
    double fit_variance, left, told;
    double fitted = al_fit_log_time(&curve->fit, curve->overhead_s, size->load_s, &fit_variance);
    neighbours near = find_neighbours(curve, size->bucket);
    double misfit = misfit_at(curve, &near, log_of(size->load_s), clock, &left, &told);
    expectation.log_time = fitted + misfit;
    expectation.variance = left + (1 - told) * (1 - told) * fit_variance;
    expectation.variance += rise_near(curve, &near, size->bucket, clock);
    return expectation;
}

/* ---- Learning ---- */

void al_curve_refit(al_curve *curve, const al_belief *belief, double overhead_s)
{
    al_point points[AL_CURVE_BUCKETS];
    size_t count = 0;
    double usual = al_curve_pooled(curve);
    curve->overhead_s = fmax(overhead_s, LEAST_S);
    memset(curve->used, 0, sizeof curve->used);
    for (size_t i = 0; i < AL_CURVE_BUCKETS; i++) {
        al_bucket *bucket = &curve->buckets[i];
        curve->used[i / 64] |= (uint64_t)(bucket->samples != 0) << i % 64;
        if (bucket->samples)
            points[count++] = (al_point){ exp(bucket->log_size), bucket->log_time,
                                          al_bucket_error(bucket, usual, bucket->seen) };
    }
    curve->fit = al_fit_points(belief, curve->overhead_s, points, count);
    count = 0;
    for (size_t i = 0; i < AL_CURVE_BUCKETS; i++) {
        if (!curve->buckets[i].samples)
            continue;
        curve->fitted[i] = curve->buckets[i].log_time;
        curve->residual[i] =
            curve->fitted[i] - al_fit_log_time(&curve->fit, curve->overhead_s, points[count++].load_s, NULL);
    }
}

/* Most runs leave the fit as it is. */
static void note(al_curve *curve, const al_belief *belief, const al_place_size *size, bool changed)
{
    size_t index = size->bucket;
    const al_bucket *bucket = &curve->buckets[index];
    if (changed || bucket->samples <= REFIT_SAMPLES ||
        fabs(bucket->log_time - curve->fitted[index]) > REFIT_MOVE)
        al_curve_refit(curve, belief, size->overhead_s);
    else
        curve->residual[index] =
            bucket->log_time - al_fit_log_time(&curve->fit, curve->overhead_s, exp(bucket->log_size), NULL);
}

bool al_curve_has_rise(const al_curve *curve)
{
    bool any = false;
    for (size_t i = used_from(curve, 0); i < AL_CURVE_BUCKETS; i = used_from(curve, i + 1))
        any = any || curve->buckets[i].rise > 0;
    return any;
}

/* How far a run that lies `deviation` from what was expected is believed. Nothing runs too fast by accident.
 */
static double believe(al_curve *curve, double deviation, double most)
{
    bool far = deviation > most, again = far && curve->cut;
    curve->cut = far && !again;
    return far && !again ? most : deviation;
}

/* Returns how much less it took than was expected, if that is far; else 0. */
static double begin(al_curve *curve, const al_expectation *expected, const al_place_size *size,
                    uint64_t clock, double log_time)
{
    double deviation = log_time - expected->log_time;
    double most = BELIEVED_DEVIATIONS * sqrt(expected->variance + expected->spread);
    double believed = believe(curve, deviation, most);
    double cut = CUT_DOUBT * (deviation - believed);
    double warming = curve->runs == 0 ? WARMING_DOUBT * fmax(believed, 0) : 0;
    al_bucket_begin(&curve->buckets[size->bucket], clock, log_of(size->load_s), expected->log_time + believed,
                    1, cut * cut + warming * warming);
    if (deviation > most && expected->variance < SURE)
        al_bucket_raise(&curve->buckets[size->bucket], clock, deviation);
    return deviation < -COMMON_SHIFT ? -deviation : 0;
}

static void count_spread(al_curve *curve, const al_surprise *surprise)
{
    const double keep = 1 - 1 / SPREAD_MEMORY;
    curve->count = keep * curve->count + surprise->weight;
    curve->square = keep * curve->square + surprise->weight * surprise->noise;
}

static al_surprise follow(al_curve *curve, const al_place_size *size, uint64_t clock, double log_time)
{
    al_bucket *bucket = &curve->buckets[size->bucket];
    double here = al_fit_log_time(&curve->fit, curve->overhead_s, size->load_s, NULL);
    double there = al_fit_log_time(&curve->fit, curve->overhead_s, exp(bucket->log_size), NULL);
    bucket->samples = faded_samples(bucket, clock);
    al_surprise surprise = al_bucket_follow(bucket, clock, log_of(size->load_s), log_time,
                                            bucket->log_time + here - there, al_curve_pooled(curve));
    if (surprise.shift == 0)
        count_spread(curve, &surprise);
    return surprise;
}

static void lower_others(al_curve *curve, const al_bucket *changed, double fall)
{
    for (size_t i = 0; i < AL_CURVE_BUCKETS; i++)
        if (&curve->buckets[i] != changed)
            al_bucket_lower(&curve->buckets[i], fall);
}

static void suspect_others(al_curve *curve, const al_bucket *changed, uint64_t clock, double shift)
{
    double common = fabs(shift) > COMMON_SHIFT ? shift : 0, doubt = common != 0 ? SHIFT_DOUBT * shift : shift;
    for (size_t i = 0; i < AL_CURVE_BUCKETS; i++)
        if (curve->buckets[i].samples && &curve->buckets[i] != changed)
            al_bucket_suspect(&curve->buckets[i], clock, common, doubt * doubt);
}

/* Of the run that had been compiled. */
static void forget(al_curve *curve)
{
    memset(curve->buckets, 0, sizeof curve->buckets);
    curve->cold = false;
}

double al_curve_learn(al_curve *curve, const al_belief *belief, const al_place_size *size, uint64_t clock,
                      double log_time)
{
    al_surprise surprise = { 0 };
    log_time = fmax(log_time, log(LEAST_S));
    al_expectation expected = { 0 };
    al_bucket *bucket = &curve->buckets[size->bucket];
    if (curve->cold || bucket->samples == 0)
        expected = al_curve_expect(curve, belief, size, clock); /* by the cold run too */
    if (curve->cold)
        forget(curve);
    if (bucket->samples == 0)
        surprise.fall = begin(curve, &expected, size, clock, log_time);
    else
        surprise = follow(curve, size, clock, log_time);
    if (surprise.shift != 0)
        suspect_others(curve, bucket, clock, surprise.shift);
    if (surprise.fall > 0)
        lower_others(curve, bucket, surprise.fall);
    curve->runs++;
    note(curve, belief, size, surprise.shift != 0 || surprise.fall > 0);
    return surprise.shift;
}

void al_curve_learn_cold(al_curve *curve, const al_belief *belief, const al_place_size *size, uint64_t clock,
                         double least_s, double most_s)
{
    al_expectation expected = al_curve_expect(curve, belief, size, clock);
    double log_time = fmax(fmin(expected.log_time, log_of(most_s)), log_of(least_s));
    if (curve->runs != 0 || log_time == expected.log_time)
        return;
    curve->cold = true;
    al_bucket_begin(&curve->buckets[size->bucket], clock, log_of(size->load_s), log_time, 1, 0);
    al_curve_refit(curve, belief, size->overhead_s);
}

void al_curve_suspect(al_curve *curve, double variance)
{
    for (size_t i = 0; i < AL_CURVE_BUCKETS; i++)
        if (curve->buckets[i].samples)
            al_bucket_suspect(&curve->buckets[i], 0, 0, variance);
}
