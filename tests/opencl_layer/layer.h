/* An OpenCL layer that injects faults: between the loader and every driver it counts objects and calls, and
 * makes calls fail, events end badly or late or never, and devices be lost.
 *
 * The loader puts it in where the environment names it (OPENCL_LAYERS=FILE). A test that runs in the same
 * process arms it through opencl_layer_control(), found by opencl_layer_find(); elsewhere the environment
 * does, read when the layer is loaded:
 *   OPENCL_LAYER_FAIL=CALL:K:CODE   the K-th call of that name ("any": of all) returns CODE
 *   OPENCL_LAYER_LOSE=CALL:K        from that call on the device is lost
 *   OPENCL_LAYER_END=K:CODE         the K-th command is not run, and its event ends with CODE
 *   OPENCL_LAYER_DELAY=MICROSECONDS commands start up to so much later
 *   OPENCL_LAYER_HANG=K             the K-th kernel that is enqueued never ends
 *   OPENCL_LAYER_REPORT=1           prints the counts when the process ends */
#ifndef OPENCL_LAYER_H
#define OPENCL_LAYER_H

#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef enum opencl_layer_kind {
    LAYER_CONTEXT,
    LAYER_QUEUE,
    LAYER_PROGRAM,
    LAYER_KERNEL,
    LAYER_MEMORY,
    LAYER_SAMPLER,
    LAYER_EVENT,
    LAYER_KINDS
} opencl_layer_kind;

/* All of them may be called by any thread, at any time. `call` is a function's name; NULL: any. k counts from
 * 1, beginning now. */
typedef struct opencl_layer {
    /* Disarms everything, lets go of what hangs, and begins all counts but that of live objects anew. */
    void (*reset)(void);
    void (*fail)(const char *call, uint64_t k, cl_int code);
    /* From that call on all calls but releases fail with CL_DEVICE_NOT_AVAILABLE, and events end with it. */
    void (*lose)(const char *call, uint64_t k);
    void (*end)(uint64_t k, cl_int code); /* commands with and without an event count */
    void (*delay)(uint64_t most_us);
    void (*hang)(uint64_t k);
    void (*let_go)(void); /* what hangs goes on */
    uint64_t (*calls)(const char *call);
    uint64_t (*commands)(void);
    uint64_t (*injected)(void);             /* faults so far; delays do not count */
    size_t (*hanging)(void);                /* kernels that hang now */
    size_t (*live)(opencl_layer_kind kind); /* objects; LAYER_KINDS: all together */
    uint64_t (*misuses)(void);              /* of objects that had been released */
    /* Devices say from now on where they are on PCI, when asked so: "khr", "nv", "nv without a domain",
     * "amd"; NULL: what the driver says. From one thread, beside which nobody asks. */
    void (*put_on_pci)(const char *way, unsigned domain, unsigned bus, unsigned device, unsigned function);
} opencl_layer;

/* The layer in this process; NULL: the loader knows none. Loads the OpenCL drivers. */
static inline const opencl_layer *opencl_layer_find(void)
{
    cl_uint count;
    clGetPlatformIDs(0, NULL, &count); /* the loader reads its environment once, now at the latest */
    const char *path = getenv("OPENCL_LAYERS");
    void *module = path ? dlopen(path, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    const opencl_layer *(*control)(void) = NULL;
    if (module)
        *(void **)&control = dlsym(module, "opencl_layer_control");
    return control ? control() : NULL;
}

#endif
