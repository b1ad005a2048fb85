/* Where the workers of a pool live on a machine, and who is near whom: pure functions over a list of CPUs.
 *
 * A home is where a worker is bound when binding is asked for, and otherwise no more than an idea: the kernel
 * moves unbound threads as it likes, and the order of stealing is then right on average only. */
#ifndef AL_TOPOLOGY_LAYOUT_H
#define AL_TOPOLOGY_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

/* One CPU as the kernel counts them: a hardware thread. Two CPUs share what has the same number in both; -1:
 * there is none of it, or nobody knows. */
typedef struct al_cpu {
    int number;  /* as in affinity masks */
    int sibling; /* 0: the first of its core in the list, 1: the second ... */
    int core;
    int l2, l3;    /* caches */
    int numa_node; /* as the kernel numbers nodes */
    int package;
    int efficiency; /* of its kind, on machines with several: the greater, the faster; else 0 */
} al_cpu;

/* CPUs in the order of the machine's tree: neighbours stand together. Made by topology/cpus.h; free() it. */
typedef struct al_cpu_list {
    int count;
    al_cpu cpus[];
} al_cpu_list;

/* How near two CPUs are: what the nearest thing is that they share. */
typedef enum al_distance {
    AL_SAME_CPU,
    AL_SAME_CORE,
    AL_SAME_CACHE, /* L2 or L3 */
    AL_SAME_NODE,  /* of memory */
    AL_SAME_PACKAGE,
    AL_FAR,
    AL_DISTANCES
} al_distance;

typedef struct al_layout {
    int workers;
    al_cpu homes[]; /* one a worker; read only */
} al_layout;

/* Workers that a pool has when nobody says how many: a CPU each, but no more than the quota rounded up (0:
 * no quota); at least 1. */
int al_layout_default_workers(const al_cpu_list *list, double quota_cpus);

/* Gives each of `workers` (1 to 65,535) its home: performance cores before efficient ones, one a core before
 * any core's second hardware thread, and compact: neighbours first, so that a pool that is smaller than the
 * machine shares caches and one node's memory, and stealing stays near. (A pool that wants the bandwidth of
 * all nodes has a worker for every core, which is the default.) More workers than CPUs go round again. NULL:
 * no memory. free() it. */
al_layout *al_layout_create(const al_cpu_list *list, int workers);

al_distance al_layout_distance(const al_layout *layout, int worker, int other);

/* Fills `order` with the workers - 1 others in the order in which `worker` should steal from them: near
 * before far. Among equals each worker starts at another one, so that thieves do not queue for one victim.
 * ends[d] (unless NULL; AL_DISTANCES of them) becomes the number of others at distance d or nearer. */
void al_layout_order(const al_layout *layout, int worker, uint16_t *order, int *ends);

#endif
