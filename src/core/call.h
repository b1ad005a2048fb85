/* The call of a task function or a C variant that is in progress: what allot_fail() and allot_call_stopping()
 * work on. */
#ifndef AL_CORE_CALL_H
#define AL_CORE_CALL_H

#include "core/failure.h"
#include <stdatomic.h>

struct allot_call {
    const _Atomic uint32_t *stopping; /* not 0: somebody wants it to end; may lie in shared memory */
    size_t in_size;
    const char *place; /* the place's id. Between the sizes, which would else be copied as one from a task
                          that has just been written in two, and that takes long */
    size_t out_size;
    size_t index; /* of a map's item */
    al_failure
        failure; /* owned; moved into the future, or copied into a worker's slot, by whoever runs the call */
};

#endif
