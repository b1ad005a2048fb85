/* The store: a model as text, and back.
 *
 * Lines of words. Names are percent-encoded, figures are the bits of a double in hexadecimal, so that what is
 * read is what was written, in any locale. The last line is a checksum over all before it. What is read is
 * checked as anybody's input: it is a model, or the reader says which line is not. */
#ifndef AL_PLACEMENT_STORE_H
#define AL_PLACEMENT_STORE_H

#include "placement/model.h"
#include <stdio.h>

#define AL_STORE_VERSION 1

/* Where and with what a model was learned: anything but newlines. */
#define AL_STORE_MACHINE 512

/* What ran is written; what was only asked for is not. False when memory is out or the stream failed. */
bool al_store_write(al_model *model, const char *machine, FILE *stream);

/* Fills a model that was just made. `machine` receives whose it is. False, with what is wrong: then the model
 * is good for nothing but being destroyed. `trusting`: the checksum is not looked at (for tests of what lies
 * behind it). */
bool al_store_read(al_model *model, const char *text, size_t size, char machine[AL_STORE_MACHINE],
                   bool trusting, char *wrong, size_t wrong_size);

/* FNV-1a: Fowler, Noll, Vo, 1991. Start with AL_STORE_HASH. */
#define AL_STORE_HASH UINT64_C(0xcbf29ce484222325)
uint64_t al_store_hash(uint64_t hash, const void *bytes, size_t size);

#endif
