/* Room for a task's argument and result where they do not fit into the task: on the heap, or, for tasks that
 * go to a worker process, in memory that it can map, so that nothing need be copied on the way there and
 * back. */
#ifndef AL_CORE_ROOM_H
#define AL_CORE_ROOM_H

#include <stdbool.h>
#include <stddef.h>

#define AL_ROOM_SHARED_MIN 262144 /* bytes: less is copied sooner than mapped */

typedef struct al_room {
    unsigned char *bytes; /* the argument, padded to 16, then the result, which is zero at first */
    size_t mapped;        /* bytes; 0: on the heap */
    int fd;               /* of what is mapped, as long as somebody may need it; -1: none */
} al_room;

/* Makes room and copies the argument into it. Shared if that is asked for and can be: there are only so many
 * descriptors. False when memory is out or the sizes overflow. */
bool al_room_create(al_room *room, const void *in, size_t in_size, size_t out_size, bool shared);

/* Nobody else will map it any more. */
void al_room_close(al_room *room);

void al_room_destroy(al_room *room);

#endif
