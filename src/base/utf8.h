/* Text of unknown origin. */
#ifndef AL_BASE_UTF8_H
#define AL_BASE_UTF8_H

#include <stddef.h>

/* How many bytes a well-formed UTF-8 sequence has at `text`; 0: it is malformed. */
size_t al_utf8_length(const char *text);

/* Copies, cut to fit: what a terminal might act on, control characters and what is no UTF-8, becomes \xNN. */
void al_utf8_escape(char *to, size_t size, const char *from);

#endif
