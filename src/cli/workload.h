/* Workloads: how each sample kernel is fed, and how its result is judged. A kernel is one row of a table;
 * what feeds a kernel is in workload_<kernel>.c.
 *
 * A result is judged against the serial reference in double precision. The error of an element is measured
 * against its scale, what the same computation gives on absolute values, since that is what rounding grows
 * with (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1): the k roundings of an
 * element may cost k units of roundoff. */
#ifndef AL_CLI_WORKLOAD_H
#define AL_CLI_WORKLOAD_H

#include "cli.h"
#include "io.h"

enum {
    AL_INPUTS = 2,   /* files that a kernel takes at most */
    AL_ARGUMENTS = 8 /* parameters that a kernel has at most */
};

/* What a workload is made from. */
typedef struct al_feed {
    allot_executor *executor;
    allot_type type;
    size_t n;
    bool n_given;                      /* else the kernel takes what its input suggests, or its default */
    const al_input *inputs[AL_INPUTS]; /* NULL: seeded values */
    int launches;                      /* how many, one after the other, the expected result is of */
} al_feed;

typedef struct al_workload al_workload;

/* A kernel's row. */
typedef struct al_workload_kind {
    const char *name;
    const char *says; /* for --help */
    const allot_kernel *(*kernel)(void);
    const char *data; /* its real input's file in the data folder; NULL: seeded values */
    struct {
        const char *name;   /* the kernel's own word for it: "x" */
        al_input_kind kind; /* 0: no further input */
    } inputs[AL_INPUTS];
    size_t sizes[4];                                /* what compare runs, ended by 0 */
    size_t (*size)(const al_feed *feed);            /* the n that the feed comes to */
    double (*bytes)(const al_feed *feed, size_t n); /* memory needed, about; double: it may be absurd */
    bool (*init)(al_workload *work, const al_feed *feed, al_problem *problem);
    bool picture; /* its result has rows and columns, and can be written as a picture */
} al_workload_kind;

struct al_workload {
    const al_workload_kind *kind;
    allot_executor *executor;
    allot_type type;
    size_t n;
    char input[700]; /* what it runs on, in words */
    allot_ndrange range;
    allot_arg args[AL_ARGUMENTS];
    size_t arg_count;
    allot_array *arrays[AL_ARGUMENTS]; /* every array among the arguments; owned */
    size_t array_count;
    allot_array *result;   /* one of them */
    size_t rank, shape[3]; /* of the result */
    size_t count;          /* its elements */
    unsigned white;        /* of a result that is a picture, the value of full light; 0: it is none */
    void *initial;         /* what it is set to before a turn; owned */
    double *expected;      /* after feed.launches launches; owned */
    double *scale;         /* the same on absolute values; owned */
    double roundings;      /* the most that one element sees */
};

/* The table. */
extern const al_workload_kind *const al_workload_kinds[]; /* ended by NULL */
/* A row by name; NULL with a problem (AL_EXIT_USAGE) that names those there are. */
const al_workload_kind *al_workload_named(const char *name, al_problem *problem);
/* Their names: "axpy, dot, ...". */
const char *al_workload_names(void);

/* Makes a workload, results expected included (which may take a second). It must be freed whether that
 * succeeded or not. */
bool al_workload_init(al_workload *work, const al_workload_kind *kind, const al_feed *feed,
                      al_problem *problem);
void al_workload_fini(al_workload *work);

/* Puts the result back to its start and makes the host's copy of every array the current one, so that a next
 * launch elsewhere has everything to move. */
bool al_workload_reset(al_workload *work, al_problem *problem);

/* What a result was found to be. */
typedef struct al_judgement {
    double
        max_error; /* the largest error, as a share of its element's scale; NaN when it is no number at all */
    double tolerance; /* what is allowed */
    bool right;
    char worst[200]; /* in words, when not right: which element is what, and should be what */
} al_judgement;

/* Judges `data`, `count` elements of the workload's type. Pure. */
void al_workload_judge(const al_workload *work, const void *data, al_judgement *judgement);

/* What the library moved of the workload's arrays so far. */
typedef struct al_moves {
    uint64_t count; /* copies that were made */
    uint64_t ns;    /* time they took */
} al_moves;
al_moves al_workload_moves(const al_workload *work);

/* ---- For the kernels' own files ---- */

double al_value_get(allot_type type, const void *data, size_t index);
void al_value_set(allot_type type, void *data, size_t index, double value);

/* `count` numbers of the type: the block's, one after the other, repeated or cut; or seeded ones in [-1, 1)
 * where that is NULL. NULL with a problem when memory is out or a value does not fit the type. The caller
 * frees. */
void *al_values_make(const al_block *block, uint64_t seed, allot_type type, size_t count,
                     al_problem *problem);
/* The same of rows and columns: a block of two dimensions keeps its rows, cut or repeated in both directions.
 */
void *al_values_make_2d(const al_block *block, uint64_t seed, allot_type type, size_t rows, size_t columns,
                        al_problem *problem);
/* The absolute values of `data`. NULL with a problem when memory is out. */
void *al_values_absolute(allot_type type, const void *data, size_t count, al_problem *problem);
/* A seeded number in [-1, 1), the same for the same (seed, index) everywhere. */
double al_value_seeded(uint64_t seed, uint64_t index);

/* Adds an array of `count` elements copied from `data` (NULL: zeroes) to the workload. NULL with a problem.
 */
allot_array *al_workload_array(al_workload *work, allot_type type, size_t count, const void *data,
                               al_problem *problem);
/* Adds to work->input, in words, a file and what was made of its numbers: cut or repeated to `wanted` of
 * them, which the user knows as `what` ("n"). With `input` NULL: seeded values, unless something stands
 * there. */
void al_workload_describe(al_workload *work, const al_input *input, size_t wanted, const char *what);
/* Says which array is the result, of that shape and starting as `initial` (taken over), and makes room for
 * what is expected. */
bool al_workload_result(al_workload *work, allot_array *result, const allot_view *view, void *initial,
                        al_problem *problem);
/* Out of memory, as a problem; false. */
bool al_out_of_memory(al_problem *problem);

extern const al_workload_kind al_axpy_kind, al_dot_kind, al_gemm_kind, al_spmv_kind, al_conv2d_kind,
    al_conv2d_separable_kind;

#endif
