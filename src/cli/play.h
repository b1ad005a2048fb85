/* Runs a scenario on a simulated machine: real launches of kernels that compute nothing. */
#ifndef AL_CLI_PLAY_H
#define AL_CLI_PLAY_H

#include "gantt.h"
#include "progress.h"
#include "scenario.h"

typedef struct al_play {
    allot_executor *executor;
    const al_scenario *scenario;
    allot_kernel **kernels; /* by the scenario's numbers */
    allot_param *params;
    allot_array **arrays;
    char *names; /* of parameters */
} al_play;

/* What came of one run. */
typedef struct al_played {
    double makespan_s; /* virtual */
    double real_s;     /* what it took really */
    size_t failed;
    char error[300];    /* the first one that failed says */
    al_gantt_bar *bars; /* if they were asked for: kept by the caller, bar_count of them; row is the place */
    size_t bar_count;
} al_played;

/* Makes kernels and arrays. Arrays have a few bytes between them, whatever their size: nobody looks. */
bool al_play_make(al_play *play, allot_executor *executor, const al_scenario *scenario, al_problem *problem);
void al_play_free(al_play *play);

/* Submits all and lets time pass until all are over. Interrupted: false with AL_EXIT_INTERRUPTED. */
bool al_play_run(al_play *play, bool with_bars, al_progress *progress, al_played *played,
                 al_problem *problem);

#endif
