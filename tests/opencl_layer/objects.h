/* Every object that went through the layer: how often it is held, whether it has been released, and of events
 * how they end. */
#ifndef OPENCL_LAYER_OBJECTS_H
#define OPENCL_LAYER_OBJECTS_H

#include "layer.h"

/* A new object, held once; NULL is ignored. */
void objects_add(opencl_layer_kind kind, void *handle);
void objects_retain(void *handle);
void objects_release(void *handle);

/* False, and counted, for an object that has been released. What never went through here passes. */
bool objects_usable(const void *handle);

/* How an event ends, if not as the driver says: below 0. */
void objects_set_end(void *event, cl_int ends);
cl_int objects_end_of(const void *event);

size_t objects_live(opencl_layer_kind kind);
uint64_t objects_misuses(void);
void objects_forget_misuses(void);

#endif
