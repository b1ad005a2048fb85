#include "sync/object.h"
#include "base/shared.h"
#include "core/call.h"
#include "sync/borrow.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define BUCKETS 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the registry's: guards all of these */
static al_sync_object *buckets[BUCKETS];
static uint64_t made;
static uint64_t parties[AL_PARTIES_MAX / 64] = { 1 << 0 | 1 << AL_PARTY_HOST };

const al_sync_type *al_sync_type_of(uint32_t kind)
{
    static const al_sync_type *const types[AL_SYNC_KINDS] = {
        [AL_SYNC_MUTEX] = &al_mutex_type,         [AL_SYNC_CONDITION] = &al_condition_type,
        [AL_SYNC_SEMAPHORE] = &al_semaphore_type, [AL_SYNC_EVENT] = &al_event_type,
        [AL_SYNC_BARRIER] = &al_barrier_type,     [AL_SYNC_COUNTER] = &al_counter_type,
        [AL_SYNC_QUEUE] = &al_queue_type,
    };
    return kind < AL_SYNC_KINDS ? types[kind] : NULL;
}

/* ---- The registry: the objects that this process has made ---- */

static bool same(const allot_sync_ref *a, const allot_sync_ref *b)
{
    return a->word[0] == b->word[0] && a->word[1] == b->word[1];
}

/* With the lock held. */
static al_sync_object **find(const allot_sync_ref *ref)
{
    al_sync_object **link = &buckets[ref->word[0] % BUCKETS];
    while (*link && !same(&(*link)->ref, ref))
        link = &(*link)->next;
    return link;
}

static void enter(al_sync_object *object)
{
    pthread_mutex_lock(&lock);
    object->ref.word[0] = ++made;
    al_sync_object **bucket = &buckets[made % BUCKETS];
    object->next = *bucket;
    *bucket = object;
    pthread_mutex_unlock(&lock);
}

static void leave(al_sync_object *object)
{
    pthread_mutex_lock(&lock);
    al_sync_object **link = find(&object->ref);
    if (*link)
        *link = object->next;
    pthread_mutex_unlock(&lock);
}

/* ---- Life ---- */

static al_sync_object *handle_create(const al_sync_form *form)
{
    al_sync_object *object = calloc(1, al_sync_type_of(form->kind)->handle_bytes);
    if (!object)
        return NULL;
    object->form = *form;
    object->fd = -1;
    return object;
}

/* With no descriptor it is memory of this process alone. */
static bool map_shared(al_sync_object *object, int fd)
{
    int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
    void *shared = mmap(NULL, object->form.bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    object->shared = shared == MAP_FAILED ? NULL : shared;
    return object->shared;
}

static al_sync_object *no_memory(const char *maker, al_sync_object *object)
{
    if (object && object->fd >= 0)
        close(object->fd);
    free(object);
    return al_last_error(ALLOT_NO_MEMORY, "%s: no shared memory: %s", maker, strerror(errno));
}

al_sync_object *al_sync_create(const char *maker, allot_executor *executor, const al_sync_form *form)
{
    size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    if (al_forked())
        return al_last_error(ALLOT_FORKED, "%s: %s", maker, allot_status_text(ALLOT_FORKED));
    if (!executor)
        return al_last_error(ALLOT_INVALID, "%s: the executor is NULL", maker);
    if (form->bytes > memory)
        return al_last_error(ALLOT_TOO_LARGE, "%s: more than this machine's memory", maker);
    al_sync_object *object = handle_create(form);
    if (!object)
        return no_memory(maker, object);
    object->form.party = AL_PARTY_HOST;
    object->fd = al_shared_create("allot-sync", object->form.bytes);
    if (!map_shared(object, object->fd) ||
        getrandom(&object->ref.word[1], sizeof object->ref.word[1], 0) != sizeof object->ref.word[1]) {
        if (object->shared)
            munmap(object->shared, object->form.bytes);
        return no_memory(maker, object);
    }
    enter(object);
    return object;
}

/* Workers may keep it mapped until they next look: only its first page stays until then. */
static void free_pages(const al_sync_object *object)
{
    off_t page = (off_t)sysconf(_SC_PAGESIZE);
    if ((off_t)object->form.bytes > page && fallocate(object->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                                      page, (off_t)object->form.bytes - page) != 0)
        return; /* then all of it stays so long */
}

void al_sync_destroy(al_sync_object *object)
{
    if (!object || al_forked())
        return;
    leave(object);
    atomic_store(&object->shared->gone, 1);
    al_sync_type_of(object->form.kind)
        ->died(object, 0); /* nobody's: wakes those who wait in other processes */
    if (object->lent)
        free_pages(object);
    al_sync_abandon(object);
}

allot_sync_ref al_sync_ref(const al_sync_object *object)
{
    return object ? object->ref : (allot_sync_ref){ { 0 } };
}

/* ---- Opening ---- */

static al_sync_object *refuse(allot_call *call, allot_status status, const char *why)
{
    allot_fail(call, status, "%s", why);
    return al_last_error(status, "%s", why);
}

al_sync_object *al_sync_from(allot_call *call, const allot_sync_ref *ref, al_sync_kind kind)
{
    if (al_forked())
        return refuse(call, ALLOT_FORKED, allot_status_text(ALLOT_FORKED));
    if (!ref)
        return refuse(call, ALLOT_INVALID, "the reference is NULL");
    pthread_mutex_lock(&lock);
    al_sync_object *object = *find(ref);
    pthread_mutex_unlock(&lock);
    if (!object && call)
        object = al_sync_borrow(ref);
    if (!object)
        return refuse(call, ALLOT_NOT_FOUND,
                      "the reference names no object that is here: it was destroyed, or cannot be shared");
    if (object->form.kind == (uint32_t)kind)
        return object;
    char why[100];
    snprintf(why, sizeof why, "the reference names a %s, not a %s", al_sync_type_of(object->form.kind)->name,
             al_sync_type_of(kind)->name);
    return refuse(call, ALLOT_INVALID, why);
}

/* ---- Lending ---- */

int al_sync_lend(const allot_sync_ref *ref, uint32_t party, al_sync_form *form)
{
    int fd = -1;
    pthread_mutex_lock(&lock);
    al_sync_object *object = *find(ref);
    if (object && object->fd >= 0 && party) {
        *form = object->form;
        form->party = party;
        object->lent = true;
        fd = fcntl(object->fd, F_DUPFD_CLOEXEC, 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

al_sync_object *al_sync_adopt(const allot_sync_ref *ref, const al_sync_form *form, int fd)
{
    if (!al_sync_type_of(form->kind) || !form->party || form->party >= AL_PARTIES_MAX || fd < 0)
        return NULL;
    al_sync_object *object = handle_create(form);
    if (!object)
        return NULL;
    object->ref = *ref;
    if (map_shared(object, fd))
        return object;
    free(object);
    return NULL;
}

void al_sync_abandon(al_sync_object *object)
{
    munmap(object->shared, object->form.bytes);
    if (object->fd >= 0)
        close(object->fd);
    free(object);
}

/* ---- Parties ---- */

uint32_t al_party_take(void)
{
    uint32_t party = 0;
    pthread_mutex_lock(&lock);
    for (uint32_t word = 0; word < AL_PARTIES_MAX / 64 && !party; word++)
        if (~parties[word]) {
            party = word * 64 + (uint32_t)__builtin_ctzll(~parties[word]);
            parties[word] |= UINT64_C(1) << (party % 64);
        }
    pthread_mutex_unlock(&lock);
    return party;
}

static void settle(al_sync_object *object, uint32_t party)
{
    if (!object->lent)
        return;
    al_sync_type_of(object->form.kind)->died(object, party);
    atomic_fetch_and(&object->shared->users[party / 64], ~(UINT64_C(1) << (party % 64)));
}

void al_party_died(uint32_t party)
{
    if (!party || party >= AL_PARTIES_MAX)
        return;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (al_sync_object *object = buckets[i]; object; object = object->next)
            settle(object, party);
    parties[party / 64] &= ~(UINT64_C(1) << (party % 64));
    pthread_mutex_unlock(&lock);
}
