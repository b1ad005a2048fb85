/* Small kernels that the suites launch; each has a C variant and, unless said otherwise, an OpenCL one. Made
 * at first use, kept until probe_kernels_free(). */
#ifndef PROBE_KERNELS_H
#define PROBE_KERNELS_H

#include <allot/allot.h>

typedef enum probe {
    PROBE_SQUARE,  /* in x, out y (f32 or f64): y = x·x */
    PROBE_AFFINE,  /* inout y (u32, two dimensions, strided), u32 a, u32 b: y = a·y + b */
    PROBE_MIX,     /* in x, inout y (u32, two dimensions, strided), u32 a: y = a·y + x */
    PROBE_FILL,    /* out y (u32, strided), u32 b: y = b + its index in the first dimension */
    PROBE_SLOW,    /* inout y (u32), u32 rounds: that many dependent multiplications an element */
    PROBE_REVERSE, /* in x (u32, whole), out y (u32): y[i] = x[n - 1 - i] */
    PROBE_BLUR,    /* in x (u32, halo 1), out y (u32): y[i] = x[i - 1] + x[i] + x[i + 1], 0 outside */
    PROBE_GATE,    /* inout y (f32), u64 key: waits at a gate (support.h). No OpenCL variant */
    PROBE_PATIENT, /* the same, but ends early, with success, when asked to stop. No OpenCL variant */
    PROBE_FAIL, /* inout y (f32), i32 status: fails with it and FAIL_TEXT. The OpenCL variant does not compile
                 */
    PROBES
} probe;

allot_kernel *probe_kernel(probe which);
void probe_kernels_free(void);

/* What PROBE_SLOW makes of a value. */
uint32_t probe_slow_value(uint32_t value, uint32_t rounds);

#endif
