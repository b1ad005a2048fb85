/* The CPUs without hwloc: what the kernel tells in /sys of each, one core a CPU where it tells nothing. */
#include "topology/cpus.h"
#include "topology/sysfs.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LIST_BYTES 4096 /* the kernel's lists of CPUs are one line of at most a page */

/* Caches are named by the first CPU that shares them: data and unified ones only. */
static void read_caches(const char *root, al_cpu *cpu)
{
    char type[32];
    cpu->l2 = cpu->l3 = -1;
    for (int index = 0;; index++) {
        long level =
            al_sysfs_number("%s" AL_SYSFS_CPU "/cpu%d/cache/index%d/level", root, cpu->number, index);
        if (level < 0)
            return;
        if ((level != 2 && level != 3) ||
            (al_sysfs_line(type, sizeof type, "%s" AL_SYSFS_CPU "/cpu%d/cache/index%d/type", root,
                           cpu->number, index) &&
             type[0] == 'I'))
            continue;
        *(level == 2 ? &cpu->l2 : &cpu->l3) = (int)al_sysfs_number(
            "%s" AL_SYSFS_CPU "/cpu%d/cache/index%d/shared_cpu_list", root, cpu->number, index);
    }
}

static al_cpu describe(const char *root, int number)
{
    al_cpu cpu = { .number = number };
    long core = al_sysfs_number("%s" AL_SYSFS_CPU "/cpu%d/topology/thread_siblings_list", root, number);
    long package = al_sysfs_number("%s" AL_SYSFS_CPU "/cpu%d/topology/physical_package_id", root, number);
    long capacity = al_sysfs_number("%s" AL_SYSFS_CPU "/cpu%d/cpu_capacity", root, number); /* Arm tells it */
    cpu.core = core >= 0 ? (int)core : number;
    cpu.package = package >= 0 ? (int)package : 0;
    cpu.efficiency = capacity > 0 ? (int)capacity : 0;
    read_caches(root, &cpu);
    return cpu;
}

/* True of the first `count` of the list, which is in the order of numbers: gives those of `text` the value.
 */
static void mark(al_cpu_list *list, const char *text, int value, size_t member)
{
    long first, last;
    while (al_sysfs_range(&text, &first, &last))
        for (int i = 0; i < list->count; i++)
            if (list->cpus[i].number >= first && list->cpus[i].number <= last)
                *(int *)((char *)&list->cpus[i] + member) = value;
}

static void read_nodes(const char *root, al_cpu_list *list)
{
    char online[LIST_BYTES], cpus[LIST_BYTES];
    const char *rest = online;
    long first, last;
    if (!al_sysfs_line(online, sizeof online, "%s/sys/devices/system/node/online", root))
        return;
    for (long end = 0; al_sysfs_range(&rest, &first, &last) && first >= end; end = last + 1)
        for (long node = first; node <= last; node++)
            if (al_sysfs_line(cpus, sizeof cpus, "%s/sys/devices/system/node/node%ld/cpulist", root, node))
                mark(list, cpus, (int)node, offsetof(al_cpu, numa_node));
}

/* Intel's hybrid processors list the fast ones here, and the others as cpu_atom. */
static void read_kinds(const char *root, al_cpu_list *list)
{
    char cpus[LIST_BYTES];
    if (al_sysfs_line(cpus, sizeof cpus, "%s/sys/devices/cpu_core/cpus", root))
        mark(list, cpus, 1, offsetof(al_cpu, efficiency));
}

static int in_tree_order(const void *left, const void *right)
{
    const al_cpu *a = left, *b = right;
    const int keys[][2] = { { a->package, b->package }, { a->numa_node, b->numa_node },
                            { a->l3, b->l3 },           { a->l2, b->l2 },
                            { a->core, b->core },       { a->number, b->number } };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

/* Room for `count` CPUs; NULL: no memory, or no CPU. */
static al_cpu_list *allocate(int count)
{
    al_cpu_list *list = count > 0 ? malloc(sizeof *list + (size_t)count * sizeof list->cpus[0]) : NULL;
    if (list)
        list->count = 0;
    return list;
}

/* "0-n" of what sysconf counts: where /sys is hidden. */
static void guess_online(char *text, size_t size)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(text, size, "0-%ld", online > 0 ? online - 1 : 0);
}

#define CPUS_MAX (1 << 20) /* no kernel has more: a file that says so is no kernel's */

al_cpu_list *al_cpus_flat(const char *root)
{
    char online[LIST_BYTES];
    bool told = al_sysfs_line(online, sizeof online, "%s" AL_SYSFS_CPU "/online", root);
    if (!told || al_sysfs_count(online) < 1 || al_sysfs_count(online) > CPUS_MAX)
        guess_online(online, sizeof online);
    al_cpu_list *list = allocate(al_sysfs_count(online));
    const char *rest = online;
    long first, last;
    if (!list)
        return NULL;
    int room = al_sysfs_count(online);
    for (long end = 0; al_sysfs_range(&rest, &first, &last) && first >= end; end = last + 1)
        for (long number = first; number <= last && list->count < room; number++)
            list->cpus[list->count++] = describe(root, (int)number);
    read_nodes(root, list);
    read_kinds(root, list);
    qsort(list->cpus, (size_t)list->count, sizeof list->cpus[0], in_tree_order);
    al_cpus_restrict(list, NULL, NULL);
    return list;
}
