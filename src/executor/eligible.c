#include "executor/eligible.h"
#include "executor/classes.h"
#include "places/select.h"
#include <stdio.h>
#include <string.h>

/* ---- The hints ---- */

static const char *asks_for_kind(allot_kind kind)
{
    switch (kind) {
#define ASKS(name, value, text)                                                                              \
    case ALLOT_##name:                                                                                       \
        return "the hints ask for " text;
        ALLOT_KIND_LIST(ASKS)
#undef ASKS
    case ALLOT_ANYWHERE:
        break;
    }
    return "the hints ask for another place";
}

static const char *forbids_kind(allot_kind kind)
{
    switch (kind) {
#define FORBIDS(name, value, text)                                                                           \
    case ALLOT_##name:                                                                                       \
        return "the hints forbid " text;
        ALLOT_KIND_LIST(FORBIDS)
#undef FORBIDS
    case ALLOT_ANYWHERE:
        break;
    }
    return "the hints forbid it";
}

static bool is_named(const al_place *place, const al_terms *terms)
{
    return strcmp(terms->place_id, place->id) == 0 || (terms->word && al_select_means(terms->word, place));
}

static const char *hints_against(const al_place *place, const al_terms *terms)
{
    bool named = terms->place_id != NULL, asked = terms->kind != ALLOT_ANYWHERE;
    if (named && !is_named(place, terms))
        return terms->names_other;
    if (asked && terms->kind != place->kind)
        return asks_for_kind(terms->kind);
    if (terms->forbid & ALLOT_KIND_BIT(place->kind))
        return forbids_kind(place->kind);
    if (place->only_by_name && !named && !asked)
        return "used only when asked for";
    return NULL;
}

const char *al_eligible_asks_for(const al_terms *terms)
{
    if (terms->place_id)
        return terms->names_other;
    return terms->kind != ALLOT_ANYWHERE ? asks_for_kind(terms->kind) : NULL;
}

/* ---- The place ---- */

/* A deterministic launch that went now to the CPU and now to a device would have other bits each time. */
static bool strays(const al_place *place, const al_task *task)
{
    const al_launch *launch = al_task_launch(task);
    return launch && launch->deterministic && place->kind == ALLOT_OPENCL && launch->kernel->desc.cpu &&
           al_terms_of(task)->kind != ALLOT_OPENCL && !al_terms_of(task)->place_id;
}

static bool too_small(const al_place *place, const al_terms *terms)
{
    return terms->memory_bytes && terms->memory_bytes > place->alike->memory_bytes;
}

static const char *say_too_small(const al_place *place, const al_terms *terms, char room[AL_REASON_MAX])
{
    snprintf(room, AL_REASON_MAX, "it has %llu bytes of memory, and the hints say that %llu are needed",
             (unsigned long long)place->alike->memory_bytes, (unsigned long long)terms->memory_bytes);
    return room;
}

__attribute__((noinline)) static const char *say_aside(const al_place *place, char room[AL_REASON_MAX])
{
    char message[128];
    al_place_message(place, message, sizeof message);
    snprintf(room, AL_REASON_MAX, "set aside: %s", message);
    return room;
}

__attribute__((noinline)) static const char *against_terms(const al_place *place, const al_terms *terms,
                                                           char room[AL_REASON_MAX])
{
    const char *against = hints_against(place, terms);
    return against ? against : too_small(place, terms) ? say_too_small(place, terms, room) : NULL;
}

/* Asked of every place at every decision: mostly the hints say nothing. What is rare is kept out of line, and
 * its registers and text off this function's stack. */
const char *al_eligible_not(const al_place *place, const al_task *task, char room[AL_REASON_MAX])
{
    const al_terms *terms = al_terms_of(task);
    const char *against = terms->narrows || place->only_by_name ? against_terms(place, terms, room) : NULL;
    if (against)
        return against;
    if (atomic_load_explicit(&((al_place *)place)->state, memory_order_acquire) == ALLOT_PLACE_ASIDE)
        return say_aside(place, room);
    room[0] = '\0';
    if (!place->ops->can_run(place, task, room, AL_REASON_MAX))
        return room[0] ? room : "it cannot run it";
    return strays(place, task) ? "a deterministic launch leaves the CPU's places only when asked to" : NULL;
}

al_eligible_launch al_eligible_begin(const al_task *task)
{
    char room[AL_REASON_MAX];
    bool leaves_all = !al_terms_of(task)->narrows && !al_task_launch(task)->deterministic;
    return (al_eligible_launch){ leaves_all, al_place_runs_c(NULL, task, room, sizeof room) };
}

/* ---- What is wrong if nobody can ---- */

static size_t place_count(const allot_executor *executor)
{
    return atomic_load_explicit(&executor->place_count, memory_order_acquire);
}

static bool is_there(const allot_executor *executor, const al_terms *terms)
{
    for (size_t i = 0; i < place_count(executor); i++)
        if (is_named(executor->places[i], terms))
            return true;
    return false;
}

static bool begins_with_opencl(const char *place_id)
{
    return strncmp(place_id, "opencl", strlen("opencl")) == 0;
}

static bool has_place(const allot_executor *executor, const char *id)
{
    for (size_t i = 0; i < place_count(executor); i++)
        if (strcmp(executor->places[i]->id, id) == 0)
            return true;
    return false;
}

bool al_eligible_names_device(const allot_executor *executor, const al_terms *terms)
{
    if (!terms->place_id)
        return terms->kind == ALLOT_OPENCL;
    return terms->kind == ALLOT_OPENCL || begins_with_opencl(terms->place_id) ||
           (terms->word && !has_place(executor, terms->place_id));
}

/* No place is what the hints ask for. */
static allot_status not_there(const allot_executor *executor, const al_terms *terms, al_failure *failure)
{
    char ids[1024];
    const char *asked = terms->place_id ? terms->place_id : allot_kind_name(terms->kind);
    al_select_list(executor->places, place_count(executor), ids, sizeof ids);
    if (terms->place_id && is_there(executor, terms))
        return al_failure_set(failure, ALLOT_NO_PLACE,
                              "the hints contradict each other: place_id '%s', place %s", terms->place_id,
                              allot_kind_name(terms->kind));
    if (terms->place_id ? begins_with_opencl(terms->place_id) : terms->kind == ALLOT_OPENCL)
        return al_failure_set(failure, ALLOT_NO_DEVICE, "%s: no such device (places: %s)%s%s", asked, ids,
                              executor->devices_message[0] ? ": " : "", executor->devices_message);
    if (terms->place_id)
        return al_failure_set(failure, ALLOT_NOT_FOUND, "no place is called '%s': there are %s%s%s", asked,
                              ids, executor->devices_message[0] ? "; devices: " : "",
                              executor->devices_message);
    if (!ids[0])
        return al_failure_set(failure, ALLOT_NO_PLACE, "the executor has no place; its devices: %s",
                              executor->devices_message[0] ? executor->devices_message : "not looked for");
    return al_failure_set(
        failure, ALLOT_NO_PLACE,
        "the hints leave no place: there are %s, of which process and inline run only what asks for them",
        ids);
}

allot_status al_eligible_nobody(allot_executor *executor, const al_task *task, al_failure *failure)
{
    char room[AL_REASON_MAX], reasons[1024] = "";
    size_t asked_for = 0, used = 0;
    for (size_t i = 0; i < place_count(executor); i++) {
        const al_place *place = executor->places[i];
        if (hints_against(place, al_terms_of(task)))
            continue;
        asked_for++;
        const char *why = al_eligible_not(place, task, room);
        if (why && used < sizeof reasons)
            used += (size_t)snprintf(reasons + used, sizeof reasons - used, "%s%s: %s", used ? "; " : "",
                                     place->id, why);
    }
    if (!asked_for)
        return not_there(executor, al_terms_of(task), failure);
    return al_failure_set(failure, ALLOT_NO_PLACE, "%s cannot run: %s", al_task_name(task), reasons);
}
