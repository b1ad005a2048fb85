/* Blocks straight from malloc: for AddressSanitizer and Valgrind, which see the use of a freed block only
 * then. */
#include "base/blocks.h"
#include <stdlib.h>

void *al_blocks_take(size_t bytes)
{
    return malloc(bytes);
}

void al_blocks_give(void *block)
{
    free(block);
}

size_t al_blocks_trim(void)
{
    return 0;
}
