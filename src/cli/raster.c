#include "raster.h"

#include <math.h>

static bool has_geometry(al_raster *raster, const al_block *block)
{
    if (block->rank < 2)
        return false;
    raster->height = block->shape[0];
    raster->width = block->shape[1];
    raster->channels = block->rank == 3 ? block->shape[2] : 1;
    return raster->width && raster->height && raster->channels >= 1 && raster->channels <= 4 &&
           raster->width <= INT32_MAX && raster->height <= INT32_MAX;
}

/* What is no picture is shown from its least to its greatest number. */
static void stretch(al_raster *raster)
{
    size_t count = al_block_count(raster->block);
    raster->white = 255;
    raster->least = INFINITY;
    raster->most = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        double value = al_block_real(raster->block, i);
        raster->least = value < raster->least ? value : raster->least;
        raster->most = value > raster->most ? value : raster->most;
    }
}

bool al_raster_of(al_raster *raster, const al_block *block, al_problem *problem)
{
    char shape[AL_SHAPE];
    *raster = (al_raster){ .block = block };
    if (!has_geometry(raster, block) || al_type_is_complex(block->type))
        return al_problem_set(
            problem, AL_EXIT_FAILED,
            "%s %s numbers are no picture: it has rows and columns, and 1 to 4 channels: use .npy",
            al_block_shape_text(block, shape), allot_type_name(block->type));
    if (!block->white) {
        stretch(raster);
        return true;
    }
    raster->white = block->white;
    raster->most = block->white;
    return true;
}

size_t al_raster_sample_bytes(const al_raster *raster)
{
    return raster->white > 255 ? 2 : 1;
}

/* NaN becomes black. */
static unsigned sample(const al_raster *raster, double value)
{
    double range = raster->most - raster->least, share = range > 0 ? (value - raster->least) / range : 0;
    if (!(share > 0))
        return 0;
    return share < 1 ? (unsigned)(share * raster->white + 0.5) : raster->white;
}

void al_raster_row(const al_raster *raster, size_t row, unsigned char *bytes)
{
    size_t count = raster->width * raster->channels;
    for (size_t i = 0; i < count; i++) {
        unsigned value = sample(raster, al_block_real(raster->block, row * count + i));
        if (al_raster_sample_bytes(raster) == 2)
            *bytes++ = (unsigned char)(value >> 8);
        *bytes++ = (unsigned char)(value & 0xff);
    }
}
