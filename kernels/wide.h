/* One text, compiled for more than one width of vector: a block header (dot_block.h, conv2d_block.h) is
 * included once for each element type and width, and what the processor has is asked when the kernel runs.
 *
 * Each inclusion defines T, OF(name), TARGET (the functions' attribute) and VECTOR_BYTES, which the header
 * undefines. */
#ifndef KERNELS_WIDE_H
#define KERNELS_WIDE_H

#include <stdbool.h>

#define PLAIN_TARGET
#define PLAIN_BYTES 16
#if defined(__x86_64__)
#define WIDE_TARGET  __attribute__((target("avx2,fma")))
#define WIDE_BYTES   32
#define WIDER_TARGET __attribute__((target("avx512f,avx512dq,avx2,fma")))
#define WIDER_BYTES  64
#else
#define WIDE_TARGET
#define WIDE_BYTES 16
#define WIDER_TARGET
#define WIDER_BYTES 16
#endif

typedef enum vector_width {
    PLAIN,
    WIDE,
    WIDER
} vector_width;

/* The widest that this processor computes with; the same in every process of a machine. */
static inline vector_width widest(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        return WIDER;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return WIDE;
#endif
    return PLAIN;
}

#endif
