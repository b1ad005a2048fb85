/* Values of options that several subcommands take, read strictly; each says what was wrong and what would be
 * right. */
#ifndef AL_CLI_OPTIONS_H
#define AL_CLI_OPTIONS_H

#include "workload.h"

enum {
    AL_SIZES = 32,
    AL_REPEATS_MAX = 100000
};

/* A size that compare is asked for: of one kernel ("gemm=256"), or of all. */
typedef struct al_size {
    const al_workload_kind *kind; /* NULL: all */
    size_t n;
} al_size;

bool al_option_count(size_t *value, const char *option, const char *text, al_problem *problem);
bool al_option_repeats(size_t *value, const char *text, al_problem *problem);
/* f32 or f64. */
bool al_option_type(allot_type *type, const char *text, al_problem *problem);

/* Calls `item` for each word of a list with commas, and stops at the first that it refuses. An empty list or
 * word is refused. */
bool al_option_list(const char *option, const char *text,
                    bool (*item)(const char *word, void *user, al_problem *problem), void *user,
                    al_problem *problem);

#endif
