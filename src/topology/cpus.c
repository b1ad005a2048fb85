#include "topology/cpus.h"
#include "topology/sysfs.h"
#include "topology/topology.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- The list ---- */

/* Those of one core stand together, so looking back ends soon. */
static int sibling_of(const al_cpu_list *list, int index)
{
    int sibling = 0;
    while (list->cpus[index].core >= 0 && sibling < index &&
           list->cpus[index - sibling - 1].core == list->cpus[index].core)
        sibling++;
    return sibling;
}

void al_cpus_restrict(al_cpu_list *list, bool (*kept)(int number, const void *of), const void *of)
{
    int left = 0;
    for (int i = 0; i < list->count; i++)
        left += !kept || kept(list->cpus[i].number, of);
    bool all = left == 0;
    for (int i = left = 0; i < list->count; i++)
        if (all || !kept || kept(list->cpus[i].number, of))
            list->cpus[left++] = list->cpus[i];
    list->count = left;
    for (int i = 0; i < left; i++)
        list->cpus[i].sibling = sibling_of(list, i);
}

/* ---- The machine, read once and never freed ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static al_cpu_list *machine;
static bool is_this_machine = true; /* its numbers may be compared with masks */

/* The variables by which hwloc is told to take another machine for this one. */
static bool is_made_up(void)
{
    return getenv("HWLOC_SYNTHETIC") || getenv("HWLOC_XMLFILE") || getenv("HWLOC_FSROOT");
}

/* The kernel's own files first: they say the same of CPUs within 0.3 ms, where hwloc takes 4 on an idle
 * machine and 50 to 90 on a busy one (it looks into every plugin, and visits every CPU to ask it), and the
 * first tasks wait for this. */
static void read_machine(void)
{
    if (!is_made_up() && access(AL_SYSFS_CPU "/online", R_OK) == 0)
        machine = al_cpus_flat("");
    if (!machine)
        machine = al_cpus_hwloc(NULL, NULL, &is_this_machine);
    if (machine)
        return;
    is_this_machine = true;
    machine = al_cpus_flat("");
}

static al_cpu_list *copy_of(const al_cpu_list *list)
{
    size_t size = sizeof *list + (size_t)list->count * sizeof list->cpus[0];
    al_cpu_list *copy = malloc(size);
    return copy ? memcpy(copy, list, size) : NULL;
}

typedef struct sized_mask {
    cpu_set_t *bits;
    size_t size_bytes;
} sized_mask;

static bool in_mask(int number, const void *of)
{
    const sized_mask *mask = of;
    return number >= 0 && CPU_ISSET_S((size_t)number, mask->size_bytes, mask->bits);
}

al_cpu_list *al_cpus_usable(void)
{
    pthread_once(&once, read_machine);
    al_cpu_list *list = machine ? copy_of(machine) : NULL;
    sized_mask mask = { 0 };
    if (!list || !is_this_machine || !(mask.bits = al_affinity_mask(&mask.size_bytes)))
        return list;
    al_cpus_restrict(list, in_mask, &mask);
    CPU_FREE(mask.bits);
    return list;
}

al_layout *al_layout_here(int workers)
{
    al_cpu_list *list = al_cpus_usable();
    al_layout *layout = list ? al_layout_create(list, workers) : NULL;
    free(list);
    return layout;
}

/* ---- Asking the system ---- */

bool al_cpu_bind_here(int number)
{
    if (number < 0)
        return false;
    cpu_set_t *mask = CPU_ALLOC((size_t)number + 1);
    if (!mask)
        return false;
    size_t size = CPU_ALLOC_SIZE((size_t)number + 1);
    CPU_ZERO_S(size, mask);
    CPU_SET_S((size_t)number, size, mask);
    bool bound = sched_setaffinity(0, size, mask) == 0;
    CPU_FREE(mask);
    return bound;
}

static bool several_nodes; /* written once */

static void count_nodes(void)
{
    char nodes[4096];
    several_nodes = al_sysfs_line(nodes, sizeof nodes, "/sys/devices/system/node/has_memory") &&
                    al_sysfs_count(nodes) > 1;
}

/* move_pages with no nodes to go to moves nothing and says where the page is. Asked directly: hwloc does the
 * same, but would have to keep the machine's tree in memory for it, and where there is no hwloc this works
 * too. (get_mempolicy would bring in a page that was not touched yet.) */
int al_numa_node_asked(const void *address)
{
    uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *page = (void *)((uintptr_t)address & ~(size - 1));
    int node = -1;
    long asked = syscall(SYS_move_pages, 0, 1UL, &page, NULL, &node, 0);
    return asked == 0 && node >= 0 ? node : -1;
}

int al_numa_node_of(const void *address)
{
    static pthread_once_t nodes_once = PTHREAD_ONCE_INIT;
    pthread_once(&nodes_once, count_nodes);
    return several_nodes ? al_numa_node_asked(address) : 0;
}
