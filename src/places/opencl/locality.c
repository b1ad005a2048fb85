#include "places/opencl/locality.h"

/* Of cl_nv_device_attribute_query, which the headers know in part. */
#define NV_BUS    0x4008
#define NV_SLOT   0x4009
#define NV_DOMAIN 0x400A

static bool ask(cl_device_id id, cl_device_info what, void *value, size_t size)
{
    return clGetDeviceInfo(id, what, size, value, NULL) == CL_SUCCESS;
}

/* cl_khr_pci_bus_info */
static bool ask_khr(cl_device_id id, al_pci *at)
{
    cl_device_pci_bus_info_khr said;
    if (!ask(id, CL_DEVICE_PCI_BUS_INFO_KHR, &said, sizeof said))
        return false;
    *at = (al_pci){ said.pci_domain, said.pci_bus, said.pci_device, said.pci_function };
    return true;
}

/* The slot holds device and function; older drivers do not tell the domain, which is 0 nearly everywhere. */
static bool ask_nv(cl_device_id id, al_pci *at)
{
    cl_uint bus, slot, domain;
    if (!ask(id, NV_BUS, &bus, sizeof bus) || !ask(id, NV_SLOT, &slot, sizeof slot))
        return false;
    if (!ask(id, NV_DOMAIN, &domain, sizeof domain))
        domain = 0;
    *at = (al_pci){ domain, bus, slot >> 3, slot & 7 };
    return true;
}

/* cl_amd_device_attribute_query */
static bool ask_amd(cl_device_id id, al_pci *at)
{
    cl_device_topology_amd said;
    if (!ask(id, CL_DEVICE_TOPOLOGY_AMD, &said, sizeof said) ||
        said.raw.type != CL_DEVICE_TOPOLOGY_TYPE_PCIE_AMD)
        return false;
    *at = (al_pci){ 0, (unsigned char)said.pcie.bus, (unsigned char)said.pcie.device,
                    (unsigned char)said.pcie.function };
    return true;
}

bool al_opencl_pci_of(cl_device_id id, al_pci *at)
{
    return ask_khr(id, at) || ask_nv(id, at) || ask_amd(id, at);
}

int al_opencl_node_of(cl_device_id id)
{
    al_pci at;
    return al_opencl_pci_of(id, &at) ? al_pci_node(&at) : -1;
}
