/* The model in rows, for people and programs that want to see what it knows. */
#ifndef AL_PLACEMENT_LIST_H
#define AL_PLACEMENT_LIST_H

#include "placement/model.h"
#include <allot/model.h>

/* As allot_model_rows() says. */
size_t al_model_list(al_model *model, allot_model_row *rows, size_t capacity);
void al_model_list_rates(al_model *model, allot_model_rates *rates);

#endif
