/* Files of numbers: one table of formats, found by the ending of a file's name, each with its reader and its
 * writer. */
#ifndef AL_CLI_IO_H
#define AL_CLI_IO_H

#include "block.h"
#include "cli.h"
#include "file.h"

/* What a file holds. */
typedef enum al_input_kind {
    AL_DENSE = 1, /* numbers: a series, a matrix, a picture */
    AL_MATRIX     /* a sparse matrix */
} al_input_kind;

/* Compressed row storage: row i's entries are row_start[i] to row_start[i + 1] - 1, their columns ascending.
 */
typedef struct al_matrix {
    size_t rows, columns, entries;
    int32_t *row_start;
    int32_t *column;
    double *value;
} al_matrix;

/* What was read: of `block` and `matrix` the one that `kind` says. */
typedef struct al_input {
    al_input_kind kind;
    char name[256]; /* the file's name without its folders */
    al_block block; /* at least one number, all of them finite */
    al_matrix matrix;
} al_input;

/* Reads a file by the format that its name ends in. Every problem is AL_EXIT_INPUT and names the file and the
 * line (of text) or byte, and what would be right. Allocates in proportion to what the file holds, whatever
 * its header says. */
bool al_input_read(al_input *input, const char *path, al_problem *problem);
void al_input_free(al_input *input);

/* A kind in words: "a sparse matrix (.mtx)". */
const char *al_input_kind_text(al_input_kind kind);

/* A format. A new one is a row of the table in io.c. */
typedef struct al_format {
    const char *ending; /* ".npy" */
    const char *says;
    bool picture; /* it writes pictures alone */
    /* Fills the input's kind and its block or matrix; on failure what was allocated is left in it. NULL:
     * written only. */
    bool (*read)(const al_file *file, al_input *input, al_problem *problem);
    /* Writes a block. False with a problem when the format cannot hold it, or with none when the stream
     * failed, which whoever closes it finds out too. NULL: read only. */
    bool (*write)(FILE *stream, const al_block *block, al_problem *problem);
} al_format;

/* The format of that path to write to; NULL with a problem that names those there are. */
const al_format *al_output_format(const char *path, al_problem *problem);
/* Writes a block; the block's data stays the caller's. */
bool al_output_write(const char *path, const al_block *block, al_problem *problem);
/* The endings that are read, or written: ".mtx, .npy, ...". Static text. */
const char *al_formats_read(void);
const char *al_formats_written(void);

/* The formats, a file each. */
extern const al_format al_matrix_market_format, al_npy_format, al_f32_format, al_png_format, al_pgm_format,
    al_ppm_format, al_pnm_format;
/* The version of libpng that PNG is read with; "" where it is built without. */
const char *al_png_version(void);

/* Finds `name` in `folder`, or with that NULL in $ALLOT_DATA, beside the program (its checkout's bench/data,
 * or share/allot/data of where it is installed), or in the installed data folder; false when it is nowhere.
 */
bool al_data_find(const char *folder, const char *name, char *path, size_t path_size);

#endif
