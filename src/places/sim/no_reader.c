/* In a build without jansson no machine can be read. */
#include "places/sim/machine.h"

const char *al_sim_reader_version(void)
{
    return "";
}

al_sim_machine *al_sim_machine_read(const char *text, size_t size, const char *name, allot_status *status,
                                    al_failure *failure)
{
    (void)text, (void)size;
    *status = al_failure_set(failure, ALLOT_UNSUPPORTED,
                             "%s: this build cannot read machine files: it was made without jansson", name);
    return NULL;
}

al_sim_machine *al_sim_machine_load(const char *path, allot_status *status, al_failure *failure)
{
    return al_sim_machine_read(NULL, 0, path, status, failure);
}
