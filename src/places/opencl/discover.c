/* Which OpenCL devices there are: each becomes a place. */
#include "base/log.h"
#include "places/opencl/calm.h"
#include "places/opencl/error.h"
#include "places/opencl/icd.h"
#include "places/opencl/isolate.h"
#include "places/opencl/opencl.h"
#include "places/opencl/quarantine.h"
#include "places/opencl/split.h"
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

/* What is found, and where it goes. */
typedef struct search {
    const al_parts *parts;
    al_place **places;
    size_t capacity, made;
    size_t devices; /* so far */
    char *message;
    size_t message_size;
} search;

static bool add(search *all, cl_platform_id platform, cl_device_id id, al_opencl_which which)
{
    al_place *place = all->made < all->capacity ? al_opencl_create(platform, id, which) : NULL;
    if (place)
        all->places[all->made++] = place;
    return place != NULL;
}

static void say_whole(search *all, size_t index, const char *why)
{
    say(all->message, all->message_size, "opencl:%zu is not split: %s", index, why);
    al_log(AL_LOG_WARNING, "opencl:%zu is not split, and used as a whole: %s", index, why);
}

/* Whole where it cannot be split. */
static void add_device(search *all, cl_platform_id platform, cl_device_id id)
{
    cl_device_id parts[AL_PARTS_MAX];
    char why[160];
    size_t index = all->devices++, count = al_opencl_split(id, all->parts, parts, why, sizeof why);
    if (*why)
        say_whole(all, index, why);
    if (!count)
        add(all, platform, id, (al_opencl_which){ index, 0, 0 });
    for (unsigned i = 0; i < count; i++)
        if (!add(all, platform, parts[i], (al_opencl_which){ index, i + 1, (unsigned)count }))
            clReleaseDevice(parts[i]);
}

/* A platform with no device (Mesa's clover without a GPU) is no fault; one that cannot say is. */
static void discover_platform(search *all, cl_platform_id platform)
{
    cl_device_id ids[DEVICES_MAX];
    cl_uint count = 0;
    cl_int code = al_icd_devices(platform, DEVICES_MAX, ids, &count);
    if (code != CL_SUCCESS && code != CL_DEVICE_NOT_FOUND) {
        char name[128] = "";
        platform_name(platform, name, sizeof name);
        say(all->message, all->message_size, "%s: clGetDeviceIDs: %s (%d)", name, al_opencl_error_name(code),
            (int)code);
        al_log(AL_LOG_WARNING, "OpenCL: %s", all->message);
        return;
    }
    for (cl_uint i = 0; code == CL_SUCCESS && i < count && i < DEVICES_MAX; i++)
        add_device(all, platform, ids[i]);
}

static void discover_all(search *all)
{
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_uint count = 0;
    cl_int code = al_icd_platforms(PLATFORMS_MAX, platforms, &count);
    if (code != CL_SUCCESS || count == 0) {
        say(all->message, all->message_size,
            "no OpenCL platform: clGetPlatformIDs: %s (%d); a driver is missing (Debian: pocl-opencl-icd) or "
            "OCL_ICD_VENDORS leads nowhere",
            al_opencl_error_name(code), (int)code);
        return;
    }
    for (cl_uint p = 0; p < count && p < PLATFORMS_MAX; p++)
        discover_platform(all, platforms[p]);
    if (all->made == 0 && all->message_size && !all->message[0])
        say(all->message, all->message_size, "no OpenCL device: %u platforms, none of which has one",
            (unsigned)count);
}

static size_t discover(const al_place_config *config, al_place **places, size_t capacity, char *message,
                       size_t message_size)
{
    al_quarantine_check(message, message_size);
    bool calm = al_opencl_calm_begin(), all_on_cpu = true;
    search all = { .parts = &config->device_parts,
                   .places = places,
                   .capacity = capacity,
                   .message = message,
                   .message_size = message_size };
    discover_all(&all);
    size_t made = all.made;
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
