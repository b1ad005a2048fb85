/* What a worker writes down, in memory that it shares with its parent, when a signal of its own making is
 * about to end it: which signal, and where its code was. So the parent knows also where the host reaps its
 * children itself, and can say which function it was.
 *
 * Written by a signal handler on a stack of its own. Frames are offsets into files, so that they mean
 * something in the parent. */
#ifndef AL_PLACES_PROCESS_CRASH_H
#define AL_PLACES_PROCESS_CRASH_H

#include <stdatomic.h>
#include <stdint.h>

#define AL_CRASH_FRAMES    16
#define AL_CRASH_FILES     8
#define AL_CRASH_PATH      256
#define AL_CRASH_NOT_KNOWN UINT32_MAX

typedef struct al_crash_frame {
    uint64_t address; /* in the worker; of a frame above the first, where the call returns to */
    uint64_t offset;  /* in the file */
    uint32_t file;    /* index into paths; AL_CRASH_NOT_KNOWN: in none */
} al_crash_frame;

typedef struct al_crash {
    _Atomic uint32_t signal; /* 0: none. Written before the frames, whose search may crash in turn */
    _Atomic uint32_t frame_count;
    uint64_t address; /* that a fault was about */
    uint64_t stack;   /* the stack pointer */
    al_crash_frame frames[AL_CRASH_FRAMES];
    char paths[AL_CRASH_FILES][AL_CRASH_PATH]; /* cut where longer */
} al_crash;

/* Worker: from now on signals that end this process write to *crash first. A handler that the program has
 * installed already stays, as a sanitizer's does. To be called by the thread that runs the tasks. */
void al_crash_watch(al_crash *crash);

#endif
