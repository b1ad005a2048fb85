#include "executor/isolate.h"
#include <stdlib.h>
#include <string.h>

bool al_isolate_device(const allot_hints *hints)
{
    return (hints->place == ALLOT_OPENCL && !hints->place_id) ||
           (hints->place_id && strncmp(hints->place_id, "opencl:", 7) == 0 &&
            (hints->place == ALLOT_ANYWHERE || hints->place == ALLOT_OPENCL));
}

static const al_place_kind *isolating_kind(void)
{
    for (const al_place_kind *const *kind = al_place_kinds; *kind; kind++)
        if ((*kind)->isolate)
            return *kind;
    return NULL;
}

/* "opencl:2" is number 2; any device is the first one. */
static bool read_number(const char *place_id, unsigned *number)
{
    char *end = NULL;
    unsigned long value = place_id ? strtoul(place_id + strlen("opencl:"), &end, 10) : 0;
    *number = (unsigned)value;
    return !place_id || (!*end && end > place_id + strlen("opencl:") && value < 4096);
}

al_launch *al_isolate(al_launch *launch, allot_hints *hints, allot_status *status, al_failure *failure)
{
    bool device = al_isolate_device(hints);
    const al_place_kind *kind = isolating_kind();
    al_launch *isolated = NULL;
    unsigned number = 0;
    if (!device && (launch->kernel->desc.cpu || !al_kernel_has_opencl(launch->kernel)))
        return launch;
    if (!kind)
        *status = al_failure_set(failure, ALLOT_UNSUPPORTED, "this build has no devices");
    else if (!read_number(device ? hints->place_id : NULL, &number))
        *status = al_failure_set(failure, ALLOT_NO_DEVICE, "%s is no %sdevice's name", hints->place_id,
                                 strchr(hints->place_id, '/') ? "whole " : "");
    else
        isolated = kind->isolate(launch, number, status, failure);
    al_launch_destroy(launch);
    hints->place = ALLOT_PROCESS;
    hints->place_id = NULL;
    return isolated;
}
