#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static long now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long)now.tv_sec;
}

void al_progress_init(al_progress *progress, size_t steps)
{
    const char *terminal = getenv("TERM");
    struct winsize size;
    *progress = (al_progress){ .steps = steps, .started_s = now_s(), .columns = 80 };
    progress->rewrites = isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        progress->columns = size.ws_col;
}

/* "[ 3/18] text", in one write so that nothing comes between. `\r`, the text, and "erase to the end of the
 * line". */
static void show(const al_progress *progress, const char *format, va_list arguments)
{
    char text[300], line[400];
    int digits = snprintf(NULL, 0, "%zu", progress->steps);
    long elapsed = now_s() - progress->started_s;
    vsnprintf(text, sizeof text, format, arguments);
    snprintf(line, sizeof line, "[%*zu/%zu %ld:%02ld] %s", digits, progress->step, progress->steps,
             elapsed / 60, elapsed % 60, text);
    if (progress->rewrites)
        fprintf(stderr, "\r%.*s\033[K", progress->columns - 1, line);
    else
        fprintf(stderr, "%s\n", line);
    fflush(stderr);
}

void al_progress_next(al_progress *progress, const char *format, ...)
{
    va_list arguments;
    progress->step++;
    va_start(arguments, format);
    show(progress, format, arguments);
    va_end(arguments);
}

void al_progress_detail(al_progress *progress, const char *format, ...)
{
    va_list arguments;
    if (!progress->rewrites)
        return;
    va_start(arguments, format);
    show(progress, format, arguments);
    va_end(arguments);
}

void al_progress_say(al_progress *progress, const char *format, ...)
{
    va_list arguments;
    al_progress_end(progress);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

void al_progress_end(al_progress *progress)
{
    if (progress->rewrites)
        fputs("\r\033[K", stderr);
}
