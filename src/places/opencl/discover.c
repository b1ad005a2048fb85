/* Which OpenCL devices there are: each becomes a place. */
#include "base/log.h"
#include "places/opencl/calm.h"
#include "places/opencl/error.h"
#include "places/opencl/icd.h"
#include "places/opencl/isolate.h"
#include "places/opencl/opencl.h"
#include "places/opencl/quarantine.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PLATFORMS_MAX 64
#define DEVICES_MAX   256 /* of one platform */

/* After what was said before. */
__attribute__((format(printf, 3, 4))) static void say(char *message, size_t size, const char *format, ...)
{
    va_list values;
    size_t used = size ? strlen(message) : 0;
    if (used + 3 >= size)
        return;
    if (used)
        used += (size_t)snprintf(message + used, size - used, "; ");
    va_start(values, format);
    vsnprintf(message + used, size - used, format, values);
    va_end(values);
}

static void platform_name(cl_platform_id platform, char *name, size_t size)
{
    if (al_icd_platform_info(platform, CL_PLATFORM_NAME, size - 1, name) != CL_SUCCESS)
        snprintf(name, size, "a platform without a name");
}

/* A platform with no device (Mesa's clover without a GPU) is no fault; one that cannot say is. */
static size_t discover_platform(cl_platform_id platform, al_place **places, size_t capacity, size_t first,
                                char *message, size_t message_size)
{
    cl_device_id ids[DEVICES_MAX];
    cl_uint count = 0;
    size_t made = 0;
    cl_int code = al_icd_devices(platform, DEVICES_MAX, ids, &count);
    if (code != CL_SUCCESS && code != CL_DEVICE_NOT_FOUND) {
        char name[128] = "";
        platform_name(platform, name, sizeof name);
        say(message, message_size, "%s: clGetDeviceIDs: %s (%d)", name, al_opencl_error_name(code),
            (int)code);
        al_log(AL_LOG_WARNING, "OpenCL: %s", message);
        return 0;
    }
    count = code == CL_SUCCESS ? (count < DEVICES_MAX ? count : DEVICES_MAX) : 0;
    while (made < count && made < capacity &&
           (places[made] = al_opencl_create(platform, ids[made], first + made)))
        made++;
    return made;
}

static size_t discover_all(al_place **places, size_t capacity, char *message, size_t message_size)
{
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_uint count = 0;
    size_t made = 0;
    cl_int code = al_icd_platforms(PLATFORMS_MAX, platforms, &count);
    if (code != CL_SUCCESS || count == 0) {
        say(message, message_size,
            "no OpenCL platform: clGetPlatformIDs: %s (%d); a driver is missing (Debian: pocl-opencl-icd) or "
            "OCL_ICD_VENDORS leads nowhere",
            al_opencl_error_name(code), (int)code);
        return 0;
    }
    for (cl_uint p = 0; p < count && p < PLATFORMS_MAX; p++)
        made += discover_platform(platforms[p], places + made, capacity - made, made, message, message_size);
    if (made == 0 && message_size && !message[0])
        say(message, message_size, "no OpenCL device: %u platforms, none of which has one", (unsigned)count);
    return made;
}

static size_t discover(const al_place_config *config, al_place **places, size_t capacity, char *message,
                       size_t message_size)
{
    al_quarantine_check(message, message_size);
    bool calm = al_opencl_calm_begin(), all_on_cpu = true;
    size_t made = discover_all(places, capacity, message, message_size);
    for (size_t i = 0; i < made; i++)
        all_on_cpu = all_on_cpu && ((al_opencl *)places[i])->device.on_cpu;
    calm = al_opencl_calm_end(calm, all_on_cpu);
    for (size_t i = 0; i < made; i++) {
        al_opencl *found = (al_opencl *)places[i];
        found->calm = calm;
        if (config->device_memory_bytes)
            found->memory.budget_bytes = config->device_memory_bytes;
    }
    return made;
}

const al_place_kind al_opencl_kind = { ALLOT_OPENCL, true, discover, al_quarantine_list, al_opencl_isolate };
