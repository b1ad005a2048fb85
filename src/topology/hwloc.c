/* The machine as hwloc sees it. The only file that knows hwloc; no_hwloc.c stands in where it is not built
 * in. */
#include "topology/cpus.h"
#include "topology/topology.h"
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>

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

/* NULL: it fails. */
static hwloc_topology_t load(const char *synthetic, const char *xml)
{
    hwloc_topology_t tree;
    if (hwloc_topology_init(&tree) != 0)
        return NULL;
    /* The machine's own counts, not only what a cpuset leaves to us. */
    bool loaded = (!synthetic || hwloc_topology_set_synthetic(tree, synthetic) == 0) &&
                  (!xml || hwloc_topology_set_xml(tree, xml) == 0) &&
                  hwloc_topology_set_flags(tree, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) == 0 &&
                  hwloc_topology_load(tree) == 0;
    if (loaded)
        return tree;
    hwloc_topology_destroy(tree);
    return NULL;
}

bool al_topology_hwloc(allot_topology *topology)
{
    hwloc_topology_t tree = load(NULL, NULL);
    if (!tree)
        return false;
    fill(tree, topology);
    hwloc_topology_destroy(tree);
    return true;
}

/* ---- CPUs one by one ---- */

static int above(hwloc_topology_t tree, hwloc_obj_t pu, hwloc_obj_type_t type)
{
    hwloc_obj_t object = hwloc_get_ancestor_obj_by_type(tree, type, pu);
    return object ? (int)object->logical_index : -1;
}

/* hwloc orders the kinds by clock, capacity or their names; -1: it cannot tell, so all are the same to us. */
static int efficiency_of(hwloc_topology_t tree, hwloc_obj_t pu)
{
    int efficiency = 0, kind = hwloc_cpukinds_get_by_cpuset(tree, pu->cpuset, 0);
    if (kind < 0 || hwloc_cpukinds_get_info(tree, (unsigned)kind, NULL, &efficiency, NULL, NULL, 0) != 0)
        return 0;
    return efficiency > 0 ? efficiency : 0;
}

static al_cpu describe(hwloc_topology_t tree, hwloc_obj_t pu)
{
    return (al_cpu){
        .number = (int)pu->os_index,
        .core = above(tree, pu, HWLOC_OBJ_CORE),
        .l2 = above(tree, pu, HWLOC_OBJ_L2CACHE),
        .l3 = above(tree, pu, HWLOC_OBJ_L3CACHE),
        .numa_node = pu->nodeset ? hwloc_bitmap_first(pu->nodeset) : -1,
        .package = above(tree, pu, HWLOC_OBJ_PACKAGE),
        .efficiency = efficiency_of(tree, pu),
    };
}

static al_cpu_list *list_cpus(hwloc_topology_t tree)
{
    int pus = count(tree, HWLOC_OBJ_PU);
    al_cpu_list *list = pus ? malloc(sizeof *list + (size_t)pus * sizeof list->cpus[0]) : NULL;
    if (!list)
        return NULL;
    list->count = pus;
    for (int i = 0; i < pus; i++)
        list->cpus[i] = describe(tree, hwloc_get_obj_by_type(tree, HWLOC_OBJ_PU, (unsigned)i));
    al_cpus_restrict(list, NULL, NULL);
    return list;
}

al_cpu_list *al_cpus_hwloc(const char *synthetic, const char *xml, bool *this_machine)
{
    hwloc_topology_t tree = load(synthetic, xml);
    if (!tree)
        return NULL;
    al_cpu_list *list = list_cpus(tree);
    *this_machine = hwloc_topology_is_thissystem(tree);
    hwloc_topology_destroy(tree);
    return list;
}

const char *al_hwloc_version(void)
{
    return HWLOC_VERSION;
}
