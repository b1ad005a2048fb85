#include "placement/merge.h"
#include "placement/known.h"
#include <math.h>
#include <string.h>

/* How a bucket goes into another of the same. */
typedef struct way {
    void (*join)(al_bucket *into, const al_bucket *from, const struct way *how);
    double doubt;
    bool contributes;                /* `from` is in use, and is told what the file has now */
    uint64_t from_clock, into_clock; /* of what is joined just now */
} way;

/* Its age becomes doubt, for clocks differ. */
static al_bucket now(const al_bucket *from, const way *how)
{
    al_bucket bucket = *from;
    bucket.doubt = al_bucket_doubt(from, how->from_clock) + how->doubt;
    bucket.seen = how->into_clock;
    bucket.rise = 0;
    bucket.up = bucket.down = (al_cusum){ 0 };
    return bucket;
}

static void add_filed(al_bucket *into, const al_bucket *from, const way *how)
{
    al_bucket known = now(from, how);
    known.news = 0;
    known.filed = from->samples;
    if (into->samples)
        al_bucket_merge(into, &known, known.count);
    else
        *into = known;
}

static void add_new(al_bucket *into, const al_bucket *from, const way *how)
{
    uint64_t news = into->samples ? into->news : 0, filed = into->samples ? into->filed : 0;
    add_filed(into, from, how);
    into->news = news + from->samples;
    into->filed = filed;
}

static void contribute(al_bucket *into, const al_bucket *from, const way *how)
{
    al_bucket known = now(from, how);
    if (from->news == 0)
        return;
    if (into->samples == 0 || into->samples == from->filed)
        *into = known;
    else
        al_bucket_merge(into, &known, fmin(from->count, (double)from->news));
    into->news = 0;
}

static void join_bucket(al_bucket *into, const al_bucket *from, const way *how)
{
    if (from->samples)
        how->join(into, from, how);
}

static void join_curves(al_curve *into, const al_curve *from, const way *how)
{
    if (from->cold || from->runs == 0)
        return;
    if (into->cold)
        memset(into, 0, sizeof *into);
    if (into->runs == 0) {
        into->square = from->square;
        into->count = from->count;
    }
    into->runs = into->runs > from->runs ? into->runs : from->runs;
    for (size_t i = 0; i < AL_CURVE_BUCKETS; i++)
        join_bucket(&into->buckets[i], &from->buckets[i], how);
}

/* ---- News ---- */

static void file_bucket(al_bucket *bucket, const al_bucket *filed, uint64_t told)
{
    bucket->news -= bucket->news < told ? bucket->news : told; /* what came since is still news */
    bucket->filed = filed->samples;
}

static void file_curve(al_curve *curve, const al_curve *told, const al_curve *filed)
{
    for (size_t i = 0; i < AL_CURVE_BUCKETS; i++)
        file_bucket(&curve->buckets[i], &filed->buckets[i], told->buckets[i].news);
}

static bool curve_has_news(const al_curve *curve)
{
    if (curve->runs == 0)
        return false;
    for (size_t i = 0; i < AL_CURVE_BUCKETS; i++)
        if (curve->buckets[i].samples && curve->buckets[i].news)
            return true;
    return false;
}

/* ---- Kernels, classes, links ---- */

/* Under rates that were measured anew, sizes are told otherwise: then the younger of the two stands alone. */
static void join_kernels(al_known_kernel *into, al_known_kernel *from, const way *given)
{
    way with_clocks = *given, *how = &with_clocks;
    al_spin_lock(&from->lock);
    how->from_clock = al_known_clock(from);
    al_curve curve = from->curve;
    al_bucket build = from->build;
    al_rates rates = from->rates;
    uint64_t code = from->code;
    al_spin_unlock(&from->lock);
    if (curve.runs == 0 || (how->contributes && !curve_has_news(&curve)))
        return;
    al_belief belief = al_rates_belief(&rates);
    al_spin_lock(&into->lock);
    how->into_clock = al_known_clock(into);
    bool alike = memcmp(&into->rates, &rates, sizeof rates) == 0;
    if (into->curve.runs == 0 || (!alike && how->contributes)) {
        memset(&into->curve, 0, sizeof into->curve);
        into->rates = rates;
        into->code = into->code && !how->contributes ? into->code : code;
        alike = true;
    }
    if (into->code && code && into->code != code)
        al_curve_suspect(&curve, AL_OTHER_CODE_DOUBT);
    if (alike) {
        join_curves(&into->curve, &curve, how);
        join_bucket(&into->build, &build, how);
        al_curve_refit(&into->curve, &belief, rates.overhead_s);
        al_known_testify(into, &belief);
        into->version++;
    }
    al_spin_unlock(&into->lock);
    if (!how->contributes)
        return;
    al_spin_lock(&from->lock);
    file_curve(&from->curve, &curve, &into->curve);
    file_bucket(&from->build, &into->build, build.news);
    al_spin_unlock(&from->lock);
}

/* The least launch of late is in no file: that share of what launches took leaves room for one. */
#define HOPE 0.25

/* With the lock of `into` held. */
static void join_launches(al_known_launch *into, const al_bucket *seen, const way *how)
{
    join_bucket(&into->seen, seen, how);
    atomic_store(&into->usual_s, into->seen.samples ? exp(into->seen.log_time) : 0);
    into->least_s = HOPE * atomic_load(&into->usual_s);
    atomic_store(&into->low_s, into->least_s);
}

static void join_class_itself(al_known_class *into, al_known_class *from, const way *how)
{
    al_bucket launches[AL_LAUNCHES];
    al_spin_lock(&from->lock);
    for (size_t i = 0; i < AL_LAUNCHES; i++)
        launches[i] = from->launches[i].seen;
    al_bucket build = from->build;
    al_spin_unlock(&from->lock);
    al_spin_lock(&into->lock);
    for (size_t i = 0; i < AL_LAUNCHES; i++)
        join_launches(&into->launches[i], &launches[i], how);
    join_bucket(&into->build, &build, how);
    atomic_store(&into->build_s, into->build.samples ? exp(into->build.log_time) : 0);
    al_spin_unlock(&into->lock);
    if (!how->contributes)
        return;
    al_spin_lock(&from->lock);
    for (size_t i = 0; i < AL_LAUNCHES; i++)
        file_bucket(&from->launches[i].seen, &into->launches[i].seen, launches[i].news);
    file_bucket(&from->build, &into->build, build.news);
    al_spin_unlock(&from->lock);
}

static bool join_classes(al_known_class *into, al_known_class *from, const way *how)
{
    bool whole = true;
    join_class_itself(into, from, how);
    for (size_t type = 0; type < AL_KNOWN_TYPES; type++) {
        for (al_known_kernel *kernel = from->kernels[type]; kernel; kernel = kernel->hh.next) {
            al_known_kernel *same = al_known_kernel_have(into, kernel->name, (allot_type)type);
            if (same)
                join_kernels(same, kernel, how);
            whole = whole && same;
        }
    }
    al_known_changed(into);
    return whole;
}

static bool join_link(al_model *model, al_model_link *from, const way *how)
{
    al_model_link *link = al_known_link_have(model, from->text);
    al_rates rates = al_rates_link();
    al_belief belief = al_rates_belief(&rates);
    for (size_t i = 0; link && i < 2; i++) {
        al_spin_lock(&from->lock);
        al_curve curve = from->curves[i];
        al_spin_unlock(&from->lock);
        al_spin_lock(&link->lock);
        join_curves(&link->curves[i], &curve, how);
        al_curve_refit(&link->curves[i], &belief, rates.overhead_s);
        al_spin_unlock(&link->lock);
        if (!how->contributes)
            continue;
        al_spin_lock(&from->lock);
        file_curve(&from->curves[i], &curve, &link->curves[i]);
        al_spin_unlock(&from->lock);
    }
    return link != NULL;
}

/* With the lock held of the one that others use. */
static bool join_models(al_model *into, al_model *from, const way *how)
{
    bool whole = true;
    if (from->has_cpu_rates && (!into->has_cpu_rates || how->contributes))
        al_known_set_rates(into, &from->cpu_rates);
    for (al_known_class *first = from->classes; first; first = first->hh.next) {
        for (al_known_class *known = first; known; known = known->next) {
            al_known_class *same = al_known_class_have(into, known->text, known->kind, known->workers);
            whole = same && join_classes(same, known, how) && whole;
        }
    }
    for (al_model_link *link = from->links; link; link = link->hh.next)
        whole = join_link(into, link, how) && whole;
    return whole;
}

bool al_model_absorb(al_model *model, al_model *from, double doubt, bool new)
{
    way how = { .join = new ? add_new : add_filed, .doubt = doubt };
    pthread_mutex_lock(&model->lock);
    bool whole = join_models(model, from, &how);
    pthread_mutex_unlock(&model->lock);
    return whole;
}

bool al_model_contribute(al_model *file, al_model *model)
{
    way how = { .join = contribute, .contributes = true };
    pthread_mutex_lock(&model->lock);
    bool whole = join_models(file, model, &how);
    pthread_mutex_unlock(&model->lock);
    return whole;
}

/* ---- All kernels, one by one ---- */

/* Until one says true. With the model's lock held. */
static bool any_kernel(al_model *model, bool (*visit)(al_known_kernel *kernel))
{
    for (al_known_class *first = model->classes; first; first = first->hh.next)
        for (al_known_class *known = first; known; known = known->next)
            for (size_t type = 0; type < AL_KNOWN_TYPES; type++)
                for (al_known_kernel *kernel = known->kernels[type]; kernel; kernel = kernel->hh.next)
                    if (visit(kernel))
                        return true;
    return false;
}

static bool has_news(al_known_kernel *kernel)
{
    al_spin_lock(&kernel->lock);
    bool has = curve_has_news(&kernel->curve);
    al_spin_unlock(&kernel->lock);
    return has;
}

bool al_model_has_news(al_model *model)
{
    pthread_mutex_lock(&model->lock);
    bool has = any_kernel(model, has_news);
    for (al_model_link *link = model->links; link && !has; link = link->hh.next) {
        al_spin_lock(&link->lock);
        has = curve_has_news(&link->curves[0]) || curve_has_news(&link->curves[1]);
        al_spin_unlock(&link->lock);
    }
    pthread_mutex_unlock(&model->lock);
    return has;
}

/* The first time each fit starts from the place's rates alone, and says how far it came. */
static bool fit_alone(al_known_kernel *kernel)
{
    al_belief belief = al_rates_belief(&kernel->rates);
    if (kernel->curve.runs) {
        al_curve_refit(&kernel->curve, &belief, kernel->rates.overhead_s);
        al_known_testify(kernel, &belief);
    }
    return false;
}

/* The second time from what all of them said. */
static bool fit_again(al_known_kernel *kernel)
{
    al_belief belief = al_known_belief(kernel->of);
    if (kernel->curve.runs && memcmp(&kernel->rates, &kernel->of->rates, sizeof kernel->rates) == 0)
        al_curve_refit(&kernel->curve, &belief, kernel->rates.overhead_s);
    return false;
}

void al_model_refit(al_model *model)
{
    al_rates rates = al_rates_link();
    al_belief belief = al_rates_belief(&rates);
    any_kernel(model, fit_alone);
    any_kernel(model, fit_again);
    for (al_model_link *link = model->links; link; link = link->hh.next)
        for (size_t i = 0; i < 2; i++)
            if (link->curves[i].runs)
                al_curve_refit(&link->curves[i], &belief, rates.overhead_s);
}

static bool forget_kernel(al_known_kernel *kernel)
{
    al_spin_lock(&kernel->lock);
    memset(&kernel->curve, 0, sizeof kernel->curve);
    memset(&kernel->build, 0, sizeof kernel->build);
    kernel->version++;
    al_spin_lock(&kernel->of->lock);
    kernel->testimony = (al_testimony){ 0 };
    al_spin_unlock(&kernel->of->lock);
    al_spin_unlock(&kernel->lock);
    return false;
}

static void forget_class(al_known_class *known)
{
    al_spin_lock(&known->lock);
    for (size_t i = 0; i < 2; i++)
        known->weight[i] = known->sum[i] = known->square[i] = 0;
    known->belief = al_rates_belief(&known->rates);
    atomic_fetch_add_explicit(&known->taught, 1, memory_order_release);
    memset(known->launches, 0, sizeof known->launches);
    memset(&known->build, 0, sizeof known->build);
    atomic_store(&known->build_s, 0);
    al_spin_unlock(&known->lock);
    al_known_changed(known);
}

void al_model_forget(al_model *model)
{
    pthread_mutex_lock(&model->lock);
    any_kernel(model, forget_kernel);
    for (al_known_class *first = model->classes; first; first = first->hh.next)
        for (al_known_class *known = first; known; known = known->next)
            forget_class(known);
    for (al_model_link *link = model->links; link; link = link->hh.next) {
        al_spin_lock(&link->lock);
        memset(link->curves, 0, sizeof link->curves);
        al_spin_unlock(&link->lock);
    }
    pthread_mutex_unlock(&model->lock);
}
