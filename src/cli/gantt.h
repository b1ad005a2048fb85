/* A picture of who ran what when: SVG, a row a place, a colour a kernel. */
#ifndef AL_CLI_GANTT_H
#define AL_CLI_GANTT_H

#include "cli.h"

typedef struct al_gantt_bar {
    size_t row, kind; /* the place, the kernel */
    double from_s, to_s;
} al_gantt_bar;

typedef struct al_gantt {
    const char *title;
    const char *const *rows;  /* names of places */
    const char *const *kinds; /* of kernels */
    size_t row_count, kind_count, bar_count;
    const al_gantt_bar *bars; /* in any order */
    double end_s;             /* of the time axis */
    double mark_s;            /* a line across: the lower bound; 0: none */
} al_gantt;

/* Rows without a bar are left out; bars that would be narrower than a tenth of a pixel are drawn so wide. */
bool al_gantt_write(const al_gantt *gantt, const char *path, al_problem *problem);

#endif
