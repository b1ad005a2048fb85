/* Progress on standard error: one line that rewrites itself on a terminal, a plain line a step elsewhere. */
#ifndef AL_CLI_PROGRESS_H
#define AL_CLI_PROGRESS_H

#include <allot/status.h>

typedef struct al_progress {
    bool rewrites; /* on a terminal */
    int columns;   /* of it */
    size_t steps, step;
    long started_s;
} al_progress;

void al_progress_init(al_progress *progress, size_t steps);
/* The next of the steps begins. */
void al_progress_next(al_progress *progress, const char *format, ...) ALLOT_PRINTF(2, 3);
/* What the step does now; shown on terminals only. */
void al_progress_detail(al_progress *progress, const char *format, ...) ALLOT_PRINTF(2, 3);
/* A line that stays. */
void al_progress_say(al_progress *progress, const char *format, ...) ALLOT_PRINTF(2, 3);
/* Clears the rewriting line. */
void al_progress_end(al_progress *progress);

#endif
