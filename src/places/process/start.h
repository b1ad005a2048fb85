/* Where worker processes begin: a process that finds itself started as a worker enters the worker's loop in
 * main's place. */
#ifndef AL_PLACES_PROCESS_START_H
#define AL_PLACES_PROCESS_START_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* The environment variable that makes a process a worker: "socket,page,parent,preloaded,depth,
 * depth_max,apart". */
#define AL_START_VARIABLE "ALLOT_WORKER_ENTRY"
/* What LD_PRELOAD was before this library's path was put in front of it; not set if it was not. */
#define AL_START_PRELOAD "ALLOT_WORKER_PRELOAD"

/* A preloaded worker's exit code when the program's start does not lead through this library. */
#define AL_START_NOT_HERE 97

/* What a worker was given by its parent. */
typedef struct al_door {
    int socket, page; /* descriptors */
    pid_t parent;
    bool preloaded; /* this library was put before the others by LD_PRELOAD */
    int depth;      /* of this worker: 1 below the program */
    int depth_max;  /* of its own workers, theirs, and so on */
    bool apart;     /* it is there for one function alone: places/apart.h */
} al_door;

typedef enum al_start {
    AL_START_UNSEEN, /* the program's start did not pass through here: it cannot be started again as a worker
                        by itself */
    AL_START_HOOKED, /* through our __libc_start_main */
    AL_START_ANNOUNCED /* its main called allot_worker_main() */
} al_start;

/* Runs the function that the page names; ends the process. In apart.c. */
_Noreturn void al_apart_main(const al_door *door);

/* How this process was started. Whoever refers to it links the hook into the program. */
extern _Atomic int al_start_seen;

/* How deep this process is, and how deep its workers may be: 0, and no limit, outside of workers. */
int al_start_depth(void);
int al_start_depth_max(void);

#endif
