/* Where libpng was not found: PNG is known, and said to be missing. */
#include "io.h"

const char *al_png_version(void)
{
    return "";
}

static bool read_picture(const al_file *file, al_input *input, al_problem *problem)
{
    (void)input;
    return al_problem_set(
        problem, AL_EXIT_INPUT,
        "%s: PNG is not built in: build with libpng (Debian: libpng-dev), or use .ppm or .pgm", file->path);
}

const al_format al_png_format = { .ending = ".png", .says = "PNG", .picture = true, .read = read_picture };
