/* Buffers over the host's own pages: what must be said to the driver around each side's writes, and whether
 * that works at all; and pages that are pinned for copies. */
#ifndef AL_PLACES_OPENCL_PAGES_H
#define AL_PLACES_OPENCL_PAGES_H

#include "places/opencl/device.h"

/* Tells the device that the host wrote bytes [begin, end) of the pages under `buffer`. Returns before that
 * has happened, but in order before all that the compute queue is given later. *announced is when: an event
 * that fails if this did, or what the event that it held before (NULL: none) stood for; the caller releases
 * it. On failure it is as it was, and *call names the call. */
cl_int al_opencl_pages_announce(al_opencl_device *device, cl_mem buffer, size_t begin, size_t end,
                                cl_event *announced, const char **call);

/* Waits until the host's pages hold what the device wrote to these bytes. */
cl_int al_opencl_pages_reveal(al_opencl_device *device, cl_mem buffer, size_t begin, size_t end,
                              const char **call);

/* Tries whether a buffer over host pages is those pages, in both directions, with the two calls above. */
bool al_opencl_pages_work(al_opencl_device *device);

/* Has the driver pin host pages that are copied to and from: a buffer over them that nothing uses, and that
 * takes no memory of the device till something does. NULL where it does not. Releasing it lets go of them. */
cl_mem al_opencl_pages_pin(al_opencl_device *device, void *host, size_t bytes);

/* Tries, once for a device that shares no pages, whether copies are faster from pinned ones by so much that
 * pinning pays. */
bool al_opencl_pages_pins_pay(al_opencl_device *device);

#endif
