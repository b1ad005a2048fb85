/* OpenCL drivers that no program should load, one a build: CRASHES when its platforms are asked for, HANGS
 * there, or dies already when it is loaded (DIES_LOADING). */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

SHOWN cl_int clIcdGetPlatformIDsKHR(cl_uint size, cl_platform_id *ids, cl_uint *count);

#ifdef DIES_LOADING
__attribute__((constructor)) static void die(void)
{
    abort();
}
#endif

SHOWN cl_int clIcdGetPlatformIDsKHR(cl_uint size, cl_platform_id *ids, cl_uint *count)
{
    (void)size, (void)ids, (void)count;
#ifdef CRASHES
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
#endif
#ifdef HANGS
    for (;;)
        pause();
#endif
    return CL_SUCCESS;
}

SHOWN cl_int clGetPlatformInfo(cl_platform_id platform, cl_platform_info what, size_t size, void *value,
                               size_t *needed)
{
    (void)platform, (void)what, (void)size, (void)value, (void)needed;
    return CL_INVALID_PLATFORM;
}

SHOWN void *clGetExtensionFunctionAddress(const char *name)
{
    void *found = NULL;
    cl_int (*entry)(cl_uint, cl_platform_id *, cl_uint *) = clIcdGetPlatformIDsKHR;
    if (strcmp(name, "clIcdGetPlatformIDsKHR") == 0)
        memcpy(&found, &entry, sizeof found);
    return found;
}
