/* A workload for a simulated machine: arrays, kernels and launches, of which only the costs and the accesses
 * are known. Made by a generator or read from a file's list. */
#ifndef AL_CLI_SCENARIO_H
#define AL_CLI_SCENARIO_H

#include "cli.h"

enum {
    AL_SCENARIO_ACCESSES = 16, /* of one launch */
    AL_SCENARIO_NAME = 40
};

/* A kernel: launches of one name with one pattern of accesses. */
typedef struct al_scenario_kernel {
    char name[AL_SCENARIO_NAME];
    size_t access_count;
    allot_access accesses[AL_SCENARIO_ACCESSES];
} al_scenario_kernel;

typedef struct al_scenario_task {
    uint32_t kernel;
    int priority;
    double flops, bytes;
    size_t first_use; /* of its arrays: as many as the kernel has accesses */
    size_t first_after, after_count;
} al_scenario_task;

typedef struct al_scenario {
    char name[64];
    size_t array_count, kernel_count, task_count, use_count, after_count;
    size_t array_room, kernel_room, task_room, use_room, after_room;
    uint64_t *arrays; /* bytes */
    al_scenario_kernel *kernels;
    al_scenario_task *tasks;
    uint32_t *uses;   /* arrays */
    uint32_t *afters; /* tasks before this one */
    bool no_memory;   /* then it is not whole */
} al_scenario;

void al_scenario_free(al_scenario *scenario);

/* Each returns the new one's number. The pattern is a letter an array: r read, w written, u updated. */
uint32_t al_scenario_array(al_scenario *scenario, double bytes);
uint32_t al_scenario_kernel_of(al_scenario *scenario, const char *name, const char *pattern);
/* `arrays`: as many as the kernel's pattern has letters. Bytes 0: those of the arrays. */
uint32_t al_scenario_launch(al_scenario *scenario, uint32_t kernel, double flops, double bytes,
                            const uint32_t *arrays);
/* The task launched last runs after that one. */
void al_scenario_after(al_scenario *scenario, uint32_t task);

/* What a generator is told; 0: its own default. */
typedef struct al_scenario_size {
    size_t tiles, tile, steps, width, degree;
    double flops, bytes;
    uint64_t seed;
} al_scenario_size;

/* Makes one by the generator of that name; a problem (no such generator, too large, no memory) is
 * AL_EXIT_INPUT. */
bool al_scenario_generate(al_scenario *scenario, const char *generator, const al_scenario_size *size,
                          al_problem *problem);

/* Reads a workload file: a generator with its sizes, or lists of arrays, kernels and tasks. `tiles` above 0
 * stands in for the file's. Problems name the file, the key and what is expected. */
bool al_scenario_read(al_scenario *scenario, const char *path, size_t tiles, al_problem *problem);

#endif
