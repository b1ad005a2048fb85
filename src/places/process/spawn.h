/* Starting worker processes: the program itself, by posix_spawn and never by a bare fork, with all that it
 * inherits chosen. */
#ifndef AL_PLACES_PROCESS_SPAWN_H
#define AL_PLACES_PROCESS_SPAWN_H

#include "core/failure.h"
#include <sched.h>
#include <sys/types.h>

/* What a worker is started with; found once. */
typedef struct al_spawner {
    bool found;
    char *program;        /* what is run */
    char *preload;        /* put before LD_PRELOAD, ended by ':'; NULL: not needed */
    char **environment;   /* without what is added for each worker */
    int depth, depth_max; /* of the workers, and the most that any may have */
    bool caps_libraries;  /* adds what keeps other libraries from starting threads */
    bool apart;           /* what is started has one function to run: places/apart.h */
} al_spawner;

/* Copies the environment as it is now. False when memory is out. */
bool al_spawner_init(al_spawner *spawner);
void al_spawner_fini(al_spawner *spawner);

/* Says whether this program can have worker processes at all and, if not, why. */
bool al_spawner_allowed(char *why, size_t why_size);

typedef struct al_spawned {
    pid_t pid;
    int pidfd;  /* -1 where the system has none (Valgrind): the socket's end tells of the death then */
    int socket; /* both are close-on-exec */
} al_spawned;

/* Starts one worker that maps `page` and has `errors` for its standard error (-1: this process's own). To be
 * called always by the same thread: workers die with the thread that started them. */
allot_status al_spawn(al_spawner *spawner, int page, int errors, al_spawned *spawned, al_failure *failure);

/* Workers started this way do not begin where they should: takes the other way, if there is one. */
bool al_spawner_change(al_spawner *spawner);

typedef struct al_end {
    enum {
        AL_END_UNKNOWN, /* the host reaps or ignores its children itself */
        AL_END_EXITED,
        AL_END_KILLED
    } kind;
    int number; /* exit code or signal */
} al_end;

/* Reaps a worker that has died. */
al_end al_spawned_reap(const al_spawned *spawned);

/* Sends a signal to that very process; nothing happens if it has been reaped. */
void al_spawned_signal(const al_spawned *spawned, int number);

#endif
