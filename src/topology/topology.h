/* What the machine has, and how much of it this process may use. */
#ifndef AL_TOPOLOGY_TOPOLOGY_H
#define AL_TOPOLOGY_TOPOLOGY_H

#include <allot/place.h>
#include <sched.h>

/* CPUs that this process may use: min(affinity mask, cgroup quota rounded up), at least 1. Quick: no hwloc;
 * asked anew each time. */
int al_usable_cpus(void);

/* CPUs in the affinity mask of the process (its main thread: a worker's own may be narrower); at least 1,
 * also where the system refuses to tell. */
int al_affinity_cpus(void);

/* The mask itself, of *size_bytes; NULL where the system refuses or memory is out. CPU_FREE() it. */
cpu_set_t *al_affinity_mask(size_t *size_bytes);

/* The least CPU quota on the way from this process's cgroup (v2, found through /proc/self/cgroup) to the
 * root, in CPUs; 0: none. al_cgroup_quota_in() does the same for other texts of /proc/self/mountinfo and
 * /proc/self/cgroup: for tests. */
double al_cgroup_quota(void);
double al_cgroup_quota_in(const char *mountinfo, const char *self_cgroup);

/* How many processes of this process's cgroup (v1 or v2) the kernel has killed for want of memory; -1: not
 * known. *limit_bytes receives the least limit of memory on the way up; 0: none. And for other texts. */
int64_t al_cgroup_memory_kills(uint64_t *limit_bytes);
int64_t al_cgroup_memory_kills_in(const char *mountinfo, const char *self_cgroup, uint64_t *limit_bytes);

/* Fills what hwloc knows of packages, cores and caches; false when it is not built in or fails: then use
 * flat. */
bool al_topology_hwloc(allot_topology *topology);
/* The version of hwloc that was built with; "" when it is not built in. */
const char *al_hwloc_version(void);

/* Fills what can be had without it: sysconf, /proc/cpuinfo, /sys. Never fails.
 * al_topology_flat_at() reads them below another root than "": for tests. */
void al_topology_flat(allot_topology *topology);
void al_topology_flat_at(const char *root, allot_topology *topology);

#endif
