/* How a worker ended, in words: from what the system says, what the worker wrote down, and what it said last.
 */
#ifndef AL_PLACES_PROCESS_FAULT_H
#define AL_PLACES_PROCESS_FAULT_H

#include "places/process/crash.h"
#include "places/process/spawn.h"
#include "places/process/words.h"

typedef struct al_fault {
    char how[400];   /* "was killed by SIGSEGV (11) at address 0x0 in solve+0x1c (libplugin.so)" */
    char more[6000]; /* lines to be put behind it: "" or a newline, where it was, its last words */
} al_fault;

/* What the kernel says of memory, as against when it was asked last. */
typedef struct al_hunger {
    bool killed;          /* it has killed a process of this control group for want of memory */
    uint64_t limit_bytes; /* the group's; 0: it has none */
} al_hunger;

/* `hunger` is told where the worker was killed, and nobody else may have done that. */
void al_fault_tell(al_end end, const al_hunger *hunger, const al_crash *crash, const al_words *words,
                   al_fault *fault);

#endif
