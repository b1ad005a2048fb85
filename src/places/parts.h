/* Into which parts devices are to be split, each a place of its own. */
#ifndef AL_PLACES_PARTS_H
#define AL_PLACES_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#define AL_PARTS_MAX 32

typedef enum al_parts_how {
    AL_PARTS_WHOLE, /* not at all */
    AL_PARTS_NUMA,  /* one for each NUMA domain */
    AL_PARTS_EQUAL, /* so many, as equal as can be */
    AL_PARTS_UNITS  /* one for each number, of so many compute units */
} al_parts_how;

typedef struct al_parts {
    al_parts_how how;
    unsigned count;
    unsigned units[AL_PARTS_MAX];
} al_parts;

/* Reads "numa", "3" or "1+3" (NULL and "": whole). False: it is none of these. */
bool al_parts_read(const char *text, al_parts *parts);

/* So many compute units for each of parts.count parts of a device that has `units`; false: it has too few. */
bool al_parts_share(const al_parts *parts, unsigned units, unsigned shares[AL_PARTS_MAX]);

#endif
