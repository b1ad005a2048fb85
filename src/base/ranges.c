/* Every change replaces a run of neighbouring items by at most two others; every question begins with one
 * binary search. */
#include "base/ranges.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CAPACITY = 4
};

void al_ranges_fini(al_ranges *ranges)
{
    free(ranges->items);
    *ranges = (al_ranges){ 0 };
}

bool al_ranges_reserve(al_ranges *ranges)
{
    if (ranges->count < ranges->capacity)
        return true;
    if (ranges->capacity > SIZE_MAX / 2 / sizeof *ranges->items)
        return false;
    size_t capacity = ranges->capacity ? 2 * ranges->capacity : FIRST_CAPACITY;
    al_range *items = realloc(ranges->items, capacity * sizeof *items);
    if (!items)
        return false;
    ranges->items = items;
    ranges->capacity = capacity;
    return true;
}

/* Index of the first item that ends behind `position`; count if none does. */
static size_t first_ending_after(const al_ranges *ranges, size_t position)
{
    size_t low = 0, high = ranges->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->items[middle].end > position)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Index of the first item that begins at or behind `position`, looked for from `first` on; count if none
 * does. */
static size_t first_beginning_at(const al_ranges *ranges, size_t first, size_t position)
{
    size_t low = first, high = ranges->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->items[middle].begin >= position)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Puts `count` items in the place of those at [first, last). */
static void replace(al_ranges *ranges, size_t first, size_t last, const al_range *items, size_t count)
{
    size_t behind = ranges->count - last, new_count = first + count + behind;
    assert(new_count <= ranges->capacity); /* al_ranges_reserve() has not been called, or has failed */
    if (behind)
        memmove(ranges->items + first + count, ranges->items + last, behind * sizeof *items);
    if (count)
        memcpy(ranges->items + first, items, count * sizeof *items);
    ranges->count = new_count;
}

void al_ranges_add(al_ranges *ranges, size_t begin, size_t end)
{
    if (begin >= end)
        return;
    /* An item that only touches the new one is merged with it, too. */
    size_t first = begin ? first_ending_after(ranges, begin - 1) : 0;
    size_t last = end < SIZE_MAX ? first_beginning_at(ranges, first, end + 1) : ranges->count;
    al_range merged = { begin, end };
    if (first < last) {
        if (ranges->items[first].begin < merged.begin)
            merged.begin = ranges->items[first].begin;
        if (ranges->items[last - 1].end > merged.end)
            merged.end = ranges->items[last - 1].end;
    }
    replace(ranges, first, last, &merged, 1);
}

void al_ranges_remove(al_ranges *ranges, size_t begin, size_t end)
{
    if (begin >= end)
        return;
    size_t first = first_ending_after(ranges, begin);
    size_t last = first_beginning_at(ranges, first, end);
    if (first == last)
        return;
    al_range rest[2];
    size_t count = 0;
    if (ranges->items[first].begin < begin)
        rest[count++] = (al_range){ ranges->items[first].begin, begin };
    if (ranges->items[last - 1].end > end)
        rest[count++] = (al_range){ end, ranges->items[last - 1].end };
    replace(ranges, first, last, rest, count);
}

bool al_ranges_has(const al_ranges *ranges, size_t begin, size_t end)
{
    if (begin >= end)
        return true;
    size_t first = first_ending_after(ranges, begin);
    return first < ranges->count && ranges->items[first].begin <= begin && ranges->items[first].end >= end;
}

bool al_ranges_touches(const al_ranges *ranges, size_t begin, size_t end)
{
    al_range part;
    return al_ranges_part(ranges, begin, end, &part);
}

bool al_ranges_gap(const al_ranges *ranges, size_t begin, size_t end, al_range *gap)
{
    size_t next = first_ending_after(ranges, begin);
    if (next < ranges->count && ranges->items[next].begin <= begin)
        begin = ranges->items[next++].end; /* items never touch: a gap follows each */
    if (begin >= end)
        return false;
    gap->begin = begin;
    gap->end = next < ranges->count && ranges->items[next].begin < end ? ranges->items[next].begin : end;
    return true;
}

bool al_ranges_part(const al_ranges *ranges, size_t begin, size_t end, al_range *part)
{
    size_t first = first_ending_after(ranges, begin);
    if (begin >= end || first == ranges->count || ranges->items[first].begin >= end)
        return false;
    const al_range *item = &ranges->items[first];
    part->begin = item->begin > begin ? item->begin : begin;
    part->end = item->end < end ? item->end : end;
    return true;
}
