#include "target.h"

#include "options.h"
#include <stdio.h>
#include <string.h>

static const struct word {
    const char *name;
    allot_kind kind;
} words[] = { { "auto", ALLOT_ANYWHERE },
#define KIND_WORD(name, value, text) { text, ALLOT_##name },
              ALLOT_KIND_LIST(KIND_WORD)
#undef KIND_WORD
};

/* Kinds of which a machine always has exactly one, whose id is the kind's name: no search is needed. */
static bool is_pool(allot_kind kind)
{
    return kind == ALLOT_INLINE || kind == ALLOT_THREAD || kind == ALLOT_PROCESS;
}

static const struct word *word_named(const char *name)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].name, name) == 0)
            return &words[i];
    return NULL;
}

void al_places_list(al_places *places, allot_executor *executor)
{
    for (size_t i = 0; i < AL_PLACES; i++)
        places->info[i] = (allot_place_info){ .size = sizeof places->info[i] };
    places->count = allot_places(executor, places->info, AL_PLACES);
    if (places->count > AL_PLACES)
        places->count = AL_PLACES;
    places->message = allot_devices_message(executor);
    if (!places->message)
        places->message = "";
}

const char *al_place_state_text(allot_place_state state)
{
    switch (state) {
    case ALLOT_PLACE_COLD:
        return "cold";
    case ALLOT_PLACE_READY:
        return "ready";
    case ALLOT_PLACE_ASIDE:
        return "aside";
    }
    return "?";
}

/* "opencl:0 (gpu, NVIDIA H100)". */
static void describe(const allot_place_info *info, char *text, size_t size)
{
    int used = snprintf(text, size, "%s", info->id);
    if (info->device_types)
        snprintf(text + used, size - (size_t)used, " (%s, %.60s)",
                 allot_device_types_text(info->device_types), info->name);
}

static bool no_such_place(const al_places *places, const char *name, al_problem *problem)
{
    char known[600] = "auto", one[128];
    for (size_t i = 0; i < places->count; i++) {
        size_t used = strlen(known);
        describe(&places->info[i], one, sizeof one);
        if (places->info[i].state != ALLOT_PLACE_ASIDE &&
            used + strlen(one) + sizeof ", , ..." < sizeof known)
            snprintf(known + used, sizeof known - used, ", %s", one);
        else if (places->info[i].state != ALLOT_PLACE_ASIDE) {
            snprintf(known + used, sizeof known - used, ", ...");
            break;
        }
    }
    bool explained = places->message[0];
    return al_problem_set(problem, AL_EXIT_NO_PLACE, "no such place '%.60s': %s are there%s%.300s%s", name,
                          known, explained ? " (" : "", explained ? places->message : "",
                          explained ? ")" : "");
}

static bool is_aside(const allot_place_info *info, al_problem *problem)
{
    if (info->state != ALLOT_PLACE_ASIDE)
        return false;
    al_problem_set(problem, AL_EXIT_NO_PLACE, "place '%s' cannot be used: %s", info->id, info->message);
    return true;
}

static al_target target_of(const allot_place_info *info)
{
    al_target target = { .kind = info->kind, .named = true, .has_f64 = info->has_f64 };
    snprintf(target.name, sizeof target.name, "%s", info->id);
    return target;
}

/* A name that is a kind, or else a word. */
static bool is_meant(const allot_place_info *info, const struct word *word, const char *name)
{
    return word ? info->kind == word->kind : allot_place_is(info, name);
}

/* A name that stands for any of several devices. */
static bool any_meant(al_target *target, const struct word *word, const char *name, const al_places *places,
                      al_problem *problem)
{
    const allot_place_info *aside = NULL;
    *target = (al_target){ .kind = word ? word->kind : ALLOT_OPENCL, .named = !word };
    if ((size_t)snprintf(target->name, sizeof target->name, "%s", name) >= sizeof target->name)
        return no_such_place(places, name, problem);
    bool found = false;
    for (size_t i = 0; i < places->count; i++) {
        const allot_place_info *info = &places->info[i];
        if (!is_meant(info, word, name))
            continue;
        if (info->state == ALLOT_PLACE_ASIDE) {
            aside = info;
            continue;
        }
        found = true;
        target->has_f64 |= info->has_f64;
    }
    if (!found && aside)
        return !is_aside(aside, problem);
    return found ? true : no_such_place(places, name, problem);
}

bool al_target_named(al_target *target, const char *name, allot_executor *executor, al_problem *problem)
{
    const struct word *word = word_named(name);
    al_places places;
    if (!word || !is_pool(word->kind))
        al_places_list(&places,
                       executor); /* for auto too: a choice is between all places, or not worth explaining */
    if (word && (word->kind == ALLOT_ANYWHERE || is_pool(word->kind))) {
        *target = (al_target){ .kind = word->kind, .has_f64 = true };
        snprintf(target->name, sizeof target->name, "%s", word->name);
        return true;
    }
    for (size_t i = 0; i < places.count && !word; i++) {
        if (strcmp(places.info[i].id, name) != 0)
            continue;
        *target = target_of(&places.info[i]);
        return !is_aside(&places.info[i], problem);
    }
    return any_meant(target, word, name, &places, problem);
}

static bool add(al_target *targets, size_t *count, al_target target)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(targets[i].name, target.name) == 0)
            return true; /* named twice */
    if (*count < AL_TARGETS)
        targets[(*count)++] = target;
    return true;
}

/* One word of the list: auto, a place's id, or a kind or word, which stands for each of its places. */
static bool add_named(al_target *targets, size_t *count, const char *name, const al_places *places,
                      al_problem *problem)
{
    const struct word *word = word_named(name);
    if (word && word->kind == ALLOT_ANYWHERE)
        return add(targets, count, (al_target){ .name = "auto", .has_f64 = true });
    bool found = false;
    for (size_t i = 0; i < places->count; i++) {
        const allot_place_info *info = &places->info[i];
        bool exact = strcmp(info->id, name) == 0;
        if (!exact && !is_meant(info, word, name))
            continue;
        if (exact && is_aside(info, problem))
            return false;
        if (info->state != ALLOT_PLACE_ASIDE)
            found = add(targets, count, target_of(info));
    }
    return found ? true : no_such_place(places, name, problem);
}

static void add_default(al_target *targets, size_t *count, const al_places *places)
{
    static const allot_kind order[] = { ALLOT_THREAD, ALLOT_PROCESS, ALLOT_OPENCL };
    for (size_t k = 0; k < sizeof order / sizeof order[0]; k++)
        for (size_t i = 0; i < places->count; i++)
            if (places->info[i].kind == order[k] && places->info[i].state != ALLOT_PLACE_ASIDE)
                add(targets, count, target_of(&places->info[i]));
    add(targets, count, (al_target){ .name = "auto", .has_f64 = true });
}

/* A list while it is read. */
typedef struct list {
    al_target *targets;
    size_t *count;
    const al_places *places;
} list;

static bool add_word(const char *word, void *user, al_problem *problem)
{
    list *all = user;
    return add_named(all->targets, all->count, word, all->places, problem);
}

bool al_target_list(al_target *targets, size_t *count, const char *names, const al_places *places,
                    al_problem *problem)
{
    *count = 0;
    if (!names) {
        add_default(targets, count, places);
        return true;
    }
    list all = { targets, count, places };
    return al_option_list("--places", names, add_word, &all, problem);
}

allot_hints al_target_hints(const al_target *target)
{
    allot_hints hints;
    allot_hints_init(&hints);
    hints.place = target->kind;
    hints.place_id = target->named ? target->name : NULL;
    return hints;
}
