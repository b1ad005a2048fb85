/* Starting this very program again: for what must be cold, and for a partner in another process. */
#ifndef BENCH_ITSELF_H
#define BENCH_ITSELF_H

#include <stdbool.h>
#include <sys/types.h>

/* Runs /proc/self/exe with these arguments (ended by NULL; the first is the program's name), with the
 * descriptor `from` as its descriptor `to`. Returns the process's id, or -1. */
pid_t bench_start_itself(const char *const *arguments, int from, int to);

/* Waits for its end; true if it succeeded. */
bool bench_ended_well(pid_t process);

#endif
