/* Copies of arrays in memory that workers can map: an array that lies in a memfd shares its pages, memory
 * that the caller wrapped is copied into one of the place's own. */
#include "places/process/pool.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static al_process *place_of(al_memory *memory)
{
    return (al_process *)((char *)memory - offsetof(al_process, memory));
}

static al_shared_copy *copy_from(al_copy *copy)
{
    return (al_shared_copy *)copy; /* the first member */
}

/* Memory of its own for wrapped data. */
static bool make_pages(al_shared_copy *copy)
{
    copy->fd = al_shared_create("allot-copy", copy->bytes);
    if (copy->fd < 0)
        return false;
    void *pages = mmap(NULL, copy->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, copy->fd, 0);
    if (pages == MAP_FAILED) {
        close(copy->fd);
        return false;
    }
    copy->pages = pages;
    return true;
}

static allot_status create(al_memory *memory, allot_array *array, al_copy **result, al_failure *failure)
{
    al_process *place = place_of(memory);
    al_shared_copy *copy = calloc(1, sizeof *copy);
    if (!copy)
        return ALLOT_NO_MEMORY;
    copy->base.shares_pages = array->fd >= 0;
    copy->fd = array->fd;
    copy->bytes = copy->base.shares_pages ? array->host_bytes : array->size_bytes ? array->size_bytes : 1;
    if (!copy->base.shares_pages && !make_pages(copy)) {
        free(copy);
        return al_failure_set(failure, ALLOT_NO_MEMORY, "no shared memory for an array of %zu bytes: %s",
                              array->size_bytes, strerror(errno));
    }
    pthread_mutex_lock(&place->lock);
    copy->id = ++place->copies;
    pthread_mutex_unlock(&place->lock);
    *result = &copy->base;
    return ALLOT_OK;
}

static allot_status upload(al_copy *base, size_t begin, size_t end, al_failure *failure)
{
    (void)failure;
    al_shared_copy *copy = copy_from(base);
    if (copy->pages)
        memcpy(copy->pages + begin, base->array->host + begin, end - begin);
    return ALLOT_OK;
}

static allot_status download(al_copy *base, size_t begin, size_t end, al_failure *failure)
{
    (void)failure;
    al_shared_copy *copy = copy_from(base);
    if (copy->pages)
        memcpy(base->array->host + begin, copy->pages + begin, end - begin);
    return ALLOT_OK;
}

/* With the lock held: workers that have it mapped are to let go of it. */
static bool mark_stale(al_process *place, uint64_t id)
{
    bool found = false;
    for (al_worker *worker = place->workers; worker; worker = worker->next)
        for (size_t i = 0; i < AL_ARRAYS_MAX; i++)
            if (worker->arrays[i].copy == id)
                found = worker->arrays[i].stale = true;
    return found;
}

static void destroy(al_copy *base)
{
    al_process *place = place_of(base->memory);
    al_shared_copy *copy = copy_from(base);
    pthread_mutex_lock(&place->lock);
    bool mapped = mark_stale(place, copy->id);
    place->arrays_stale |= mapped;
    pthread_mutex_unlock(&place->lock);
    if (mapped)
        al_process_attend(place);
    if (copy->pages) {
        munmap(copy->pages, copy->bytes);
        close(copy->fd);
    }
    free(copy);
}

const al_memory_ops al_shared_memory_ops = { create, upload, download, destroy };
