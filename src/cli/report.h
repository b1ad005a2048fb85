/* Results as rows: one table of columns behind CSV and JSON, so that both say the same; and the table for
 * people. */
#ifndef AL_CLI_REPORT_H
#define AL_CLI_REPORT_H

#include "json.h"
#include "measure.h"

/* One kernel, type and size at one place. NaN where there is no figure. */
typedef struct al_row {
    char kernel[32], type[8], place[AL_TARGET_NAME];
    char chosen[32]; /* where it ran: for auto, mostly */
    size_t n;
    double median_s, p10_s, p90_s, gflops, gbytes_s, transfer_s, first_s;
    bool verified;
    double max_error, tolerance;
    size_t runs;
    char input[700];
    char error[400]; /* "" when all is well */
    size_t set;      /* rows that were measured in turn share it; not written */
} al_row;

/* The row of a measurement; `problem` is what ended it, or NULL when all is well. */
al_row al_row_make(const al_workload *work, const al_target *target, al_measure *measure,
                   const al_problem *problem);

/* An object with every column. */
json_t *al_row_json(const al_row *row);
/* A list of them. */
json_t *al_rows_json(const al_row *rows, size_t count);

/* Makes the folder, and checks that al_rows_write() can write its files there. */
bool al_rows_check(const char *folder, const char *name, al_problem *problem);
/* DIR/NAME.csv and DIR/NAME.json; makes the folder. */
bool al_rows_write(const al_row *rows, size_t count, const char *folder, const char *name,
                   al_problem *problem);

/* The table, what auto came to beside the fastest place of each set, and the failures in full. */
void al_rows_print(const al_row *rows, size_t count, FILE *stream);

#endif
