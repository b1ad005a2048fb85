#include "base/blocks.h"
#include "base/lane.h"
#include <stdint.h>
#include <stdlib.h>

#define CLASSES       6 /* 512 bytes, 1, 2, 4, 8 and 16 KiB, headers counted */
#define SMALLEST      512
#define FETCHED_AHEAD SMALLEST /* of a block, which few launches use more of */

/* Before each block; free blocks are linked. */
typedef struct head {
    _Alignas(16) unsigned class;
    struct head *next;
} head;
_Static_assert(sizeof(head) == 16, "a block behind it is aligned to 16");

/* What a lane keeps. */
typedef struct kept {
    head *first[CLASSES];
    size_t bytes;
} kept;

static size_t bytes_of(unsigned class)
{
    return (size_t)SMALLEST << class;
}

/* CLASSES: it is larger than all. */
static unsigned class_of(size_t bytes)
{
    unsigned class = 0;
    while (class < CLASSES && bytes > bytes_of(class) - sizeof(head))
        class ++;
    return class;
}

/* NULL: this thread keeps nothing. */
static kept *kept_here(void)
{
    al_lane *lane = al_lane_here();
    if (!lane->blocks && lane->number != AL_LANE_SHARED)
        lane->blocks = calloc(1, sizeof(kept));
    return lane->blocks;
}

/* The next one to be taken, by when it is in this core's cache: in a stream it was last written by another
 * core, or long ago. */
static void fetch_ahead(const head *next)
{
    for (size_t at = 0; next && at < FETCHED_AHEAD; at += 64)
        __builtin_prefetch((const char *)next + at, 1);
}

void *al_blocks_take(size_t bytes)
{
    unsigned class = class_of(bytes);
    kept *here = class < CLASSES ? kept_here() : NULL;
    head *block = here ? here->first[class] : NULL;
    if (block) {
        here->first[class] = block->next;
        here->bytes -= bytes_of(class);
        fetch_ahead(block->next);
        return block + 1;
    }
    if (class == CLASSES && bytes > SIZE_MAX - sizeof *block)
        return NULL;
    block = malloc(class < CLASSES ? bytes_of(class) : bytes + sizeof *block);
    if (!block)
        return NULL;
    block->class = class;
    return block + 1;
}

void al_blocks_give(void *given)
{
    head *block = given ? (head *)given - 1 : NULL;
    if (!block)
        return;
    kept *here = block->class < CLASSES ? kept_here() : NULL;
    if (!here || here->bytes + bytes_of(block->class) > AL_BLOCKS_KEPT) {
        free(block);
        return;
    }
    block->next = here->first[block->class];
    here->first[block->class] = block;
    here->bytes += bytes_of(block->class);
}

size_t al_blocks_trim(void)
{
    kept *here = kept_here();
    size_t bytes = here ? here->bytes : 0;
    for (unsigned class = 0; here && class < CLASSES; class ++)
        for (head *block; (block = here->first[class]);) {
            here->first[class] = block->next;
            free(block);
        }
    if (here)
        here->bytes = 0;
    return bytes;
}
