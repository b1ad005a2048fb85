#include "entry.h"
#include <CL/cl_layer.h>
#include <string.h>

#define SHOWN __attribute__((visibility("default")))

SHOWN cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t size, void *value, size_t *needed)
{
    const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    if (what != CL_LAYER_API_VERSION || (value && size < sizeof version))
        return CL_INVALID_VALUE;
    if (value)
        memcpy(value, &version, sizeof version);
    if (needed)
        *needed = sizeof version;
    return CL_SUCCESS;
}

SHOWN cl_int CL_API_CALL clInitLayer(cl_uint count, const cl_icd_dispatch *below, cl_uint *filled,
                                     const cl_icd_dispatch **table)
{
    static cl_icd_dispatch above;
    size_t entries = sizeof above / sizeof(void *);
    if (!below || !filled || !table || count < entries)
        return CL_INVALID_VALUE;
    layer_begin(&above, below);
    *filled = (cl_uint)entries;
    *table = &above;
    return CL_SUCCESS;
}
