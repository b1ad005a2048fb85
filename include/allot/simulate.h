/* The description of a simulated machine, to look at: what its file says of devices and of what work takes
 * there. How to run on one: executor.h, options.machine. docs/simulation.md describes the files. */
#ifndef ALLOT_SIMULATE_H
#define ALLOT_SIMULATE_H

#include <allot/kernel.h>
#include <allot/place.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct allot_machine allot_machine;

/* Devices that are alike. */
typedef struct allot_machine_class {
    size_t size; /* sizeof(allot_machine_class), set by the caller */
    char name[16];
    allot_kind kind;                         /* what they stand in for */
    size_t count;                            /* of all nodes together: each is a place */
    bool own_memory;                         /* else its node's */
    double memory_bytes;                     /* of its own; 0: without limit */
    double to_bytes_per_s, from_bytes_per_s; /* between its own memory and its node's; 0: it has none */
} allot_machine_class;

/* Reads a machine file. NULL with allot_last_error(), which names the file, the key and what is expected. The
 * machine never changes: any threads may look at it. */
ALLOT_API allot_machine *allot_machine_load(const char *path);
/* NULL is fine. */
ALLOT_API void allot_machine_destroy(allot_machine *machine);

/* Valid while the machine is there; "" of NULL. */
ALLOT_API const char *allot_machine_name(const allot_machine *machine);
/* 0 of NULL. */
ALLOT_API size_t allot_machine_nodes(const allot_machine *machine);

/* Copies up to `capacity` of its classes to infos, whose `size` the caller has set in each; returns how many
 * there are; 0 of NULL. */
ALLOT_API size_t allot_machine_classes(const allot_machine *machine, allot_machine_class *infos,
                                       size_t capacity);

/* The class of a place, numbered as allot_places() does on an executor of this machine; SIZE_MAX: there is
 * none. */
ALLOT_API size_t allot_machine_class_of(const allot_machine *machine, size_t place);

/* What a launch takes on average on an idle device of a class that has its data, seconds: without noise,
 * faults, compiling. Infinite where there is no such class. */
ALLOT_API double allot_machine_run_s(const allot_machine *machine, size_t of_class, const char *kernel,
                                     allot_work work);

#ifdef __cplusplus
}
#endif
#endif
