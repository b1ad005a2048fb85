/* Whole files: read into memory, or written so that a reader never sees half of one. */
#ifndef AL_CLI_FILE_H
#define AL_CLI_FILE_H

#include "cli.h"
#include <stdio.h>

typedef struct al_file {
    const char *path; /* the caller's */
    char *data;       /* not terminated */
    size_t size;
} al_file;

/* Reads a regular file. Problems (missing, a folder, not readable, larger than memory) are AL_EXIT_INPUT and
 * name the path. */
bool al_file_read(al_file *file, const char *path, al_problem *problem);
void al_file_free(al_file *file);

/* What is wrong with a file that was read, and where: "PATH: byte N: ..." of a binary one, from 0, or
 * "PATH:LINE: ..." of text, from 1. Each records AL_EXIT_INPUT and returns false, as al_problem_set() does.
 */
bool al_file_problem_at_byte(const al_file *file, size_t byte, al_problem *problem, const char *format, ...)
    ALLOT_PRINTF(4, 5);
bool al_file_problem_at_line(const al_file *file, size_t line, al_problem *problem, const char *format, ...)
    ALLOT_PRINTF(4, 5);

/* A file being written: beside its place, and renamed to it once it is whole. */
typedef struct al_output {
    FILE *stream;
    char path[4096];
    char temporary[4160]; /* "": written in place, as /dev/stdout must be */
} al_output;

bool al_output_open(al_output *output, const char *path, al_problem *problem);
/* Whether that would work, told before hours of work depend on it: leaves what is there as it is. */
bool al_output_check(const char *path, al_problem *problem);
/* The same of a file that somebody else will write in place. */
bool al_output_check_in_place(const char *path, al_problem *problem);
/* Ends it. With `keep` false, or when something could not be written, nothing is left behind. */
bool al_output_close(al_output *output, bool keep, al_problem *problem);

#endif
