/* Worker processes: what they may do, how long they live, what they do first and last.
 *
 * What holds without being asked for: a worker has none of this process's descriptors but standard output, a
 * pipe for standard error, and what Allot itself gives it: its own slots, and the arrays of the launches that
 * it runs. Its standard input is empty, its signals are as a new process has them, and it can gain no
 * privileges by running a program (no_new_privs). It ends when this process does, in whatever way. What it
 * writes to standard error is passed on to this process's own a moment later, and the last lines of it are in
 * the message of the task that a worker dies of; processes that a task leaves behind lose that pipe with the
 * worker, and what was not passed on yet when this process ends without allot_close() is lost.
 *
 * What a task takes and gives: up to 8 KiB of argument and result together lie in a slot; more lies in memory
 * that is shared for that one call, with no copy on the way from 256 KiB on (for as many as 128 tasks at a
 * time, none of a map and none that may be tried again; the others' are copied there and back). New pages
 * cost more than copying, so arrays, which stay, are the quickest way for large data. */
#ifndef ALLOT_PROCESS_H
#define ALLOT_PROCESS_H

#include <allot/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every member's 0 is its default. For allot_options.process. */
typedef struct allot_process_options {
    size_t size; /* sizeof(allot_process_options), filled by ALLOT_PROCESS_OPTIONS and its init function */

    /* ---- Limits of each worker; they bind what it runs, and the processes that that starts ---- */

    /* Private memory that tasks may take beyond what a worker holds when it starts (RLIMIT_DATA): then malloc
     * returns NULL there, and other calls fail with ENOMEM. 0: as this process. Arrays do not count. Where a
     * control group limits this process, the kernel kills the worker that takes too much: the task's error
     * says so. */
    uint64_t memory_bytes;
    /* CPU time of one task, over all threads of its worker: then SIGXCPU kills the worker. 0: no limit. Kept
     * to within some milliseconds. */
    int64_t cpu_ns;
    uint64_t file_bytes;   /* of one file that it writes: then SIGXFSZ kills it. 0: as this process */
    int open_files;        /* descriptors, of which Allot needs about 8. 0: as this process */
    const char *directory; /* where it works. Copied. NULL: where this process does when the worker starts */
    /* No sockets but local ones (AF_UNIX), and no running of programs: such calls fail with EPERM. Need
     * libseccomp: allot_open() refuses them with ALLOT_UNSUPPORTED in a build without. no_exec also leaves
     * tasks no worker processes of their own. */
    bool no_network, no_exec;
    bool shares_stderr; /* workers have this process's standard error itself: no last words in messages */
    /* How deep worker processes may have worker processes: a place of this executor in a worker that is so
     * deep already refuses its tasks. The program itself is at depth 0. 0: 3. A worker's own executors may
     * ask for less than their parents', not for more. */
    int depth_max;

    /* ---- Life ----
     * A worker that has come to its end is given no more tasks, ends what it was given, and another is
     * started meanwhile, so that no task waits for it while there is another worker. */

    int tasks_max;         /* after so many tasks (or parts of launches) a worker is replaced. 0: never */
    uint64_t growth_bytes; /* so is one whose resident memory has grown by more, since its start. 0: never */

    /* ---- First and last ---- */

    /* Called in each worker before its first task, with a private copy of `data`, no result, and no time
     * limit. An error or a crash of it breaks the place: tasks that wait and those to come end with
     * ALLOT_NO_PLACE, or ALLOT_WORKER_DIED, and the reason. Both functions may be any that a task may be. */
    allot_function initialize;
    /* Called in each worker that ends by itself (the executor is closed, it is replaced, it is not needed any
     * more), in at most 10 s; not in one that dies. What it returns does not matter. */
    allot_function finalize;
    const void *data; /* copied by allot_open() */
    size_t data_size;
} allot_process_options;

/* Fills *options with the defaults. */
ALLOT_API void allot_process_options_init(allot_process_options *options);

/* ALLOT_PROCESS_OPTIONS(.tasks_max = 100): options in place, valid to the end of the enclosing block. */
#ifndef __cplusplus
#define ALLOT_PROCESS_OPTIONS(...)                                                                           \
    (&(const allot_process_options){ .size = sizeof(allot_process_options), __VA_ARGS__ })
#endif

/* How deep this process is: 0, or in a worker process one more than the process that started it. */
ALLOT_API int allot_process_depth(void);

#ifdef __cplusplus
}
#endif
#endif
