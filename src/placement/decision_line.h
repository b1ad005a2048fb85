/* A decision as one line of JSON: all that the policy saw, what it chose, what happened. `allot replay` reads
 * it back (src/cli/decision_file.h). Figures that are 0 and flags that are off are left out. */
#ifndef AL_PLACEMENT_DECISION_LINE_H
#define AL_PLACEMENT_DECISION_LINE_H

#include <allot/place.h>
#include <stdio.h>

/* `run` tells the executor from others whose decisions are in the same file. `ended`: its outcome is there
 * too. */
void al_decision_line(const allot_decision *decision, const char *run, bool ended, FILE *file);

#endif
