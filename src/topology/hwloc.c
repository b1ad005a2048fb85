/* The machine as hwloc sees it. The only file that knows hwloc; no_hwloc.c stands in where it is not built
 * in. */
#include "topology/topology.h"
#include <hwloc.h>
#include <stdio.h>

static int count(hwloc_topology_t tree, hwloc_obj_type_t type)
{
    int found = hwloc_get_nbobjs_by_type(tree, type);
    return found > 0 ? found : 0; /* -1: on several levels, which no type asked for here is */
}

static uint64_t cache_bytes(hwloc_topology_t tree, hwloc_obj_type_t level)
{
    hwloc_obj_t cache = hwloc_get_obj_by_type(tree, level, 0);
    return cache ? cache->attr->cache.size : 0;
}

/* Not the memory: hwloc adds up what the nodes say, which in virtual machines may leave out what was plugged
 * in later. */
static void fill(hwloc_topology_t tree, allot_topology *topology)
{
    topology->packages = count(tree, HWLOC_OBJ_PACKAGE);
    topology->cores = count(tree, HWLOC_OBJ_CORE);
    topology->pus = count(tree, HWLOC_OBJ_PU);
    topology->numa_nodes = count(tree, HWLOC_OBJ_NUMANODE);
    topology->l1_bytes = cache_bytes(tree, HWLOC_OBJ_L1CACHE);
    topology->l2_bytes = cache_bytes(tree, HWLOC_OBJ_L2CACHE);
    topology->l3_bytes = cache_bytes(tree, HWLOC_OBJ_L3CACHE);
    hwloc_obj_t package = hwloc_get_obj_by_type(tree, HWLOC_OBJ_PACKAGE, 0);
    const char *model = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;
    if (model)
        snprintf(topology->cpu_model, sizeof topology->cpu_model, "%s", model);
    if (topology->packages == 0) /* some virtual machines tell of none */
        topology->packages = 1;
    if (topology->cores == 0)
        topology->cores = topology->pus;
}

bool al_topology_hwloc(allot_topology *topology)
{
    hwloc_topology_t tree;
    if (hwloc_topology_init(&tree) != 0)
        return false;
    /* The machine's own counts, not only what a cpuset leaves to us. */
    bool loaded = hwloc_topology_set_flags(tree, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) == 0 &&
                  hwloc_topology_load(tree) == 0;
    if (loaded)
        fill(tree, topology);
    hwloc_topology_destroy(tree);
    return loaded;
}

const char *al_hwloc_version(void)
{
    return HWLOC_VERSION;
}
