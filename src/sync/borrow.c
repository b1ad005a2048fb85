#include "sync/borrow.h"
#include "sync/wait.h"
#include <unistd.h>

#define KEPT_MAX 32 /* objects that stay open between tasks */

static _Thread_local al_sync_ask ask_parent; /* NULL but in the one thread of a worker */
static void *asker;
static al_sync_object *opened;
static size_t opened_count;
static uint64_t openings;
static bool any_in_task; /* the task that runs has opened one */

void al_borrow_from(al_sync_ask ask, void *user)
{
    ask_parent = ask;
    asker = user;
}

static _Atomic uint64_t *users_word(al_sync_object *object)
{
    return &object->shared->users[object->form.party / 64];
}

static uint64_t users_bit(const al_sync_object *object)
{
    return UINT64_C(1) << (object->form.party % 64);
}

static al_sync_object *find(const allot_sync_ref *ref)
{
    al_sync_object *object = opened;
    while (object && (object->ref.word[0] != ref->word[0] || object->ref.word[1] != ref->word[1]))
        object = object->next;
    return object && !atomic_load(&object->shared->gone) ? object : NULL;
}

static al_sync_object *open_new(const allot_sync_ref *ref)
{
    al_sync_form form;
    int fd = ask_parent(asker, ref, &form);
    al_sync_object *object = fd < 0 ? NULL : al_sync_adopt(ref, &form, fd);
    if (fd >= 0)
        close(fd);
    if (!object)
        return NULL;
    object->next = opened;
    opened = object;
    opened_count++;
    return object;
}

al_sync_object *al_sync_borrow(const allot_sync_ref *ref)
{
    if (!ask_parent)
        return NULL;
    al_sync_object *object = find(ref);
    if (!object)
        object = open_new(ref);
    if (!object)
        return NULL;
    object->used = ++openings;
    any_in_task = true;
    atomic_fetch_or(users_word(object), users_bit(object));
    return object;
}

/* ---- Between tasks ---- */

static uint64_t used_last(void)
{
    uint64_t oldest = UINT64_MAX;
    for (al_sync_object *object = opened; object; object = object->next)
        oldest = object->used < oldest ? object->used : oldest;
    return oldest;
}

/* Closes what is gone, and what was used at that moment. */
static void close_some(uint64_t used)
{
    for (al_sync_object **link = &opened; *link;) {
        al_sync_object *object = *link;
        if (object->used != used && !atomic_load(&object->shared->gone)) {
            link = &object->next;
            continue;
        }
        *link = object->next;
        opened_count--;
        al_sync_abandon(object);
    }
}

void al_borrow_begin(const _Atomic uint32_t *stopping)
{
    al_wait_stopping = stopping;
}

void al_borrow_end(void)
{
    al_wait_stopping = NULL;
    for (al_sync_object *object = any_in_task ? opened : NULL; object; object = object->next)
        atomic_fetch_and(users_word(object), ~users_bit(object));
    any_in_task = false;
    if (opened)
        close_some(0);
    while (opened_count > KEPT_MAX)
        close_some(used_last());
}
