/* Classes: places that are alike, so that of thousands only a few need be looked at for each decision.
 *
 * All members cost the same but for what is queued there and which data they hold. A class of few is looked
 * at whole; of a larger one the member that is free first, which an index has at hand. */
#ifndef AL_EXECUTOR_CLASSES_H
#define AL_EXECUTOR_CLASSES_H

#include "executor/executor.h"

#define AL_CLASS_FEW     4 /* members that are all looked at */
#define AL_CLASS_ANSWERS 8 /* by three bits of a hash */

typedef struct al_class {
    const char *name;
    al_place *first;      /* member; never changes */
    _Atomic size_t count; /* written, like capacity and members, with ready.lock held */
    double watts;
    _Atomic double usual_ratio; /* taken_s to fastest_s; 0: not known */
    size_t capacity;
    al_place **members; /* in the order in which they were listed, which is that of their slots */
    al_ready ready;
    al_model_link *link;        /* to the host; NULL when memory was out */
    _Atomic uint64_t transfers; /* learned so far, plus 1 */
    /* Some last answers, since launches that follow each other mostly move alike: the question's hash above
     * the seconds as a float, in one word so that no lock is needed. */
    _Atomic uint64_t answers[AL_CLASS_ANSWERS];
    _Atomic double taken_s, fastest_s; /* affinity.h: what launches would have taken here, and where each is
                                          fastest */
    uint64_t memory_bytes;
} al_class;

/* Lists one more place, which is complete: from now on it can be chosen. Called by one thread at a time.
 * False when memory is out or there is no room: then the place is still the caller's. */
bool al_executor_list(allot_executor *executor, al_place *place);

/* Up to AL_CLASS_FEW members worth a look; returns how many. *alike receives how many there are. */
size_t al_class_look(al_class *alike, al_place *worth[AL_CLASS_FEW], size_t *count);

/* Time to move bytes between the host and a member, in `count` pieces; 0 where nothing is known. */
double al_class_link_s(al_class *alike, al_direction direction, uint64_t bytes, uint64_t count);
void al_class_learn_link(al_class *alike, al_direction direction, uint64_t bytes, uint64_t count,
                         double seconds);

void al_classes_fini(allot_executor *executor);

#endif
