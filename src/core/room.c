#include "core/room.h"
#include "base/shared.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 128     /* held by rooms at a time: they are the whole process's */
#define UNTOUCHED_MIN   1048576 /* of a result: so much the heap gives as new pages, which are zero */

static _Atomic int descriptors;

/* A new page costs less to write to by a call than by touching it. */
static bool fill(int fd, const unsigned char *in, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t wrote = pwrite(fd, in + done, size - done, (off_t)done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote == 0 || errno != EINTR)
            return false;
    }
    return true;
}

static bool map(al_room *room, const void *in, size_t in_size, size_t bytes)
{
    room->fd = al_shared_create("allot-task", bytes);
    if (room->fd < 0)
        return false;
    void *pages = MAP_FAILED;
    if (fill(room->fd, in, in_size))
        pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, room->fd, 0);
    if (pages == MAP_FAILED) {
        close(room->fd);
        return false;
    }
    room->bytes = pages;
    room->mapped = bytes;
    return true;
}

static bool share(al_room *room, const void *in, size_t in_size, size_t bytes)
{
    if (atomic_fetch_add_explicit(&descriptors, 1, memory_order_relaxed) < DESCRIPTORS_MAX &&
        map(room, in, in_size, bytes))
        return true;
    atomic_fetch_sub_explicit(&descriptors, 1, memory_order_relaxed);
    return false;
}

bool al_room_create(al_room *room, const void *in, size_t in_size, size_t out_size, bool shared)
{
    const size_t most = PTRDIFF_MAX / 4, before = (in_size + 15) & ~(size_t)15;
    *room = (al_room){ NULL, 0, -1 };
    if (in_size > most || out_size > most)
        return false;
    if (shared && share(room, in, in_size, before + out_size))
        return true;
    *room = (al_room){ NULL, 0, -1 };
    bool untouched = out_size >= UNTOUCHED_MIN;
    room->bytes = untouched ? calloc(1, before + out_size) : malloc(before + out_size);
    if (!room->bytes)
        return false;
    if (in_size)
        memcpy(room->bytes, in, in_size);
    if (!untouched)
        memset(room->bytes + before, 0, out_size);
    return true;
}

void al_room_close(al_room *room)
{
    if (room->fd < 0)
        return;
    close(room->fd);
    room->fd = -1;
    atomic_fetch_sub_explicit(&descriptors, 1, memory_order_relaxed);
}

void al_room_destroy(al_room *room)
{
    al_room_close(room);
    if (room->mapped)
        munmap(room->bytes, room->mapped);
    else
        free(room->bytes);
}
