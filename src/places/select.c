#include "places/select.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    allot_device_type type;
} types[] = {
#define TYPE(name, value, text) { text, ALLOT_DEVICE_##name },
    ALLOT_DEVICE_TYPE_LIST(TYPE)
#undef TYPE
};

enum {
    TYPES = sizeof types / sizeof types[0]
};

/* Of a slip like "proces" or "threads" no device is made that has a "Processor" in its name. */
static bool is_almost(const char *text, allot_kind pool)
{
    size_t length = strlen(text), own = strlen(allot_kind_name(pool));
    return strncmp(text, allot_kind_name(pool), length < own ? length : own) == 0;
}

static bool is_almost_pool(const char *text)
{
    return is_almost(text, ALLOT_INLINE) || is_almost(text, ALLOT_THREAD) || is_almost(text, ALLOT_PROCESS);
}

/* A number is an index, which may be wrong, but is no part of a name. */
static bool is_index(const char *text)
{
    return text[strspn(text, "0123456789/")] == '\0';
}

const char *al_select_word(const char *place_id)
{
    static const char devices[] = "opencl", before[] = "opencl:";
    if (strcmp(place_id, devices) == 0)
        return place_id + strlen(devices);
    const char *word = strncmp(place_id, before, strlen(before)) == 0 ? place_id + strlen(before) : place_id;
    return is_index(word) || is_almost_pool(place_id) ? NULL : word;
}

/* A word that is a type is no part of a name too: what `gpu` means must not hang on what devices are called.
 */
static bool means(const char *word, uint32_t device_types, const char *name, const char *driver)
{
    if (!device_types)
        return false;
    for (size_t i = 0; i < TYPES; i++)
        if (strcasecmp(word, types[i].name) == 0)
            return (device_types & types[i].type) != 0;
    return strcasestr(name, word) || strcasestr(driver, word);
}

bool al_select_means(const char *word, const al_place *place)
{
    return means(word, place->device_types, place->name, place->driver);
}

bool allot_place_is(const allot_place_info *place, const char *place_id)
{
    if (!place || !place_id)
        return false;
    if (strcmp(place->id, place_id) == 0)
        return true;
    const char *word = al_select_word(place_id);
    bool has_types = place->size >= offsetof(allot_place_info, device_types) + sizeof place->device_types;
    return word && has_types && means(word, place->device_types, place->name, place->driver);
}

const char *allot_device_types_text(uint32_t device_types)
{
    /* All that there can be. */
    static const char *const texts[] = {
        "",
        "cpu",
        "gpu",
        "cpu+gpu",
        "accelerator",
        "cpu+accelerator",
        "gpu+accelerator",
        "cpu+gpu+accelerator",
    };
    const uint32_t known = sizeof texts / sizeof texts[0] - 1;
    return device_types & known ? texts[device_types & known] : device_types ? "custom" : "";
}

void al_select_list(al_place *const *places, size_t count, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char one[224];
        const al_place *place = places[i];
        snprintf(one, sizeof one, place->device_types ? "%s (%s, %s)" : "%s", place->id,
                 allot_device_types_text(place->device_types), place->device_types ? place->name : "");
        if (used + strlen(one) + sizeof ", , ..." > size) {
            snprintf(text + used, size - used, "%s", used ? ", ..." : "");
            return;
        }
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", one);
    }
}
