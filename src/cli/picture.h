/* The picture of a comparison: throughput by size, a panel for each kernel and type, a line a place. gnuplot,
 * found at run time, draws it from two files that stay beside it, so that whoever wants another look changes
 * the script. */
#ifndef AL_CLI_PICTURE_H
#define AL_CLI_PICTURE_H

#include "report.h"

/* What came of it. */
typedef struct al_picture {
    bool drawn;
    char why[400]; /* why not, in one line */
} al_picture;

/* Checks that al_picture_draw() can write its files in the folder, which exists. */
bool al_picture_check(const char *folder, const char *name, al_problem *problem);

/* Writes DIR/NAME.dat and DIR/NAME.gp, and has gnuplot make DIR/NAME.svg of them; an older one is removed
 * first. False, with a problem, when the two cannot be written; a gnuplot that is not there or fails is no
 * problem but told in `picture`. NAME is letters alone. */
bool al_picture_draw(al_picture *picture, const al_row *rows, size_t count, const char *folder,
                     const char *name, al_problem *problem);

#endif
