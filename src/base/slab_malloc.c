/* Blocks straight from malloc: for AddressSanitizer and Valgrind, which see the use of a freed block only
 * then. */
#include "base/slab.h"
#include <stdlib.h>

void *al_slab_take_new(void)
{
    return aligned_alloc(AL_SLAB_BLOCK, AL_SLAB_BLOCK);
}

void al_slab_give_back(void *block)
{
    free(block);
}

void al_slab_flush(void)
{
}

size_t al_slab_trim(void)
{
    return 0;
}
