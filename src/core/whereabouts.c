/* What placement asks of an array before anything moves: which bytes are missing where, and whether the host
 * is wont to read what is written elsewhere. */
#include "core/array.h"

static size_t lacking(const al_ranges *valid, size_t begin, size_t end)
{
    size_t missing = 0;
    al_range gap = { begin, begin };
    while (al_ranges_gap(valid, gap.end, end, &gap))
        missing += gap.end - gap.begin;
    return missing;
}

void al_array_whereabouts(allot_array *array, size_t begin, size_t end, al_whereabouts *where)
{
    where->bytes = end - begin;
    where->has_pages = array->host_bytes != 0;
    where->count = 0;
    pthread_mutex_lock(&array->lock);
    where->host_lacks = lacking(&array->host_valid, begin, end);
    for (const al_copy *copy = array->copies; copy && where->count < AL_COPIES_SEEN;
         copy = copy->next_of_array) {
        size_t lacks = copy->shares_pages ? 0 : lacking(&copy->valid, begin, end);
        where->copies[where->count++] = (struct al_seen_copy){ copy->memory, lacks, copy->shares_pages };
    }
    pthread_mutex_unlock(&array->lock);
}

/* ---- The host's habit ---- */

#define HABIT 16 /* writes, after which what came before counts for half */

void al_array_note_written(allot_array *array)
{
    if (array->written >= HABIT) {
        array->written = array->written / 2;
        array->read_back = array->read_back / 2;
    }
    array->written++;
    array->unread = true;
}

double al_array_read_back_share(allot_array *array)
{
    if (atomic_load_explicit(&array->host_waits, memory_order_relaxed) > 0)
        return 1;
    /* They may not belong together for a moment, which does no harm: only costs are reckoned with them. */
    uint32_t written = atomic_load_explicit(&array->written, memory_order_relaxed);
    uint32_t read_back = atomic_load_explicit(&array->read_back, memory_order_relaxed);
    return written == 0 ? 0 : read_back < written ? (double)read_back / written : 1;
}

void al_array_host_waits(allot_array *array)
{
    atomic_fetch_add_explicit(&array->host_waits, 1, memory_order_relaxed);
}

void al_array_host_reads(allot_array *array)
{
    atomic_fetch_sub_explicit(&array->host_waits, 1, memory_order_relaxed);
    pthread_mutex_lock(&array->lock);
    array->read_back += array->unread;
    array->unread = false;
    pthread_mutex_unlock(&array->lock);
}
