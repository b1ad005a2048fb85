#include "places/opencl/split.h"
#include "places/opencl/error.h"
#include <stdio.h>

#define KINDS_MAX 16

/* Whether the device says that it can be split in this way. */
static bool offers(cl_device_id device, cl_device_partition_property kind)
{
    cl_device_partition_property kinds[KINDS_MAX];
    size_t size = 0;
    bool found = false;
    if (clGetDeviceInfo(device, CL_DEVICE_PARTITION_PROPERTIES, sizeof kinds, kinds, &size) != CL_SUCCESS)
        return false;
    for (size_t i = 0; i < size / sizeof kinds[0] && i < KINDS_MAX; i++)
        found = found || kinds[i] == kind;
    return found;
}

static bool offers_numa(cl_device_id device)
{
    cl_device_affinity_domain domains = 0;
    return offers(device, CL_DEVICE_PARTITION_BY_AFFINITY_DOMAIN) &&
           clGetDeviceInfo(device, CL_DEVICE_PARTITION_AFFINITY_DOMAIN, sizeof domains, &domains, NULL) ==
               CL_SUCCESS &&
           domains & CL_DEVICE_AFFINITY_DOMAIN_NUMA;
}

static size_t create(cl_device_id device, const cl_device_partition_property *how,
                     cl_device_id ids[AL_PARTS_MAX], char *why, size_t why_size)
{
    cl_uint count = 0;
    cl_int code = clCreateSubDevices(device, how, AL_PARTS_MAX, ids, &count);
    if (code == CL_SUCCESS && count <= AL_PARTS_MAX)
        return count;
    snprintf(why, why_size, "clCreateSubDevices: %s (%d)", al_opencl_error_name(code), (int)code);
    return 0;
}

static size_t by_numa(cl_device_id device, cl_device_id ids[AL_PARTS_MAX], char *why, size_t why_size)
{
    static const cl_device_partition_property how[] = { CL_DEVICE_PARTITION_BY_AFFINITY_DOMAIN,
                                                        CL_DEVICE_AFFINITY_DOMAIN_NUMA, 0 };
    if (offers_numa(device))
        return create(device, how, ids, why, why_size);
    snprintf(why, why_size, "it does not split by NUMA domain");
    return 0;
}

/* Equal parts too, so that no unit is left over. */
static size_t by_units(cl_device_id device, const unsigned *shares, unsigned count,
                       cl_device_id ids[AL_PARTS_MAX], char *why, size_t why_size)
{
    cl_device_partition_property how[AL_PARTS_MAX + 3] = { CL_DEVICE_PARTITION_BY_COUNTS };
    bool equal = true;
    for (unsigned i = 0; i < count; i++) {
        how[1 + i] = shares[i];
        equal = equal && shares[i] == shares[0];
    }
    how[1 + count] = CL_DEVICE_PARTITION_BY_COUNTS_LIST_END;
    if (offers(device, CL_DEVICE_PARTITION_BY_COUNTS))
        return create(device, how, ids, why, why_size);
    const cl_device_partition_property equally[] = { CL_DEVICE_PARTITION_EQUALLY, shares[0], 0 };
    if (equal && offers(device, CL_DEVICE_PARTITION_EQUALLY))
        return create(device, equally, ids, why, why_size);
    snprintf(why, why_size, "it does not split by compute units");
    return 0;
}

size_t al_opencl_split(cl_device_id device, const al_parts *parts, cl_device_id ids[AL_PARTS_MAX], char *why,
                       size_t why_size)
{
    unsigned shares[AL_PARTS_MAX];
    cl_uint units = 0;
    why[0] = '\0';
    if (parts->how == AL_PARTS_WHOLE)
        return 0;
    if (parts->how == AL_PARTS_NUMA)
        return by_numa(device, ids, why, why_size);
    if (clGetDeviceInfo(device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL) == CL_SUCCESS &&
        al_parts_share(parts, units, shares))
        return by_units(device, shares, parts->count, ids, why, why_size);
    snprintf(why, why_size, "its compute units (%u) are too few", (unsigned)units);
    return 0;
}
