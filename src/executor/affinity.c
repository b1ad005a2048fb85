#include "executor/affinity.h"
#include <math.h>

/* Of what was counted this is left when the next launch is: some hundreds of launches are remembered. */
#define KEPT 0.99

/* The first ones are counted all, later ones one in so many: drawn, for programs repeat themselves. */
#define ALL_COUNTED 64
#define ONE_IN      8

static bool is_drawn(uint64_t number)
{
    return number < ALL_COUNTED ||
           (number * UINT64_C(0x9e3779b97f4a7c15)) >> 32 < (UINT64_C(1) << 32) / ONE_IN;
}

static bool is_known(const allot_candidate *candidate)
{
    return candidate->possible && candidate->samples && candidate->run_s > 0 && isfinite(candidate->run_s);
}

/* 0: there are not two classes to compare. */
static double fastest_s(const al_record *record)
{
    double least_s = INFINITY;
    const char *first = NULL;
    bool several = false;
    for (size_t i = 0; i < record->snapshot.candidate_count; i++) {
        const allot_candidate *candidate = &record->candidates[i];
        if (!is_known(candidate))
            continue;
        first = first ? first : candidate->alike;
        several = several || candidate->alike != first; /* interned, or the class's own */
        least_s = candidate->run_s < least_s ? candidate->run_s : least_s;
    }
    return several ? least_s : 0;
}

static double get(_Atomic double *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

/* Decisions of two threads at once may miss each other's: a figure, not synchronisation. */
static void count(al_class *alike, double run_s, double least_s)
{
    atomic_store_explicit(&alike->taken_s, KEPT * get(&alike->taken_s) + run_s, memory_order_relaxed);
    atomic_store_explicit(&alike->fastest_s, KEPT * get(&alike->fastest_s) + least_s, memory_order_relaxed);
    atomic_store_explicit(&alike->usual_ratio, get(&alike->taken_s) / get(&alike->fastest_s),
                          memory_order_relaxed);
}

void al_affinity_note(allot_executor *executor, al_record *record)
{
    if (!is_drawn(record->snapshot.number))
        return;
    double least_s = fastest_s(record);
    const al_class *before = NULL;
    for (size_t i = 0; least_s > 0 && i < record->snapshot.candidate_count; i++) {
        allot_candidate *candidate = &record->candidates[i];
        if (!is_known(candidate))
            continue;
        al_class *alike = executor->places[candidate->index]->alike;
        if (alike != before) /* a class's candidates come one behind the other */
            count(alike, candidate->run_s, least_s);
        before = alike;
        candidate->usual_ratio = get(&alike->usual_ratio);
    }
}
