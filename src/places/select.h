/* Places by what is said of them: what hints.place_id may be besides an id. */
#ifndef AL_PLACES_SELECT_H
#define AL_PLACES_SELECT_H

#include "places/place.h"

/* The word for devices in `place_id`: what follows "opencl:", or all of it; "", which is all devices, of
 * "opencl". NULL: it can only be an id. Lies in place_id. */
const char *al_select_word(const char *place_id);

/* True if that word means this place. */
bool al_select_means(const char *word, const al_place *place);

/* All of them, for people: "thread, opencl:0 (gpu, NVIDIA H100)"; "..." for those that find no room. */
void al_select_list(al_place *const *places, size_t count, char *text, size_t size);

#endif
