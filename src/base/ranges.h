/* A set of half-open ranges [begin, end) of bytes, kept sorted, disjoint and merged. */
#ifndef AL_BASE_RANGES_H
#define AL_BASE_RANGES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct al_range {
    size_t begin, end;
} al_range;

typedef struct al_ranges {
    al_range *items;
    size_t count, capacity;
} al_ranges;

/* All zero bytes are an empty set. */
void al_ranges_fini(al_ranges *ranges);

/* Makes room so that the next add or remove cannot fail. False when memory is out. */
bool al_ranges_reserve(al_ranges *ranges);

/* Adds or removes a range; an empty one changes nothing. Call al_ranges_reserve() before. */
void al_ranges_add(al_ranges *ranges, size_t begin, size_t end);
void al_ranges_remove(al_ranges *ranges, size_t begin, size_t end);

/* True if all, or any, of [begin, end) is in the set. Of an empty range: all is true, any is false. */
bool al_ranges_has(const al_ranges *ranges, size_t begin, size_t end);
bool al_ranges_touches(const al_ranges *ranges, size_t begin, size_t end);

/* The first stretch of [begin, end) that is not in the set; false if there is none. */
bool al_ranges_gap(const al_ranges *ranges, size_t begin, size_t end, al_range *gap);

/* The first stretch of [begin, end) that is in the set; false if there is none. */
bool al_ranges_part(const al_ranges *ranges, size_t begin, size_t end, al_range *part);

#endif
