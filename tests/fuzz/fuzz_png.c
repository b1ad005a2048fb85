#include "fuzz/fuzz.h"

#include <string.h>

FUZZ(al_png_format)

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed);

static uint32_t big_endian(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The checksum at a chunk's end (ISO/IEC 15948, annex D). */
static uint32_t checksum(const uint8_t *bytes, size_t size)
{
    uint32_t sum = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        sum ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            sum = sum & 1 ? 0xedb88320 ^ sum >> 1 : sum >> 1;
    }
    return ~sum;
}

enum {
    SIGNATURE = 8,
    AROUND = 12 /* bytes of a chunk beside its data: length, name, checksum */
};

static void put(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Where chunk `index` begins, counted round; `size` when there is none. */
static size_t find_chunk(const uint8_t *bytes, size_t size, unsigned index)
{
    size_t starts[32], count = 0;
    for (size_t at = SIGNATURE; count < 32 && at + AROUND <= size;) {
        size_t length = big_endian(bytes + at);
        if (length > size - at - AROUND)
            break;
        starts[count++] = at;
        at += AROUND + length;
    }
    return count ? starts[index % count] : size;
}

/* Changes name and data of one chunk, and puts its length and checksum right again, without which hardly any
 * change would come past them. One time in eight it changes anything at all. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed)
{
    size_t at = find_chunk(bytes, size, seed / 8);
    if (seed % 8 == 0 || at == size || most < size)
        return LLVMFuzzerMutate(bytes, size, most);
    size_t length = big_endian(bytes + at), tail = size - (at + AROUND + length),
           room = length + (most - size);
    size_t before = seed / 8 % 4 && room ? 4 : 0; /* the name before the data is changed one time in four */
    uint8_t *data = malloc(room + 4), *rest = malloc(tail + 1);
    if (!data || !rest)
        abort();
    memcpy(data, bytes + at + 4, length + 4);
    memcpy(rest, bytes + size - tail, tail);
    size_t changed = LLVMFuzzerMutate(data + before, length + 4 - before, room + 4 - before) + before;
    length = changed < 4 ? 0 : changed - 4;
    put(bytes + at, (uint32_t)length);
    memcpy(bytes + at + 4, data, length + 4);
    put(bytes + at + 8 + length, checksum(data, length + 4));
    memcpy(bytes + at + AROUND + length, rest, tail);
    free(data);
    free(rest);
    return at + AROUND + length + tail;
}
