/* What devices are made to say of themselves: where they are on PCI. */
#ifndef OPENCL_LAYER_ANSWERS_H
#define OPENCL_LAYER_ANSWERS_H

#include "layer.h"

/* opencl_layer.put_on_pci */
void answers_put_on_pci(const char *way, unsigned domain, unsigned bus, unsigned device, unsigned function);

/* True: the question is answered here, as *code says. */
bool answers_give(cl_device_info what, size_t size, void *value, size_t *needed, cl_int *code);

#endif
