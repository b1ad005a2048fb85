/* Where on the machine a device on PCI is: near which memory node. One small file says so; hwloc, which reads
 * it too, walks over all devices first, and that takes longer than opening an executor may. */
#ifndef AL_TOPOLOGY_PCI_H
#define AL_TOPOLOGY_PCI_H

typedef struct al_pci {
    unsigned domain, bus, device, function;
} al_pci;

/* The memory node, as the kernel numbers them; -1: unknown, also where there is no such device. */
int al_pci_node(const al_pci *at);

/* The same below another root than "": for tests. */
int al_pci_node_in(const char *root, const al_pci *at);

#endif
