/* The machine without hwloc: what the kernel tells in /sys and /proc, and one core a CPU where it tells
 * nothing. */
#include "topology/sysfs.h"
#include "topology/topology.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* True if `cpu` is the first of those that share a core, or a package, with it: counting those counts the
 * cores. */
static bool leads(const char *root, long cpu, const char *siblings)
{
    char list[4096];
    return al_sysfs_line(list, sizeof list, "%s" AL_SYSFS_CPU "/cpu%ld/topology/%s", root, cpu, siblings) &&
           strtol(list, NULL, 10) == cpu;
}

static void count_cpus(const char *root, allot_topology *topology)
{
    char online[4096] = "";
    if (!al_sysfs_line(online, sizeof online, "%s" AL_SYSFS_CPU "/online", root))
        return;
    const char *rest = online;
    long first, last;
    topology->pus = al_sysfs_count(online);
    for (long end = 0; al_sysfs_range(&rest, &first, &last) && first >= end; end = last + 1)
        for (long cpu = first; cpu <= last; cpu++) {
            topology->cores += leads(root, cpu, "thread_siblings_list");
            topology->packages += leads(root, cpu, "core_siblings_list");
        }
}

static void count_nodes(const char *root, allot_topology *topology)
{
    char online[4096];
    if (al_sysfs_line(online, sizeof online, "%s/sys/devices/system/node/online", root))
        topology->numa_nodes = al_sysfs_count(online);
}

/* "32K" and the like in bytes. */
static uint64_t size_of_text(const char *text)
{
    char *unit;
    uint64_t size = strtoull(text, &unit, 10);
    return *unit == 'K' ? size << 10 : *unit == 'M' ? size << 20 : size;
}

static void read_caches(const char *root, allot_topology *topology)
{
    char online[4096], level[16], type[32], size[32];
    long cpu = al_sysfs_line(online, sizeof online, "%s" AL_SYSFS_CPU "/online", root)
                   ? strtol(online, NULL, 10)
                   : 0;
    uint64_t *const levels[] = { NULL, &topology->l1_bytes, &topology->l2_bytes, &topology->l3_bytes };
    for (int index = 0; al_sysfs_line(level, sizeof level, "%s" AL_SYSFS_CPU "/cpu%ld/cache/index%d/level",
                                      root, cpu, index);
         index++) {
        long at = strtol(level, NULL, 10);
        if (at >= 1 && at <= 3 &&
            al_sysfs_line(type, sizeof type, "%s" AL_SYSFS_CPU "/cpu%ld/cache/index%d/type", root, cpu,
                          index) &&
            strcmp(type, "Instruction") != 0 &&
            al_sysfs_line(size, sizeof size, "%s" AL_SYSFS_CPU "/cpu%ld/cache/index%d/size", root, cpu,
                          index))
            *levels[at] = size_of_text(size);
    }
}

static void read_model(const char *root, allot_topology *topology)
{
    char path[PATH_MAX], line[1024];
    snprintf(path, sizeof path, "%s/proc/cpuinfo", root);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !value)
            continue;
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, "\n")] = '\0';
        snprintf(topology->cpu_model, sizeof topology->cpu_model, "%.127s", value);
        break;
    }
    if (file)
        fclose(file);
}

void al_topology_flat_at(const char *root, allot_topology *topology)
{
    count_cpus(root, topology);
    count_nodes(root, topology);
    read_caches(root, topology);
    read_model(root, topology);
    long online = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES),
         page = sysconf(_SC_PAGESIZE);
    if (topology->pus < 1)
        topology->pus = online > 0 ? (int)online : 1;
    if (topology->cores < 1)
        topology->cores = topology->pus;
    if (topology->packages < 1)
        topology->packages = 1;
    if (topology->numa_nodes < 1)
        topology->numa_nodes = 1;
    topology->memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

void al_topology_flat(allot_topology *topology)
{
    al_topology_flat_at("", topology);
}
