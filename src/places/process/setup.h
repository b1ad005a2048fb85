/* What a worker does to itself before its first call, and what it calls first and last: made once by the
 * parent, in sealed memory that all its workers read. */
#ifndef AL_PLACES_PROCESS_SETUP_H
#define AL_PLACES_PROCESS_SETUP_H

#include "core/failure.h"
#include "places/process/symbol.h"
#include <allot/process.h>
#include <limits.h>

typedef struct al_setup {
    uint64_t memory_bytes, file_bytes, growth_bytes;
    int64_t cpu_ns;
    int32_t open_files;
    uint32_t no_network, no_exec, initializes, finalizes;
    al_symbol initialize, finalize;
    char directory[PATH_MAX]; /* "": as it is */
    uint64_t data_size;
    _Alignas(16) unsigned char data[];
} al_setup;

/* Checks what the host asks of its workers; a shorter struct of an older header is filled up. False with the
 * thread's last error set. `given` may be NULL. */
bool al_setup_read(const allot_process_options *given, allot_process_options *options);

/* True if workers have anything to do before their first call or after their last. */
bool al_setup_needed(const allot_process_options *options);

/* The memory to be handed to workers, which nobody can write any more; -1 with errno set. */
int al_setup_create(const allot_process_options *options, al_symbol initialize, al_symbol finalize);

/* ---- seccomp.c or no_seccomp.c ---- */

bool al_seccomp_there(void);
/* Forbids this process, and what it starts, to open a way to the network, to run programs, or to start
 * processes. 0 or an error number. */
int al_seccomp_forbid(bool network, bool exec, bool fork);

#endif
