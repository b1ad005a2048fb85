/* Room in a device's memory: what its copies of arrays take of it, at most its budget, and which of them go
 * when another needs theirs: the one that was not used for longest. What is current there alone is brought
 * back first; copies that a launch has in hand stay. Copies that are the host's own pages take none. */
#ifndef AL_PLACES_OPENCL_ROOM_H
#define AL_PLACES_OPENCL_ROOM_H

#include "places/opencl/memory.h"

/* True if the arrays of one launch fit into the budget together; else says why not. */
bool al_opencl_room_fits(const al_opencl_memory *memory, const al_launch *launch, char *why, size_t why_size);

/* Takes so many bytes, for which it evicts, or waits for launches on their way: for the place's own thread,
 * with a launch that fits. An error: a copy could not be brought back; nothing was taken then. */
allot_status al_opencl_room_take(al_opencl_memory *memory, size_t bytes, al_failure *failure);
/* Gives them back. Any thread. */
void al_opencl_room_give(al_opencl_memory *memory, size_t bytes);

/* The launch has its arrays in hand: none of them goes until it lets go of them. */
void al_opencl_room_pin(const al_launch *launch);
void al_opencl_room_unpin(al_opencl_memory *memory, const al_launch *launch);

#endif
