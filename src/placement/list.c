#include "placement/list.h"
#include "placement/known.h"
#include <math.h>
#include <string.h>

#define BOUND_DEVIATIONS 1.645

typedef struct listing {
    unsigned char *rows;
    size_t stride, capacity, count;
} listing;

/* One row, as far as the caller's header knows it. */
static void put(listing *self, allot_model_row *row, const al_bucket *bucket, double pooled, uint64_t clock)
{
    double error = sqrt(al_bucket_error(bucket, pooled, clock));
    if (bucket->samples == 0)
        return;
    row->samples = bucket->samples;
    row->mean_s = exp(bucket->log_time);
    row->low_s = row->mean_s * exp(-BOUND_DEVIATIONS * error);
    row->high_s = row->mean_s * exp(BOUND_DEVIATIONS * error);
    row->spread = sqrt(al_bucket_spread(bucket, pooled));
    if (self->count++ >= self->capacity)
        return;
    unsigned char *to = self->rows + (self->count - 1) * self->stride;
    row->size = self->stride;
    memcpy(to, row, self->stride < sizeof *row ? self->stride : sizeof *row);
}

static void put_curve(listing *self, allot_model_row *row, const al_curve *curve, uint64_t clock)
{
    if (curve->runs == 0)
        return;
    for (size_t i = 0; i < AL_CURVE_BUCKETS; i++) {
        row->amount = al_curve_size_of(i);
        if (row->subject != ALLOT_MODEL_RUN)
            row->amount = exp(curve->buckets[i].log_size) * AL_PRIOR_TRANSFER_BYTES_PER_S;
        put(self, row, &curve->buckets[i], al_curve_pooled(curve), clock);
    }
}

static void list_kernel(listing *self, al_known_kernel *kernel, size_t type)
{
    allot_model_row row = { .subject = ALLOT_MODEL_RUN, .workers = kernel->of->workers };
    snprintf(row.kernel, sizeof row.kernel, "%s", kernel->name);
    snprintf(row.type, sizeof row.type, "%s", allot_type_name((allot_type)type));
    snprintf(row.place_class, sizeof row.place_class, "%s", kernel->of->text);
    al_spin_lock(&kernel->lock);
    al_curve curve = kernel->curve;
    uint64_t clock = al_known_clock(kernel);
    al_bucket build = kernel->build;
    al_spin_unlock(&kernel->lock);
    put_curve(self, &row, &curve, clock);
    row.subject = ALLOT_MODEL_COMPILE;
    row.amount = 0;
    put(self, &row, &build, AL_BUILD_SPREAD, 0);
}

static void list_class(listing *self, al_known_class *known)
{
    allot_model_row row = { .subject = ALLOT_MODEL_LAUNCH, .workers = known->workers };
    snprintf(row.place_class, sizeof row.place_class, "%s", known->text);
    for (size_t type = 0; type < AL_KNOWN_TYPES; type++)
        for (al_known_kernel *kernel = known->kernels[type]; kernel; kernel = kernel->hh.next)
            list_kernel(self, kernel, type);
    for (size_t i = 0; i < AL_LAUNCHES; i++) {
        al_spin_lock(&known->lock);
        al_bucket seen = known->launches[i].seen;
        al_spin_unlock(&known->lock);
        row.amount = i == AL_LAUNCH_LONG ? AL_LAUNCH_LONG_S : 0;
        put(self, &row, &seen, AL_LAUNCH_SPREAD, 0);
    }
}

static void list_link(listing *self, al_model_link *link)
{
    static const allot_model_subject subjects[] = { ALLOT_MODEL_TO_PLACE, ALLOT_MODEL_FROM_PLACE };
    allot_model_row row = { 0 };
    snprintf(row.place_class, sizeof row.place_class, "%s", link->text);
    for (size_t i = 0; i < 2; i++) {
        al_spin_lock(&link->lock);
        al_curve curve = link->curves[i];
        al_spin_unlock(&link->lock);
        row.subject = subjects[i];
        put_curve(self, &row, &curve, 0);
    }
}

size_t al_model_list(al_model *model, allot_model_row *rows, size_t capacity)
{
    listing self = { .rows = (unsigned char *)rows, .capacity = rows ? capacity : 0 };
    self.stride = self.capacity ? rows->size : 0;
    pthread_mutex_lock(&model->lock);
    for (al_known_class *first = model->classes; first; first = first->hh.next)
        for (al_known_class *known = first; known; known = known->next)
            list_class(&self, known);
    for (al_model_link *link = model->links; link; link = link->hh.next)
        list_link(&self, link);
    pthread_mutex_unlock(&model->lock);
    return self.count;
}

void al_model_list_rates(al_model *model, allot_model_rates *rates)
{
    pthread_mutex_lock(&model->lock);
    al_rates known = model->has_cpu_rates ? model->cpu_rates : al_rates_guess(ALLOT_THREAD);
    allot_model_rates filled = { .size = rates->size,
                                 .measured = model->has_cpu_rates,
                                 .flops_per_s = known.flops_per_s,
                                 .bytes_per_s = known.bytes_per_s,
                                 .memory_bytes_per_s = known.memory_bytes_per_s,
                                 .wake_s = known.overhead_s };
    pthread_mutex_unlock(&model->lock);
    memcpy(rates, &filled, rates->size < sizeof filled ? rates->size : sizeof filled);
}
