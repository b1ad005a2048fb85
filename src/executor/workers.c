/* How many workers there are, and what they keep: the calls about threads rather than tasks. */
#include "base/blocks.h"
#include "base/slab.h"
#include "executor/executor.h"
#include "places/thread/pool.h"
#include "sync/wait.h"
#include <string.h>

static al_place *find(allot_executor *executor, const char *id)
{
    size_t count = atomic_load_explicit(&executor->place_count, memory_order_acquire);
    for (size_t i = 0; i < count; i++)
        if (strcmp(executor->places[i]->id, id) == 0)
            return executor->places[i];
    return NULL;
}

static allot_status resize(allot_executor *executor, const char *id, int min, int max, al_failure *failure)
{
    if (!executor || !id)
        return al_failure_set(failure, ALLOT_INVALID, "allot_resize: %s is NULL",
                              executor ? "the place" : "the executor");
    if (min < 1 || max < min || max > ALLOT_WORKERS_MAX)
        return al_failure_set(failure, ALLOT_INVALID, "allot_resize: %d to %d workers: 1 to %d are possible",
                              min, max, ALLOT_WORKERS_MAX);
    al_place *place = find(executor, id);
    if (!place)
        return al_failure_set(failure, ALLOT_NOT_FOUND, "allot_resize: no place is called '%s'", id);
    if (!place->ops->resize)
        return al_failure_set(failure, ALLOT_UNSUPPORTED, "allot_resize: the workers of '%s' cannot change",
                              id);
    return place->ops->resize(place, min, max, failure);
}

allot_status allot_resize(allot_executor *executor, const char *place, int min, int max)
{
    if (al_forked())
        return ALLOT_FORKED;
    al_failure failure = { 0 };
    allot_status status = resize(executor, place, min, max, &failure);
    if (status != ALLOT_OK)
        al_last_error_take(status, &failure);
    return status;
}

/* ---- Blocking ---- */

void allot_blocking_begin(void)
{
    if (al_worker_mine && !al_forked())
        al_crew_blocking(al_worker_mine, true);
}

void allot_blocking_end(void)
{
    if (al_worker_mine && !al_forked() && al_worker_mine->blocking > 0)
        al_crew_blocking(al_worker_mine, false);
}

static void tell_blocking(bool begins)
{
    if (begins)
        allot_blocking_begin();
    else
        allot_blocking_end();
}

void al_workers_watch_waits(void)
{
    atomic_store_explicit(&al_wait_blocking, tell_blocking, memory_order_release);
}

size_t allot_trim(void)
{
    return al_forked() ? 0 : al_slab_trim() + al_blocks_trim();
}
