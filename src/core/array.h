/* An array: pages of host memory, copies of it in other memories, and which bytes are current where.
 *
 * One mover at a time an array: whoever makes bytes current takes the array with `moving`, so that no lock is
 * held while a memory's operations run. Who may use which bytes when is the graph's affair
 * (executor/graph.h), not this file's. */
#ifndef AL_CORE_ARRAY_H
#define AL_CORE_ARRAY_H

#include "base/ranges.h"
#include "base/spans.h"
#include "core/failure.h"
#include <allot/array.h>
#include <pthread.h>
#include <stdatomic.h>

typedef struct al_memory al_memory;
typedef struct al_copy al_copy;

/* What was moved for one task. */
typedef struct al_moved {
    uint64_t bytes, ns, count;
} al_moved;

/* A memory other than the host's that can hold a copy of an array: a device's, or pages that workers can map.
 * All of them are called by one thread at a time for one copy, with no lock held; they may block; they return
 * a status and fill the failure. */
typedef struct al_memory_ops {
    /* Makes room for the whole array; *copy embeds al_copy first. */
    allot_status (*create)(al_memory *memory, allot_array *array, al_copy **copy, al_failure *failure);
    /* Copies bytes [begin, end) of the array from the host's memory to the copy (for a copy that works on the
     * host's own pages: makes the host's writes visible there). When it returns, the host's bytes may change;
     * or, of one that is still on its way, when the launch that it is made for is over. */
    allot_status (*upload)(al_copy *copy, size_t begin, size_t end, al_failure *failure);
    /* The other way. */
    allot_status (*download)(al_copy *copy, size_t begin, size_t end, al_failure *failure);
    void (*destroy)(al_copy *copy);
    /* The same from another copy of the array, past the host's memory; NULL: there is no way but through it.
     * ALLOT_UNSUPPORTED, with no failure: not between these two. */
    allot_status (*fetch)(al_copy *copy, al_copy *source, size_t begin, size_t end, al_failure *failure);
} al_memory_ops;

struct al_memory {
    _Atomic bool
        shares_host; /* its copies of arrays with pages of their own are those pages: nothing moves */
    const al_memory_ops *ops;
    struct al_place *owner; /* whose memory it is: places/place.h; here only a name */
    /* Told of each transfer, with no lock held but the mover's; NULL: nobody is. Set before the first. */
    void (*observe)(struct al_place *owner, bool to_copy, uint64_t bytes, int64_t ns);
    const _Atomic int64_t *clock; /* by which its operations are timed; NULL: the real one */
    pthread_mutex_t lock;         /* guards the three below; no other lock is taken under it */
    al_copy *copies, *abandoned;
    unsigned leaving;                          /* copies unlinked and not destroyed yet */
    _Atomic uint64_t bytes_to, bytes_from;     /* moved so far, for metrics */
    _Atomic uint64_t evictions, evicted_bytes; /* copies that made room for others, and how large they were */
};

struct al_copy {
    al_memory *memory;
    allot_array *array;  /* not held: the array destroys its copies */
    al_ranges valid;     /* guarded by the array's lock */
    bool shares_pages;   /* works on the host's pages: transfers move nothing and count no bytes */
    int64_t expected_ns; /* its mover: what the latest upload, which is still on its way, will take; 0: it is
                            over */
    al_copy *next_of_array, *next_of_memory, *previous_of_memory;
};

struct allot_array {
    _Atomic uint32_t references;
    allot_type type;
    size_t count, size_bytes;
    unsigned char *host; /* never NULL */
    size_t host_bytes;   /* mapped: whole pages; 0 for wrapped memory */
    int fd;      /* the memfd of `host`, sealed against shrinking and growing; -1: workers cannot map it */
    uint64_t id; /* unique in the process */
    allot_array_free free_data;
    void *free_user;

    pthread_mutex_t lock; /* guards all below but `turns` and `mappings` */
    pthread_cond_t moved; /* `moving` became false */
    bool moving;
    al_ranges host_valid;
    al_copy *copies;
    al_ranges poisoned; /* what a launch that did not succeed should have written */
    char *poison;       /* the root cause; NULL when memory was out */
    bool lost;          /* memory was out when ranges had to be noted: nothing can be read any more */
    unsigned captive;   /* abandoned launches that may still touch it: till they let go nobody else may */
    allot_array_stats stats;
    /* The host's habit, by which the way back is reckoned with: of so many times that it was written
     * elsewhere it was mapped to be read so often before it was written again. Both fade. */
    _Atomic uint32_t written, read_back; /* changed with the lock held */
    bool unread;                         /* written elsewhere since it was last mapped */
    _Atomic int host_waits;              /* threads that wait to map it for reading */

    _Atomic unsigned pins; /* launches that have its copies in devices in hand: none of them is evicted */
    al_spans turns;        /* who uses which bytes: executor/graph.c; guarded by the graph's lock */
    struct al_mapping *mappings; /* guarded by the graph's lock */
};

/* An array of the library's own, for no executor's; NULL when memory is out. */
allot_array *al_array_own(allot_type type, size_t count);
/* The same over memory that is somebody else's and outlives it. */
allot_array *al_array_over(allot_type type, size_t count, void *data);

void al_memory_init(al_memory *memory, const al_memory_ops *ops);
/* Brings what is current only there back to the host and destroys every copy. For a place that closes;
 * nothing runs there any more. Bytes that cannot be brought back are poisoned with the reason. */
void al_memory_fini(al_memory *memory);
/* The same, but the memory stays in use: a lost device is opened anew. */
void al_memory_clear(al_memory *memory);
/* For a memory that does not answer any more: calls none of its operations. What is current only there is
 * poisoned, and arrays forget their copies, which al_memory_fini() destroys if it is ever called. */
void al_memory_abandon(al_memory *memory, const char *reason);
/* Destroys every copy there and brings nothing back: what was current only there is lost. */
void al_memory_lose(al_memory *memory);
/* Makes room: brings back what is current in this copy alone, and destroys it. The caller holds its array,
 * and gives that up with it. */
void al_memory_evict(al_copy *copy);
/* The same, but at once or not: ALLOT_UNSUPPORTED, with no failure, if the array is pinned or being moved. An
 * error: its data could not be brought back, and it stays. */
allot_status al_memory_try_evict(al_copy *copy, al_failure *failure);
/* Holds an array of which nothing more is known than that its copies are there; false: it is on its way out.
 */
bool al_array_try_hold(allot_array *array);
/* Unlinks and destroys one copy: its array is being destroyed, or its memory goes away. */
void al_memory_forget(al_copy *copy);

/* `bytes` of pages that workers can map, as an array of the library's own; all zero. NULL when there are
 * none. */
allot_array *al_array_shared(size_t bytes);

/* Makes bytes [begin, end) current in `memory` (NULL: the host's) if the access reads; for ALLOT_WRITE only
 * makes room, and the bytes are current nowhere until they are published or poisoned. *copy (if not NULL)
 * receives the copy there. Adds to *moved. Poisoned bytes that are to be read: ALLOT_DEPENDENCY with the root
 * cause. */
allot_status al_array_acquire(allot_array *array, al_memory *memory, size_t begin, size_t end,
                              allot_access access, al_copy **copy, al_moved *moved, al_failure *failure);

/* Says that [begin, end) was written in `memory` (NULL: the host's): it is current there and nowhere else,
 * and not poisoned. */
void al_array_publish(allot_array *array, al_memory *memory, size_t begin, size_t end);

/* Says that [begin, end) should have been written and was not. */
void al_array_poison(allot_array *array, size_t begin, size_t end, const char *root_cause);

/* Says that what stands in `memory` in [begin, end) is half written or may be: it is current there no more,
 * nor wherever else the same pages are worked on. */
void al_array_spoil(allot_array *array, al_memory *memory, size_t begin, size_t end);

/* Says that [begin, end) may not have reached `memory`: where the host has it, it is to be brought anew. */
void al_array_doubt(allot_array *array, al_memory *memory, size_t begin, size_t end);

/* True if each byte of [begin, end) is current somewhere, and nobody holds the array captive. */
bool al_array_intact(allot_array *array, size_t begin, size_t end);

/* A launch that was given up may still read and write the array until it is let go: al_array_acquire() fails
 * meanwhile, with ALLOT_DEVICE, also for who waits for a mover already. */
void al_array_capture(allot_array *array);
void al_array_let_go(allot_array *array);

/* Copies that are looked at one by one. */
#define AL_COPIES_SEEN 4

/* Which bytes of a part of an array would have to move, asked once for all places. */
typedef struct al_whereabouts {
    size_t bytes, host_lacks;
    bool has_pages; /* memories that share the host's pages need no copy */
    size_t count;   /* of copies; of further ones nothing is known */
    struct al_seen_copy {
        const al_memory *memory;
        size_t lacks;
        bool shares_pages;
    } copies[AL_COPIES_SEEN];
} al_whereabouts;

void al_array_whereabouts(allot_array *array, size_t begin, size_t end, al_whereabouts *where);

/* It was written elsewhere; with the lock held. */
void al_array_note_written(allot_array *array);

/* The share of what is written elsewhere that the host is expected to read: 1 while it waits for it. */
double al_array_read_back_share(allot_array *array);

/* The host is about to read all of the array; says so before it waits, and afterwards that it has. */
void al_array_host_waits(allot_array *array);
void al_array_host_reads(allot_array *array);

#endif
