#include "answers.h"
#include <CL/cl_ext.h>
#include <string.h>

static const char *told; /* by whose question; NULL: by none */
static cl_uint where[4]; /* domain, bus, device, function */

void answers_put_on_pci(const char *way, unsigned domain, unsigned bus, unsigned device, unsigned function)
{
    told = way;
    memcpy(where, (cl_uint[]){ domain, bus, device, function }, sizeof where);
}

static bool answer(const void *with, size_t length, size_t size, void *value, size_t *needed, cl_int *code)
{
    *code = value && size < length ? CL_INVALID_VALUE : CL_SUCCESS;
    if (value && size >= length)
        memcpy(value, with, length);
    if (needed)
        *needed = length;
    return true;
}

bool answers_give(cl_device_info what, size_t size, void *value, size_t *needed, cl_int *code)
{
    if (!told)
        return false;
    bool khr = strcmp(told, "khr") == 0, nv = strncmp(told, "nv", 2) == 0, amd = strcmp(told, "amd") == 0;
    cl_uint slot = where[2] << 3 | where[3];
    cl_device_topology_amd topology = { .pcie = { .type = CL_DEVICE_TOPOLOGY_TYPE_PCIE_AMD,
                                                  .bus = (cl_char)where[1],
                                                  .device = (cl_char)where[2],
                                                  .function = (cl_char)where[3] } };
    if (khr && what == CL_DEVICE_PCI_BUS_INFO_KHR)
        return answer(where, sizeof where, size, value, needed, code);
    if (nv && what == 0x4008)
        return answer(&where[1], sizeof where[1], size, value, needed, code);
    if (nv && what == 0x4009)
        return answer(&slot, sizeof slot, size, value, needed, code);
    if (nv && what == 0x400A && strcmp(told, "nv without a domain") != 0)
        return answer(&where[0], sizeof where[0], size, value, needed, code);
    if (amd && what == CL_DEVICE_TOPOLOGY_AMD)
        return answer(&topology, sizeof topology, size, value, needed, code);
    return false;
}
