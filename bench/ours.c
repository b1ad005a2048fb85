#include "ours.h"

#define PLACES_MAX 32

allot_executor *ours_executor(bench_round *round)
{
    static allot_executor *executor;
    int workers = bench_workers(round);
    if (!executor)
        executor = allot_open(ALLOT_OPTIONS(.threads = workers, .processes = workers));
    if (!executor)
        bench_fail(round, "allot_open: %s", allot_open_error());
    return executor;
}

const allot_place_info *ours_place(bench_round *round, allot_kind kind)
{
    static allot_place_info places[PLACES_MAX];
    allot_executor *executor = ours_executor(round);
    for (size_t i = 0; i < PLACES_MAX; i++)
        places[i].size = sizeof places[i];
    size_t count = allot_places(executor, places, PLACES_MAX);
    for (size_t i = 0; i < count && i < PLACES_MAX; i++)
        if (places[i].kind == kind && places[i].state != ALLOT_PLACE_ASIDE)
            return &places[i];
    if (executor)
        bench_skip(round, "no such place here: %s", allot_kind_name(kind));
    return NULL;
}
