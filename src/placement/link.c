/* A link of the model: what moving bytes between the host and a place takes, learned as a kernel's runs are:
 * a latency for the overhead, a rate for the load. */
#include "placement/keep.h"
#include "placement/known.h"
#include <math.h>

static al_place_size size_of(uint64_t bytes, const al_rates *rates)
{
    double load_s = (double)bytes / rates->bytes_per_s;
    return (al_place_size){ al_curve_bucket_of(load_s), rates->overhead_s, load_s };
}

double al_model_link_s(al_model_link *link, al_direction direction, uint64_t bytes, uint64_t count)
{
    al_rates rates = al_rates_link();
    al_belief belief = al_rates_belief(&rates);
    if (bytes == 0)
        return 0;
    al_keep_use(link->model);
    count = count ? count : 1;
    al_place_size size = size_of(bytes / count, &rates);
    al_spin_lock(&link->lock);
    const al_curve *curve = &link->curves[direction];
    al_expectation expectation = al_curve_expect(curve, &belief, &size, 0);
    al_spin_unlock(&link->lock);
    return (double)count * exp(expectation.log_time);
}

/* Several transfers are learned as one of their mean size. */
void al_model_link_learn(al_model_link *link, al_direction direction, uint64_t bytes, uint64_t count,
                         double seconds)
{
    if (bytes == 0 || !isfinite(seconds) || seconds < 0)
        return;
    al_rates rates = al_rates_link();
    al_belief belief = al_rates_belief(&rates);
    count = count ? count : 1;
    al_place_size size = size_of(bytes / count, &rates);
    al_keep_use(link->model);
    double each_s = fmax(seconds / (double)count, 1e-300);
    al_spin_lock(&link->lock);
    al_curve *curve = &link->curves[direction];
    al_curve_learn(curve, &belief, &size, 0, log(each_s));
    al_spin_unlock(&link->lock);
}

double al_model_transfer_s(al_model *model, const char *place_class, uint64_t bytes)
{
    al_model_link *link = al_model_find_link(model, place_class);
    al_rates rates = al_rates_link();
    if (!link)
        return bytes ? rates.overhead_s + (double)bytes / rates.bytes_per_s : 0;
    return al_model_link_s(link, AL_TO_PLACE, bytes, 1);
}

void al_model_learn_transfer(al_model *model, const char *place_class, uint64_t bytes, uint64_t count,
                             double seconds)
{
    al_model_link *link = al_model_find_link(model, place_class);
    if (link)
        al_model_link_learn(link, AL_TO_PLACE, bytes, count, seconds);
}
