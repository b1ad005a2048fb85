/* Memory that processes can share: a file in memory that nobody can pull away from under the others. */
#ifndef AL_BASE_SHARED_H
#define AL_BASE_SHARED_H

#include <stddef.h>

/* Makes memory of that size, all zero, that can be shared but never shrunk or grown; its descriptor
 * (close-on-exec), or -1 with errno set. */
int al_shared_create(const char *name, size_t bytes);

#endif
