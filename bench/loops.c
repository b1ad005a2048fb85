#include "loops.h"
#include <stdlib.h>
#include <string.h>

static const float a = 0.5f;
static uint32_t *counters;
static float *x, *y;
static size_t made;

void loops_increment(size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        counters[i]++;
}

void loops_saxpy(size_t begin, size_t end)
{
    float *restrict out = y;
    const float *restrict in = x;
    for (size_t i = begin; i < end; i++)
        out[i] = a * in[i] + out[i];
}

/* Aligned to a page, as a program that cares would. */
static void *make(size_t count, size_t size)
{
    return aligned_alloc(4096, (count * size + 4095) / 4096 * 4096);
}

int loops_reset(size_t count)
{
    if (count != made) {
        free(counters), free(x), free(y);
        counters = make(count, sizeof *counters);
        x = make(count, sizeof *x);
        y = make(count, sizeof *y);
        made = counters && x && y ? count : 0;
    }
    for (size_t i = 0; i < made; i++) {
        counters[i] = 0;
        x[i] = (float)(i % 4);
        y[i] = 0;
    }
    return made == count;
}

/* The sums stay exact: small multiples of a half. */
size_t loops_right(loops_part part, size_t count, size_t loops)
{
    size_t right = 0;
    for (size_t i = 0; i < count; i++)
        right += part == loops_increment ? counters[i] == loops : y[i] == a * x[i] * (float)loops;
    return right;
}
