#include "core/map.h"
#include "core/chunk.h"
#include <stdlib.h>
#include <string.h>

al_map *al_map_create(size_t count, size_t in_size, size_t out_size, size_t chunk_size)
{
    size_t chunk_count = count / chunk_size + (count % chunk_size != 0), chunk_bytes, bytes, status_bytes;
    if (__builtin_mul_overflow(chunk_count, sizeof(al_map_chunk), &chunk_bytes) ||
        __builtin_mul_overflow(count, sizeof(int32_t), &status_bytes) ||
        __builtin_add_overflow(chunk_bytes, status_bytes, &bytes) || bytes > PTRDIFF_MAX / 2 ||
        chunk_count >= UINT32_MAX) /* what a node can wait for */
        return NULL;
    al_map *map = calloc(1, sizeof *map + bytes);
    if (!map)
        return NULL;
    map->count = count;
    map->in_size = in_size;
    map->out_size = out_size;
    map->chunk_size = chunk_size;
    map->chunk_count = chunk_count;
    map->statuses = (int32_t *)(map->chunks + chunk_count);
    pthread_mutex_init(&map->lock, NULL);
    for (size_t i = 0; i < chunk_count; i++)
        map->chunks[i].map = map;
    return map;
}

void al_map_destroy(al_map *map)
{
    if (!map)
        return;
    for (size_t i = 0; i < map->chunk_count; i++)
        allot_release(map->chunks[i].future);
    pthread_mutex_destroy(&map->lock);
    free(map);
}

allot_status al_map_function(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    return allot_fail(call, ALLOT_INVALID, "a map is not to be run itself");
}

al_map *al_map_of(const al_task *task)
{
    return task->function == al_map_function ? *(al_map *const *)al_task_in(task) : NULL;
}

size_t al_map_chunk_first(const al_map *map, const al_map_chunk *chunk)
{
    return (size_t)(chunk - map->chunks) * map->chunk_size;
}

size_t al_map_chunk_items(const al_map *map, const al_map_chunk *chunk)
{
    size_t left = map->count - al_map_chunk_first(map, chunk);
    return left < map->chunk_size ? left : map->chunk_size;
}

/* ---- Landing ---- */

static void copy_items(al_map_chunk *chunk, const allot_future *future)
{
    al_map *map = chunk->map;
    size_t first = al_map_chunk_first(map, chunk), items = al_map_chunk_items(map, chunk);
    const unsigned char *from = al_task_out((const al_task *)future);
    memcpy(map->statuses + first, from, items * sizeof *map->statuses);
    if (map->out_size)
        memcpy(map->results + first * map->out_size, from + al_chunk_results_at(items),
               items * map->out_size);
    for (size_t i = 0; i < items && !chunk->has_errors; i++)
        chunk->has_errors = map->statuses[first + i] != ALLOT_OK;
}

/* After its outcome was written: shows it to all. The map may be gone afterwards. */
static void show(al_map_chunk *chunk)
{
    al_map *map = chunk->map;
    pthread_mutex_lock(&map->lock);
    allot_future *future = chunk->future;
    if (chunk->has_errors)
        future = NULL; /* its messages are still wanted */
    else
        chunk->future = NULL;
    atomic_store(&chunk->landed, true); /* before its items are given out: their outcome is there */
    *(map->first ? &map->last->next : &map->first) = chunk;
    map->last = chunk;
    pthread_mutex_unlock(&map->lock);
    allot_release(future);
    if (atomic_load(&map->waiters))
        al_epoch_bump();
    map->arrive(map->whom);
}

static void land(al_continuation *self, allot_future *future)
{
    al_map_chunk *chunk = (al_map_chunk *)self; /* the first member */
    chunk->state = allot_future_state(future);
    chunk->status = allot_future_status(future);
    if (chunk->status == ALLOT_OK)
        copy_items(chunk, future);
    else
        chunk->has_errors = true;
    show(chunk);
}

void al_map_launch(al_map_chunk *chunk, allot_future *future)
{
    pthread_mutex_lock(&chunk->map->lock);
    chunk->future = future;
    pthread_mutex_unlock(&chunk->map->lock);
    chunk->done.run = land;
    if (!al_future_add(future, &chunk->done))
        land(&chunk->done, future);
}

void al_map_skip(al_map_chunk *chunk, allot_state state, allot_status status)
{
    chunk->state = state;
    chunk->status = status;
    chunk->has_errors = true;
    show(chunk);
}

allot_future *al_map_hold(al_map_chunk *chunk)
{
    pthread_mutex_lock(&chunk->map->lock);
    allot_future *future = allot_hold(chunk->future);
    pthread_mutex_unlock(&chunk->map->lock);
    return future;
}

/* ---- Waiting ---- */

static bool has_landed(void *of)
{
    return atomic_load(&((al_map_chunk *)of)->landed);
}

static bool wait_until(al_map *map, bool (*ready)(void *of), void *of, int64_t deadline_ns)
{
    atomic_fetch_add(&map->waiters, 1);
    bool done = al_wait_until(ready, of, deadline_ns);
    atomic_fetch_sub(&map->waiters, 1);
    return done;
}

bool al_map_wait(al_map_chunk *chunk, int64_t deadline_ns)
{
    return has_landed(chunk) || wait_until(chunk->map, has_landed, chunk, deadline_ns);
}

bool al_map_over(al_map *map)
{
    pthread_mutex_lock(&map->lock);
    bool over = map->given == map->count;
    pthread_mutex_unlock(&map->lock);
    return over;
}

static bool any_landed(void *of)
{
    al_map *map = of;
    pthread_mutex_lock(&map->lock);
    bool ready = map->first || map->given == map->count;
    pthread_mutex_unlock(&map->lock);
    return ready;
}

bool al_map_wait_any(al_map *map, int64_t deadline_ns)
{
    return any_landed(map) || wait_until(map, any_landed, map, deadline_ns);
}

bool al_map_take(al_map *map, size_t *index)
{
    pthread_mutex_lock(&map->lock);
    al_map_chunk *chunk = map->first;
    if (chunk) {
        *index = al_map_chunk_first(map, chunk) + map->taken++;
        map->given++;
        if (map->taken == al_map_chunk_items(map, chunk)) {
            map->first = chunk->next;
            map->taken = 0;
        }
    }
    pthread_mutex_unlock(&map->lock);
    if (chunk && al_map_over(map) && atomic_load(&map->waiters))
        al_epoch_bump();
    return chunk;
}

/* ---- Outcome ---- */

allot_state al_map_item_state(al_map *map, size_t index)
{
    const al_map_chunk *chunk = al_map_chunk_of(map, index);
    if (chunk->status != ALLOT_OK)
        return chunk->state;
    return map->statuses[index] == ALLOT_OK ? ALLOT_STATE_SUCCEEDED : ALLOT_STATE_FAILED;
}

allot_status al_map_item_status(al_map *map, size_t index)
{
    const al_map_chunk *chunk = al_map_chunk_of(map, index);
    return chunk->status != ALLOT_OK ? chunk->status : (allot_status)map->statuses[index];
}

const char *al_map_item_message(al_map *map, size_t index)
{
    const al_map_chunk *chunk = al_map_chunk_of(map, index);
    allot_status status = al_map_item_status(map, index);
    if (status == ALLOT_OK)
        return "";
    /* Once landed with errors, its future stays. */
    const char *message = NULL;
    if (chunk->status != ALLOT_OK && chunk->future)
        message = allot_future_error(chunk->future);
    else if (chunk->future)
        message = al_chunk_message(chunk->future->failure, index);
    return message && *message ? message : allot_status_text(status);
}

allot_status al_map_outcome(al_map *map, al_failure *failure)
{
    const al_map_chunk *chunk = map->chunks, *end = map->chunks + map->chunk_count;
    while (chunk < end && !chunk->has_errors)
        chunk++;
    if (chunk == end)
        return ALLOT_OK;
    size_t index = al_map_chunk_first(map, chunk);
    while (al_map_item_status(map, index) == ALLOT_OK)
        index++;
    return al_failure_set(failure, al_map_item_status(map, index), "item %zu: %s", index,
                          al_map_item_message(map, index));
}
