#include "fuzz/fuzz.h"

/* One reader behind three endings: the kind of picture decides with which writer the way back is tried. */
static const al_format *format_of(const uint8_t *bytes, size_t size)
{
    bool colour = size > 1 && (bytes[1] == '3' || bytes[1] == '6');
    return colour ? &al_ppm_format : &al_pgm_format;
}

FUZZ(*format_of(bytes, size))
