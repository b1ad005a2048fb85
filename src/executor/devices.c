/* The search for devices: slow, so it runs in a thread of its own when a task could first use one, beside the
 * tasks of other places. */
#include "base/log.h"
#include "base/thread.h"
#include "core/loading.h"
#include "executor/executor.h"
#include "executor/arm.h"
#include "executor/classes.h"
#include "executor/fallback.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A device is listed once it has been brought up, or set aside with the reason. */
static void add_place(allot_executor *executor, al_place *place)
{
    place->elsewhere = al_fallback;
    al_executor_ensure_open(executor, place);
    if (!al_executor_list(executor, place)) {
        al_log(AL_LOG_WARNING, "out of memory: place %s is left out", place->id);
        place->ops->close(place);
    }
}

static void discover_slow(allot_executor *executor)
{
    al_place *found[AL_PLACES_MAX];
    char message[sizeof executor->devices_message] = "";
    for (const al_place_kind *const *kind = al_place_kinds; *kind; kind++) {
        if (!(*kind)->slow || !(executor->kinds & ALLOT_KIND_BIT((*kind)->kind)))
            continue;
        size_t room = executor->place_capacity - atomic_load(&executor->place_count);
        size_t count = (*kind)->discover(
            &executor->config, found, room < AL_PLACES_MAX ? room : AL_PLACES_MAX, message, sizeof message);
        for (size_t i = 0; i < count; i++)
            add_place(executor, found[i]);
    }
    memcpy(executor->devices_message, message, sizeof message);
}

/* With the lock held. */
static void know(allot_executor *executor)
{
    executor->devices = AL_DEVICES_KNOWN;
    atomic_store_explicit(&executor->devices_known, true, memory_order_release);
}

static void *search(void *of)
{
    allot_executor *executor = of;
    al_loading_here();
    discover_slow(executor);
    al_loading_end();
    pthread_mutex_lock(&executor->lock);
    know(executor);
    al_terms *waiting = executor->for_devices;
    executor->for_devices = NULL;
    pthread_cond_broadcast(&executor->changed);
    pthread_mutex_unlock(&executor->lock);
    while (waiting) {
        al_terms *terms = waiting;
        waiting = terms->next_for_devices;
        al_arm_go(terms);
    }
    return NULL;
}

static bool start_thread(allot_executor *executor)
{
    int error = al_loading_begin() ? 0 : ECANCELED;
    if (!error) {
        error = al_thread_start(&executor->search, NULL, search, executor);
        if (error)
            al_loading_end();
    }
    executor->search_started = error == 0;
    if (!error)
        return true;
    snprintf(executor->devices_message, sizeof executor->devices_message,
             "cannot start the search for devices: %s", strerror(error));
    return false;
}

static bool has_slow_kind(const allot_executor *executor)
{
    for (const al_place_kind *const *kind = al_place_kinds; *kind; kind++)
        if ((*kind)->slow && executor->kinds & ALLOT_KIND_BIT((*kind)->kind))
            return true;
    return false;
}

/* With the lock held. */
static void search_locked(allot_executor *executor)
{
    if (executor->devices != AL_DEVICES_UNKNOWN)
        return;
    bool searching = false;
    if (has_slow_kind(executor))
        searching = start_thread(executor);
    else
        snprintf(executor->devices_message, sizeof executor->devices_message,
                 "this executor uses no devices: they are left out of this build or of its options");
    if (searching)
        executor->devices = AL_DEVICES_SEARCHING;
    else
        know(executor);
}

bool al_devices_search(allot_executor *executor)
{
    if (al_devices_known(executor))
        return true;
    pthread_mutex_lock(&executor->lock);
    search_locked(executor);
    bool known = executor->devices == AL_DEVICES_KNOWN;
    pthread_mutex_unlock(&executor->lock);
    return known;
}

bool al_devices_searching(allot_executor *executor)
{
    if (al_devices_known(executor))
        return false;
    pthread_mutex_lock(&executor->lock);
    bool searching = executor->devices == AL_DEVICES_SEARCHING;
    pthread_mutex_unlock(&executor->lock);
    return searching;
}

void al_devices_wait(allot_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    search_locked(executor);
    while (executor->devices != AL_DEVICES_KNOWN)
        pthread_cond_wait(&executor->changed, &executor->lock);
    pthread_mutex_unlock(&executor->lock);
    al_devices_fini(executor); /* the thread is through, or about to be */
}

bool al_devices_await(allot_executor *executor, al_terms *terms)
{
    if (al_devices_known(executor))
        return false;
    pthread_mutex_lock(&executor->lock);
    search_locked(executor);
    bool waits = executor->devices != AL_DEVICES_KNOWN;
    if (waits) { /* at the end, so that they go in their order */
        al_terms **link = &executor->for_devices;
        while (*link)
            link = &(*link)->next_for_devices;
        terms->next_for_devices = NULL;
        *link = terms;
    }
    pthread_mutex_unlock(&executor->lock);
    return waits;
}

void al_devices_fini(allot_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    bool started = executor->search_started;
    executor->search_started = false;
    pthread_mutex_unlock(&executor->lock);
    if (started)
        pthread_join(executor->search, NULL);
}

/* ---- For users ---- */

size_t allot_places(allot_executor *executor, allot_place_info *infos, size_t capacity)
{
    if (!executor || al_forked())
        return 0;
    al_devices_wait(executor);
    size_t count = atomic_load(&executor->place_count);
    size_t stride =
        infos && capacity ? infos->size : 0; /* the caller's, whose header may be older or newer */
    for (size_t i = 0; i < count && i < capacity && infos; i++)
        al_place_describe(executor->places[i], (allot_place_info *)((char *)infos + i * stride));
    return count;
}

size_t allot_drivers(allot_executor *executor, allot_driver_info *infos, size_t capacity)
{
    if (!executor || al_forked())
        return 0;
    al_devices_wait(executor);
    for (const al_place_kind *const *kind = al_place_kinds; *kind; kind++)
        if ((*kind)->drivers && executor->kinds & ALLOT_KIND_BIT((*kind)->kind))
            return (*kind)->drivers(infos, capacity);
    return 0;
}

const char *allot_devices_message(allot_executor *executor)
{
    if (!executor)
        return "";
    if (al_forked())
        return allot_status_text(ALLOT_FORKED);
    al_devices_wait(executor);
    return executor->devices_message;
}

const char *allot_kind_name(allot_kind kind)
{
    switch (kind) {
    case ALLOT_ANYWHERE:
        return "anywhere";
#define KIND_NAME(name, value, text)                                                                         \
    case ALLOT_##name:                                                                                       \
        return text;
        ALLOT_KIND_LIST(KIND_NAME)
    default:
        return "?";
    }
}
