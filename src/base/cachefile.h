/* Files kept from run to run in the user's cache folder: replaced as a whole by rename, under a lock beside
 * them. What fails says so in errno. */
#ifndef AL_BASE_CACHEFILE_H
#define AL_BASE_CACHEFILE_H

#include <stdbool.h>
#include <stddef.h>

/* $XDG_CACHE_HOME/allot/NAME, or ~/.cache/allot/NAME; the caller frees it. NULL: there is no such folder (a
 * set-user-id program has none), or memory is out. */
char *al_cachefile_path(const char *name);

/* Makes the folders that the file lies in; whoever opens it finds out whether that went well. */
void al_cachefile_make_folders(const char *path);

/* Locks the file against other processes by one beside it, PATH.lock, which stays; waits for some 2 s.
 * Closing the descriptor ends it. -1 with errno set. */
int al_cachefile_lock(const char *path);

/* All of a regular file, ended by a 0 that is not counted; the caller frees it. NULL with errno set: EFBIG
 * where it is larger. */
char *al_cachefile_read(const char *path, size_t most_bytes, size_t *size);

/* Writes the file beside its place, and renames it there. */
bool al_cachefile_replace(const char *path, const void *bytes, size_t size);

#endif
