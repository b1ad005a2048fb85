/* gemm by plain loops, for any strides: blocks of A and B are packed into dense strips, which a small kernel
 * multiplies with its sums in registers (Goto and van de Geijn, Anatomy of High-Performance Matrix
 * Multiplication, 2008). */
#include "gemm.h"
#include <stdlib.h>

enum {
    DEPTH = 256, /* columns of A and rows of B a block: a strip of B stays in the first cache */
    WIDTH = 256, /* columns of B a block: it stays in the second */
    HEIGHT = 4,  /* rows of a tile of C */
    STRIP = 8    /* columns of a tile of C */
};

static size_t at_most(size_t n, size_t limit)
{
    return n < limit ? n : limit;
}

#define T        float
#define OF(name) name##_f32
#include "gemm_block.h"
#undef T
#undef OF

#define T        double
#define OF(name) name##_f64
#include "gemm_block.h"
#undef T
#undef OF

bool al_gemm_plain(const al_gemm_product *product)
{
    void *block = malloc((size_t)DEPTH * WIDTH * allot_type_size(product->type));
    if (!block)
        return false;
    if (product->type == ALLOT_F32)
        multiply_f32(product, block);
    else
        multiply_f64(product, block);
    free(block);
    return true;
}
