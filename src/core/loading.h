/* Foreign libraries that load in a thread of ours must be through before the process's exit handlers run: a
 * driver's destructors, run while its constructors still do, crash. So exit() waits for them. */
#ifndef AL_CORE_LOADING_H
#define AL_CORE_LOADING_H

#include <stdbool.h>

/* Announces such loading, before its thread starts; false once the process ends: then there must be none. */
bool al_loading_begin(void);
/* Says that the calling thread is the one that loads. */
void al_loading_here(void);
/* It is over, in the thread that loaded (or was announced and never did). */
void al_loading_end(void);

/* Waits until nothing loads, 10 s at most, and lets nothing begin any more. At once in a thread that loads
 * itself. */
void al_loading_close(void);

#endif
