/* What `run` and `compare` do alike before they measure: open the executor, find and read the input, feed a
 * workload. */
#ifndef AL_CLI_SESSION_H
#define AL_CLI_SESSION_H

#include "workload.h"

/* The inputs of one kernel, read once and fed to many workloads. */
typedef struct al_inputs {
    al_input input[AL_INPUTS];
    size_t count;   /* 0: seeded values */
    char note[600]; /* what the user should know: that the data folder was not found. "" otherwise */
} al_inputs;

/* Reads the files given, or with none the kernel's real input from the data folder (NULL: looked for). Checks
 * that each is of the kind that the kernel takes. Free it in any case. */
bool al_inputs_read(al_inputs *inputs, const al_workload_kind *kind, const char *const *paths, size_t count,
                    const char *data_folder, al_problem *problem);
void al_inputs_free(al_inputs *inputs);

/* A feed of these inputs for `launches` launches, with the kernel's own n. */
al_feed al_inputs_feed(const al_inputs *inputs, allot_executor *executor, allot_type type, int launches);

/* Opens an executor, with a policy and a decision log or NULL; NULL with a problem. */
allot_executor *al_session_open(const char *policy, const char *decisions, al_problem *problem);

/* Where the input is looked for, for --help. */
#define AL_DATA_HELP                                                                                         \
    "the folder of the sample input (else $ALLOT_DATA, or what lies beside the program: bench/data of a "    \
    "checkout, share/allot/data of an installed copy)"

#endif
