/* Drivers as the OpenCL loader finds them: files that end in .icd, each naming a library. And a way around
 * the loader, which opens them all: libraries opened here, platforms asked for directly.
 *
 * A loader sends each call on to the driver whose object it is about; only few calls make it open the
 * drivers. These go through here. */
#ifndef AL_PLACES_OPENCL_ICD_H
#define AL_PLACES_OPENCL_ICD_H

#include "places/opencl/cl.h"
#include <stdbool.h>
#include <stdint.h>

#define AL_ICDS_MAX 64

/* A file's state: what differs when it has been replaced. All 0: there is none. */
typedef struct al_stamp {
    int64_t bytes, changed_ns;
} al_stamp;

al_stamp al_icd_stamp_of(const char *path);
/* Of the library that a platform's calls lead into. */
al_stamp al_icd_stamp(cl_platform_id platform);

typedef struct al_icd {
    char *file;    /* the .icd; the library where the loader was given that */
    char *library; /* as the file names it; "" where it names none */
} al_icd;

/* Lists what the loader would open, in the order of names; returns how many. fini frees one. */
size_t al_icd_list(al_icd *icds, size_t capacity);
void al_icd_fini(al_icd *icd);

/* Where the dynamic linker would find the library, as far as its folders are known without opening it; the
 * caller frees it. NULL: not found, or no memory. */
char *al_icd_find_library(const char *library);

/* True if this process has the library open, and it looks like a driver. */
bool al_icd_is_open(const al_icd *icd);

/* Opens the library and adds its platforms, from this process on used around the loader. Where it cannot, it
 * says why and adds none. `path` (may be NULL) receives where the library lies. */
size_t al_icd_open(const char *library, cl_platform_id *platforms, size_t capacity, char *why,
                   size_t why_size, char *path, size_t path_size);

/* From now on the platforms are these, for good. */
void al_icd_go_around(const cl_platform_id *platforms, size_t count);

/* ---- What makes a loader open the drivers: the calls of the same names, by it or around it ---- */

cl_int al_icd_platforms(cl_uint capacity, cl_platform_id *platforms, cl_uint *count);
cl_int al_icd_platform_info(cl_platform_id platform, cl_platform_info what, size_t size, void *value);
cl_int al_icd_devices(cl_platform_id platform, cl_uint capacity, cl_device_id *devices, cl_uint *count);
cl_context al_icd_context(cl_platform_id platform, cl_device_id device, cl_int *code);
void *al_icd_extension(cl_platform_id platform, const char *name);

#endif
