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
    const al_counters *counters = &place->counters;
    uint64_t succeeded = get(&counters->succeeded), failed = get(&counters->failed);
    uint64_t cancelled = get(&counters->cancelled), started = get(&counters->started);
    snprintf(metrics->id, sizeof metrics->id, "%s", place->id);
    metrics->succeeded = succeeded;
    metrics->failed = failed;
    metrics->cancelled = cancelled;
    metrics->running = above(started, succeeded + failed);
    metrics->queued = above(get(&counters->enqueued), started + cancelled);
    metrics->busy_ns = get(&counters->busy_ns);
    metrics->restarts = get(&counters->restarts);
    metrics->workers = atomic_load_explicit((_Atomic int *)&counters->workers, memory_order_relaxed);
    metrics->bytes_in = place->memory ? get(&place->memory->bytes_to) : 0;
    metrics->bytes_out = place->memory ? get(&place->memory->bytes_from) : 0;
}

allot_status allot_get_metrics(allot_executor *executor, allot_metrics *metrics)
{
    if (!executor || !metrics || !metrics->size)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    allot_metrics now = { .size = metrics->size < sizeof now ? metrics->size : sizeof now };
    now.submitted = get(&executor->submitted);
    now.refused = get(&executor->refused);
    now.unfinished = atomic_load(&executor->gate) & ~AL_GATE_CLOSED;
    al_metrics_process(&now.cpu_ns, &now.resident_bytes);
    now.place_count = atomic_load_explicit(&executor->place_count, memory_order_acquire);
    for (size_t i = 0; i < now.place_count; i++)
        fill_place(executor->places[i], &now.places[i]);
    memcpy(metrics, &now, now.size);
    return ALLOT_OK;
}
