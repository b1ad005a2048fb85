/* Stands in for hwloc.c in a build without hwloc: the flat topology is all there is. */
#include "topology/cpus.h"
#include "topology/topology.h"

bool al_topology_hwloc(allot_topology *topology)
{
    (void)topology;
    return false;
}

al_cpu_list *al_cpus_hwloc(const char *synthetic, const char *xml, bool *this_machine)
{
    (void)synthetic, (void)xml, (void)this_machine;
    return NULL;
}

const char *al_hwloc_version(void)
{
    return "";
}
