/* Numbers in files: one table of the formats that are read, one of those that are written. */
#ifndef AL_CLI_IO_H
#define AL_CLI_IO_H

#include "cli.h"
#include "file.h"

/* What a file holds. */
typedef enum al_input_kind {
    AL_SERIES = 1, /* numbers in a row */
    AL_MATRIX      /* a sparse matrix */
} al_input_kind;

typedef struct al_series {
    double *value;
    size_t count;
} al_series;

/* Compressed row storage: row i's entries are row_start[i] to row_start[i + 1] - 1, their columns ascending.
 */
typedef struct al_matrix {
    size_t rows, columns, entries;
    int32_t *row_start;
    int32_t *column;
    double *value;
} al_matrix;

/* What was read: of `series` and `matrix` the one that `kind` says. */
typedef struct al_input {
    al_input_kind kind;
    char name[256]; /* the file's name without its folders */
    al_series series;
    al_matrix matrix;
} al_input;

/* Reads a file by the format that its name ends in. Every problem is AL_EXIT_INPUT and names the file and the
 * line (of text) or byte. Allocates in proportion to the file's size, whatever its header says. */
bool al_input_read(al_input *input, const char *path, al_problem *problem);
void al_input_free(al_input *input);

/* A kind in words: "a series of numbers (.f32)". */
const char *al_input_kind_text(al_input_kind kind);

/* The formats' readers: fill the input's series or matrix, on failure with whatever they allocated left in
 * it. */
bool al_matrix_market_read(const al_file *file, al_input *input, al_problem *problem);
bool al_f32_read(const al_file *file, al_input *input, al_problem *problem);

/* A dense block of numbers to write. */
typedef struct al_block {
    allot_type type;
    size_t rank, shape[3];
    const void *data;
} al_block;

/* False, naming the formats that are written, when the path ends in none of them. */
bool al_output_known(const char *path, al_problem *problem);
bool al_output_write(const char *path, const al_block *block, al_problem *problem);

/* The formats' writers: errors of the stream are found by whoever closes it. */
bool al_npy_write(FILE *stream, const al_block *block);

/* Finds `name` in `folder`, or with that NULL in $ALLOT_DATA, the installed data folder, or beside the
 * program; false when it is nowhere. */
bool al_data_find(const char *folder, const char *name, char *path, size_t path_size);

#endif
