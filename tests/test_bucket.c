/* A bucket: robust, quick to see a change, unsure of what is old. */
#include "placement/bucket.h"
#include "random.h"
#include "test.h"
#include <math.h>

#define POOLED 0.0225

static al_bucket begun(double log_time)
{
    al_bucket bucket = { 0 };
    al_bucket_begin(&bucket, 0, 0, log_time, 1, 0);
    return bucket;
}

static al_surprise follow(al_bucket *bucket, double log_time)
{
    return al_bucket_follow(bucket, bucket->seen + 1, 0, log_time, bucket->log_time, POOLED);
}

static al_bucket grown(test_random *random, double log_time, double deviation, int runs)
{
    al_bucket bucket = begun(log_time + test_random_normal(random, deviation));
    for (int i = 1; i < runs; i++)
        follow(&bucket, log_time + test_random_normal(random, deviation));
    return bucket;
}

static void an_empty_one_knows_nothing(void)
{
    al_bucket bucket = { 0 };
    CU_ASSERT_TRUE(isinf(al_bucket_error(&bucket, POOLED, 7)));
    CU_ASSERT_EQUAL(al_bucket_spread(&bucket, POOLED), POOLED);
}

static void comes_to_the_mean_and_the_spread(void)
{
    test_random random = test_random_begin();
    for (double deviation = 0.02; deviation < 0.5; deviation *= 2) {
        double mean = 0, spread = 0;
        for (int i = 0; i < 50; i++) {
            al_bucket bucket = grown(&random, -5, deviation, 200);
            mean += bucket.log_time / 50;
            spread += sqrt(al_bucket_spread(&bucket, POOLED)) / 50;
        }
        CU_ASSERT_TRUE(fabs(mean + 5) < deviation / 4);
        CU_ASSERT_TRUE(spread > 0.6 * deviation && spread < 1.3 * deviation + 0.06);
    }
}

static void one_outlier_hardly_moves_it(void)
{
    test_random random = test_random_begin();
    int moved = 0, far = 0;
    for (int i = 0; i < 500; i++) {
        al_bucket bucket = grown(&random, 0, test_random_real(&random, 0.01, 0.15), 8);
        bool quick = i % 2 && bucket.count > 4; /* a young one believes what is quick */
        double before = bucket.log_time, outlier = before + (quick ? -log(100) : log(100));
        al_surprise surprise = follow(&bucket, outlier);
        far += !(fabs(surprise.shift) < 0.8 && fabs(bucket.log_time - before) < 0.8);
        moved += fabs(bucket.log_time - before) > 0.05;
    }
    CU_ASSERT_TRUE(moved <= 10 && far <= 1); /* of 500: where noise had nearly looked like a change before */
}

static void repeated_outliers_win(void)
{
    test_random random = test_random_begin();
    int late = 0;
    for (int i = 0; i < 500; i++) {
        double deviation = test_random_real(&random, 0.01, 0.15);
        double factor = (i % 2 ? 1 : -1) * log(test_random_real(&random, 3, 100));
        al_bucket bucket = grown(&random, 0, deviation, (int)test_random_index(&random, 1000) + 8);
        int runs = 0;
        while (fabs(bucket.log_time - factor) > 0.1 + deviation && runs < 100) {
            follow(&bucket, factor + test_random_normal(&random, deviation));
            runs++;
        }
        late += runs > 5;
        CU_ASSERT_TRUE(runs <= 12);
    }
    printf("%d of 500 take more than 5 runs ", late);
    CU_ASSERT_TRUE(late <= 10);
}

static void steady_noise_is_no_change(void)
{
    test_random random = test_random_begin();
    int changes = 0;
    for (int i = 0; i < 20; i++) {
        al_bucket bucket = grown(&random, 0, 0.1, 20);
        for (int run = 0; run < 500; run++)
            changes += follow(&bucket, test_random_normal(&random, 0.1)).shift != 0;
    }
    printf("%d of 10000 ", changes);
    CU_ASSERT_TRUE(changes < 40);
}

static void a_slow_drift_is_followed(void)
{
    test_random random = test_random_begin();
    al_bucket bucket = grown(&random, 0, 0.05, 1000);
    for (int i = 0; i < 200; i++)
        follow(&bucket, 0.005 * i + test_random_normal(&random, 0.05));
    CU_ASSERT_TRUE(fabs(bucket.log_time - 1) < 0.2);
}

static void nothing_runs_too_fast_by_accident(void)
{
    al_bucket bucket = begun(3);
    follow(&bucket, 3);
    follow(&bucket, 0);
    CU_ASSERT_TRUE(fabs(bucket.log_time) < 0.01);
    CU_ASSERT_EQUAL(bucket.samples, 3);
}

static void is_less_sure_of_what_is_old(void)
{
    test_random random = test_random_begin();
    al_bucket bucket = grown(&random, 0, 0.1, 100);
    double now = al_bucket_error(&bucket, POOLED, bucket.seen);
    double soon = al_bucket_error(&bucket, POOLED, bucket.seen + 20);
    double later = al_bucket_error(&bucket, POOLED, bucket.seen + 500);
    double at_last = al_bucket_error(&bucket, POOLED, UINT64_MAX);
    CU_ASSERT_EQUAL(now, soon);
    CU_ASSERT_TRUE(later > 10 * now && at_last > later && at_last < 1);
    int more = 0;
    for (int i = 0; i < 20; i++) {
        al_bucket young = grown(&random, 0, 0.1, 100), aged = young;
        follow(&young, 0.3);
        al_bucket_follow(&aged, aged.seen + 500, 0, 0.3, aged.log_time, POOLED);
        more += aged.log_time > young.log_time + 0.1; /* after an age the new counts for more */
    }
    CU_ASSERT_TRUE(more >= 18); /* noise may have looked like a change just before */
}

static void a_suspected_one_believes_the_next_run(void)
{
    test_random random = test_random_begin();
    al_bucket bucket = grown(&random, 0, 0.1, 100);
    al_bucket_suspect(&bucket, bucket.seen, 1.5, 0.5);
    CU_ASSERT_TRUE(fabs(bucket.log_time - 1.5) < 0.2);
    follow(&bucket, 0);
    CU_ASSERT_TRUE(fabs(bucket.log_time) < 0.2);
}

static al_bucket risen(double shift)
{
    al_bucket bucket = begun(0);
    for (int i = 0; i < 100; i++)
        follow(&bucket, i % 2 ? 0.02 : -0.02);
    for (int i = 0; i < 3; i++)
        follow(&bucket, shift);
    CU_ASSERT_TRUE(fabs(bucket.log_time - shift) < 0.1);
    return bucket;
}

/* Who became slower is not asked any more: what was before is possible again after some runs elsewhere, and
 * after twice as many each time that a run says otherwise. */
static void a_rise_comes_into_doubt(void)
{
    al_bucket bucket = risen(log(5));
    uint64_t wait;
    CU_ASSERT_EQUAL(al_bucket_rise(&bucket, bucket.seen), 0);
    for (int i = 0; i < 5; i++) {
        uint64_t clock = bucket.seen;
        for (wait = 0; wait < 10000 && al_bucket_rise(&bucket, clock + wait) == 0;)
            wait++;
        CU_ASSERT_EQUAL(wait, 8u << i);
        double low = bucket.log_time - 1.645 * sqrt(al_bucket_rise(&bucket, clock + wait));
        CU_ASSERT_TRUE(low < 0 && low > -1);
        al_bucket_follow(&bucket, clock + wait, 0, bucket.log_time, bucket.log_time, POOLED);
    }
    al_bucket back = bucket;
    al_surprise surprise = follow(&back, 0);
    CU_ASSERT_TRUE(fabs(back.log_time) < 0.01 && surprise.fall > 1.5);
    CU_ASSERT_EQUAL(back.rise, 0);
}

static void a_rise_that_was_seen_often_is_believed(void)
{
    test_random random = test_random_begin();
    al_bucket bucket = risen(1);
    for (int i = 0; i < 40; i++)
        follow(&bucket, 1 + test_random_normal(&random, 0.1));
    CU_ASSERT_EQUAL(al_bucket_rise(&bucket, bucket.seen + 100000), 0);
    for (int i = 0; i < 3; i++)
        follow(&bucket, 0); /* shorter, not longer */
    CU_ASSERT_TRUE(bucket.log_time < 0.1);
    CU_ASSERT_EQUAL(al_bucket_rise(&bucket, bucket.seen + 100000), 0);
}

static void merging_weighs_by_counts(void)
{
    test_random random = test_random_begin();
    int nearer = 0;
    al_bucket a, b, joined;
    for (int i = 0; i < 20; i++) {
        a = grown(&random, 0, 0.1, 30), b = grown(&random, 0.3, 0.1, 10), joined = a;
        al_bucket_merge(&joined, &b, b.count);
        nearer += joined.log_time > a.log_time && joined.log_time < 0.5 * (a.log_time + b.log_time);
    }
    CU_ASSERT_TRUE(nearer >= 18);
    CU_ASSERT_TRUE(joined.count <= AL_BUCKET_MEMORY);
    CU_ASSERT_EQUAL(joined.samples, 40);
    CU_ASSERT_TRUE(al_bucket_spread(&joined, POOLED) > al_bucket_spread(&a, POOLED) / 2);
}

/* Whatever comes, all figures stay figures. */
static void bears_anything(void)
{
    test_random random = test_random_begin();
    for (int i = 0; i < 200; i++) {
        al_bucket bucket = begun(test_random_real(&random, -23, 700));
        for (int run = 0; run < 100; run++) {
            if (test_random_index(&random, 10) == 0)
                al_bucket_suspect(&bucket, bucket.seen, test_random_real(&random, -5, 5),
                                  test_random_real(&random, 0, 9));
            bucket.seen -= test_random_index(&random, bucket.seen + 1);
            follow(&bucket, test_random_real(&random, -23, 700));
            CU_ASSERT_TRUE(isfinite(bucket.log_time) && bucket.count > 0 && bucket.square >= 0);
            CU_ASSERT_TRUE(al_bucket_error(&bucket, POOLED, bucket.seen) > 0);
        }
    }
}

int main(void)
{
    static const test_fact facts[] = {
        { "an empty one knows nothing", an_empty_one_knows_nothing },
        { "comes to the mean and the spread", comes_to_the_mean_and_the_spread },
        { "one outlier hardly moves it", one_outlier_hardly_moves_it },
        { "repeated outliers win", repeated_outliers_win },
        { "steady noise is no change", steady_noise_is_no_change },
        { "a slow drift is followed", a_slow_drift_is_followed },
        { "nothing runs too fast by accident", nothing_runs_too_fast_by_accident },
        { "is less sure of what is old", is_less_sure_of_what_is_old },
        { "a suspected one believes the next run", a_suspected_one_believes_the_next_run },
        { "a rise comes into doubt", a_rise_comes_into_doubt },
        { "a rise that was seen often is believed", a_rise_that_was_seen_often_is_believed },
        { "merging weighs by counts", merging_weighs_by_counts },
        { "bears anything", bears_anything },
        { NULL, NULL },
    };
    return test_main("bucket", facts);
}
