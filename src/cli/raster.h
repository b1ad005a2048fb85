/* A block seen as a picture, to be written as one: which of its dimensions is what, and how its numbers
 * become samples. */
#ifndef AL_CLI_RASTER_H
#define AL_CLI_RASTER_H

#include "io.h"

typedef struct al_raster {
    const al_block *block;
    size_t width, height;
    size_t channels;    /* 1 grey, 2 grey and opacity, 3 red green blue, 4 these and opacity */
    unsigned white;     /* the sample of full light */
    double least, most; /* the numbers that become 0 and `white`; beyond, they are cut */
} al_raster;

/* The block must have rows and columns, and 1 to 4 channels in a third dimension. A picture's numbers keep
 * their meaning; of another block, the least number becomes black and the greatest white, of 255. False with
 * a problem when it cannot be seen so. */
bool al_raster_of(al_raster *raster, const al_block *block, al_problem *problem);

/* A sample's bytes, 1 or 2: two where `white` is above 255. */
size_t al_raster_sample_bytes(const al_raster *raster);

/* One row as samples from 0 to `white`, rounded, big endian where they are two bytes: width * channels of
 * them. */
void al_raster_row(const al_raster *raster, size_t row, unsigned char *bytes);

#endif
