/* A figure before it is drawn: which rows make a line, which lines share a panel, what a panel shows. Pure.
 */
#ifndef AL_CLI_FIGURE_H
#define AL_CLI_FIGURE_H

#include "report.h"

/* A kernel and type at one place: one line. Points into the rows. */
typedef struct al_line {
    const al_row *first;
    size_t panel, place;
} al_line;

/* A kernel and type: one diagram. */
typedef struct al_panel {
    const al_row *first;
    bool by_flops;    /* GFLOP/s; else GB/s */
    double low, high; /* of its kernel, any type: so that they can be compared; never empty */
    size_t n_low, n_high;
} al_panel;

typedef struct al_figure {
    const al_row *rows; /* the caller's */
    size_t count;
    al_line *lines;
    al_panel *panels;
    const al_row **places; /* the first row of each */
    size_t line_count, panel_count, place_count;
} al_figure;

/* Everything stands in the order of the rows. False when memory is out; al_figure_fini() either way. */
bool al_figure_init(al_figure *figure, const al_row *rows, size_t count);
void al_figure_fini(al_figure *figure);

/* The rows of a line by size, `room` for figure->count of them; returns how many. */
size_t al_figure_points(const al_figure *figure, const al_line *line, const al_row **points);

#endif
