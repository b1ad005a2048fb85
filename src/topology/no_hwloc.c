/* Stands in for hwloc.c in a build without hwloc: the flat topology is all there is. */
#include "topology/topology.h"

bool al_topology_hwloc(allot_topology *topology)
{
    (void)topology;
    return false;
}

const char *al_hwloc_version(void)
{
    return "";
}
