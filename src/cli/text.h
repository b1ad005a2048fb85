/* Figures and tables for people: units that fit, columns that line up. */
#ifndef AL_CLI_TEXT_H
#define AL_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Room for any figure below. */
enum {
    AL_FIGURE = 40
};

/* Each writes to `text` (AL_FIGURE bytes) and returns it; what is not finite is "-". */
const char *al_text_seconds(char *text, double seconds); /* "12.3 µs" */
const char *al_text_bytes(char *text, double bytes);     /* "1.5 GiB" */
const char *al_text_count(char *text, size_t count);     /* "1,000,000" */
const char *al_text_figure(char *text, double value);    /* three digits: "0.123", "45.6", "1,230" */
const char *al_text_error(char *text, double value);     /* "5.9e-08", "0" */

/* A column's heading; numbers stand to the right. */
typedef struct al_table_column {
    const char *heading;
    bool right;
} al_table_column;

/* A table that is filled cell by cell, row by row, and printed with columns as wide as they need. */
typedef struct al_table al_table;

/* The columns must outlive the table. NULL when memory is out; the other functions do nothing with NULL. */
al_table *al_table_create(const al_table_column *columns, size_t count);
void al_table_destroy(al_table *table);
void al_table_cell(al_table *table, const char *text);
/* A blank line after the row just filled. */
void al_table_gap(al_table *table);
/* False when memory ran out while it was filled: then it prints what there is. */
bool al_table_print(const al_table *table, FILE *stream);

#endif
