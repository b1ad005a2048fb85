/* Affinity: how many times as long as on the fastest place launches usually take on the places of a class.
 *
 * A launch that is slow there by less than that is the better one to go there while the fast places are
 * wanted by others. What is counted is what each launch decided so far would have taken on either, by the
 * model, whichever was chosen; what is long past fades. A decision takes what earlier ones counted. */
#ifndef AL_EXECUTOR_AFFINITY_H
#define AL_EXECUTOR_AFFINITY_H

#include "executor/record.h"

/* Counts a launch whose candidates are priced, if it is one of those that are counted; then it renews their
 * `usual_ratio`. */
void al_affinity_note(allot_executor *executor, al_record *record);

#endif
