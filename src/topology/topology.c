/* The machine as the process may use it: what does not change is found once, masks and quotas are asked anew.
 */
#include "topology/topology.h"
#include "core/failure.h"
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define CPUS_FIRST 1024      /* as large as a mask is on most kernels */
#define CPUS_MAX   (1 << 20) /* no kernel takes more; an end to growing */

/* NULL with errno set if a mask of `cpus` bits is too small, the system refuses, or memory is out. */
static cpu_set_t *read_mask(pid_t process, int cpus)
{
    cpu_set_t *mask = CPU_ALLOC((size_t)cpus);
    if (!mask || sched_getaffinity(process, CPU_ALLOC_SIZE((size_t)cpus), mask) == 0)
        return mask;
    int error = errno;
    CPU_FREE(mask);
    errno = error;
    return NULL;
}

cpu_set_t *al_affinity_mask(size_t *size_bytes)
{
    for (int cpus = CPUS_FIRST; cpus <= CPUS_MAX; cpus *= 2) {
        cpu_set_t *mask = read_mask(getpid(), cpus);
        *size_bytes = CPU_ALLOC_SIZE((size_t)cpus);
        if (mask || errno != EINVAL) /* EINVAL: the kernel's mask is larger than ours */
            return mask;
    }
    return NULL;
}

int al_affinity_cpus(void)
{
    size_t size;
    cpu_set_t *mask = al_affinity_mask(&size);
    int count = mask ? CPU_COUNT_S(size, mask) : 0;
    if (mask)
        CPU_FREE(mask);
    if (count > 0)
        return count;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

static int usable(int affinity_cpus, double quota_cpus)
{
    if (quota_cpus <= 0 || quota_cpus > affinity_cpus)
        return affinity_cpus;
    return (int)ceil(quota_cpus);
}

int al_usable_cpus(void)
{
    return usable(al_affinity_cpus(), al_cgroup_quota());
}

static allot_topology machine; /* written once, by find_machine() */

static void find_machine(void)
{
    allot_topology flat = { .source = "flat" };
    al_topology_flat(&flat);
    machine = flat;
    if (al_topology_hwloc(&machine) && machine.pus > 0 && machine.cores > 0)
        strcpy(machine.source, "hwloc");
    else
        machine = flat;
}

allot_status allot_get_topology(allot_topology *topology)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!topology || topology->size < sizeof topology->size)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    pthread_once(&once, find_machine);
    allot_topology now = machine;
    now.affinity_cpus = al_affinity_cpus();
    now.quota_cpus = al_cgroup_quota();
    now.usable_cpus = usable(now.affinity_cpus, now.quota_cpus);
    now.size = topology->size;
    size_t known = now.size < sizeof now ? now.size : sizeof now;
    memset(topology, 0, now.size);
    memcpy(topology, &now, known);
    return ALLOT_OK;
}
