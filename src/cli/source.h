/* `allot run --source`: a kernel of the user's own, in OpenCL C, SPIR-V or a binary, without a line of C. */
#ifndef AL_CLI_SOURCE_H
#define AL_CLI_SOURCE_H

#include "argument.h"
#include "json.h"
#include "target.h"

enum {
    AL_SOURCE_ARGUMENTS = 32,
    AL_SOURCE_CONSTANTS = 64,
    AL_SOURCE_TEXT = 4096
};

typedef struct al_source {
    /* As asked for. */
    const char *path; /* NULL: no user's kernel is run */
    const char *entry;
    size_t rank, global[3], offset[3], local[3];
    char options[AL_SOURCE_TEXT]; /* of the build */
    al_argument_spec arguments[AL_SOURCE_ARGUMENTS];
    size_t argument_count;
    allot_constant constants[AL_SOURCE_CONSTANTS]; /* of SPIR-V; their values are below */
    unsigned char constant_values[AL_SOURCE_CONSTANTS][8];
    size_t constant_count;
    bool isolate;
    double timeout_s;  /* of each launch; 0: none */
    const char *first; /* the first of these options that was given; NULL: none */
    /* What it takes. */
    al_file file;
    char *text; /* the file, ended by a zero, if it is text */
    allot_param params[AL_SOURCE_ARGUMENTS];
    allot_kernel *kernel;
    /* What came of it. */
    double *run_s, *kernel_s, first_s, moved_s;
    size_t runs;
    allot_future *last; /* owned */
} al_source;

/* Options of al_source; keys of argp's. */
enum {
    AL_SOURCE_FILE = 512,
    AL_SOURCE_ENTRY,
    AL_SOURCE_ARGUMENT,
    AL_SOURCE_GLOBAL,
    AL_SOURCE_OFFSET,
    AL_SOURCE_LOCAL,
    AL_SOURCE_OPTION,
    AL_SOURCE_DEFINE,
    AL_SOURCE_ISOLATE,
    AL_SOURCE_TIMEOUT,
    AL_SOURCE_CONSTANT,
};

/* Takes one of the options above. */
bool al_source_take(al_source *source, int key, const char *text, al_problem *problem);
/* Whether what was given makes a launch. */
bool al_source_check(const al_source *source, al_problem *problem);

/* Reads the files; then makes arrays and kernel. */
bool al_source_read(al_source *source, al_problem *problem);
bool al_source_prepare(al_source *source, allot_executor *executor, al_problem *problem);

/* One launch to begin with, which builds and moves; then `repeats` that are timed. What is read and written
 * begins anew before each. */
bool al_source_measure(al_source *source, allot_executor *executor, const al_target *target, size_t repeats,
                       al_problem *problem);

/* Writes the files that arguments name. */
bool al_source_write(al_source *source, al_problem *problem);

void al_source_print(al_source *source);
json_t *al_source_json(al_source *source);
void al_source_free(al_source *source);

#endif
