#include "core/array.h"
#include "base/shared.h"
#include "core/number.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- Host memory ---- */

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static bool map_host(allot_array *array)
{
    size_t page = page_size();
    array->host_bytes = array->size_bytes ? (array->size_bytes + page - 1) / page * page : page;
    array->fd = al_shared_create("allot-array",
                                 array->host_bytes); /* -1, too many descriptors: it is copied for workers */
    int flags = array->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void *host = mmap(NULL, array->host_bytes, PROT_READ | PROT_WRITE, flags, array->fd, 0);
    if (host == MAP_FAILED) {
        if (array->fd >= 0)
            close(array->fd);
        return false;
    }
    array->host = host;
    return true;
}

/* ---- Life ---- */

static bool size_fits(allot_type type, size_t count, size_t *bytes)
{
    size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * page_size();
    return !__builtin_mul_overflow(count, allot_type_size(type), bytes) && *bytes <= memory;
}

/* An array without host memory yet; NULL when memory is out. */
static allot_array *create(allot_type type, size_t count, size_t bytes)
{
    static _Atomic uint64_t ids;
    allot_array *array = calloc(1, sizeof *array);
    if (!array)
        return NULL;
    atomic_init(&array->references, 1);
    array->type = type;
    array->count = count;
    array->size_bytes = bytes;
    array->fd = -1;
    array->id = atomic_fetch_add(&ids, 1) + 1;
    array->stats.size = sizeof array->stats;
    pthread_mutex_init(&array->lock, NULL);
    pthread_cond_init(&array->moved, NULL);
    return array;
}

/* The same after checks; NULL with the thread's last error set. */
static allot_array *make(const char *maker, allot_executor *executor, allot_type type, size_t count)
{
    size_t bytes;
    if (al_forked())
        return al_last_error(ALLOT_FORKED, "%s: %s", maker, allot_status_text(ALLOT_FORKED));
    if (!executor)
        return al_last_error(ALLOT_INVALID, "%s: the executor is NULL", maker);
    if (!allot_type_size(type))
        return al_last_error(ALLOT_INVALID, "%s: %d is not an element type", maker, (int)type);
    if (!size_fits(type, count, &bytes))
        return al_last_error(ALLOT_TOO_LARGE, "%s: %zu elements of %s are more than this machine's memory",
                             maker, count, allot_type_name(type));
    allot_array *array = create(type, count, bytes);
    return array ? array : al_last_error(ALLOT_NO_MEMORY, "%s: out of memory", maker);
}

static void destroy(allot_array *array);

/* Gives a made array its host memory and says that all of it is current there. */
static allot_array *finish(const char *maker, allot_array *array, void *wrapped)
{
    bool there = al_ranges_reserve(&array->host_valid) && (wrapped || map_host(array));
    if (!there) {
        destroy(array);
        return al_last_error(ALLOT_NO_MEMORY, "%s: no memory for %zu bytes: %s", maker, array->size_bytes,
                             strerror(errno));
    }
    if (wrapped)
        array->host = wrapped;
    al_ranges_add(&array->host_valid, 0, array->size_bytes);
    return array;
}

allot_array *allot_array_new(allot_executor *executor, allot_type type, size_t count)
{
    allot_array *array = make("allot_array_new", executor, type, count);
    return array ? finish("allot_array_new", array, NULL) : NULL;
}

allot_array *al_array_own(allot_type type, size_t count)
{
    size_t bytes;
    allot_array *array = size_fits(type, count, &bytes) ? create(type, count, bytes) : NULL;
    return array ? finish("al_array_own", array, NULL) : NULL;
}

allot_array *al_array_over(allot_type type, size_t count, void *data)
{
    allot_array *array = create(type, count, count * allot_type_size(type));
    return array ? finish("al_array_over", array, data) : NULL;
}

allot_array *al_array_shared(size_t bytes)
{
    allot_array *array = create(ALLOT_U8, bytes, bytes);
    if (!array)
        return NULL;
    if (!al_ranges_reserve(&array->host_valid) || !map_host(array) || array->fd < 0) {
        destroy(array);
        return NULL;
    }
    al_ranges_add(&array->host_valid, 0, bytes);
    return array;
}

allot_array *allot_array_full(allot_executor *executor, allot_type type, size_t count, double value)
{
    unsigned char element[16] = { 0 };
    if (allot_type_size(type) && !al_number_store(element, type, value))
        return al_last_error(ALLOT_INVALID, "allot_array_full: %g does not fit an element of %s", value,
                             allot_type_name(type));
    allot_array *array = make("allot_array_full", executor, type, count);
    if (!array || !(array = finish("allot_array_full", array, NULL)))
        return NULL;
    size_t size = allot_type_size(type);
    for (size_t i = 0; i < count; i++)
        memcpy(array->host + i * size, element, size);
    return array;
}

allot_array *allot_array_from(allot_executor *executor, allot_type type, size_t count, const void *data)
{
    if (!data && count)
        return al_last_error(ALLOT_INVALID, "allot_array_from: the data is NULL");
    allot_array *array = make("allot_array_from", executor, type, count);
    if (!array || !(array = finish("allot_array_from", array, NULL)))
        return NULL;
    if (count)
        memcpy(array->host, data, array->size_bytes);
    return array;
}

allot_array *allot_array_wrap(allot_executor *executor, allot_type type, size_t count, void *data,
                              allot_array_free free_data, void *user)
{
    size_t element = allot_type_size(type);
    if (!data)
        return al_last_error(ALLOT_INVALID, "allot_array_wrap: the data is NULL");
    if (element && (uintptr_t)data % (element > 8 ? 8 : element))
        return al_last_error(ALLOT_INVALID, "allot_array_wrap: the data is not aligned for elements of %s",
                             allot_type_name(type));
    allot_array *array = make("allot_array_wrap", executor, type, count);
    if (!array || !(array = finish("allot_array_wrap", array, data)))
        return NULL;
    array->free_data = free_data;
    array->free_user = user;
    return array;
}

allot_array *allot_array_hold(allot_array *array)
{
    if (array)
        atomic_fetch_add_explicit(&array->references, 1, memory_order_relaxed);
    return array;
}

void allot_array_release(allot_array *array)
{
    if (!array || al_forked()) /* there its locks may be held for ever, and its copies are the parent's */
        return;
    if (atomic_fetch_sub_explicit(&array->references, 1, memory_order_acq_rel) == 1)
        destroy(array);
}

allot_type allot_array_type(const allot_array *array)
{
    return array ? array->type : ALLOT_NO_TYPE;
}

size_t allot_array_count(const allot_array *array)
{
    return array ? array->count : 0;
}

allot_status allot_array_get_stats(const allot_array *array, allot_array_stats *stats)
{
    if (!array || !stats || !stats->size)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    allot_array *locked = (allot_array *)array;
    pthread_mutex_lock(&locked->lock);
    allot_array_stats now = array->stats;
    pthread_mutex_unlock(&locked->lock);
    now.size = stats->size < sizeof now ? stats->size : sizeof now;
    memcpy(stats, &now, now.size);
    return ALLOT_OK;
}

static void destroy(allot_array *array)
{
    while (array->copies)
        al_memory_forget(array->copies);
    if (array->host_bytes && array->host)
        munmap(array->host, array->host_bytes);
    if (array->fd >= 0)
        close(array->fd);
    if (array->free_data)
        array->free_data(array->host, array->free_user);
    al_spans_fini(&array->turns);
    al_ranges_fini(&array->host_valid);
    al_ranges_fini(&array->poisoned);
    free(array->poison);
    pthread_cond_destroy(&array->moved);
    pthread_mutex_destroy(&array->lock);
    free(array);
}
