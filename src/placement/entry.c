/* An entry of the model: asking it, and telling it what a run took. */
#include "placement/known.h"
#include <math.h>
#include <string.h>

/* What a launch takes is told by the clock on the wall, and whatever else runs meanwhile, a compiler say,
 * adds to it. One is believed to take no more than so many times what they took, so that the average rises
 * only if many do; falling, it is believed at once. */
#define LAUNCH_RISE 2.0

/* The average errs all the same where something held up all that were seen, and nobody would launch there any
 * more. Where a kernel was not for so many runs, launching may therefore be as good as the least of late: so
 * many forget it, and before so many were seen it is not known. The first launch finds the place asleep: what
 * the next ones take tells, so it holds for so many. */
#define AWAY         256
#define LEAST_MEMORY 8
#define LEAST_KNOWN  4
#define TRIAL_ROW    4

/* Nine tenths of a normal distribution lie within so many deviations. */
#define BOUND_DEVIATIONS 1.645
/* The logarithms of what is a time at all: products of some of them are still finite. */
#define MOST_LOG 460.0

/* A driver is thought to hide at most so many times the time of a build in the run that follows. */
#define MOST_HIDDEN 2

/* An answer holds for so many of the kernel's runs elsewhere, or for this share of those since it ran here.
 */
#define MOMENT    32
#define RISEN     8 /* where it became slower, perhaps for a moment only */
#define AGE_SHARE 8

/* A place that changed for one kernel makes the others doubtful by this share of it. */
#define COMMON_DOUBT 0.5

static uint64_t key_of(allot_work work)
{
    uint64_t flops, bytes;
    memcpy(&flops, &work.flops, sizeof flops);
    memcpy(&bytes, &work.bytes, sizeof bytes);
    return (flops * UINT64_C(0x9e3779b97f4a7c15)) ^ bytes;
}

al_size al_size_of(allot_work work)
{
    double reference_s = al_reference_s(work);
    return (al_size){ work, reference_s, al_curve_bucket_of(reference_s), key_of(work) };
}

/* ---- Of the class ---- */

al_belief al_known_belief(al_known_class *known)
{
    al_spin_lock(&known->lock);
    al_belief belief = known->belief;
    al_spin_unlock(&known->lock);
    return belief;
}

/* The prior counts as so many kernels for its mean, and for its variance; no place's kernels are more alike
 * than LEAST. */
#define MEAN_KERNELS     1.0
#define VARIANCE_KERNELS 2.0
#define LEAST_VARIANCE   0.09
#define PROBE_KERNELS    4.0 /* as so many counts a probe */

/* Parametric empirical Bayes: the prior's mean and variance from all kernels' estimates. (Efron and Morris,
 * Stein's estimation rule and its competitors, JASA 68, 1973.) */
static void renew_belief(al_known_class *known)
{
    al_belief wide = al_rates_belief(&known->rates);
    for (size_t i = 0; i < 2; i++) {
        double weight = fmax(known->weight[i], 0), mean = known->sum[i] / (weight + MEAN_KERNELS);
        double square = known->square[i] - 2 * mean * known->sum[i] + mean * mean * weight;
        known->belief.mean[i] = mean;
        known->belief.variance[i] =
            fmax((fmax(square, 0) + VARIANCE_KERNELS * wide.variance[i]) / (weight + VARIANCE_KERNELS),
                 LEAST_VARIANCE);
    }
    atomic_fetch_add_explicit(&known->taught, 1, memory_order_release);
}

static void count_testimony(al_known_class *known, const al_testimony *testimony, double sign)
{
    for (size_t i = 0; i < 2; i++) {
        double weight = sign * testimony->weight[i], factor = testimony->factor[i];
        known->weight[i] += weight;
        known->sum[i] += weight * factor;
        known->square[i] += weight * factor * factor;
    }
}

/* Of each factor that share counts which the kernel's own runs decided, with what they alone would say. */
static al_testimony testimony_of(const al_known_kernel *kernel, const al_belief *belief)
{
    const al_fit *fit = &kernel->curve.fit;
    const double least_share = 0.05;
    const double variance[2] = { fit->covariance[0], fit->covariance[2] };
    al_testimony testimony = { 0 };
    for (size_t i = 0; i < 2; i++) {
        double share = 1 - variance[i] / belief->variance[i];
        if (!(share > least_share))
            continue;
        testimony.weight[i] = kernel->is_probe ? PROBE_KERNELS * share : share;
        testimony.factor[i] = belief->mean[i] + (fit->factor[i] - belief->mean[i]) / share;
    }
    return testimony;
}

void al_known_testify(al_known_kernel *kernel, const al_belief *belief)
{
    al_known_class *known = kernel->of;
    al_testimony testimony = testimony_of(kernel, belief);
    al_spin_lock(&known->lock);
    /* Rates may have been measured since: then its factors are relative to others. */
    if (memcmp(&known->rates, &kernel->rates, sizeof known->rates) == 0) {
        count_testimony(known, &kernel->testimony, -1);
        kernel->testimony = testimony;
        count_testimony(known, &kernel->testimony, 1);
        renew_belief(known);
    }
    al_spin_unlock(&known->lock);
}

static double learn_time(al_bucket *bucket, double seconds, double pooled)
{
    double log_time = log(fmax(seconds, 1e-9));
    if (bucket->samples == 0)
        al_bucket_begin(bucket, 0, 0, log_time, 1, 0);
    else
        al_bucket_follow(bucket, 0, 0, log_time, bucket->log_time, pooled);
    return exp(bucket->log_time);
}

static double learn_bounded(al_bucket *bucket, double seconds)
{
    double most_s = bucket->samples ? LAUNCH_RISE * exp(bucket->log_time) : seconds;
    return learn_time(bucket, fmin(seconds, most_s), AL_LAUNCH_SPREAD);
}

static double follow_least(double least_s, double seconds, double usual_s)
{
    return seconds < least_s ? seconds : least_s + (fmin(seconds, usual_s) - least_s) / LEAST_MEMORY;
}

/* With the class's lock held. */
static void learn_launch(al_known_launch *launch, double seconds)
{
    double usual_s = learn_bounded(&launch->seen, seconds);
    bool first = launch->seen.samples == 1, few = launch->seen.samples < LEAST_KNOWN;
    launch->least_s = first ? seconds : follow_least(launch->least_s, seconds, usual_s);
    atomic_store_explicit(&launch->usual_s, usual_s, memory_order_relaxed);
    atomic_store_explicit(&launch->low_s, few ? 0 : fmin(launch->least_s, usual_s), memory_order_relaxed);
}

static al_known_launch *launches_of(al_known_class *known, double run_s)
{
    return &known->launches[run_s < AL_LAUNCH_LONG_S ? AL_LAUNCH_SHORT : AL_LAUNCH_LONG];
}

/* Where none of such runs is known, the others tell. */
static const al_known_launch *known_launches_of(al_known_class *known, double run_s)
{
    const al_known_launch *like = launches_of(known, run_s);
    if (atomic_load_explicit(&like->usual_s, memory_order_relaxed) > 0)
        return like;
    return &known->launches[like == known->launches ? AL_LAUNCH_LONG : AL_LAUNCH_SHORT];
}

static void learn_of_class(al_known_class *known, const al_run *run)
{
    bool built = run->compile_s > 0 && isfinite(run->compile_s);
    bool launched = run->launch_s >= 0 && isfinite(run->launch_s);
    if (!built && !launched)
        return;
    al_spin_lock(&known->lock);
    if (built)
        atomic_store_explicit(&known->build_s, learn_time(&known->build, run->compile_s, AL_BUILD_SPREAD),
                              memory_order_relaxed);
    if (launched)
        learn_launch(launches_of(known, run->run_s), run->launch_s);
    al_spin_unlock(&known->lock);
}

/* A kernel saw the place change. */
static void announce(al_known_kernel *kernel, double shift)
{
    al_known_class *known = kernel->of;
    double doubt = COMMON_DOUBT * shift;
    al_spin_lock(&known->lock);
    known->suspicion = doubt * doubt;
    kernel->epoch = 1 + atomic_fetch_add_explicit(&known->epoch, 1, memory_order_relaxed);
    al_spin_unlock(&known->lock);
}

/* Another kernel did. With the kernel's lock held. */
static void hear(al_known_kernel *kernel)
{
    al_known_class *known = kernel->of;
    if (atomic_load_explicit(&known->epoch, memory_order_relaxed) == kernel->epoch)
        return;
    al_spin_lock(&known->lock);
    double suspicion = known->suspicion;
    kernel->epoch = atomic_load_explicit(&known->epoch, memory_order_relaxed);
    al_spin_unlock(&known->lock);
    al_curve_suspect(&kernel->curve, suspicion);
    kernel->version++;
}

/* ---- Predicting ---- */

static al_place_size size_on(const al_known_kernel *kernel, const al_size *size)
{
    al_prior prior = al_prior_of(&kernel->rates, kernel->of->workers, size->work);
    return (al_place_size){ size->bucket, prior.overhead_s, prior.load_s };
}

/* Then it goes by those. */
static bool has_run(const al_known_kernel *kernel)
{
    return kernel->curve.runs || kernel->curve.cold;
}

/* Before its first run a kernel goes by what its place is known for now. With the kernel's lock held. */
static void take_rates(al_known_kernel *kernel)
{
    al_known_class *known = kernel->of;
    if (has_run(kernel))
        return;
    al_spin_lock(&known->lock);
    kernel->rates = known->rates;
    al_spin_unlock(&known->lock);
}

static void fill(const al_expectation *expectation, al_prediction *prediction)
{
    double log_time = fmax(fmin(expectation->log_time, MOST_LOG), -MOST_LOG);
    double factor = exp(BOUND_DEVIATIONS * sqrt(expectation->variance));
    *prediction = (al_prediction){ .samples = expectation->samples,
                                   .run_s = exp(log_time),
                                   .sigma = sqrt(expectation->variance),
                                   .spread = sqrt(expectation->spread),
                                   .source = expectation->source };
    prediction->low_s = prediction->run_s / factor;
    prediction->high_s = prediction->run_s * factor;
}

static uint64_t moment_of(const al_known_kernel *kernel)
{
    unsigned own = atomic_load_explicit(&kernel->moment, memory_order_relaxed);
    return own ? own : MOMENT;
}

/* NULL: it was not asked of late. */
static const al_answer *find_answer(const al_known_kernel *kernel, const al_size *size, uint64_t moment)
{
    for (size_t i = 0; i < AL_KNOWN_ANSWERS; i++) {
        const al_answer *last = &kernel->answers[i];
        if (kernel->asked[i] != size->key || last->version != kernel->version || last->moment != moment ||
            last->work.flops != size->work.flops || last->work.bytes != size->work.bytes)
            continue;
        bool taught = kernel->curve.runs ||
                      last->taught == atomic_load_explicit(&kernel->of->taught, memory_order_relaxed);
        return taught ? last : NULL;
    }
    return NULL;
}

static void keep_answer(al_known_kernel *kernel, const al_size *size, const al_answer *made)
{
    size_t at = 0;
    while (at < AL_KNOWN_ANSWERS && kernel->asked[at] != size->key)
        at++;
    if (at == AL_KNOWN_ANSWERS)
        at = kernel->oldest++ % AL_KNOWN_ANSWERS;
    kernel->asked[at] = size->key;
    kernel->answers[at] = *made;
}

/* With the kernel's lock held. What the class is known for is read after its count, so that an answer never
 * passes for newer than it is. */
static void answer(al_known_kernel *kernel, const al_size *size, al_prediction *prediction)
{
    uint64_t clock = al_known_clock(kernel);
    uint64_t moment = has_run(kernel) ? clock / moment_of(kernel) : 0;
    hear(kernel);
    const al_answer *last = find_answer(kernel, size, moment);
    if (last) {
        *prediction = last->prediction;
        return;
    }
    uint64_t taught = atomic_load_explicit(&kernel->of->taught, memory_order_acquire);
    take_rates(kernel);
    al_place_size here = size_on(kernel, size);
    al_belief belief = { 0 };
    if (!has_run(kernel)) /* else the fit has it in it already */
        belief = al_known_belief(kernel->of);
    al_expectation expectation = al_curve_expect(&kernel->curve, &belief, &here, clock);
    fill(&expectation, prediction);
    keep_answer(kernel, size, &(al_answer){ kernel->version, taught, moment, size->work, *prediction });
}

/* Before a build was seen on the class. */
static double thought_build_s(const al_known_kernel *kernel)
{
    double told_s = atomic_load_explicit(&kernel->of->told_build_s, memory_order_relaxed);
    return told_s > 0 ? told_s : kernel->rates.compile_s;
}

static double build_s(const al_known_kernel *kernel)
{
    double usual_s = atomic_load_explicit(&kernel->of->build_s, memory_order_relaxed);
    if (kernel->build.samples)
        return exp(kernel->build.log_time);
    return usual_s > 0 ? usual_s : thought_build_s(kernel);
}

/* What was not seen for so many runs changes little in an eighth as many. */
al_entry_marks al_entry_marks_of(const al_model_entry *entry)
{
    al_known_kernel *kernel = entry->kernel;
    uint64_t runs = atomic_load_explicit(&kernel->family->runs, memory_order_relaxed);
    uint64_t last = atomic_load_explicit(&kernel->last, memory_order_relaxed);
    uint64_t lasts = moment_of(kernel), share = last < runs ? (runs - last) / AGE_SHARE : 0;
    lasts = share > lasts ? share : lasts;
    return (al_entry_marks){ &kernel->of->changes, &kernel->family->runs, runs + lasts };
}

/* For long it has not run here, or its first runs since are not over. */
static bool was_away(const al_known_kernel *kernel)
{
    uint64_t runs = atomic_load_explicit(&kernel->family->runs, memory_order_relaxed);
    uint64_t last = atomic_load_explicit(&kernel->last, memory_order_relaxed);
    return kernel->row || runs >= last + AWAY;
}

/* With the kernel's lock held, before a run counts. */
static void count_row(al_known_kernel *kernel)
{
    if (kernel->row)
        kernel->row--;
    else if (kernel->runs && was_away(kernel))
        kernel->row = TRIAL_ROW - 1;
}

void al_entry_predict(al_model_entry *entry, const al_size *size, al_prediction *prediction)
{
    al_known_kernel *kernel = entry->kernel;
    al_spin_lock(&kernel->lock);
    answer(kernel, size, prediction);
    prediction->compile_s = atomic_load_explicit(&entry->built, memory_order_relaxed) ? 0 : build_s(kernel);
    bool away = was_away(kernel);
    al_spin_unlock(&kernel->lock);
    const al_known_launch *launch = known_launches_of(kernel->of, prediction->run_s);
    const _Atomic double *low_s = away ? &launch->low_s : &launch->usual_s;
    prediction->launch_s = atomic_load_explicit(&launch->usual_s, memory_order_relaxed);
    prediction->launch_low_s = atomic_load_explicit(low_s, memory_order_relaxed);
}

/* ---- Learning ---- */

/* With the kernel's lock held. Returns how far the place has changed. */
static double learn(al_known_kernel *kernel, const al_size *size, double run_s, double compile_s)
{
    count_row(kernel);
    uint64_t before = atomic_fetch_add_explicit(&kernel->family->runs, 1, memory_order_relaxed);
    atomic_store_explicit(&kernel->last, before + 1, memory_order_relaxed);
    kernel->runs++;
    uint64_t clock = al_known_clock(kernel);
    take_rates(kernel);
    al_place_size here = size_on(kernel, size);
    al_belief belief = al_known_belief(kernel->of);
    double shift = 0;
    kernel->version++;
    if (compile_s > 0)
        learn_time(&kernel->build, compile_s, AL_BUILD_SPREAD);
    double before_s = compile_s > 0 ? compile_s : kernel->apart_s;
    kernel->apart_s = 0;
    if (kernel->curve.runs == 0 && !kernel->curve.cold && before_s > 0) {
        double hidden_s = MOST_HIDDEN * fmax(before_s, thought_build_s(kernel));
        al_curve_learn_cold(&kernel->curve, &belief, &here, clock, run_s - hidden_s, run_s);
        return 0;
    }
    shift = al_curve_learn(&kernel->curve, &belief, &here, clock, log(fmax(run_s, 1e-300)));
    atomic_store_explicit(&kernel->moment, al_curve_has_rise(&kernel->curve) ? RISEN : 0,
                          memory_order_relaxed);
    al_known_testify(kernel, &belief);
    return shift;
}

void al_entry_learn(al_model_entry *entry, const al_size *size, const al_run *run)
{
    if (!isfinite(run->run_s) || run->run_s < 0)
        return;
    al_known_kernel *kernel = entry->kernel;
    double compile_s = isfinite(run->compile_s) && run->compile_s > 0 ? run->compile_s : 0;
    al_spin_lock(&kernel->lock);
    hear(kernel);
    double shift = learn(kernel, size, run->run_s, compile_s);
    if (shift != 0)
        announce(kernel, shift);
    al_spin_unlock(&kernel->lock);
    atomic_store_explicit(&entry->built, true, memory_order_relaxed);
    learn_of_class(kernel->of, run);
    al_known_changed(kernel->of);
}

bool al_entry_class_known(al_model_entry *entry)
{
    al_known_class *known = entry->kernel->of;
    al_spin_lock(&known->lock);
    bool is_known = known->weight[0] > 0 || known->weight[1] > 0;
    al_spin_unlock(&known->lock);
    return is_known;
}

void al_entry_built(al_model_entry *entry, double compile_s)
{
    al_known_kernel *kernel = entry->kernel;
    al_spin_lock(&kernel->lock);
    learn_time(&kernel->build, compile_s, AL_BUILD_SPREAD);
    kernel->apart_s = compile_s;
    kernel->version++;
    al_spin_unlock(&kernel->lock);
    atomic_store_explicit(&entry->built, true, memory_order_relaxed);
    learn_of_class(kernel->of, &(al_run){ .compile_s = compile_s, .launch_s = -1 });
    al_known_changed(kernel->of);
}

/* ---- By key ---- */

void al_model_predict(al_model *model, const al_model_key *key, allot_work work, al_prediction *prediction)
{
    al_model_entry *entry = al_model_find(model, key);
    al_size size = al_size_of(work);
    if (entry) {
        al_entry_predict(entry, &size, prediction);
        return;
    }
    al_rates rates = al_rates_guess(key->kind);
    al_belief belief = al_rates_belief(&rates);
    al_prior prior = al_prior_of(&rates, key->workers, work);
    al_place_size here = { size.bucket, prior.overhead_s, prior.load_s };
    al_expectation expectation = al_curve_expect(NULL, &belief, &here, 0);
    fill(&expectation, prediction);
    prediction->compile_s = rates.compile_s;
}

void al_model_learn(al_model *model, const al_model_key *key, allot_work work, double run_s, double compile_s)
{
    al_model_entry *entry = al_model_find(model, key);
    al_size size = al_size_of(work);
    if (entry)
        al_entry_learn(entry, &size, &(al_run){ run_s, compile_s, -1 });
}
