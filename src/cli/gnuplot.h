/* A figure in gnuplot's words: a data file and a script that draws it. */
#ifndef AL_CLI_GNUPLOT_H
#define AL_CLI_GNUPLOT_H

#include "figure.h"

/* The data: a block a line, in the figure's order. False when memory is out; the stream's errors are found by
 * whoever closes it. */
bool al_gnuplot_data(const al_figure *figure, FILE *stream);

/* The script, which reads NAME.dat and writes NAME.svg in the folder that gnuplot runs in. NAME is letters
 * alone. False when memory is out. */
bool al_gnuplot_script(const al_figure *figure, const char *name, FILE *stream);

#endif
