/* A bucket: the time that runs of about one size take, as a mean and a spread of its logarithm.
 *
 * It follows what it sees and forgets what is old. A single run that says something quite new is hardly
 * believed; when such runs repeat, all before them is forgotten. The longer nothing is seen, the less it is
 * sure of.
 *
 * Runs that are suddenly longer may be so for a moment only, and who takes longer is left for others: nobody
 * would see the moment end. So such a rise comes into doubt again when some runs went elsewhere, and if the
 * next run confirms it, when twice as many did: what lasted for a moment is forgotten after about as long. */
#ifndef AL_PLACEMENT_BUCKET_H
#define AL_PLACEMENT_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* A sum that grows while runs lie on one side of the mean: Page's test. */
typedef struct al_cusum {
    double score;
    double recent[3]; /* logarithms of the last runs that raised it, in turn */
    unsigned streak;  /* how many did in a row */
} al_cusum;

typedef struct al_bucket {
    uint64_t samples;          /* runs seen; 0: empty */
    uint64_t seen;             /* the clock when it last learned */
    double log_size, log_time; /* weighted means: where the runs were, and what they took */
    double count;              /* the weight of what the means rest on, fading */
    double square;             /* weighted squared deviations, fading */
    double doubt;              /* variance of how far the mean may have moved since it was seen */
    double rise;               /* by how much log_time rose of late, perhaps for a moment only */
    uint64_t rise_wait;        /* so many runs elsewhere is that believed, */
    uint64_t rise_until;       /* that is, till this clock */
    al_cusum up, down;
    uint64_t news, filed; /* runs since it was last in a file; its samples then */
} al_bucket;

/* How many runs its means remember. */
#define AL_BUCKET_MEMORY 32.0

/* The variance of a single run, in the logarithm: the bucket's own, shrunk toward `pooled`, what is usual
 * elsewhere. */
double al_bucket_spread(const al_bucket *bucket, double pooled);

/* The variance of the mean: few samples, old ones, and doubt, but for a rise. Infinite for an empty one. */
double al_bucket_error(const al_bucket *bucket, double pooled, uint64_t clock);

/* What of it is no lack of samples, age and doubt, with a rise as if it were in doubt now. */
double al_bucket_doubt(const al_bucket *bucket, uint64_t clock);

/* What the rise adds to the error at that clock. */
double al_bucket_rise(const al_bucket *bucket, uint64_t clock);
/* A rise by so much has just been believed. */
void al_bucket_raise(al_bucket *bucket, uint64_t clock, double shift);
/* It was for a moment only, as a run that took so much less elsewhere suggests: the mean goes back as far. */
void al_bucket_lower(al_bucket *bucket, double fall);

/* Its first run, or the first that counts; `weight` below 1 if it is not to be trusted as a run, `doubt` as
 * above. */
void al_bucket_begin(al_bucket *bucket, uint64_t clock, double log_size, double log_time, double weight,
                     double doubt);

/* What one more run came to. */
typedef struct al_surprise {
    double
        noise; /* its squared deviation from the mean, as far as the mean's own error does not explain it */
    double weight; /* how far it was believed, 0 to 1 */
    double shift;  /* not 0: the mean has changed, by so much: all before is forgotten */
    double fall;   /* above 0: a rise was for a moment only, and the run took so much less */
} al_surprise;

/* One more run. `expected` is what the bucket's mean says of a run of this size. */
al_surprise al_bucket_follow(al_bucket *bucket, uint64_t clock, double log_size, double log_time,
                             double expected, double pooled);

/* Something suggests that the mean has moved by `shift`, give or take the square root of `variance`. */
void al_bucket_suspect(al_bucket *bucket, uint64_t clock, double shift, double variance);

/* Averages in another bucket of the same, whose mean counts as so many samples. */
void al_bucket_merge(al_bucket *bucket, const al_bucket *other, double count);

#endif
