/* A fit: an overhead and a rate through points of known error. */
#include "placement/fit.h"
#include "random.h"
#include "test.h"
#include <math.h>

#define US 1e-6

static const al_belief wide = { .variance = { 0.72, 0.72 } };

/* A place whose overhead and rate are a and b times the prior's, seen at `count` sizes. */
static size_t see(al_point *points, test_random *random, double overhead_s, double a, double b, size_t count,
                  double deviation)
{
    for (size_t i = 0; i < count; i++) {
        double load_s = exp(test_random_real(random, log(1e-7), log(1)));
        double noise = test_random_normal(random, deviation);
        points[i] =
            (al_point){ load_s, log(a * overhead_s + b * load_s) + noise, deviation * deviation + 1e-6 };
    }
    return count;
}

static void without_points_it_is_the_prior(void)
{
    al_fit fit = al_fit_points(&wide, 5 * US, NULL, 0);
    double variance;
    CU_ASSERT_EQUAL(fit.factor[0], 0);
    CU_ASSERT_EQUAL(fit.factor[1], 0);
    CU_ASSERT_TRUE(fabs(al_fit_log_time(&fit, 5 * US, 1, &variance)) < 1e-5);
    CU_ASSERT_TRUE(fabs(variance - 0.72) < 0.01);
}

static void finds_overhead_and_rate(void)
{
    test_random random = test_random_begin();
    int near = 0, all = 0;
    for (int i = 0; i < 300; i++) {
        al_point points[24];
        double a = exp(test_random_real(&random, -2, 2)), b = exp(test_random_real(&random, -3, 3));
        size_t count = see(points, &random, 5 * US, a, b, 24, 0.05);
        al_fit fit = al_fit_points(&wide, 5 * US, points, count);
        for (double load_s = 1e-7; load_s < 1; load_s *= 10, all++) {
            double wanted = log(a * 5 * US + b * load_s);
            near += fabs(al_fit_log_time(&fit, 5 * US, load_s, NULL) - wanted) < 0.2;
        }
    }
    printf("%d of %d ", near, all);
    CU_ASSERT_TRUE(near > 0.97 * all); /* the rest is where no point tells of the overhead */
}

static void small_runs_teach_the_overhead_and_large_ones_the_rate(void)
{
    al_point small = { 1e-9, log(50 * US), 0.01 }, large = { 1, log(30), 0.01 };
    al_fit of_small = al_fit_points(&wide, 5 * US, &small, 1);
    al_fit of_large = al_fit_points(&wide, 5 * US, &large, 1);
    CU_ASSERT_TRUE(of_small.factor[0] > 1.8 && fabs(of_small.factor[1]) < 0.01);
    CU_ASSERT_TRUE(of_large.factor[1] > 2.5 && fabs(of_large.factor[0]) < 0.01);
    CU_ASSERT_TRUE(of_small.covariance[0] < 0.2 && of_small.covariance[2] > 0.7);
}

static void shrinks_toward_the_prior_with_the_points_errors(void)
{
    double before = 10;
    for (double variance = 0.01; variance < 1000; variance *= 4) {
        al_point point = { 1, log(20), variance };
        al_fit fit = al_fit_points(&wide, 5 * US, &point, 1);
        CU_ASSERT_TRUE(fit.factor[1] > 0 && fit.factor[1] < before && fit.factor[1] < log(20));
        before = fit.factor[1];
    }
    CU_ASSERT_TRUE(before < 0.02);
}

static void always_grows_with_the_load(void)
{
    test_random random = test_random_begin();
    for (int i = 0; i < 1000; i++) {
        al_point points[8];
        size_t count = test_random_index(&random, 9);
        for (size_t k = 0; k < count; k++)
            points[k] = (al_point){ exp(test_random_real(&random, -23, 10)),
                                    test_random_real(&random, -23, 10), test_random_real(&random, 1e-6, 10) };
        al_fit fit = al_fit_points(&wide, exp(test_random_real(&random, -20, 0)), points, count);
        double last = -INFINITY;
        for (double load_s = 0; load_s < 1e6; load_s = load_s * 3 + 1e-9) {
            double variance, log_time = al_fit_log_time(&fit, 5 * US, load_s, &variance);
            CU_ASSERT_TRUE(isfinite(log_time) && log_time >= last);
            CU_ASSERT_TRUE(isfinite(variance) && variance >= 0);
            last = log_time;
        }
    }
}

static void depends_on_nothing_but_what_it_is_given(void)
{
    test_random random = test_random_begin();
    al_point points[10];
    size_t count = see(points, &random, 5 * US, 3, 0.2, 10, 0.1);
    al_fit first = al_fit_points(&wide, 5 * US, points, count);
    al_fit again = al_fit_points(&wide, 5 * US, points, count);
    CU_ASSERT_EQUAL(first.factor[0], again.factor[0]);
    CU_ASSERT_EQUAL(first.factor[1], again.factor[1]);
    CU_ASSERT_EQUAL(first.misfit, again.misfit);
}

static void what_no_line_fits_raises_the_misfit(void)
{
    al_point smooth[6], rough[6];
    for (int i = 0; i < 6; i++) {
        double load_s = 1e-4 * pow(4, i);
        smooth[i] = (al_point){ load_s, log(2 * load_s), 1e-4 };
        rough[i] = (al_point){ load_s, log(2 * load_s) + (i % 2 ? 1 : -1), 1e-4 };
    }
    CU_ASSERT_TRUE(al_fit_points(&wide, US, smooth, 6).misfit < AL_FIT_MISFIT);
    CU_ASSERT_TRUE(al_fit_points(&wide, US, rough, 6).misfit > 5 * AL_FIT_MISFIT);
}

int main(void)
{
    static const test_fact facts[] = {
        { "without points it is the prior", without_points_it_is_the_prior },
        { "finds overhead and rate", finds_overhead_and_rate },
        { "small runs teach the overhead and large ones the rate",
          small_runs_teach_the_overhead_and_large_ones_the_rate },
        { "shrinks toward the prior with the points' errors",
          shrinks_toward_the_prior_with_the_points_errors },
        { "always grows with the load", always_grows_with_the_load },
        { "depends on nothing but what it is given", depends_on_nothing_but_what_it_is_given },
        { "what no line fits raises the misfit", what_no_line_fits_raises_the_misfit },
        { NULL, NULL },
    };
    return test_main("fit", facts);
}
