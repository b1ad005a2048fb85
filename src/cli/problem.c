/* How a problem is recorded: apart from main.c, which tells it, so that readers can be built without the
 * command. */
#include "cli.h"
#include "file.h"

#include <stdarg.h>
#include <stdio.h>

static void set(al_problem *problem, al_exit code, size_t used, const char *format, va_list arguments)
{
    vsnprintf(problem->text + used, sizeof problem->text - used, format, arguments);
    problem->code = code;
}

bool al_problem_set(al_problem *problem, al_exit code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(problem, code, 0, format, arguments);
    va_end(arguments);
    return false;
}

/* The most of a path that is shown: room is kept for what is wrong with the file. */
enum {
    PATH_SHOWN = 700
};

bool al_file_problem_at_byte(const al_file *file, size_t byte, al_problem *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int used =
        snprintf(problem->text, sizeof problem->text, "%.*s: byte %zu: ", PATH_SHOWN, file->path, byte);
    set(problem, AL_EXIT_INPUT, (size_t)used, format, arguments);
    va_end(arguments);
    return false;
}

bool al_file_problem_at_line(const al_file *file, size_t line, al_problem *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int used = snprintf(problem->text, sizeof problem->text, "%.*s:%zu: ", PATH_SHOWN, file->path, line);
    set(problem, AL_EXIT_INPUT, (size_t)used, format, arguments);
    va_end(arguments);
    return false;
}
