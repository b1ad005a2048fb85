/* Numbers that a printed seed repeats (splitmix64, Steele et al. 2014). */
#ifndef STRESS_RANDOM_H
#define STRESS_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct random_state {
    uint64_t state;
} random_state;

static inline random_state random_start(uint64_t seed)
{
    return (random_state){ seed };
}

static inline uint64_t random_next(random_state *random)
{
    uint64_t mixed = random->state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* The seed of this run: the argument, else TEST_SEED, else the time. Printed. */
static inline uint64_t random_seed(const char *argument)
{
    const char *text = argument ? argument : getenv("TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * 1000;
    printf("seed %llu (TEST_SEED repeats it)\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

#endif
