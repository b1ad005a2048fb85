/* Which device of the machine an OpenCL device is: its address on PCI, in whichever of three ways its driver
 * tells it. */
#ifndef AL_PLACES_OPENCL_LOCALITY_H
#define AL_PLACES_OPENCL_LOCALITY_H

#include "places/opencl/cl.h"
#include "topology/pci.h"
#include <stdbool.h>

/* False: the driver does not say. */
bool al_opencl_pci_of(cl_device_id id, al_pci *at);

/* The memory node that it is near; -1: unknown. */
int al_opencl_node_of(cl_device_id id);

#endif
