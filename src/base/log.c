#include "base/log.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1000
#define LEVEL_UNSET    -1

static const char *const level_names[] = { "error", "warning", "info", "debug" };

/* Read by every al_log() before anything else; relaxed: a line more or less at a change is no matter. */
static _Atomic int highest_level = LEVEL_UNSET;

static struct {
    pthread_mutex_t lock; /* guards both below, which belong together */
    al_log_function function;
    void *user;
} receiver = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int clamp(int level)
{
    return level < AL_LOG_ERROR ? AL_LOG_ERROR : level > AL_LOG_DEBUG ? AL_LOG_DEBUG : level;
}

static int level_of_environment(void)
{
    const char *name = getenv("ALLOT_LOG");
    for (int level = AL_LOG_ERROR; name && level <= AL_LOG_DEBUG; level++)
        if (strcasecmp(name, level_names[level]) == 0)
            return level;
    return AL_LOG_WARNING;
}

static int level_now(void)
{
    int level = atomic_load_explicit(&highest_level, memory_order_relaxed);
    if (level != LEVEL_UNSET)
        return level;
    /* Whoever set a level meanwhile wins over the environment. */
    int wanted = level_of_environment();
    return atomic_compare_exchange_strong(&highest_level, &level, wanted) ? wanted : level;
}

/* One write, so that the lines of threads and processes do not mix. */
static void write_to_stderr(unsigned level, const char *line)
{
    char text[LINE_MAX_BYTES + 32];
    int length = snprintf(text, sizeof text, "allot: %s: %s\n", level_names[level], line);
    if (write(STDERR_FILENO, text, (size_t)length) < 0)
        return; /* nobody is left to tell */
}

static void make_one_line(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr("\n\r ", text[length - 1]))
        text[--length] = '\0';
    for (char *at = text; (at = strpbrk(at, "\n\r"));)
        *at = ' ';
}

void al_log(al_log_level level, const char *format, ...)
{
    if (clamp((int)level) > level_now())
        return;
    char line[LINE_MAX_BYTES + 1];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (length < 0)
        return;
    make_one_line(line);
    pthread_mutex_lock(&receiver.lock);
    al_log_function function = receiver.function;
    void *user = receiver.user;
    pthread_mutex_unlock(&receiver.lock);
    unsigned clamped = (unsigned)clamp((int)level);
    if (function)
        function(clamped, line, user);
    else
        write_to_stderr(clamped, line);
}

void al_log_set(al_log_function function, void *user, int level)
{
    pthread_mutex_lock(&receiver.lock);
    receiver.function = function;
    receiver.user = user;
    pthread_mutex_unlock(&receiver.lock);
    atomic_store(&highest_level, clamp(level));
}
