/* What the tests of the process place share: one executor with two workers, tasks that crash, wait and count
 * in whatever process, and a board that tasks and tests both see. */
#ifndef PROCESS_RIG_H
#define PROCESS_RIG_H

#include "test.h"
#include <allot/allot.h>
#include <stdatomic.h>
#include <sys/types.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* its own handlers turn a crash into an exit */
#else
#define SANITIZED 0
#endif

#define WORKERS 2
#define SECOND  INT64_C(1000000000)
#define LIMIT   (60 * SECOND)

extern allot_executor *ex;

/* Runs the facts. With the arguments "host" and the board's path the program is another process that the test
 * started: it calls `host` instead (NULL: there is none). */
int rig_main(int argc, char **argv, const char *name, const test_fact *facts, int (*host)(const char *path));

allot_future *rig_submit(allot_function function, const void *in, size_t in_size, size_t out_size);
/* Waits, releases, and returns the status; the message goes to `text` (may be NULL). */
allot_status rig_ended(allot_future *future, char *text, size_t text_size);
/* The status of one call. */
allot_status rig_call(allot_function function, const void *in, size_t in_size);
/* For those that may be given to a worker that is just being killed. */
bool rig_ran_or_died(allot_future *future);

/* ---- Memory that tasks and the test both see: a file, since a pipe would not reach the worker ---- */

typedef struct board {
    _Atomic int begun, go, pid, count;
    _Atomic int tally[64];
} board;

extern board *rig_board;
extern char rig_path[64]; /* of the board: what tasks are given */
/* The board in any process, from what a task is given. */
board *rig_board_of(const void *in);
void rig_reset_board(void);
void rig_wait_for(_Atomic int *word, int value);

/* ---- Tasks; those without another argument are given rig_path ---- */

allot_status rig_square(allot_call *call, const void *in, void *out); /* double → double */
allot_status rig_who(allot_call *call, const void *in, void *out);    /* → pid_t */
allot_status rig_nothing(allot_call *call, const void *in, void *out);
/* char → ends its worker: s a fault, k SIGKILL, a abort, e _exit(42), 0 exit(0) */
allot_status rig_die(allot_call *call, const void *in, void *out);
allot_status rig_hold(allot_call *call, const void *in, void *out); /* until board->go */
allot_status rig_count(allot_call *call, const void *in, void *out);
allot_status rig_never_return(allot_call *call, const void *in, void *out);

/* Kills the children of a process, but for one of them: what /proc says of who has which parent. */
void rig_kill_children(pid_t parent, pid_t but);

#endif
