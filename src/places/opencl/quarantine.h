/* Quarantine: no driver is loaded into this process before it has shown, in a process of its own, that it
 * neither crashes nor hangs. allot/place.h says what users see of it. */
#ifndef AL_PLACES_OPENCL_QUARANTINE_H
#define AL_PLACES_OPENCL_QUARANTINE_H

#include <allot/place.h>

#define AL_QUARANTINE_S 20 /* for a driver's trial; the environment's ALLOT_QUARANTINE_S sets others */

/* Looks at all drivers, once a process, and sees to it that no bad one will be loaded. Before the first call
 * of OpenCL; may take as long as the trials. `message` receives what was left out: "" if nothing. */
void al_quarantine_check(char *message, size_t message_size);

/* Describes the drivers that were looked at: a place kind's `drivers`. */
size_t al_quarantine_list(allot_driver_info *infos, size_t capacity);

#endif
