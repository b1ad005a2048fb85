/* Arguments of a user's kernel as the command line gives them: "in:x.npy", "out:f32:1000000:y.npy",
 * "f32:2.0". */
#ifndef AL_CLI_ARGUMENT_H
#define AL_CLI_ARGUMENT_H

#include "io.h"

/* How they are written, for --help. */
#define AL_ARGUMENT_HELP                                                                                     \
    "Arguments, in the order of the kernel function's: in:FILE; out:TYPE:SHAPE[:FILE]; inout:FILE[:FILE] "   \
    "or "                                                                                                    \
    "inout:TYPE:SHAPE[:FILE], which begins as zeros; a number as TYPE:VALUE; local:BYTES of local memory; "  \
    "struct:TYPE:VALUE,TYPE:VALUE,... by value, laid out as in C. TYPE is i8, u8, i16, u16, i32, u32, i64, " \
    "u64, "                                                                                                  \
    "f16, f32, f64, or what NumPy calls it (float32, uint8); SHAPE is like 1000000, 1e6 or 512x512x3. "      \
    "NAME=... "                                                                                              \
    "before any of them names it in messages."

typedef struct al_argument_spec {
    char name[64];       /* "arg2", or what the user calls it */
    allot_access access; /* of an array; 0 of all else */
    allot_type type;
    size_t rank, shape[3]; /* of an array that no file gives */
    const char *from;      /* file to read; NULL: zeros */
    char *from_owned;      /* where it is a copy */
    char to[4096];         /* file to write; "": none */
    bool local;
    size_t bytes; /* of local memory or a struct */
    double real;  /* of a floating number */
    int64_t whole;
    unsigned char *packed; /* the struct; owned */
    /* While it is in use: */
    al_input input;     /* what the file held */
    allot_array *array; /* owned */
    bool fresh;         /* no launch has had it */
} al_argument_spec;

/* Reads one; `index` counts from 1. A problem is AL_EXIT_USAGE and shows the text. */
bool al_argument_parse(al_argument_spec *argument, size_t index, const char *text, al_problem *problem);

/* A number as TYPE:VALUE, in memory as a kernel has it; false if `text` is none, or does not fit its type. */
bool al_argument_number(const char *text, unsigned char bytes[8], size_t *size);

/* Reads its file, if it has one. */
bool al_argument_read(al_argument_spec *argument, al_problem *problem);

/* Makes its array; then, before each launch, puts back what it held at first. */
bool al_argument_fill(al_argument_spec *argument, allot_executor *executor, al_problem *problem);

/* What the kernel and the launch get. */
allot_param al_argument_param(const al_argument_spec *argument);
allot_arg al_argument_value(const al_argument_spec *argument);

void al_argument_free(al_argument_spec *argument);

#endif
