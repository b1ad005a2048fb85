/* Maps: one function over many items, submitted in chunks. */
#ifndef AL_EXECUTOR_MAP_H
#define AL_EXECUTOR_MAP_H

#include "core/map.h"

/* Ends the chunks of a map: those that have not started; all of them, for that reason (AL_STOP_*). */
void al_map_cancel(al_map *map);
void al_map_stop(al_map *map, int reason, int64_t grace_ns);

#endif
