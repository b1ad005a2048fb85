/* The cost model: what it predicts after what it has learned. */
#include "base/clock.h"
#include "placement/merge.h"
#include "placement/model.h"
#include "placement/prior.h"
#include "test.h"
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define US 1e-6
#define MS 1e-3

static const al_model_key on_threads = { "axpy", ALLOT_F32, "thread", ALLOT_THREAD, 2 };
static const al_model_key on_device = { "axpy", ALLOT_F32, "opencl:0", ALLOT_OPENCL, 2 };

static allot_work work_of(double n)
{
    return (allot_work){ .flops = 2 * n, .bytes = 12 * n };
}

static al_model *made(void)
{
    al_model *model = al_model_create();
    CU_ASSERT_PTR_NOT_NULL_FATAL(model);
    return model;
}

static al_prediction predict(al_model *model, const al_model_key *key, double n)
{
    al_prediction prediction;
    al_model_predict(model, key, work_of(n), &prediction);
    return prediction;
}

static void learn(al_model *model, const al_model_key *key, double n, double run_s, int times)
{
    for (int i = 0; i < times; i++)
        al_model_learn(model, key, work_of(n), run_s, 0);
}

static bool near(double value, double wanted, double share)
{
    bool is = fabs(value - wanted) <= share * fabs(wanted);
    if (!is)
        printf("[%g, not %g] ", value, wanted);
    return is;
}

/* ---- Before anything has run ---- */

static void guesses_from_flops_and_bytes(void)
{
    al_model *model = made();
    al_prediction small = predict(model, &on_threads, 1), large = predict(model, &on_threads, 1e8);
    CU_ASSERT_EQUAL(small.samples, 0);
    CU_ASSERT_TRUE(near(small.run_s, 5 * US, 0.01));
    CU_ASSERT_TRUE(near(large.run_s, 12e8 / 16e9, 0.01)); /* two cores at 8 GB/s */
    CU_ASSERT_TRUE(large.low_s > 0 && large.low_s < large.run_s / 2);
    CU_ASSERT_EQUAL(large.compile_s, 0);
    al_model_destroy(model);
}

static void guesses_by_kind_and_workers(void)
{
    al_model *model = made();
    al_model_key process = { "axpy", ALLOT_F32, "process", ALLOT_PROCESS, 2 };
    al_model_key alone = { "axpy", ALLOT_F32, "inline", ALLOT_INLINE, 1 };
    al_model_key many = { "axpy", ALLOT_F32, "thread", ALLOT_THREAD, 64 };
    CU_ASSERT_TRUE(predict(model, &alone, 1).run_s < predict(model, &on_threads, 1).run_s);
    CU_ASSERT_TRUE(predict(model, &on_threads, 1).run_s < predict(model, &process, 1).run_s);
    CU_ASSERT_TRUE(predict(model, &process, 1).run_s < predict(model, &on_device, 1).run_s);
    CU_ASSERT_TRUE(near(predict(model, &alone, 1e8).run_s, 2 * predict(model, &on_threads, 1e8).run_s, 0.01));
    /* Memory is shared: more cores do not help for ever. */
    CU_ASSERT_TRUE(near(predict(model, &many, 1e8).run_s, 12e8 / 32e9, 0.01));
    CU_ASSERT_TRUE(near(predict(model, &on_device, 1).compile_s, 0.2, 0.01));
    al_model_destroy(model);
}

static void bears_any_work(void)
{
    static const double odd[] = { 0, -1, NAN, INFINITY, -INFINITY, 1e308, 1e-308 };
    al_model *model = made();
    for (size_t i = 0; i < 7; i++) {
        for (size_t j = 0; j < 7; j++) {
            allot_work work = { odd[i], odd[j] };
            al_prediction prediction;
            al_model_learn(model, &on_threads, work, 1 * MS, 0);
            al_model_predict(model, &on_threads, work, &prediction);
            CU_ASSERT_TRUE(isfinite(prediction.run_s) && prediction.run_s >= 0);
            CU_ASSERT_TRUE(prediction.low_s >= 0 && prediction.low_s <= prediction.run_s);
        }
    }
    al_model_destroy(model);
}

/* ---- What has run ---- */

static void predicts_what_it_has_seen(void)
{
    al_model *model = made();
    learn(model, &on_threads, 1e6, 400 * US, 20);
    al_prediction seen = predict(model, &on_threads, 1e6);
    CU_ASSERT_EQUAL(seen.samples, 20);
    CU_ASSERT_TRUE(near(seen.run_s, 400 * US, 0.05));
    CU_ASSERT_TRUE(seen.low_s <= seen.run_s && seen.low_s > 0.5 * seen.run_s);
    al_model_destroy(model);
}

static void keeps_kernels_types_and_places_apart(void)
{
    al_model *model = made();
    char name[] = "axpy"; /* texts count, not addresses */
    al_model_key same = { name, ALLOT_F32, "thread", ALLOT_THREAD, 2 };
    al_model_key other_type = { "axpy", ALLOT_F64, "thread", ALLOT_THREAD, 2 };
    al_model_key other_kernel = { "axp", ALLOT_F32, "thread", ALLOT_THREAD, 2 };
    al_model_key no_such_type = { "axpy", (allot_type)9999, "thread", ALLOT_THREAD, 2 };
    learn(model, &on_threads, 1e6, 3 * MS, 5);
    CU_ASSERT_EQUAL(predict(model, &same, 1e6).samples, 5);
    CU_ASSERT_EQUAL(predict(model, &other_type, 1e6).samples, 0);
    CU_ASSERT_EQUAL(predict(model, &other_kernel, 1e6).samples, 0);
    CU_ASSERT_EQUAL(predict(model, &on_device, 1e6).samples, 0);
    CU_ASSERT_EQUAL(predict(model, &no_such_type, 1e6).samples, 0);
    learn(model, &no_such_type, 1e6, 3 * MS, 5);
    CU_ASSERT_EQUAL(predict(model, &same, 1e6).samples, 5);
    al_model_destroy(model);
}

static void ignores_times_that_are_none(void)
{
    static const double odd[] = { NAN, INFINITY, -INFINITY, -1 };
    al_model *model = made();
    for (size_t i = 0; i < 4; i++) {
        al_model_learn(model, &on_device, work_of(1e6), odd[i], 0.1);
        al_model_learn_transfer(model, "opencl:0", 1000, 1, odd[i]);
    }
    CU_ASSERT_EQUAL(predict(model, &on_device, 1e6).samples, 0);
    CU_ASSERT_TRUE(near(predict(model, &on_device, 1e6).compile_s, 0.2, 0.01));
    for (size_t i = 0; i < 4; i++)
        al_model_learn(model, &on_device, work_of(1e6), 1 * MS, odd[i]);
    CU_ASSERT_EQUAL(predict(model, &on_device, 1e6).samples, 4);
    al_model_destroy(model);
}

static void a_time_of_zero_is_a_time(void)
{
    al_model *model = made();
    learn(model, &on_threads, 10, 0, 6);
    CU_ASSERT_TRUE(predict(model, &on_threads, 10).run_s < 1e-9);
    CU_ASSERT_TRUE(predict(model, &on_threads, 10).low_s > 0);
    learn(model, &on_threads, 10, 7 * US, 6);
    CU_ASSERT_TRUE(near(predict(model, &on_threads, 10).run_s, 7 * US, 0.05));
    al_model_destroy(model);
}

/* ---- Sizes that have not run ---- */

static void scales_from_the_nearest_size(void)
{
    al_model *model = made();
    learn(model, &on_threads, 1e7, 40 * MS, 10); /* about five times the guess */
    CU_ASSERT_TRUE(near(predict(model, &on_threads, 1.1e7).run_s, 44 * MS, 0.05));
    al_prediction larger = predict(model, &on_threads, 1e8), smaller = predict(model, &on_threads, 1);
    CU_ASSERT_EQUAL(larger.samples, 0);
    CU_ASSERT_TRUE(near(larger.run_s, 400 * MS, 0.05));
    CU_ASSERT_TRUE(larger.low_s < larger.run_s);
    CU_ASSERT_TRUE(smaller.run_s <
                   10 * US); /* what a large one says of the rate says nothing of the overhead */
    al_model_destroy(model);
}

static void small_runs_say_nothing_about_the_rate(void)
{
    al_model *model = made();
    learn(model, &on_threads, 4, 50 * US, 10); /* all overhead */
    CU_ASSERT_TRUE(near(predict(model, &on_threads, 1).run_s, 50 * US, 0.1));
    CU_ASSERT_TRUE(near(predict(model, &on_threads, 1e8).run_s, 75 * MS, 0.1));
    al_model_destroy(model);
}

static void interpolates_between_two_sizes(void)
{
    al_model *model = made();
    double overhead_s = 30 * US, second_per_item = 2e-9;
    learn(model, &on_threads, 1e3, overhead_s + 1e3 * second_per_item, 10);
    learn(model, &on_threads, 1e7, overhead_s + 1e7 * second_per_item, 10);
    for (double n = 3e3; n < 1e7; n *= 3)
        CU_ASSERT_TRUE(near(predict(model, &on_threads, n).run_s, overhead_s + n * second_per_item, 0.05));
    al_model_destroy(model);
}

static void doubts_more_the_further_it_is_from_what_it_knows(void)
{
    al_model *model = made();
    learn(model, &on_threads, 1e5, 100 * US, 10);
    al_prediction next = predict(model, &on_threads, 3e5), far = predict(model, &on_threads, 1e7);
    CU_ASSERT_TRUE(next.low_s < 0.9 * next.run_s);
    CU_ASSERT_TRUE(far.low_s / far.run_s < next.low_s / next.run_s);
    CU_ASSERT_TRUE(far.low_s > far.run_s / 3); /* less than where nothing is known */
    al_model_destroy(model);
}

/* ---- Outliers and change ---- */

static void one_outlier_does_not_poison_it(void)
{
    al_model *model = made();
    learn(model, &on_threads, 1e6, 400 * US, 10);
    learn(model, &on_threads, 1e6, 5, 1);
    CU_ASSERT_TRUE(predict(model, &on_threads, 1e6).run_s < 600 * US);
    learn(model, &on_threads, 1e6, 400 * US, 10);
    CU_ASSERT_TRUE(near(predict(model, &on_threads, 1e6).run_s, 400 * US, 0.25));
    learn(model, &on_threads, 1e6, 1e-9, 1);
    CU_ASSERT_TRUE(near(predict(model, &on_threads, 1e6).run_s, 400 * US, 0.3));
    al_model_destroy(model);
}

static void an_outlier_at_first_does_not_poison_it(void)
{
    al_model *model = made();
    double guess_s = predict(model, &on_threads, 1e6).run_s;
    learn(model, &on_threads, 1e6, 5, 1);
    CU_ASSERT_EQUAL(predict(model, &on_threads, 1e6).samples, 1);
    CU_ASSERT_TRUE(predict(model, &on_threads, 1e6).run_s < 5 * guess_s);
    learn(model, &on_threads, 1e6, guess_s, 3);
    CU_ASSERT_TRUE(predict(model, &on_threads, 1e6).run_s < 2 * guess_s);
    al_model_destroy(model);
}

static void repeated_outliers_are_the_truth(void)
{
    al_model *model = made();
    learn(model, &on_threads, 1e6, 400 * US, 1000000);
    learn(model, &on_threads, 1e6, 40 * MS, 3);
    CU_ASSERT_TRUE(near(predict(model, &on_threads, 1e6).run_s, 40 * MS, 0.05));
    learn(model, &on_threads, 1e6, 400 * US, 3);
    CU_ASSERT_TRUE(near(predict(model, &on_threads, 1e6).run_s, 400 * US, 0.05));
    al_model_destroy(model);
}

static void surprises_at_several_sizes_are_the_truth(void)
{
    al_model *model = made();
    learn(model, &on_threads, 1e4, 10 * MS, 1); /* a hundred times the guess */
    CU_ASSERT_TRUE(predict(model, &on_threads, 1e4).run_s < 1 * MS);
    learn(model, &on_threads, 1e6, 1, 1);
    CU_ASSERT_TRUE(near(predict(model, &on_threads, 1e6).run_s, 1, 0.2));
    al_model_destroy(model);
}

static void follows_a_slow_drift(void)
{
    al_model *model = made();
    learn(model, &on_threads, 1e6, 400 * US, 100000);
    learn(model, &on_threads, 1e6, 800 * US, 50);
    CU_ASSERT_TRUE(near(predict(model, &on_threads, 1e6).run_s, 800 * US, 0.1));
    al_model_destroy(model);
}

static void the_bound_narrows_with_samples_and_widens_with_noise(void)
{
    al_model *model = made();
    al_model_key noisy = { "noisy", ALLOT_F32, "thread", ALLOT_THREAD, 2 };
    learn(model, &on_threads, 1e6, 400 * US, 2);
    al_prediction few = predict(model, &on_threads, 1e6);
    learn(model, &on_threads, 1e6, 400 * US, 20);
    al_prediction many = predict(model, &on_threads, 1e6);
    for (int i = 0; i < 11; i++) {
        learn(model, &noisy, 1e6, 200 * US, 1);
        learn(model, &noisy, 1e6, 600 * US, 1);
    }
    al_prediction wide = predict(model, &noisy, 1e6);
    CU_ASSERT_TRUE(few.low_s / few.run_s <= many.low_s / many.run_s);
    CU_ASSERT_TRUE(wide.low_s / wide.run_s < many.low_s / many.run_s);
    al_model_destroy(model);
}

static void what_is_not_seen_again_fades(void)
{
    al_model *model = made();
    learn(model, &on_device, 1e6, 5 * MS, 1000);
    learn(model, &on_threads, 1e6, 1 * MS, 1000);
    CU_ASSERT_EQUAL(predict(model, &on_device, 1e6).samples, 1000);
    learn(model, &on_threads, 1e6, 1 * MS, 20000);
    al_prediction old = predict(model, &on_device, 1e6);
    CU_ASSERT_EQUAL(old.samples, 0);
    CU_ASSERT_TRUE(near(old.run_s, 5 * MS, 0.05)); /* still the best that is known */
    CU_ASSERT_TRUE(old.low_s < 3 * MS);
    learn(model, &on_device, 1e6, 2 * MS, 1);
    CU_ASSERT_EQUAL(predict(model, &on_device, 1e6).samples, 1);
    CU_ASSERT_TRUE(near(predict(model, &on_device, 1e6).run_s, 2 * MS, 0.05));
    al_model_destroy(model);
}

static void other_sizes_on_the_place_make_none_old(void)
{
    al_model *model = made();
    learn(model, &on_threads, 1e6, 400 * US, 50);
    double sigma = predict(model, &on_threads, 1e6).sigma;
    learn(model, &on_threads, 1e3, 10 * US, 5000);
    CU_ASSERT_TRUE(predict(model, &on_threads, 1e6).sigma < 1.1 * sigma);
    learn(model, &on_device, 1e3, 10 * US, 500);
    CU_ASSERT_TRUE(predict(model, &on_threads, 1e6).sigma > sigma + 0.2);
    al_model_destroy(model);
}

/* ---- Compilers ---- */

static void compiling_is_paid_once_a_kernel_and_learned_by_place(void)
{
    al_model *model = made();
    al_model_key other = { "gemm", ALLOT_F32, "opencl:0", ALLOT_OPENCL, 2 };
    al_model_learn(model, &on_device, work_of(1e6), 1 * MS, 0.05);
    CU_ASSERT_EQUAL(predict(model, &on_device, 1e6).compile_s, 0);
    CU_ASSERT_EQUAL(predict(model, &on_device, 10).compile_s, 0);
    CU_ASSERT_TRUE(near(predict(model, &other, 10).compile_s, 0.05, 0.01));
    al_model_destroy(model);
}

/* Of places that know it; what was seen there is surer. */
static void what_building_takes_can_be_told(void)
{
    al_model *model = made();
    al_model_key told = on_device, other = on_device;
    told.compile_s = other.compile_s = 2 * MS;
    other.kernel = "gemm";
    CU_ASSERT_TRUE(near(predict(model, &told, 1e6).compile_s, 2 * MS, 0.01));
    al_model_learn(model, &told, work_of(1e6), 1 * MS, 0.05);
    CU_ASSERT_EQUAL(predict(model, &told, 1e6).compile_s, 0);
    CU_ASSERT_TRUE(near(predict(model, &other, 10).compile_s, 0.05, 0.01));
    al_model_destroy(model);
}

/* Then the run after it hides no more than that: it tells what the next takes. */
static void a_short_build_hides_little_of_the_run_after_it(void)
{
    al_model *model = made();
    al_model_key told = on_device;
    told.compile_s = 2 * MS;
    al_model_learn(model, &told, work_of(1e6), 100 * MS, 2 * MS);
    CU_ASSERT_EQUAL(predict(model, &told, 1e6).samples, 0);
    CU_ASSERT_TRUE(near(predict(model, &told, 1e6).run_s, 96 * MS, 0.2));
    al_model_destroy(model);
}

/* Drivers do half of a build in the first launch: that run is no measure of the next. */
static void the_run_after_a_build_is_not_a_sample(void)
{
    al_model *model = made();
    double guess_s = predict(model, &on_device, 1e6).run_s;
    al_model_learn(model, &on_device, work_of(1e6), 0.15, 0.05);
    al_prediction cold = predict(model, &on_device, 1e6);
    CU_ASSERT_EQUAL(cold.samples, 0);
    CU_ASSERT_TRUE(near(cold.run_s, guess_s, 0.01));
    CU_ASSERT_TRUE(cold.low_s < 1 * MS);
    al_model_learn(model, &on_device, work_of(1e6), 600 * US, 0);
    CU_ASSERT_EQUAL(predict(model, &on_device, 1e6).samples, 1);
    CU_ASSERT_TRUE(near(predict(model, &on_device, 1e6).run_s, 600 * US, 0.01));
    al_model_destroy(model);
}

static void a_run_after_a_build_that_is_too_long_for_that_is_believed(void)
{
    al_model *model = made();
    al_model_learn(model, &on_device, work_of(1e6), 5, 0.05);
    CU_ASSERT_TRUE(predict(model, &on_device, 1e6).run_s > 4);
    CU_ASSERT_TRUE(predict(model, &on_device, 1e6).low_s > 3);
    CU_ASSERT_TRUE(predict(model, &on_device, 1e7).low_s > 3);
    al_model_destroy(model);
}

/* ---- Transfers ---- */

static void transfers_start_from_a_guess(void)
{
    al_model *model = made();
    CU_ASSERT_EQUAL(al_model_transfer_s(model, "opencl:0", 0), 0);
    CU_ASSERT_TRUE(near(al_model_transfer_s(model, "opencl:0", 1), 20 * US, 0.01));
    CU_ASSERT_TRUE(near(al_model_transfer_s(model, "opencl:0", 5000000000), 1, 0.01));
    al_model_destroy(model);
}

static void transfers_teach_latency_and_rate(void)
{
    al_model *model = made();
    double latency_s = 3 * US, bytes_per_s = 40e9;
    for (int i = 0; i < 200; i++) {
        uint64_t bytes = i % 2 ? 4096 : 1 << 28;
        al_model_learn_transfer(model, "opencl:0", bytes, 1, latency_s + (double)bytes / bytes_per_s);
    }
    CU_ASSERT_TRUE(near(al_model_transfer_s(model, "opencl:0", 1000), latency_s, 0.1));
    CU_ASSERT_TRUE(near(al_model_transfer_s(model, "opencl:0", 1 << 28), (1 << 28) / bytes_per_s, 0.1));
    CU_ASSERT_TRUE(near(al_model_transfer_s(model, "opencl:1", 1), 20 * US, 0.01));
    al_model_destroy(model);
}

static void several_transfers_have_several_latencies(void)
{
    al_model *model = made();
    for (int i = 0; i < 50; i++)
        al_model_learn_transfer(model, "opencl:0", 40, 10, 10 * 70 * US);
    CU_ASSERT_TRUE(near(al_model_transfer_s(model, "opencl:0", 4), 70 * US, 0.05));
    al_model_learn_transfer(model, "opencl:0", 4, 0, 70 * US); /* a count that was not kept */
    al_model_learn_transfer(model, "opencl:0", 0, 10, 99);
    CU_ASSERT_TRUE(near(al_model_transfer_s(model, "opencl:0", 4), 70 * US, 0.05));
    al_model_learn_transfer(model, "opencl:0", 4, 1, 10);
    CU_ASSERT_TRUE(al_model_transfer_s(model, "opencl:0", 4) < 100 * US);
    al_model_destroy(model);
}

static void the_two_ways_are_apart(void)
{
    al_model *model = made();
    al_model_link *link = al_model_find_link(model, "opencl:0");
    for (int i = 0; i < 10; i++) {
        al_model_link_learn(link, AL_TO_PLACE, 1 << 20, 1, 1 * MS);
        al_model_link_learn(link, AL_FROM_PLACE, 1 << 20, 1, 9 * MS);
    }
    CU_ASSERT_TRUE(near(al_model_link_s(link, AL_TO_PLACE, 1 << 20, 1), 1 * MS, 0.05));
    CU_ASSERT_TRUE(near(al_model_link_s(link, AL_FROM_PLACE, 1 << 20, 1), 9 * MS, 0.05));
    CU_ASSERT_TRUE(near(al_model_link_s(link, AL_FROM_PLACE, 3 << 20, 3), 27 * MS, 0.05));
    al_model_destroy(model);
}

/* ---- What other kernels tell ---- */

static void a_new_kernel_is_judged_by_its_places_others(void)
{
    al_model *model = made();
    al_model_key key = on_device;
    char name[16];
    double guess_s = predict(model, &key, 1e8).run_s;
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "k%d", i);
        key.kernel = name;
        learn(model, &key, 1e8, guess_s / 10 * (1 + 0.1 * i), 5);
    }
    key.kernel = "never seen";
    al_prediction unseen = predict(model, &key, 1e8);
    CU_ASSERT_EQUAL(unseen.source, AL_FROM_PRIOR);
    CU_ASSERT_TRUE(unseen.run_s < guess_s / 5 && unseen.run_s > guess_s / 13);
    CU_ASSERT_TRUE(predict(model, &on_threads, 1e8).samples == 0);
    al_model_destroy(model);
}

static void a_change_for_one_kernel_makes_the_others_doubtful(void)
{
    al_model *model = made();
    al_model_key other = on_threads;
    other.kernel = "dot";
    learn(model, &on_threads, 1e6, 400 * US, 20);
    learn(model, &other, 1e6, 300 * US, 20);
    double sigma = predict(model, &other, 1e6).sigma;
    learn(model, &on_threads, 1e6, 2 * MS, 3);
    CU_ASSERT_TRUE(predict(model, &other, 1e6).sigma > sigma + 0.3);
    learn(model, &other, 1e6, 1500 * US, 1);
    CU_ASSERT_TRUE(near(predict(model, &other, 1e6).run_s, 1500 * US, 0.2));
    al_model_destroy(model);
}

static void places_of_one_class_share_runs_but_not_builds(void)
{
    al_model *model = made();
    al_model_key first = on_device, second = on_device;
    first.place_class = second.place_class = "opencl:a device, a driver";
    second.place = "opencl:1";
    al_model_learn(model, &first, work_of(1e6), 1 * MS, 0.05);
    learn(model, &first, 1e6, 500 * US, 5);
    CU_ASSERT_EQUAL(predict(model, &second, 1e6).samples, 5);
    CU_ASSERT_EQUAL(predict(model, &first, 1e6).compile_s, 0);
    CU_ASSERT_TRUE(near(predict(model, &second, 1e6).compile_s, 0.05, 0.01));
    second.workers = 7; /* a pool of another size is another class */
    CU_ASSERT_EQUAL(predict(model, &second, 1e6).samples, 0);
    al_model_destroy(model);
}

static void runs_of_another_source_are_a_hint(void)
{
    al_model *model = made();
    al_model_key old = on_threads, changed = on_threads;
    old.code = 1;
    changed.code = 2;
    learn(model, &old, 1e6, 400 * US, 20);
    CU_ASSERT_TRUE(predict(model, &old, 1e6).sigma < 0.1);
    CU_ASSERT_TRUE(predict(model, &changed, 1e6).sigma > 0.2);
    learn(model, &changed, 1e6, 100 * US, 1);
    CU_ASSERT_TRUE(near(predict(model, &changed, 1e6).run_s, 100 * US, 0.25));
    al_model_destroy(model);
}

static void launching_is_learned_apart_from_running(void)
{
    al_model *model = made();
    al_model_entry *entry = al_model_find(model, &on_threads);
    al_size size = al_size_of(work_of(1e6));
    al_prediction prediction;
    al_entry_predict(entry, &size, &prediction);
    CU_ASSERT_EQUAL(prediction.launch_s, 0);
    for (int i = 0; i < 10; i++)
        al_entry_learn(entry, &size, &(al_run){ 400 * US, 0, i % 2 ? 30 * US : -1 });
    al_entry_predict(entry, &size, &prediction);
    CU_ASSERT_TRUE(near(prediction.run_s, 400 * US, 0.02));
    CU_ASSERT_TRUE(near(prediction.launch_s, 30 * US, 0.02));
    al_model_destroy(model);
}

/* Who waits for a long run sleeps when it ends; who waits for a short one does not. */
static void launches_of_long_runs_say_nothing_of_short_ones(void)
{
    al_model *model = made();
    al_model_entry *entry = al_model_find(model, &on_threads);
    al_size small = al_size_of(work_of(1e3)), large = al_size_of(work_of(1e7));
    al_prediction prediction;
    for (int i = 0; i < 10; i++)
        al_entry_learn(entry, &large, &(al_run){ 4 * MS, 0, 80 * US });
    al_entry_predict(entry, &small, &prediction);
    CU_ASSERT_TRUE(near(prediction.launch_s, 80 * US, 0.02)); /* for want of better */
    for (int i = 0; i < 10; i++) {
        al_entry_learn(entry, &small, &(al_run){ 2 * US, 0, 5 * US });
        al_entry_learn(entry, &large, &(al_run){ 4 * MS, 0, 80 * US });
    }
    al_entry_predict(entry, &small, &prediction);
    CU_ASSERT_TRUE(near(prediction.launch_s, 5 * US, 0.02));
    al_entry_predict(entry, &large, &prediction);
    CU_ASSERT_TRUE(near(prediction.launch_s, 80 * US, 0.02));
    al_model_destroy(model);
}

/* A compiler that runs beside three launches is not what launches take; what many take is. */
static void launches_that_were_held_up_are_hardly_believed(void)
{
    al_model *model = made();
    al_model_entry *entry = al_model_find(model, &on_threads);
    al_size size = al_size_of(work_of(1e6));
    al_prediction prediction;
    for (int i = 0; i < 20; i++)
        al_entry_learn(entry, &size, &(al_run){ 400 * US, 0, 5 * US });
    for (int i = 0; i < 3; i++)
        al_entry_learn(entry, &size, &(al_run){ 400 * US, 0, 4 * MS });
    al_entry_predict(entry, &size, &prediction);
    CU_ASSERT_TRUE(prediction.launch_s <= 10.1 * US);
    for (int i = 0; i < 50; i++)
        al_entry_learn(entry, &size, &(al_run){ 400 * US, 0, 4 * MS });
    al_entry_predict(entry, &size, &prediction);
    CU_ASSERT_TRUE(near(prediction.launch_s, 4 * MS, 0.1));
    for (int i = 0; i < 5; i++)
        al_entry_learn(entry, &size, &(al_run){ 400 * US, 0, 5 * US });
    al_entry_predict(entry, &size, &prediction);
    CU_ASSERT_TRUE(near(prediction.launch_s, 5 * US, 0.1));
    al_model_destroy(model);
}

static al_prediction predict_launch(al_model_entry *entry, const al_size *size)
{
    al_prediction prediction;
    al_entry_predict(entry, size, &prediction);
    return prediction;
}

static void learn_launches(al_model_entry *entry, const al_size *size, double seconds, int count)
{
    for (int i = 0; i < count; i++)
        al_entry_learn(entry, size, &(al_run){ 400 * US, 0, seconds });
}

/* However many were: without hope nobody would launch there again, and it would be believed for ever. */
static void launches_that_were_held_up_leave_hope(void)
{
    al_model *model = made();
    al_model_entry *here = al_model_find(model, &on_threads), *elsewhere = al_model_find(model, &on_device);
    al_size size = al_size_of(work_of(1e6));
    learn_launches(here, &size, 400 * US, 1); /* the first one starts threads */
    learn_launches(elsewhere, &size, -1, 300);
    CU_ASSERT_EQUAL(predict_launch(here, &size).launch_low_s, 0);
    learn_launches(here, &size, 5 * US, 20);
    learn_launches(here, &size, 100 * US, 6);
    al_prediction prediction = predict_launch(here, &size);
    CU_ASSERT_TRUE(prediction.launch_s > 10 * US);
    CU_ASSERT_EQUAL(prediction.launch_low_s, prediction.launch_s); /* no trials in a row */
    learn_launches(elsewhere, &size, -1, 300);
    CU_ASSERT_TRUE(predict_launch(here, &size).launch_low_s < 0.7 * prediction.launch_s);
    learn_launches(here, &size, 100 * US, 1); /* the place was asleep */
    prediction = predict_launch(here, &size);
    CU_ASSERT_TRUE(prediction.launch_low_s < 0.7 * prediction.launch_s);
    learn_launches(here, &size, 5 * US, 3);
    CU_ASSERT_TRUE(near(predict_launch(here, &size).launch_s, 5 * US, 0.2));
    learn_launches(here, &size, 100 * US, 60);
    learn_launches(elsewhere, &size, -1, 300);
    CU_ASSERT_TRUE(predict_launch(here, &size).launch_low_s > 95 * US);
    al_model_destroy(model);
}

/* Two of them say of a device what a hundred launches would have to. */
static void probes_tell_what_a_class_is_like(void)
{
    al_model *model = made();
    al_model_key probe = on_device, other = on_device;
    static const char *const names[] = { AL_PROBE_PREFIX "one", AL_PROBE_PREFIX "two" };
    al_prediction before = predict(model, &on_device, 1e8);
    CU_ASSERT_FALSE(al_entry_class_known(al_model_find(model, &on_device)));
    for (size_t i = 0; i < 2; i++) {
        probe.kernel = names[i];
        learn(model, &probe, 1e8, 50 * before.run_s, 1);
    }
    CU_ASSERT_TRUE(al_entry_class_known(al_model_find(model, &on_device)));
    al_prediction after = predict(model, &on_device, 1e8);
    CU_ASSERT_EQUAL(after.samples, 0);
    CU_ASSERT_TRUE(after.run_s > 15 * before.run_s && after.run_s < 60 * before.run_s);
    CU_ASSERT_TRUE(after.sigma < before.sigma);
    other.kernel = "dot";
    CU_ASSERT_TRUE(near(predict(model, &other, 1e8).run_s, after.run_s, 0.01));
    al_model_destroy(model);
}

static void measured_rates_are_the_prior_of_what_did_not_run(void)
{
    al_model *model = made();
    al_model_key other = on_threads;
    other.kernel = "dot";
    learn(model, &on_threads, 1e8, 40 * MS, 5);
    double known_s = predict(model, &on_threads, 1e8).run_s, device_s = predict(model, &on_device, 1e8).run_s;
    al_rates rates = al_rates_guess(ALLOT_THREAD);
    rates.bytes_per_s = rates.memory_bytes_per_s = 50e9;
    rates.flops_per_s = 100e9;
    al_model_set_rates(model, &rates);
    CU_ASSERT_TRUE(near(predict(model, &other, 1e8).run_s, 12e8 / 50e9, 0.01));
    CU_ASSERT_EQUAL(predict(model, &on_threads, 1e8).run_s, known_s);
    CU_ASSERT_EQUAL(predict(model, &on_device, 1e8).run_s, device_s);
    al_model_destroy(model);
}

/* Answers are kept: those about what never ran must not outlive what the place is known for. */
static void what_never_ran_is_told_anew_when_others_teach_its_place(void)
{
    al_model *model = made();
    al_model_key other = on_threads;
    other.kernel = "dot";
    double before_s = predict(model, &other, 1e8).run_s;
    CU_ASSERT_EQUAL(predict(model, &other, 1e8).run_s, before_s);
    learn(model, &on_threads, 1e8, 10 * predict(model, &on_threads, 1e8).run_s, 10);
    double taught_s = predict(model, &other, 1e8).run_s;
    CU_ASSERT_TRUE(taught_s > 1.2 * before_s);
    CU_ASSERT_EQUAL(predict(model, &other, 1e8).run_s, taught_s);
    al_model_forget(model);
    CU_ASSERT_EQUAL(predict(model, &other, 1e8).run_s, before_s);
    al_model_destroy(model);
}

/* More sizes than answers are kept, each asked anew in turn: each gets its own, as if nothing were kept. */
static void sizes_asked_in_turn_get_their_own_answers(void)
{
    al_model *model = made(), *fresh = made();
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 20; i++) {
            double n = 1e5 + 16 * i;
            CU_ASSERT_EQUAL(predict(model, &on_threads, n).run_s, predict(fresh, &on_threads, n).run_s);
            al_model_destroy(fresh);
            fresh = made();
        }
    al_model_destroy(fresh);
    al_model_destroy(model);
}

/* A place that is hardly ever chosen, and an answer about it that is kept as long as its marks allow. */
static void an_answer_kept_holds_as_long_as_its_marks_say(void)
{
    al_model *model = made();
    al_model_entry *rare = al_model_find(model, &on_device), *usual = al_model_find(model, &on_threads);
    al_size size = al_size_of(work_of(1e5));
    al_prediction kept = { 0 }, now;
    al_entry_marks marks = { 0 };
    uint64_t changes = 0, asked = 0, runs = 0;
    uint32_t draw = 20261123;
    for (int i = 0; i < 20000; i++) {
        draw = draw * 1664525 + 1013904223;
        bool often = i < 100 || draw >> 16 < 20;
        al_entry_learn(often ? rare : usual, &size, &(al_run){ MS * (1 + (draw >> 20) / 4096.0), 0, -1 });
        runs++;
        bool holds =
            marks.runs && atomic_load(marks.changes) == changes && atomic_load(marks.runs) < marks.until;
        al_entry_predict(rare, &size, &now);
        if (!holds) {
            marks = al_entry_marks_of(rare);
            changes = atomic_load(marks.changes);
            kept = now;
            asked++;
            CU_ASSERT_TRUE(marks.until >= runs + 32);
        }
        bool same = fabs(log(now.run_s / kept.run_s)) < 0.02 &&
                    now.sigma * now.sigma <= 1.25 * kept.sigma * kept.sigma + 0.02;
        if (!same)
            printf("[seed 20261123, run %d: %g, not %g, by %g, not %g] ", i, now.run_s, kept.run_s, now.sigma,
                   kept.sigma);
        CU_ASSERT_TRUE_FATAL(same);
    }
    CU_ASSERT_TRUE(asked < 1000);
    al_model_destroy(model);
}

/* ---- As a whole ---- */

/* What most decisions ask: a size that was asked before. */
static void an_entry_answers_in_no_time(void)
{
    enum {
        ROUNDS = 200000
    };
    al_model *model = made();
    learn(model, &on_threads, 1e6, 1 * MS, 20);
    al_model_entry *entry = al_model_find(model, &on_threads);
    al_size size = al_size_of(work_of(1e6)), sizes[64];
    for (size_t i = 0; i < 64; i++)
        sizes[i] = al_size_of(work_of(1e3 * pow(1.2, (double)i)));
    al_prediction prediction;
    int64_t start_ns = al_clock_now_ns();
    for (size_t i = 0; i < ROUNDS; i++)
        al_entry_predict(entry, &size, &prediction);
    int64_t middle_ns = al_clock_now_ns();
    for (size_t i = 0; i < ROUNDS; i++)
        al_entry_predict(entry, &sizes[i % 64], &prediction);
    int64_t end_ns = al_clock_now_ns();
    printf("%.0f ns; another size %.0f ns ", (double)(middle_ns - start_ns) / ROUNDS,
           (double)(end_ns - middle_ns) / ROUNDS);
    CU_ASSERT_TRUE(prediction.run_s > 0);
    al_model_destroy(model);
}

enum {
    USERS = 4,
    TURNS = 5000
};

static void *use_it(void *argument)
{
    al_model *model = argument;
    char name[16];
    for (int i = 0; i < TURNS; i++) {
        snprintf(name, sizeof name, "k%d", i % 40);
        al_model_key key = { name, ALLOT_F64, i % 3 ? "thread" : "opencl:0",
                             i % 3 ? ALLOT_THREAD : ALLOT_OPENCL, 2 };
        al_prediction prediction;
        al_model_predict(model, &key, work_of(i), &prediction);
        al_model_learn(model, &key, work_of(i), prediction.run_s, 0);
        al_model_learn_transfer(model, key.place, 100, 1, al_model_transfer_s(model, key.place, 100));
    }
    return NULL;
}

static void several_threads_may_use_it(void)
{
    al_model *model = made();
    pthread_t users[USERS];
    for (size_t i = 0; i < USERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&users[i], NULL, use_it, model), 0);
    for (size_t i = 0; i < USERS; i++)
        pthread_join(users[i], NULL);
    CU_ASSERT_TRUE(near(al_model_transfer_s(model, "thread", 100), 20 * US, 0.01));
    al_model_destroy(model);
}

static void destroying_nothing_is_fine(void)
{
    al_model_destroy(NULL);
    al_model_destroy(made());
}

static int64_t own_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Prints the cost, in the thread's own time: others may have the processors meanwhile. The bound is far above
 * it, for sanitizers. */
static void a_prediction_is_quick(void)
{
    enum {
        KEYS = 10,
        ROUNDS = 20000
    };
    al_model *model = made();
    al_model_key keys[KEYS];
    char names[KEYS][24];
    double sum = 0;
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(names[i], sizeof names[i], "kernel_number_%zu", i);
        keys[i] = (al_model_key){ names[i], ALLOT_F32, i % 2 ? "thread" : "opencl:0", ALLOT_THREAD, 2 };
        learn(model, &keys[i], 1e6, 1 * MS, 3);
        learn(model, &keys[i], 1e3, 1 * US, 3);
    }
    int64_t start_ns = own_ns();
    for (size_t i = 0; i < ROUNDS; i++)
        sum += predict(model, &keys[i % KEYS], 1e3 + (double)(i * 50)).run_s;
    double each_ns = (double)(own_ns() - start_ns) / ROUNDS;
    printf("%.0f ns ", each_ns);
    CU_ASSERT_TRUE(sum > 0 && each_ns < 20000);
    al_model_destroy(model);
}

int main(void)
{
    static const test_fact facts[] = {
        { "guesses from flops and bytes", guesses_from_flops_and_bytes },
        { "guesses by kind and workers", guesses_by_kind_and_workers },
        { "bears any work", bears_any_work },
        { "predicts what it has seen", predicts_what_it_has_seen },
        { "keeps kernels, types and places apart", keeps_kernels_types_and_places_apart },
        { "ignores times that are none", ignores_times_that_are_none },
        { "a time of zero is a time", a_time_of_zero_is_a_time },
        { "scales from the nearest size", scales_from_the_nearest_size },
        { "small runs say nothing about the rate", small_runs_say_nothing_about_the_rate },
        { "interpolates between two sizes", interpolates_between_two_sizes },
        { "doubts more the further it is from what it knows",
          doubts_more_the_further_it_is_from_what_it_knows },
        { "one outlier does not poison it", one_outlier_does_not_poison_it },
        { "an outlier at first does not poison it", an_outlier_at_first_does_not_poison_it },
        { "repeated outliers are the truth", repeated_outliers_are_the_truth },
        { "surprises at several sizes are the truth", surprises_at_several_sizes_are_the_truth },
        { "follows a slow drift", follows_a_slow_drift },
        { "the bound narrows with samples and widens with noise",
          the_bound_narrows_with_samples_and_widens_with_noise },
        { "what is not seen again fades", what_is_not_seen_again_fades },
        { "other sizes on the place make none old", other_sizes_on_the_place_make_none_old },
        { "compiling is paid once a kernel, and learned by place",
          compiling_is_paid_once_a_kernel_and_learned_by_place },
        { "what building takes can be told", what_building_takes_can_be_told },
        { "a short build hides little of the run after it", a_short_build_hides_little_of_the_run_after_it },
        { "the run after a build is not a sample", the_run_after_a_build_is_not_a_sample },
        { "a run after a build that is too long for that is believed",
          a_run_after_a_build_that_is_too_long_for_that_is_believed },
        { "transfers start from a guess", transfers_start_from_a_guess },
        { "transfers teach latency and rate", transfers_teach_latency_and_rate },
        { "several transfers have several latencies", several_transfers_have_several_latencies },
        { "the two ways are apart", the_two_ways_are_apart },
        { "a new kernel is judged by its place's others", a_new_kernel_is_judged_by_its_places_others },
        { "a change for one kernel makes the others doubtful",
          a_change_for_one_kernel_makes_the_others_doubtful },
        { "places of one class share runs but not builds", places_of_one_class_share_runs_but_not_builds },
        { "runs of another source are a hint", runs_of_another_source_are_a_hint },
        { "launching is learned apart from running", launching_is_learned_apart_from_running },
        { "launches of long runs say nothing of short ones",
          launches_of_long_runs_say_nothing_of_short_ones },
        { "launches that something held up are hardly believed, unless many are, and quick ones at once",
          launches_that_were_held_up_are_hardly_believed },
        { "launches that something held up leave hope", launches_that_were_held_up_leave_hope },
        { "probes tell what a class of places is like before any kernel has run there",
          probes_tell_what_a_class_is_like },
        { "measured rates are the prior of what did not run",
          measured_rates_are_the_prior_of_what_did_not_run },
        { "what never ran is told anew when others teach its place",
          what_never_ran_is_told_anew_when_others_teach_its_place },
        { "sizes asked in turn get their own answers", sizes_asked_in_turn_get_their_own_answers },
        { "an answer kept holds as long as its marks say", an_answer_kept_holds_as_long_as_its_marks_say },
        { "an entry answers in no time", an_entry_answers_in_no_time },
        { "several threads may use it", several_threads_may_use_it },
        { "destroying nothing is fine", destroying_nothing_is_fine },
        { "a prediction is quick", a_prediction_is_quick },
        { NULL, NULL },
    };
    return test_main("model", facts);
}
