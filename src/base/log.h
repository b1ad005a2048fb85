/* The process's log: lines with a level, to standard error or to a function. */
#ifndef AL_BASE_LOG_H
#define AL_BASE_LOG_H

typedef enum al_log_level {
    AL_LOG_ERROR,
    AL_LOG_WARNING,
    AL_LOG_INFO,
    AL_LOG_DEBUG
} al_log_level;

/* `level` is an al_log_level; unsigned as enumerators are passed, so that the public header's own type of
 * function fits. */
typedef void (*al_log_function)(unsigned level, const char *line, void *user);

/* Logs one line, printf-like, cut at 1,000 bytes; newlines within become spaces. Costs one load when the
 * level is off. Holds no lock while the function runs. */
void al_log(al_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the receiver (NULL: standard error) and the most talkative level that is passed on. Before the first
 * call the environment variable ALLOT_LOG sets the level (error, warning, info, debug), else it is
 * AL_LOG_WARNING. */
void al_log_set(al_log_function function, void *user, int level);

#endif
