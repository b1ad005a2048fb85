/* Random numbers for property tests: the seed is printed, and TEST_SEED in the environment sets it. */
#ifndef TEST_RANDOM_H
#define TEST_RANDOM_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct test_random {
    uint64_t state;
} test_random;

static inline test_random test_random_begin(void)
{
    const char *given = getenv("TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("[TEST_SEED=%llu] ", (unsigned long long)seed);
    return (test_random){ seed };
}

/* Steele, Lea and Flood's SplitMix64, 2014. */
static inline uint64_t test_random_bits(test_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* At least `least`, below `most`. */
static inline double test_random_real(test_random *random, double least, double most)
{
    return least + (most - least) * ((double)(test_random_bits(random) >> 11) / 9007199254740992.0);
}

static inline size_t test_random_index(test_random *random, size_t count)
{
    return (size_t)(test_random_bits(random) % count);
}

/* Box and Muller, 1958. */
static inline double test_random_normal(test_random *random, double deviation)
{
    double radius = sqrt(-2 * log(test_random_real(random, 1e-12, 1)));
    return deviation * radius * cos(6.283185307179586 * test_random_real(random, 0, 1));
}

#endif
