#include "executor/map.h"
#include "base/clock.h"
#include "core/chunk.h"
#include "executor/control.h"
#include "executor/submit.h"
#include <stdlib.h>
#include <string.h>

#define CHUNKS_A_WORKER 4 /* so that workers that are done early find something left to do */

/* ---- Submitting ---- */

/* The workers of the place that plain functions with these hints go to. */
static size_t workers_for(const allot_executor *executor, const allot_hints *hints)
{
    size_t count = atomic_load_explicit(&executor->place_count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        const al_place *place = executor->places[i];
        bool wanted = hints->place_id ? strcmp(hints->place_id, place->id) == 0
                                      : hints->place == ALLOT_ANYWHERE || hints->place == place->kind;
        if (wanted && place->width > 0)
            return (size_t)place->width;
    }
    return 1;
}

static size_t chunk_size(const allot_executor *executor, const allot_hints *hints, size_t count)
{
    if (hints->chunk)
        return hints->chunk;
    size_t chunks = CHUNKS_A_WORKER * workers_for(executor, hints);
    return count <= chunks ? 1 : count / chunks + (count % chunks != 0);
}

static allot_status check(allot_function function, const void *in, size_t in_size, size_t out_size,
                          size_t count, al_failure *failure)
{
    size_t in_bytes, out_bytes, own_bytes;
    if (!function)
        return al_failure_set(failure, ALLOT_INVALID, "the function is NULL");
    if (!in && in_size && count)
        return al_failure_set(failure, ALLOT_INVALID, "the items are NULL, and each has %zu bytes", in_size);
    if (__builtin_mul_overflow(count, in_size, &in_bytes) ||
        __builtin_mul_overflow(count, out_size, &out_bytes) ||
        __builtin_mul_overflow(count, sizeof(al_map_chunk) + sizeof(int32_t), &own_bytes) ||
        in_bytes > PTRDIFF_MAX / 4 || out_bytes > PTRDIFF_MAX / 4 || own_bytes > PTRDIFF_MAX / 4)
        return al_failure_set(failure, ALLOT_TOO_LARGE,
                              "%zu items of %zu bytes, with results of %zu: more than memory can have", count,
                              in_size, out_size);
    return ALLOT_OK;
}

static void arrive(void *whom)
{
    al_node_arrive(&((al_terms *)whom)->node);
}

/* The map's own task, and in it the map; NULL when memory is out. */
static al_task *create_task(size_t count, size_t in_size, size_t out_size, size_t chunk)
{
    al_map *map = al_map_create(count, in_size, out_size, chunk);
    al_task *task = map ? al_task_create(al_map_function, &map, sizeof(al_map *), count * out_size, 2) : NULL;
    if (!task) {
        al_map_destroy(map);
        return NULL;
    }
    map->results = al_task_out(task);
    map->arrive = arrive;
    return task;
}

/* What all chunks of a map have in common while they are submitted. */
typedef struct submission {
    allot_executor *executor;
    const al_task *task;
    allot_function function;
    const unsigned char *items;
    const allot_hints *hints; /* of each chunk; NULL: none */
    al_chunk *argument;       /* room for one; NULL: memory is out */
} submission;

static void submit_chunk(const submission *work, al_map_chunk *chunk)
{
    const al_map *map = chunk->map;
    size_t first = al_map_chunk_first(map, chunk), count = al_map_chunk_items(map, chunk);
    *work->argument = (al_chunk){ work->function, first, count, map->in_size, map->out_size };
    if (map->in_size)
        memcpy(work->argument + 1, work->items + first * map->in_size, count * map->in_size);
    al_map_launch(chunk, allot_submit(work->executor, al_chunk_call, work->argument,
                                      sizeof *work->argument + count * map->in_size,
                                      al_chunk_results_at(count) + count * map->out_size, work->hints));
}

/* A deadline or a shutdown may end the map while it is submitted: then what is left is not begun. */
static void submit_or_skip(const submission *work, al_map_chunk *chunk)
{
    allot_status stopped = al_task_stop_status(work->task);
    if (allot_cancelled(&work->task->future))
        al_map_skip(chunk, ALLOT_STATE_CANCELLED, ALLOT_CANCELLED);
    else if (stopped != ALLOT_OK)
        al_map_skip(chunk, ALLOT_STATE_FAILED, stopped);
    else if (!work->argument)
        al_map_skip(chunk, ALLOT_STATE_FAILED, ALLOT_NO_MEMORY);
    else
        submit_chunk(work, chunk);
}

static void submit_chunks(submission *work)
{
    al_map *map = al_map_of(work->task);
    size_t most = map->count < map->chunk_size ? map->count : map->chunk_size;
    work->argument = malloc(sizeof *work->argument + most * map->in_size);
    for (size_t i = 0; i < map->chunk_count; i++)
        submit_or_skip(work, &map->chunks[i]);
    free(work->argument);
    /* Who ended the map meanwhile did not see the chunks that came after. */
    if (allot_cancelled(&work->task->future))
        al_map_cancel(map);
    else if (al_task_stop_status(work->task) != ALLOT_OK)
        al_map_stop(map, (int)atomic_load(&work->task->future.stop), al_terms_of(work->task)->grace_ns);
}

/* Deadlines are watched once for the whole; the rest of the hints is the chunks' affair. */
static allot_hints hints_of_whole(const allot_hints *hints)
{
    return (allot_hints){ .size = sizeof *hints,
                          .deadline_ns = hints->deadline_ns,
                          .grace_ns = hints->grace_ns,
                          .name = hints->name ? hints->name : "map" };
}

allot_future *allot_map(allot_executor *executor, allot_function function, const void *in, size_t in_size,
                        size_t out_size, size_t count, const allot_hints *given)
{
    allot_hints hints;
    al_failure failure = { 0 };
    allot_status status = al_submit_check(executor, given, &hints, &failure);
    if (status == ALLOT_OK)
        status = check(function, in, in_size, out_size, count, &failure);
    if (status == ALLOT_OK && !al_gate_enter_task(executor->gate))
        status = ALLOT_SHUTDOWN;
    if (status != ALLOT_OK)
        return al_submit_refuse(executor, status, &failure);
    al_task *task = create_task(count, in_size, out_size, chunk_size(executor, &hints, count));
    al_map *map = task ? al_map_of(task) : NULL;
    allot_hints whole = hints_of_whole(&hints);
    /* One part more than there are chunks: it is ours, until all of them are submitted. */
    allot_future *future = al_submit_gathering(executor, task, &whole, map ? map->chunk_count + 1 : 0);
    if (!al_map_of(al_task_from(future)))
        return future; /* a refusal, maybe in the block that was the map's task */
    map->whom = task->more;
    hints.deadline_ns = 0;
    submit_chunks(&(submission){ executor, task, function, in, given ? &hints : NULL, NULL });
    arrive(map->whom);
    return future;
}

/* ---- Ending early ---- */

/* The last first: a worker that is freed by the end of what it runs finds none that is left to begin. */
static void end_chunks(al_map *map, bool cancel, int reason, int64_t grace_ns)
{
    for (size_t i = map->chunk_count; i-- > 0;) {
        allot_future *future = al_map_hold(&map->chunks[i]);
        if (future && cancel)
            allot_cancel(future);
        else if (future)
            al_control_stop(al_task_from(future), reason, grace_ns);
        allot_release(future);
    }
}

void al_map_cancel(al_map *map)
{
    end_chunks(map, true, AL_STOP_NONE, 0);
}

void al_map_stop(al_map *map, int reason, int64_t grace_ns)
{
    end_chunks(map, false, reason, grace_ns);
}

/* ---- Items ---- */

static al_map *map_from(const allot_future *future)
{
    return future ? al_map_of((const al_task *)future) : NULL;
}

/* ALLOT_OK: the item's outcome is there. Else why it is not: also that of a map that was refused. */
static allot_status await_item(const allot_future *future, size_t index, int64_t timeout_ns)
{
    al_map *map = map_from(future);
    if (!map || index >= map->count) {
        bool refused = !map && allot_future_state(future) == ALLOT_STATE_FAILED;
        return refused ? allot_future_status(future) : ALLOT_INVALID;
    }
    al_map_chunk *chunk = al_map_chunk_of(map, index);
    if (al_map_wait(chunk, 0))
        return ALLOT_OK;
    if (al_forked())
        return ALLOT_FORKED;
    /* The chunk's own future knows best how to be waited for. What is left is an instant. */
    int64_t deadline_ns = al_clock_deadline_ns(timeout_ns);
    allot_future *under_way = timeout_ns > 0 ? al_map_hold(chunk) : NULL;
    if (under_way)
        allot_wait(under_way, timeout_ns);
    allot_release(under_way);
    return timeout_ns > 0 && al_map_wait(chunk, deadline_ns) ? ALLOT_OK : ALLOT_TIMEOUT;
}

allot_status allot_map_item(allot_future *future, size_t index, void *out, size_t size, int64_t timeout_ns)
{
    allot_status status = await_item(future, index, timeout_ns);
    if (status != ALLOT_OK)
        return status;
    al_map *map = map_from(future);
    status = al_map_item_status(map, index);
    if (status != ALLOT_OK || (!out && !size))
        return status;
    if (!out || size != map->out_size)
        return ALLOT_INVALID;
    if (size)
        memcpy(out, map->results + index * size, size);
    return ALLOT_OK;
}

allot_state allot_map_item_state(const allot_future *future, size_t index)
{
    switch (await_item(future, index, 0)) {
    case ALLOT_OK:
        return al_map_item_state(map_from(future), index);
    case ALLOT_TIMEOUT:
        return map_from(future) ? ALLOT_STATE_PENDING : ALLOT_STATE_FAILED;
    default:
        return ALLOT_STATE_FAILED;
    }
}

const char *allot_map_item_error(const allot_future *future, size_t index)
{
    al_map *map = map_from(future);
    allot_status status = await_item(future, index, 0);
    if (map && index < map->count)
        return status == ALLOT_OK ? al_map_item_message(map, index) : "";
    return map || !future ? allot_status_text(ALLOT_INVALID) : allot_future_error(future);
}

allot_status allot_map_next(allot_future *future, size_t *index, int64_t timeout_ns)
{
    al_map *map = map_from(future);
    if (!map || !index) {
        bool refused = !map && allot_future_state(future) == ALLOT_STATE_FAILED;
        return refused ? allot_future_status(future) : ALLOT_INVALID;
    }
    if (al_forked())
        return ALLOT_FORKED;
    int64_t deadline_ns = al_clock_deadline_ns(timeout_ns);
    while (!al_map_take(map, index)) {
        if (!al_map_wait_any(map, timeout_ns > 0 ? deadline_ns : 0))
            return ALLOT_TIMEOUT;
        if (al_map_over(map))
            return ALLOT_END;
    }
    return ALLOT_OK;
}

size_t allot_map_count(const allot_future *future)
{
    const al_map *map = map_from(future);
    return map ? map->count : 0;
}
