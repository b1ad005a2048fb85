#include "executor/isolate.h"
#include "places/select.h"
#include <string.h>

bool al_isolate_device(const allot_hints *hints)
{
    if (!hints->place_id)
        return hints->place == ALLOT_OPENCL;
    return (al_select_word(hints->place_id) || strncmp(hints->place_id, "opencl:", 7) == 0) &&
           (hints->place == ALLOT_ANYWHERE || hints->place == ALLOT_OPENCL);
}

static const al_place_kind *isolating_kind(void)
{
    for (const al_place_kind *const *kind = al_place_kinds; *kind; kind++)
        if ((*kind)->isolate)
            return *kind;
    return NULL;
}

/* Workers have whole devices. */
static bool is_part(const char *place_id)
{
    return place_id && !al_select_word(place_id) && strchr(place_id, '/');
}

al_launch *al_isolate(al_launch *launch, allot_hints *hints, allot_status *status, al_failure *failure)
{
    bool device = al_isolate_device(hints);
    const al_place_kind *kind = isolating_kind();
    al_launch *isolated = NULL;
    if (!device && (launch->kernel->desc.cpu || !al_kernel_has_opencl(launch->kernel)))
        return launch;
    if (!kind)
        *status = al_failure_set(failure, ALLOT_UNSUPPORTED, "this build has no devices");
    else if (device && is_part(hints->place_id))
        *status = al_failure_set(failure, ALLOT_NO_DEVICE, "%s is no whole device's name", hints->place_id);
    else
        isolated = kind->isolate(launch, device ? hints->place_id : NULL, status, failure);
    al_launch_destroy(launch);
    hints->place = ALLOT_PROCESS;
    hints->place_id = NULL;
    return isolated;
}
