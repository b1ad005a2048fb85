#include "base/spans.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CAPACITY = 4
};

struct al_spans_level {
    al_spans_level *next;
    int octave; /* lengths from 2^octave to below 2^(octave + 1) */
    size_t count, capacity;
    al_span **items; /* by begin, then by end */
};

static int octave_of(size_t length)
{
    return (int)(8 * sizeof(unsigned long long)) - 1 - __builtin_clzll(length);
}

void al_spans_fini(al_spans *spans)
{
    while (spans->levels) {
        al_spans_level *level = spans->levels;
        spans->levels = level->next;
        for (size_t i = 0; i < level->count; i++)
            free(level->items[i]);
        free(level->items);
        free(level);
    }
}

static al_spans_level *find_level(const al_spans *spans, int octave)
{
    al_spans_level *level = spans->levels;
    while (level && level->octave != octave)
        level = level->next;
    return level;
}

static al_spans_level *have_level(al_spans *spans, int octave)
{
    al_spans_level *level = find_level(spans, octave);
    if (level || !(level = calloc(1, sizeof *level)))
        return level;
    level->octave = octave;
    level->next = spans->levels;
    spans->levels = level;
    return level;
}

/* Index of the first item that does not come before (begin, end); count if all do. */
static size_t first_from(const al_spans_level *level, size_t begin, size_t end)
{
    size_t low = 0, high = level->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const al_span *item = level->items[middle];
        if (item->begin > begin || (item->begin == begin && item->end >= end))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void drop_unused(al_spans_level *level, bool (*unused)(const al_span *span))
{
    size_t kept = 0;
    for (size_t i = 0; i < level->count; i++)
        if (unused(level->items[i]))
            free(level->items[i]);
        else
            level->items[kept++] = level->items[i];
    level->count = kept;
}

/* Room for one more. What is unused goes first, but the list grows if that leaves less than half of it free:
 * so that an addition costs the same on average however many there are. */
static bool make_room(al_spans_level *level, bool (*unused)(const al_span *span))
{
    if (level->count < level->capacity)
        return true;
    drop_unused(level, unused);
    if (level->count < level->capacity / 2)
        return true;
    size_t capacity = level->capacity ? 2 * level->capacity : FIRST_CAPACITY;
    al_span **items = realloc(level->items, capacity * sizeof *items);
    if (!items)
        return level->count < level->capacity;
    level->items = items;
    level->capacity = capacity;
    return true;
}

void *al_spans_have(al_spans *spans, size_t begin, size_t end, size_t size,
                    bool (*unused)(const al_span *span))
{
    al_spans_level *level = have_level(spans, octave_of(end - begin));
    if (!level)
        return NULL;
    size_t at = first_from(level, begin, end);
    if (at < level->count && level->items[at]->begin == begin && level->items[at]->end == end)
        return level->items[at];
    al_span *made = make_room(level, unused) ? calloc(1, size) : NULL;
    if (!made)
        return NULL;
    *made = (al_span){ begin, end };
    at = first_from(level, begin, end); /* others may have gone */
    memmove(level->items + at + 1, level->items + at, (level->count - at) * sizeof *level->items);
    level->items[at] = made;
    level->count++;
    return made;
}

static bool visit_level(const al_spans_level *level, size_t begin, size_t end,
                        bool (*visit)(al_span *span, void *of), void *of)
{
    size_t longest = level->octave >= (int)(8 * sizeof(size_t)) - 1 ? SIZE_MAX : (size_t)2 << level->octave;
    size_t at = first_from(level, begin > longest ? begin - longest : 0, 0);
    for (; at < level->count && level->items[at]->begin < end; at++)
        if (level->items[at]->end > begin && !visit(level->items[at], of))
            return false;
    return true;
}

bool al_spans_visit(const al_spans *spans, size_t begin, size_t end, bool (*visit)(al_span *span, void *of),
                    void *of)
{
    for (const al_spans_level *level = spans->levels; level; level = level->next)
        if (!visit_level(level, begin, end, visit, of))
            return false;
    return true;
}
