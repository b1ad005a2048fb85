/* A dense block of numbers, as it comes from a file or goes to one: typed, up to three dimensions, in C
 * order. */
#ifndef AL_CLI_BLOCK_H
#define AL_CLI_BLOCK_H

#include "file.h"
#include <allot/array.h>

typedef struct al_block {
    allot_type type;
    size_t rank, shape[3]; /* the last dimension varies fastest; a picture is rows x columns (x channels) */
    unsigned white;        /* of a picture: the value of full light, 1 to 65535; 0: not a picture */
    void *data;            /* aligned for its type */
} al_block;

/* The number of elements: the product of the shape. */
size_t al_block_count(const al_block *block);

/* Makes room for the block's type and shape, whose size in bytes the caller has made sure of; false when
 * memory is out. Free it with al_block_free(). */
bool al_block_allocate(al_block *block);
void al_block_free(al_block *block);

/* Fills a block with room from bytes of a file, numbers as wide as the type's, in that order. */
void al_block_fill(al_block *block, const void *bytes, bool big_endian);

/* Element `index` as a double; of a complex number the real part. */
double al_block_real(const al_block *block, size_t index);

bool al_type_is_complex(allot_type type);

/* Whether every number is one to compute with; a problem when one is NaN or infinite, which names its byte:
 * the block's numbers lie in the file from `first_byte`. */
bool al_block_check(const al_block *block, const al_file *file, size_t first_byte, al_problem *problem);

/* The shape in words: "512 x 512 x 3". Writes to `text` (AL_SHAPE bytes) and returns it. */
enum {
    AL_SHAPE = 80
};
const char *al_block_shape_text(const al_block *block, char *text);

#endif
