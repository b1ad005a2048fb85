/* A simulated machine as its file describes it: classes of identical devices, what their work and their links
 * take, how they fail. Figures alone; nothing here runs. */
#ifndef AL_PLACES_SIM_MACHINE_H
#define AL_PLACES_SIM_MACHINE_H

#include "core/failure.h"
#include <allot/place.h>

/* Most of anything that one file may describe. */
#define AL_SIM_CLASSES_MAX 64
#define AL_SIM_PLACES_MAX  100000

/* A way for bytes: a transfer takes latency_s + bytes / bytes_per_s. No rate: there is no such way. */
typedef struct al_sim_rate {
    double bytes_per_s, latency_s;
} al_sim_rate;

/* What a launch of so many flops was seen to take. */
typedef struct al_sim_point {
    double flops, mean_s, stddev_s;
} al_sim_point;

typedef struct al_sim_kernel {
    char *name;
    size_t count;
    al_sim_point *points; /* by flops, which differ */
} al_sim_kernel;

/* How devices of a class fail: one of the three. */
typedef struct al_sim_fault {
    int64_t device; /* within the class, counted over all nodes; -1: every one of them */
    double at_s;    /* when, of the first two */
    double slower;  /* above 0: takes so many times as long from then on */
    bool dies;      /* is lost, with what only it has */
    uint64_t each;  /* above 0: each launch of this number fails */
} al_sim_fault;

typedef struct al_sim_class {
    char *name;
    allot_kind kind; /* what its devices stand in for: hints and priors take them for such */
    size_t count;    /* in each node */
    int width;       /* cores or compute units, told to placement; one launch runs at a time */
    double flops_per_s, bytes_per_s; /* of work that no kernel's points describe */
    double launch_s, compile_s;      /* before each launch; before the first of a kernel */
    double call_s;                   /* what a plain function takes */
    double noise;                    /* standard deviation over mean, where no point says it */
    size_t lookahead;                /* launches whose data is brought while others run */
    bool own_memory;                 /* else it works on its node's memory */
    double memory_bytes;             /* of its own; 0: without limit */
    al_sim_rate to, from;            /* its own memory and its node's */
    size_t kernel_count, fault_count;
    al_sim_kernel *kernels;
    al_sim_fault *faults;
} al_sim_class;

/* A way from devices of one class to those of another in the same node, past its memory. */
typedef struct al_sim_link {
    size_t from, to; /* classes */
    al_sim_rate rate;
} al_sim_link;

typedef struct al_sim_machine {
    char *name;
    uint64_t seed;
    size_t nodes;
    al_sim_rate network; /* each node's, to and from all others */
    al_sim_rate bus; /* shared by all transfers between a node's memory and its devices; no rate: none is */
    size_t class_count, link_count;
    al_sim_class *classes;
    al_sim_link *links;
} al_sim_machine;

/* Reads a machine file, or its text (`name` stands for the file in messages). NULL with status and failure:
 * ALLOT_NOT_FOUND, ALLOT_INVALID with the key and what is expected there, ALLOT_UNSUPPORTED in a build
 * without jansson, ALLOT_NO_MEMORY. */
al_sim_machine *al_sim_machine_load(const char *path, allot_status *status, al_failure *failure);
al_sim_machine *al_sim_machine_read(const char *text, size_t size, const char *name, allot_status *status,
                                    al_failure *failure);
void al_sim_machine_destroy(al_sim_machine *machine);

/* Places of the whole machine. */
size_t al_sim_machine_places(const al_sim_machine *machine);

/* The version of the reader's library; "" in a build without it. */
const char *al_sim_reader_version(void);

#endif
