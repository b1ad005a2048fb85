/* A system that answers: a process that is asked round after round, and stopped in between. bench/round.h
 * says what is spoken. */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct bench_child {
    pid_t process; /* 0: none */
    int to, from;
    char text[1024]; /* read, and not yet taken */
    size_t used;
} bench_child;

/* Starts `program` with these arguments (ended by NULL, the first its name); false if that cannot be. */
bool bench_child_start(bench_child *child, const char *program, const char *const *arguments);

/* Lets it run and asks for one round, of that system. */
bool bench_child_ask(bench_child *child, const char *system);
/* Its next line, without the newline, cut to fit; false when it has ended or says nothing for minutes. */
bool bench_child_line(bench_child *child, char *line, size_t size);
/* Stops all its threads; returns when they stand. */
void bench_child_stop(bench_child *child);

/* Ends it: true if it then succeeded. One that does not end is killed. */
bool bench_child_end(bench_child *child);

#endif
