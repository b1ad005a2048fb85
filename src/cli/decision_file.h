/* The decision log read back: one line of JSON a decision, checked as strictly as any other input. */
#ifndef AL_CLI_DECISION_FILE_H
#define AL_CLI_DECISION_FILE_H

#include "cli.h"
#include <jansson.h>

/* One decision: what the policy saw, what it chose, what happened. */
typedef struct al_logged {
    allot_snapshot snapshot;
    allot_candidate *candidates; /* owned */
    const char *run, *policy;    /* the executor, and what it placed by */
    int chosen;                  /* -1: none */
    bool explores, succeeded;
    double queued_s, moved_s, compiled_s, ran_s, regret_s; /* 0 unless it succeeded */
    json_t *line;                                          /* owns the texts */
} al_logged;

typedef struct al_decisions {
    al_logged *all;
    size_t count, capacity;
} al_decisions;

/* Reads a whole log. Problems (AL_EXIT_INPUT) name the line and what is expected there. Free it in any case.
 */
bool al_decisions_read(al_decisions *decisions, const char *path, al_problem *problem);
void al_decisions_free(al_decisions *decisions);

#endif
