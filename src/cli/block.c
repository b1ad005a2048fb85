#include "block.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t al_block_count(const al_block *block)
{
    size_t count = 1;
    for (size_t d = 0; d < block->rank; d++)
        count *= block->shape[d];
    return count;
}

static size_t size_of(const al_block *block)
{
    return al_block_count(block) * allot_type_size(block->type);
}

bool al_block_allocate(al_block *block)
{
    size_t size = size_of(block);
    block->data = malloc(size ? size : 1);
    return block->data != NULL;
}

void al_block_free(al_block *block)
{
    free(block->data);
    *block = (al_block){ 0 };
}

bool al_type_is_complex(allot_type type)
{
    return type == ALLOT_C32 || type == ALLOT_C64;
}

/* What a byte order is about: a complex number is two. */
static size_t width_of(allot_type type)
{
    return allot_type_size(type) / (al_type_is_complex(type) ? 2 : 1);
}

static void reverse(unsigned char *bytes, size_t size, size_t width)
{
    for (size_t at = 0; at < size; at += width)
        for (size_t i = 0; i < width / 2; i++) {
            unsigned char other = bytes[at + i];
            bytes[at + i] = bytes[at + width - 1 - i];
            bytes[at + width - 1 - i] = other;
        }
}

void al_block_fill(al_block *block, const void *bytes, bool big_endian)
{
    size_t size = size_of(block);
    memcpy(block->data, bytes, size);
    if (big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__))
        reverse(block->data, size, width_of(block->type));
}

/* IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction. */
static double half(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double size = exponent == 31  ? (fraction ? NAN : INFINITY)
                  : exponent == 0 ? ldexp(fraction, -24)
                                  : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -size : size;
}

/* Number `index` of a row of them, each of a real type. */
static double real_at(allot_type type, const void *data, size_t index)
{
    switch (type) {
    case ALLOT_I8:
        return ((const int8_t *)data)[index];
    case ALLOT_U8:
        return ((const uint8_t *)data)[index];
    case ALLOT_I16:
        return ((const int16_t *)data)[index];
    case ALLOT_U16:
        return ((const uint16_t *)data)[index];
    case ALLOT_I32:
        return ((const int32_t *)data)[index];
    case ALLOT_U32:
        return ((const uint32_t *)data)[index];
    case ALLOT_I64:
        return (double)((const int64_t *)data)[index];
    case ALLOT_U64:
        return (double)((const uint64_t *)data)[index];
    case ALLOT_F16:
        return half(((const uint16_t *)data)[index]);
    case ALLOT_F32:
        return (double)((const float *)data)[index];
    case ALLOT_F64:
        return ((const double *)data)[index];
    default:
        return NAN;
    }
}

/* The type of a complex number's two halves; any other type as it is. */
static allot_type part_type(allot_type type)
{
    return type == ALLOT_C32 ? ALLOT_F32 : type == ALLOT_C64 ? ALLOT_F64 : type;
}

double al_block_real(const al_block *block, size_t index)
{
    return real_at(part_type(block->type), block->data, al_type_is_complex(block->type) ? 2 * index : index);
}

bool al_block_check(const al_block *block, const al_file *file, size_t first_byte, al_problem *problem)
{
    allot_type type = part_type(block->type);
    size_t width = width_of(block->type),
           count = al_block_count(block) * allot_type_size(block->type) / width;
    if (type != ALLOT_F16 && type != ALLOT_F32 && type != ALLOT_F64)
        return true;
    for (size_t i = 0; i < count; i++) {
        double value = real_at(type, block->data, i);
        if (!isfinite(value))
            return al_file_problem_at_byte(
                file, first_byte + i * width, problem,
                "%s is not a number to compute with: leave it out, or put a number in its place",
                isnan(value) ? "NaN" : "infinity");
    }
    return true;
}

const char *al_block_shape_text(const al_block *block, char *text)
{
    int used = 0;
    text[0] = '\0';
    for (size_t d = 0; d < block->rank; d++)
        used += snprintf(text + used, AL_SHAPE - (size_t)used, "%s%zu", d ? " x " : "", block->shape[d]);
    return text;
}
