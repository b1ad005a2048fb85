/* Blocks of some hundred bytes to 16 kilobytes, for what goes with one launch (the record of a decision among
 * 64 places is the largest), from what each thread keeps of those that it gave.
 *
 * The C library's own cache keeps seven blocks of a size, and none above a kilobyte: a stream of launches
 * goes past it to the heap, whose lock it then shares with a driver's threads. Here a thread keeps as many as
 * a long stream needs, AL_BLOCKS_KEPT bytes at most, without a lock, until it ends. */
#ifndef AL_BASE_BLOCKS_H
#define AL_BASE_BLOCKS_H

#include <stddef.h>

#define AL_BLOCKS_KEPT (4u << 20) /* by each thread */

/* A block of at least so many bytes, aligned to 16, of undefined content; NULL when memory is out. Any
 * thread.
 */
void *al_blocks_take(size_t bytes);
/* Any thread; NULL does nothing. */
void al_blocks_give(void *block);

/* Frees what the calling thread keeps; how many bytes that was. */
size_t al_blocks_trim(void);

#endif
