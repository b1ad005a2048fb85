#include "topology/pci.h"
#include "topology/sysfs.h"

int al_pci_node_in(const char *root, const al_pci *at)
{
    long node = al_sysfs_number("%s/sys/bus/pci/devices/%04x:%02x:%02x.%x/numa_node", root, at->domain,
                                at->bus, at->device, at->function);
    return node >= 0 && node < 1 << 20 ? (int)node : -1;
}

int al_pci_node(const al_pci *at)
{
    return al_pci_node_in("", at);
}
