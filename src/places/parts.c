#include "places/parts.h"
#include <stdlib.h>
#include <string.h>

#define UNITS_MAX 1000000

/* From 1 on; *end is what follows it. 0: there is none. */
static unsigned read_number(const char *text, char **end)
{
    unsigned long value = *text >= '0' && *text <= '9' ? strtoul(text, end, 10) : 0;
    return value <= UNITS_MAX ? (unsigned)value : 0;
}

static bool read_units(const char *text, al_parts *parts)
{
    char *end;
    for (parts->count = 0; parts->count < AL_PARTS_MAX; text = end + 1) {
        unsigned units = read_number(text, &end);
        if (!units)
            return false;
        parts->units[parts->count++] = units;
        if (*end != '+')
            return !*end;
    }
    return false;
}

static bool read_count(const char *text, al_parts *parts)
{
    char *end;
    parts->count = read_number(text, &end);
    return parts->count >= 2 && parts->count <= AL_PARTS_MAX && !*end;
}

bool al_parts_read(const char *text, al_parts *parts)
{
    *parts = (al_parts){ AL_PARTS_WHOLE, 0, { 0 } };
    if (!text || !*text)
        return true;
    bool numa = strcmp(text, "numa") == 0, units = strchr(text, '+') != NULL;
    parts->how = numa ? AL_PARTS_NUMA : units ? AL_PARTS_UNITS : AL_PARTS_EQUAL;
    return numa || (units ? read_units(text, parts) : read_count(text, parts));
}

bool al_parts_share(const al_parts *parts, unsigned units, unsigned shares[AL_PARTS_MAX])
{
    unsigned sum = 0;
    for (unsigned i = 0; i < parts->count; i++) {
        shares[i] = parts->how == AL_PARTS_UNITS ? parts->units[i]
                                                 : units / parts->count + (i < units % parts->count);
        sum += shares[i];
        if (!shares[i] || sum > units)
            return false;
    }
    return true;
}
