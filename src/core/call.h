/* The call of a task function or a C variant that is in progress: what allot_fail() and allot_call_stopping()
 * work on. */
#ifndef AL_CORE_CALL_H
#define AL_CORE_CALL_H

#include "core/failure.h"
#include <stdatomic.h>

struct allot_call {
    const _Atomic uint32_t *stopping; /* not 0: somebody wants it to end; may lie in shared memory */
    const char *place;                /* the place's id */
    size_t in_size, out_size;
    al_failure
        failure;  /* owned; moved into the future, or copied into a worker's slot, by whoever runs the call */
    size_t index; /* of a map's item */
};

#endif
