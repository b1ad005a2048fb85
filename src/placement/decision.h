/* Printing a decision for people. */
#ifndef AL_PLACEMENT_DECISION_H
#define AL_PLACEMENT_DECISION_H

#include <allot/place.h>

/* Every candidate with its predicted cost, the choice and why, and what happened if it is done. Errors of the
 * stream stay in the stream. */
void al_decision_print(const allot_decision *decision, FILE *stream);

#endif
