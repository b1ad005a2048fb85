/* The decision log: each decided launch, when it is over, is held until a thread of the log's own has written
 * its line. Where more come than it can write, those who bring them write too: nothing is left out. */
#ifndef AL_EXECUTOR_JOURNAL_H
#define AL_EXECUTOR_JOURNAL_H

#include "core/task.h"

typedef struct al_journal al_journal;

/* Opens the file to append to it, and starts the thread. NULL with the thread's last error. */
al_journal *al_journal_open(const char *path);

/* A launch that was decided is over. NULL: there is no journal. */
void al_journal_add(al_journal *journal, al_task *task);

/* Writes what is left, ends the thread, closes the file; says in the log if it could not be written. NULL is
 * fine. */
void al_journal_close(al_journal *journal);

#endif
