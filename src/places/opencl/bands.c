#include "places/opencl/bands.h"

void al_opencl_bands_push(al_opencl_bands *bands, al_task *task)
{
    al_queue_push(&bands->of[al_band_of(task)], task);
    bands->length++;
}

void al_opencl_bands_push_first(al_opencl_bands *bands, al_task *task)
{
    al_queue_push_first(&bands->of[al_band_of(task)], task);
    bands->length++;
}

/* Whose turn it is. */
static al_queue *next(al_opencl_bands *bands)
{
    if (bands->taken % AL_OPENCL_LOW_DUE == 0 && bands->of[AL_BAND_LOW].length)
        return &bands->of[AL_BAND_LOW];
    if (bands->taken % AL_OPENCL_NORMAL_DUE == 0 && bands->of[AL_BAND_NORMAL].length)
        return &bands->of[AL_BAND_NORMAL];
    al_band band = AL_BAND_HIGH;
    while (band < AL_BAND_LOW && !bands->of[band].length)
        band++;
    return &bands->of[band];
}

al_task *al_opencl_bands_pop(al_opencl_bands *bands)
{
    if (!bands->length)
        return NULL;
    bands->taken++;
    bands->length--;
    return al_queue_pop(next(bands));
}

al_task *al_opencl_bands_last(const al_opencl_bands *bands)
{
    al_task *last = NULL;
    for (al_band band = AL_BANDS; band-- > 0 && !last;)
        last = bands->of[band].last;
    return last;
}

void al_opencl_bands_remove(al_opencl_bands *bands, al_task *task)
{
    al_queue_remove(&bands->of[al_band_of(task)], task);
    bands->length--;
}
