/* Targets: the places that a user names (auto, thread, opencl:1, gpu), checked against those of this machine.
 */
#ifndef AL_CLI_TARGET_H
#define AL_CLI_TARGET_H

#include "cli.h"

enum {
    AL_TARGETS = 32,
    AL_TARGET_NAME = 128, /* as long as what a device is called */
    AL_PLACES = 64
};

typedef struct al_target {
    char name[AL_TARGET_NAME];
    allot_kind kind; /* ALLOT_ANYWHERE: the library chooses */
    bool named;      /* only what this name means, as an id or as a word for devices */
    bool has_f64;
} al_target;

/* The places of a machine as allot_places() gives them. */
typedef struct al_places {
    allot_place_info info[AL_PLACES];
    size_t count;
    const char *message; /* of the search for devices */
} al_places;

/* Waits for the search for devices. */
void al_places_list(al_places *places, allot_executor *executor);

/* "ready" and so on. */
const char *al_place_state_text(allot_place_state state);

/* The target of that name: "auto", a kind, a place's id, or a word for devices as hints.place_id takes it. A
 * kind of devices or a word means any of them. Waits for the search for devices unless the name is a pool's.
 * AL_EXIT_NO_PLACE, naming the places there are, when there is none. */
bool al_target_named(al_target *target, const char *name, allot_executor *executor, al_problem *problem);

/* The targets of a list "thread,gpu,auto" (NULL: thread, process, every device, auto), a kind of devices or a
 * word standing for each of them. */
bool al_target_list(al_target *targets, size_t *count, const char *names, const al_places *places,
                    al_problem *problem);

/* The hints that send a launch there; they point into the target. */
allot_hints al_target_hints(const al_target *target);

#endif
