/* The snapshot of an executor's counters. */
#include "observe/metrics.h"
#include "executor/executor.h"
#include <stdio.h>
#include <string.h>

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit((_Atomic uint64_t *)counter, memory_order_relaxed);
}

static uint64_t above(uint64_t more, uint64_t less)
{
    return more > less ? more - less : 0; /* counters are read one after the other */
}

static void fill_place(const al_place *place, allot_place_metrics *metrics)
{
    uint64_t counts[AL_COUNTS];
    for (int which = 0; which < AL_COUNTS; which++)
        counts[which] = al_place_counted(place, which);
    uint64_t succeeded = counts[AL_SUCCEEDED], failed = counts[AL_FAILED], ended = succeeded + failed;
    snprintf(metrics->id, sizeof metrics->id, "%s", place->id);
    metrics->succeeded = succeeded;
    metrics->failed = failed;
    metrics->cancelled = counts[AL_CANCELLED];
    metrics->running = above(counts[AL_STARTED], ended);
    metrics->queued = above(counts[AL_ENQUEUED], counts[AL_STARTED] + counts[AL_CANCELLED]);
    metrics->busy_ns = counts[AL_BUSY_NS];
    metrics->restarts = counts[AL_RESTARTS];
    metrics->workers = atomic_load_explicit((_Atomic int *)&place->workers, memory_order_relaxed);
    metrics->bytes_in = place->memory ? get(&place->memory->bytes_to) : 0;
    metrics->bytes_out = place->memory ? get(&place->memory->bytes_from) : 0;
}

static void count_evictions(const allot_executor *executor, allot_metrics *now)
{
    for (size_t i = 0; i < now->place_count; i++) {
        const al_memory *memory = executor->places[i]->memory;
        now->evictions += memory ? get(&memory->evictions) : 0;
        now->evicted_bytes += memory ? get(&memory->evicted_bytes) : 0;
    }
}

allot_status allot_get_metrics(allot_executor *executor, allot_metrics *metrics)
{
    if (!executor || !metrics || !metrics->size)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    allot_metrics now = { .size = metrics->size < sizeof now ? metrics->size : sizeof now };
    now.submitted = al_gate_submitted(executor->gate);
    now.refused = al_gate_refused(executor->gate);
    now.unfinished = al_gate_inside(executor->gate);
    al_metrics_process(&now.cpu_ns, &now.resident_bytes);
    now.place_count = atomic_load_explicit(&executor->place_count, memory_order_acquire);
    for (size_t i = 0; i < now.place_count && i < ALLOT_METRICS_PLACES_MAX; i++)
        fill_place(executor->places[i], &now.places[i]);
    now.retries = atomic_load_explicit(&executor->retries, memory_order_relaxed);
    count_evictions(executor, &now);
    now.deciding_ns = atomic_load_explicit(&executor->deciding_ns, memory_order_relaxed);
    memcpy(metrics, &now, now.size);
    return ALLOT_OK;
}

allot_status allot_get_place_metrics(allot_executor *executor, size_t index, allot_place_metrics *metrics,
                                     size_t size)
{
    if (!executor || !metrics || !size)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    if (index >= atomic_load_explicit(&executor->place_count, memory_order_acquire))
        return ALLOT_NOT_FOUND;
    allot_place_metrics now = { 0 };
    fill_place(executor->places[index], &now);
    memcpy(metrics, &now, size < sizeof now ? size : sizeof now);
    return ALLOT_OK;
}
