/* The CPUs that this process may use, each with its core, caches, memory node and kind: from /sys,
 * which is quick, and from hwloc where /sys is hidden or another machine is asked for. And what is asked of
 * the system about them: binding, the node of an address. */
#ifndef AL_TOPOLOGY_CPUS_H
#define AL_TOPOLOGY_CPUS_H

#include "topology/layout.h"
#include <stdbool.h>
#include <stddef.h>

/* Those in the affinity mask of the process (its main thread), which is asked anew; the machine behind it is
 * read once a process, which takes a third of a millisecond and some tens of microseconds a CPU. Never empty.
 * NULL: no memory. free() it. Any thread. */
al_cpu_list *al_cpus_usable(void);

/* The layout of a pool of `workers` over them. NULL: no memory. free() it. */
al_layout *al_layout_here(int workers);

/* What hwloc knows of this machine, or of the one that `synthetic` describes, or the XML file `xml`: for
 * tests; at most one is not NULL. NULL: hwloc is not built in, or it fails. *this_machine says whether the
 * numbers are CPUs of the running system (HWLOC_SYNTHETIC, HWLOC_XMLFILE and HWLOC_THISSYSTEM work as
 * always). free() it. */
al_cpu_list *al_cpus_hwloc(const char *synthetic, const char *xml, bool *this_machine);

/* What the kernel says below root ("" or a test's own): /sys/devices/system. Where it says nothing, every CPU
 * online is a core of one package. NULL: no memory. free() it. */
al_cpu_list *al_cpus_flat(const char *root);

/* Drops what `kept` does not name, counts siblings anew. Keeps everything where nothing would be left. */
void al_cpus_restrict(al_cpu_list *list, bool (*kept)(int number, const void *of), const void *of);

/* Binds the calling thread to one CPU; false: the system refuses, or there is none of that number. */
bool al_cpu_bind_here(int number);

/* The memory node on which the page of `address` lies, as the kernel numbers them; -1: unknown, or not
 * touched yet. A system call on machines with several nodes; 0 at once where there is one. */
int al_numa_node_of(const void *address);

/* The same, always by the system call: for tests. */
int al_numa_node_asked(const void *address);

#endif
