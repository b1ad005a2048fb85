/* The machine without hwloc: what the kernel tells in /sys and /proc, and one core a CPU where it tells
 * nothing. */
#include "topology/topology.h"
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CPU_FOLDER "/sys/devices/system/cpu"

/* Reads the first line of a file into text, without its newline; false if there is none. */
static bool read_line(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static bool read_line(char *text, size_t size, const char *format, ...)
{
    char path[PATH_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(path, sizeof path, format, values);
    va_end(values);
    FILE *file = fopen(path, "re");
    bool read = file && fgets(text, (int)size, file);
    if (file)
        fclose(file);
    if (read)
        text[strcspn(text, "\n")] = '\0';
    return read;
}

/* The next range of a list such as "0-3,8,10-11"; false at its end or where it is malformed. */
static bool next_range(const char **list, long *first, long *last)
{
    char *end;
    *first = strtol(*list, &end, 10);
    if (end == *list)
        return false;
    *last = *first;
    if (*end == '-')
        *last = strtol(end + 1, &end, 10);
    *list = *end == ',' ? end + 1 : end;
    return *first >= 0 && *last >= *first && *last < INT_MAX;
}

static int count_list(const char *list)
{
    long count = 0, first, last;
    while (count < INT_MAX && next_range(&list, &first, &last))
        count += last - first + 1;
    return count < INT_MAX ? (int)count : 0;
}

/* True if `cpu` is the first of those that share a core, or a package, with it: counting those counts the
 * cores. */
static bool leads(const char *root, long cpu, const char *siblings)
{
    char list[4096];
    return read_line(list, sizeof list, "%s" CPU_FOLDER "/cpu%ld/topology/%s", root, cpu, siblings) &&
           strtol(list, NULL, 10) == cpu;
}

static void count_cpus(const char *root, allot_topology *topology)
{
    char online[4096] = "";
    if (!read_line(online, sizeof online, "%s" CPU_FOLDER "/online", root))
        return;
    const char *rest = online;
    long first, last;
    topology->pus = count_list(online);
    for (long end = 0; next_range(&rest, &first, &last) && first >= end; end = last + 1)
        for (long cpu = first; cpu <= last; cpu++) {
            topology->cores += leads(root, cpu, "thread_siblings_list");
            topology->packages += leads(root, cpu, "core_siblings_list");
        }
}

static void count_nodes(const char *root, allot_topology *topology)
{
    char online[4096];
    if (read_line(online, sizeof online, "%s/sys/devices/system/node/online", root))
        topology->numa_nodes = count_list(online);
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
    long cpu =
        read_line(online, sizeof online, "%s" CPU_FOLDER "/online", root) ? strtol(online, NULL, 10) : 0;
    uint64_t *const levels[] = { NULL, &topology->l1_bytes, &topology->l2_bytes, &topology->l3_bytes };
    for (int index = 0;
         read_line(level, sizeof level, "%s" CPU_FOLDER "/cpu%ld/cache/index%d/level", root, cpu, index);
         index++) {
        long at = strtol(level, NULL, 10);
        if (at >= 1 && at <= 3 &&
            read_line(type, sizeof type, "%s" CPU_FOLDER "/cpu%ld/cache/index%d/type", root, cpu, index) &&
            strcmp(type, "Instruction") != 0 &&
            read_line(size, sizeof size, "%s" CPU_FOLDER "/cpu%ld/cache/index%d/size", root, cpu, index))
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
