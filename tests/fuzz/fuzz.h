/* A fuzz target: libFuzzer calls it with bytes of its making. One line a format: FUZZ(al_npy_format) */
#ifndef FUZZ_H
#define FUZZ_H

#include "fuzz/check_input.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define FUZZ(format)                                                                                         \
    int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)                                            \
    {                                                                                                        \
        const char *wrong = check_input(&(format), bytes, size);                                             \
        if (wrong) {                                                                                         \
            fprintf(stderr, "%s\n", wrong);                                                                  \
            abort();                                                                                         \
        }                                                                                                    \
        return 0;                                                                                            \
    }

#endif
