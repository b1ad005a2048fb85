/* The .npy format, version 1.0 (NumPy Enhancement Proposal 1): magic, version, header length, a Python
 * dictionary as text that ends the header at a multiple of 64 bytes, then the numbers in C order. */
#include "io.h"

#include <string.h>

/* Numbers are written as they lie in memory, so the order that the header names is this machine's. */
static const char *byte_order(void)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "<" : ">";
}

static void format_shape(const al_block *block, char *text, size_t size)
{
    int used = snprintf(text, size, "(");
    for (size_t d = 0; d < block->rank; d++)
        used += snprintf(text + used, size - (size_t)used, "%zu,%s", block->shape[d],
                         d + 1 < block->rank ? " " : "");
    snprintf(text + used, size - (size_t)used, ")");
}

bool al_npy_write(FILE *stream, const al_block *block)
{
    enum {
        PREFIX = 10, /* magic 6, version 2, header length 2 */
        ALIGNMENT = 64
    };
    char shape[100], header[256];
    size_t element = allot_type_size(block->type), count = 1;
    for (size_t d = 0; d < block->rank; d++)
        count *= block->shape[d];
    format_shape(block, shape, sizeof shape);
    int text = snprintf(header, sizeof header, "{'descr': '%sf%zu', 'fortran_order': False, 'shape': %s, }",
                        byte_order(), element, shape);
    size_t length = (PREFIX + (size_t)text + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - PREFIX;
    memset(header + text, ' ', length - (size_t)text);
    header[length - 1] = '\n';

    unsigned char prefix[PREFIX] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0 };
    prefix[8] = (unsigned char)(length & 0xff);
    prefix[9] = (unsigned char)(length >> 8);
    return fwrite(prefix, 1, PREFIX, stream) == PREFIX && fwrite(header, 1, length, stream) == length &&
           fwrite(block->data, element, count, stream) == count;
}
