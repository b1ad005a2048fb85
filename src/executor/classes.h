/* Classes: places that are alike, so that of thousands only a few need be looked at for each decision.
 *
 * All members cost the same but for what is queued there and which data they hold. A class of few is looked
 * at whole; of a larger one the member that is free first, which an index has at hand. */
#ifndef AL_EXECUTOR_CLASSES_H
#define AL_EXECUTOR_CLASSES_H

#include "executor/executor.h"

#define AL_CLASS_FEW 4 /* members that are all looked at */

typedef struct al_class {
    const char *name;
    size_t capacity, count; /* guarded, with the members, by ready.lock */
    al_place **members;     /* in the order in which they were listed, which is that of their slots */
    al_ready ready;
    al_model_link *link; /* to the host; NULL when memory was out */
    uint64_t memory_bytes;
    double watts;
} al_class;

/* Lists one more place, which is complete: from now on it can be chosen. Called by one thread at a time.
 * False when memory is out or there is no room: then the place is still the caller's. */
bool al_executor_list(allot_executor *executor, al_place *place);

/* Up to AL_CLASS_FEW members worth a look; returns how many. *alike receives how many there are. */
size_t al_class_look(al_class *alike, al_place *worth[AL_CLASS_FEW], size_t *count);

void al_classes_fini(allot_executor *executor);

#endif
