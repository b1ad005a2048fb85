/* What a worker says on its standard error: passed on to this process's own, and the last of it kept for the
 * message of the task that it dies of. */
#ifndef AL_PLACES_PROCESS_WORDS_H
#define AL_PLACES_PROCESS_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define AL_WORDS_KEPT 4096

typedef struct al_words {
    int fd;       /* the pipe's end to read from; -1: there is nothing to hear */
    size_t heard; /* bytes so far */
    char last[AL_WORDS_KEPT];
} al_words;

/* Makes the pipe; its other end is close-on-exec, too. False with errno set. */
bool al_words_open(al_words *words, int *speaker);
void al_words_close(al_words *words);

typedef enum al_words_state {
    AL_WORDS_MORE_TO_COME,
    AL_WORDS_HELD_UP, /* our own standard error takes nothing now: look again later */
    AL_WORDS_OVER
} al_words_state;

/* Takes what is there. Never waits. */
al_words_state al_words_hear(al_words *words);

/* The same after the worker's death: what cannot be passed on now is at least kept. */
void al_words_hear_out(al_words *words);

/* Copies the last whole lines into the text, `size` bytes at most, without the newline at the end, and with
 * '?' for what a terminal might act upon. "" if it said nothing. */
void al_words_quote(const al_words *words, char *text, size_t size);

#endif
