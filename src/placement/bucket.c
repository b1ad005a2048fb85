#include "placement/bucket.h"
#include <math.h>

/* Student's t with so many degrees of freedom is the noise that runs are thought to have: a run z deviations
 * away counts (NU + 1) / (NU + z^2), so that its pull fades with its distance. (Lange, Little and Taylor,
 * Robust statistical modeling using the t distribution, JASA 84, 1989.) */
#define NU 4.0

/* The prior of a spread: so many runs of the pooled one. No clock and no machine is steadier than LEAST. */
#define SPREAD_RUNS  4.0
#define LEAST_SPREAD 1e-4

/* Page's cumulative sum of standardised deviations: each, cut at MOST, less the slack; an alarm above the
 * threshold, if the last three runs all raised it. So three runs in a row that are far off are a change, one
 * or two never are, five that are 1.8 deviations off are, and steady noise gives a false alarm in some
 * thousands. (Page, Continuous inspection schemes, Biometrika 41, 1954.) */
#define CUSUM_MOST      2.5
#define CUSUM_SLACK     0.75
#define CUSUM_THRESHOLD 4.5
#define CUSUM_STREAK    3

/* Up to so many runs one that is far shorter shows that those before were disturbed: nothing runs too fast by
 * accident. */
#define YOUNG     4.0
#define FAR_BELOW -2.5
#define DISTURBED 0.05

/* A rise may have been for a moment by this share of it: it is in doubt after WAIT runs elsewhere, then after
 * twice as many each time, up to WAIT_MOST, and not any more once so many runs have shown it. */
#define RISE_DOUBT     0.7
#define RISE_WAIT      8
#define RISE_WAIT_MOST 4096
#define RISE_RUNS      16
#define RISE_LEAST     0.3 /* less is no reason to leave a place for long */

/* What was not seen for GRACE runs of the same kernel may have moved: a random walk with this variance a run,
 * and no more than that in all. */
#define GRACE     32.0
#define WALK      3.5e-4
#define WALK_MOST 0.5

double al_bucket_spread(const al_bucket *bucket, double pooled)
{
    return fmax((bucket->square + SPREAD_RUNS * pooled) / (bucket->count + SPREAD_RUNS), LEAST_SPREAD);
}

static double walked(const al_bucket *bucket, uint64_t clock)
{
    double age = clock > bucket->seen ? (double)(clock - bucket->seen) : 0;
    return fmin(WALK * fmax(age - GRACE, 0), WALK_MOST);
}

double al_bucket_doubt(const al_bucket *bucket, uint64_t clock)
{
    return bucket->doubt + walked(bucket, clock) + al_bucket_rise(bucket, UINT64_MAX);
}

double al_bucket_rise(const al_bucket *bucket, uint64_t clock)
{
    double deviation = clock >= bucket->rise_until ? RISE_DOUBT * bucket->rise : 0;
    return deviation * deviation;
}

void al_bucket_raise(al_bucket *bucket, uint64_t clock, double shift)
{
    bucket->rise += shift;
    bucket->rise_wait = RISE_WAIT;
    bucket->rise_until = clock + RISE_WAIT;
}

double al_bucket_error(const al_bucket *bucket, double pooled, uint64_t clock)
{
    if (bucket->samples == 0 || !(bucket->count > 0))
        return INFINITY;
    return al_bucket_spread(bucket, pooled) / bucket->count + bucket->doubt + walked(bucket, clock);
}

void al_bucket_begin(al_bucket *bucket, uint64_t clock, double log_size, double log_time, double weight,
                     double doubt)
{
    *bucket = (al_bucket){ .samples = bucket->samples + 1,
                           .seen = clock,
                           .log_size = log_size,
                           .log_time = log_time,
                           .count = weight,
                           .doubt = doubt,
                           .news = bucket->news + 1,
                           .filed = bucket->filed };
}

/* Doubt and age are the same as fewer samples: those whose mean would be as unsure. */
static void settle_doubt(al_bucket *bucket, double spread, double error)
{
    double count = spread / error;
    bucket->square *= count / bucket->count;
    bucket->count = count;
    bucket->doubt = 0;
}

void al_bucket_lower(al_bucket *bucket, double fall)
{
    double lower = fmin(fall, bucket->rise);
    bucket->log_time -= lower;
    bucket->rise -= lower;
}

static void rise_or_fall(al_bucket *bucket, uint64_t clock, double shift)
{
    if (shift < 0)
        bucket->rise = fmax(bucket->rise + shift, 0);
    if (shift > RISE_LEAST)
        al_bucket_raise(bucket, clock, shift);
}

static bool count_deviation(al_cusum *cusum, double deviations, double log_time)
{
    double cut = fmin(deviations, CUSUM_MOST);
    cusum->score = fmax(cusum->score + cut - CUSUM_SLACK, 0);
    if (cut <= CUSUM_SLACK)
        cusum->streak = 0;
    else
        cusum->recent[cusum->streak++ % CUSUM_STREAK] = log_time;
    return cusum->score > CUSUM_THRESHOLD && cusum->streak >= CUSUM_STREAK;
}

static double median(const double of[3])
{
    return fmax(fmin(of[0], of[1]), fmin(fmax(of[0], of[1]), of[2]));
}

/* The new mean is where the last runs were: not the one outlier among them, nor what was before the change.
 */
static double change(al_bucket *bucket, const al_cusum *cusum, uint64_t clock, double spread)
{
    double shift = median(cusum->recent) - bucket->log_time;
    bucket->log_time += shift;
    bucket->count = CUSUM_STREAK;
    bucket->square = bucket->count * spread;
    bucket->up = bucket->down = (al_cusum){ 0 };
    rise_or_fall(bucket, clock, shift);
    return shift;
}

static void follow(al_bucket *bucket, double log_size, double log_time, const al_surprise *surprise)
{
    const double keep = 1 - 1 / AL_BUCKET_MEMORY;
    bucket->count = keep * bucket->count + surprise->weight;
    double share = surprise->weight / bucket->count;
    bucket->log_size += share * (log_size - bucket->log_size);
    bucket->log_time += share * (log_time - bucket->log_time);
    bucket->square = keep * bucket->square + surprise->weight * surprise->noise;
}

/* A run was no shorter than the rise says. */
static void confirm_rise(al_bucket *bucket, uint64_t clock)
{
    if (bucket->count >= RISE_RUNS || bucket->rise_wait > RISE_WAIT_MOST)
        bucket->rise = 0;
    if (bucket->rise == 0 || clock < bucket->rise_until)
        return;
    bucket->rise_wait *= 2;
    bucket->rise_until = clock + bucket->rise_wait;
}

al_surprise al_bucket_follow(al_bucket *bucket, uint64_t clock, double log_size, double log_time,
                             double expected, double pooled)
{
    double spread = al_bucket_spread(bucket, pooled), error = al_bucket_error(bucket, pooled, clock);
    double deviation = log_time - expected, z = deviation / sqrt(spread + error);
    al_surprise surprise = { .noise = deviation * deviation * spread / (spread + error) };
    settle_doubt(bucket, spread, error);
    if (z < FAR_BELOW && (bucket->count < YOUNG || bucket->rise > 0)) {
        surprise.fall = bucket->rise > 0 ? -deviation : 0;
        al_bucket_begin(bucket, clock, log_size, log_time, 1, 0);
        return surprise;
    }
    confirm_rise(bucket, clock);
    surprise.weight = fmin((NU + 1) / (NU + z * z), 1);
    bucket->samples++;
    bucket->news++;
    bucket->seen = clock;
    double alike = log_time - expected + bucket->log_time; /* what it would have taken at the mean size */
    bool above = count_deviation(&bucket->up, z, alike);
    bool below = count_deviation(&bucket->down, -z, alike);
    if (above || below)
        surprise.shift = change(bucket, above ? &bucket->up : &bucket->down, clock, spread);
    else
        follow(bucket, log_size, log_time, &surprise);
    return surprise;
}

void al_bucket_suspect(al_bucket *bucket, uint64_t clock, double shift, double variance)
{
    rise_or_fall(bucket, clock, shift);
    bucket->log_time += shift;
    bucket->doubt += variance;
}

/* Chan, Golub and LeVeque's formula for the variance of two samples together (1979). */
void al_bucket_merge(al_bucket *bucket, const al_bucket *other, double count)
{
    double sum = bucket->count + count, share = count / sum, apart = other->log_time - bucket->log_time;
    bucket->square += other->square * (count / other->count) + apart * apart * bucket->count * share;
    bucket->log_size += share * (other->log_size - bucket->log_size);
    bucket->log_time += share * apart;
    bucket->doubt += share * (other->doubt - bucket->doubt);
    double kept = fmin(sum, AL_BUCKET_MEMORY) / sum;
    bucket->count = kept * sum;
    bucket->square *= kept;
    bucket->samples += other->news ? other->news : other->samples;
}
