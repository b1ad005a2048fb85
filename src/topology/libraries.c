/* The libraries behind this one: what it was built with, and what it finds beside it in the running program.
 */
#include "topology/topology.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* What the build found; "" when it did not. CMake sets it for this file. */
#ifndef ALLOT_OPENCL_VERSION
#define ALLOT_OPENCL_VERSION ""
#endif
#ifndef ALLOT_SECCOMP_VERSION
#define ALLOT_SECCOMP_VERSION ""
#endif

#ifndef ALLOT_JANSSON_VERSION
#define ALLOT_JANSSON_VERSION ""
#endif

enum {
    LIBRARY_HWLOC,
    LIBRARY_OPENCL,
    LIBRARY_JANSSON,
    LIBRARY_OPENBLAS,
    LIBRARY_SECCOMP,
    LIBRARY_COUNT
};

/* Versions and `found` are filled once, by find_libraries(). */
static allot_library libraries[LIBRARY_COUNT] = {
    [LIBRARY_HWLOC] = { .name = "hwloc", .version = "", .purpose = "topology" },
    [LIBRARY_OPENCL] = { .name = "OpenCL", .version = "", .purpose = "devices" },
    [LIBRARY_JANSSON] = { .name = "jansson", .version = "", .purpose = "simulated machines" },
    [LIBRARY_OPENBLAS] = { .name = "OpenBLAS", .version = "", .purpose = "gemm on CPUs" },
    [LIBRARY_SECCOMP] = { .name = "libseccomp",
                          .version = "",
                          .purpose = "worker processes without network or programs" },
};

static void set_found(int index, const char *version)
{
    libraries[index].version = version;
    libraries[index].found = *version != '\0';
}

/* What a function of the running program answers; NULL if it has none of that name. */
static const char *ask(const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    char *(*function)(void);
    memcpy(&function, &symbol, sizeof function); /* ISO C has no cast from void * to a function */
    return symbol ? function() : NULL;
}

/* OpenBLAS comes with liballot_numeric or with the program itself, so it is asked for at run time. It answers
 * "OpenBLAS 0.3.21 DYNAMIC_ARCH ...", and which processor's kernels it chose: on one that is newer than
 * itself these may be several times slower than they could be, which people who compare should see. */
static void find_openblas(void)
{
    static char version[96];
    char number[32] = "";
    const char *config = ask("openblas_get_config"), *core = ask("openblas_get_corename");
    if (!config)
        return;
    libraries[LIBRARY_OPENBLAS].found = true;
    if (sscanf(config, "OpenBLAS %31s", number) != 1)
        return;
    snprintf(version, sizeof version, core ? "%s, %.40s kernels" : "%s", number, core);
    libraries[LIBRARY_OPENBLAS].version = version;
}

static void find_libraries(void)
{
    set_found(LIBRARY_HWLOC, al_hwloc_version());
    set_found(LIBRARY_OPENCL, ALLOT_OPENCL_VERSION);
    set_found(LIBRARY_JANSSON, ALLOT_JANSSON_VERSION);
    set_found(LIBRARY_SECCOMP, ALLOT_SECCOMP_VERSION);
    find_openblas();
}

const allot_library *allot_libraries(size_t *count)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_libraries);
    if (count)
        *count = LIBRARY_COUNT;
    return libraries;
}
