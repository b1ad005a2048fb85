#include "base/slab.h"
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define BLOCKS        (AL_SLAB_CHUNK / AL_SLAB_BLOCK)
#define REGION_BYTES  (2u << 20)
#define REGION_CHUNKS (REGION_BYTES / AL_SLAB_CHUNK)
#define ALL_CHUNKS    UINT32_MAX
_Static_assert(REGION_CHUNKS == 32, "a region's chunks are bits of a word");

typedef struct block {
    struct block *next;
} block;

/* Blocks on their way to their owner: a list in the first of them, so that he can fetch them all at once. */
#define PARCEL_BLOCKS ((AL_SLAB_BLOCK - 16) / sizeof(block *))
typedef struct parcel {
    struct parcel *next;
    size_t count; /* beside the parcel itself */
    block *blocks[PARCEL_BLOCKS];
} parcel;
_Static_assert(sizeof(parcel) <= AL_SLAB_BLOCK, "a parcel is a block");

/* What the system is asked for: a huge page's worth. */
typedef struct region {
    struct region *next, *previous; /* of those with unused chunks */
    char *base;
    uint32_t unused;  /* bits: chunks that no thread has */
    uint32_t touched; /* bits: unused ones whose pages are there */
} region;

/* The first block of a chunk is its head. */
typedef struct chunk {
    struct heap *heap; /* first: al_slab_give() looks at it */
    region *from;
    struct chunk *next, *previous; /* of its heap's list of those with free blocks */
    block *free;
    unsigned fresh; /* blocks from here on were never used */
    unsigned used;
    bool listed;
} chunk;
_Static_assert(sizeof(chunk) <= AL_SLAB_BLOCK, "a chunk's head is a block");

/* A thread's chunks; lane.slab. */
typedef struct heap {
    chunk *current; /* where blocks come from; not listed */
    chunk *listed;
    unsigned empty;         /* how many of the listed are empty */
    struct heap *addressee; /* of `sending` */
    parcel *sending;        /* blocks of another heap that this thread gave; NULL: none */
    parcel *unopened;       /* that came from other threads */
    size_t ready;           /* blocks of `opened`, which count as used until they are given again */
    block *opened[PARCEL_BLOCKS + 1];
    _Alignas(64) _Atomic(parcel *) remote; /* blocks of this heap that other threads gave */
} heap;

/* ---- The process's pool ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the regions, and `common` */
static region *regions;                                  /* those with unused chunks */
static size_t region_count, pooled_bytes;                /* the latter: unused and touched */
static heap common;                                      /* of threads that have no lane of their own */

static void link_region(region *self)
{
    self->previous = NULL;
    self->next = regions;
    if (regions)
        regions->previous = self;
    regions = self;
}

static void unlink_region(region *self)
{
    if (self->previous)
        self->previous->next = self->next;
    else
        regions = self->next;
    if (self->next)
        self->next->previous = self->previous;
}

/* Twice the size is mapped and the ends cut off, so that chunks are aligned. */
static char *map_aligned(void)
{
    char *all = mmap(NULL, 2 * REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        return NULL;
    size_t before = (REGION_BYTES - ((uintptr_t)all & (REGION_BYTES - 1))) & (REGION_BYTES - 1);
    if (before)
        munmap(all, before);
    munmap(all + before + REGION_BYTES, REGION_BYTES - before);
    return all + before;
}

static region *map_region(void)
{
    region *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->base = map_aligned();
    if (!self->base) {
        free(self);
        return NULL;
    }
    if (region_count++) /* a program with few tasks need not hold two megabytes */
        madvise(self->base, REGION_BYTES, MADV_HUGEPAGE);
    self->unused = ALL_CHUNKS;
    link_region(self);
    return self;
}

static chunk *chunk_at(const region *self, unsigned index)
{
    return (chunk *)(void *)(self->base + (size_t)index * AL_SLAB_CHUNK);
}

static chunk *take_chunk(void)
{
    pthread_mutex_lock(&lock);
    region *self = regions ? regions : map_region();
    chunk *found = NULL;
    if (self) {
        uint32_t choice = self->touched ? self->touched : self->unused, bit = choice & -choice;
        found = chunk_at(self, (unsigned)__builtin_ctz(bit));
        if (self->touched & bit)
            pooled_bytes -= AL_SLAB_CHUNK;
        self->touched &= ~bit;
        self->unused &= ~bit;
        if (!self->unused)
            unlink_region(self);
    }
    pthread_mutex_unlock(&lock);
    if (found)
        *found = (chunk){ .from = self, .fresh = 1 };
    return found;
}

static void give_chunk(chunk *given)
{
    pthread_mutex_lock(&lock);
    region *self = given->from;
    uint32_t bit = UINT32_C(1) << ((size_t)((char *)given - self->base) / AL_SLAB_CHUNK);
    if (!self->unused)
        link_region(self);
    self->unused |= bit;
    if (pooled_bytes < AL_SLAB_POOL_BYTES) {
        self->touched |= bit;
        pooled_bytes += AL_SLAB_CHUNK;
    } else {
        madvise(given, AL_SLAB_CHUNK, MADV_DONTNEED);
    }
    pthread_mutex_unlock(&lock);
}

static size_t trim_region(region *self)
{
    size_t bytes = (size_t)__builtin_popcount(self->touched) * AL_SLAB_CHUNK;
    for (unsigned i = 0; i < REGION_CHUNKS; i++)
        if (self->touched & UINT32_C(1) << i)
            madvise(chunk_at(self, i), AL_SLAB_CHUNK, MADV_DONTNEED);
    self->touched = 0;
    if (self->unused == ALL_CHUNKS) {
        unlink_region(self);
        munmap(self->base, REGION_BYTES);
        free(self);
        region_count--;
    }
    return bytes;
}

static size_t trim_pool(void)
{
    size_t bytes = 0;
    pthread_mutex_lock(&lock);
    for (region *next, *each = regions; each; each = next) {
        next = each->next;
        bytes += trim_region(each);
    }
    pooled_bytes = 0;
    pthread_mutex_unlock(&lock);
    return bytes;
}

/* ---- One thread's heap ---- */

static void list_chunk(heap *self, chunk *which)
{
    which->previous = NULL;
    which->next = self->listed;
    if (self->listed)
        self->listed->previous = which;
    self->listed = which;
    which->listed = true;
}

static void unlist_chunk(heap *self, chunk *which)
{
    if (which->previous)
        which->previous->next = which->next;
    else
        self->listed = which->next;
    if (which->next)
        which->next->previous = which->previous;
    which->listed = false;
}

static chunk *chunk_of(void *given)
{
    return (chunk *)((uintptr_t)given & ~(uintptr_t)(AL_SLAB_CHUNK - 1));
}

/* An empty chunk begins again from its first block, so that blocks come in the order of their addresses. */
static void retire(heap *self, chunk *which)
{
    which->free = NULL;
    which->fresh = 1;
    if (which == self->current)
        return;
    if (self->empty < AL_SLAB_OWN_CHUNKS) {
        self->empty++;
        return;
    }
    unlist_chunk(self, which);
    give_chunk(which);
}

static inline void give_own(heap *self, chunk *which, block *given)
{
    given->next = which->free;
    which->free = given;
    which->used--;
    if (__builtin_expect(!which->listed && which != self->current, false))
        list_chunk(self, which);
    if (__builtin_expect(!which->used, false))
        retire(self, which);
}

/* Fetches the next parcel's blocks, whose lines other threads have, all at once, and the parcel after it. */
static bool open_parcel(heap *self)
{
    if (!self->unopened && atomic_load_explicit(&self->remote, memory_order_relaxed))
        /* acquire: pairs with post(): what the giver did with the blocks is over. */
        self->unopened = atomic_exchange_explicit(&self->remote, NULL, memory_order_acquire);
    parcel *each = self->unopened;
    if (!each)
        return false;
    self->unopened = each->next;
    if (each->next)
        __builtin_prefetch(each->next, 1);
    self->ready = each->count;
    for (size_t i = 0; i < self->ready; i++) {
        __builtin_prefetch(each->blocks[i], 1);
        self->opened[i] = each->blocks[i];
    }
    self->opened[self->ready++] = (block *)each;
    return true;
}

/* All that other threads gave goes back to its chunks. */
static void collect_remote(heap *self)
{
    do {
        while (self->ready) {
            block *each = self->opened[--self->ready];
            give_own(self, chunk_of(each), each);
        }
    } while (open_parcel(self));
}

static void post(heap *owner, parcel *sent)
{
    parcel *head = atomic_load_explicit(&owner->remote, memory_order_relaxed);
    do {
        sent->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&owner->remote, &head, sent, memory_order_release,
                                                    memory_order_relaxed));
}

static parcel *wrap(block *first)
{
    parcel *self = (parcel *)first;
    self->count = 0;
    return self;
}

static void flush(heap *self)
{
    if (self->sending)
        post(self->addressee, self->sending);
    self->sending = NULL;
}

/* `self` is NULL for a thread without a heap of its own. */
static void give_remote(heap *self, heap *owner, block *given)
{
    if (!self) {
        post(owner, wrap(given));
        return;
    }
    if (self->addressee != owner)
        flush(self);
    self->addressee = owner;
    if (!self->sending) {
        self->sending = wrap(given);
        return;
    }
    self->sending->blocks[self->sending->count++] = given;
    if (self->sending->count == PARCEL_BLOCKS)
        flush(self);
}

static inline block *pop(chunk *from)
{
    block *taken = from->free;
    if (taken)
        from->free = taken->next;
    else if (from->fresh < BLOCKS)
        taken = (block *)(void *)((char *)from + (size_t)from->fresh++ * AL_SLAB_BLOCK);
    else
        return NULL;
    from->used++;
    return taken;
}

static block *take_slowly(heap *self)
{
    chunk *next = self->listed;
    if (next) {
        if (!next->used)
            self->empty--;
        unlist_chunk(self, next);
    } else {
        next = take_chunk();
        if (!next)
            return NULL;
        next->heap = self;
    }
    self->current = next; /* the one before is full: it is found again when a block of it comes back */
    return pop(next);
}

static inline block *take_from(heap *self)
{
    if (self->ready ||
        ((self->unopened || atomic_load_explicit(&self->remote, memory_order_relaxed)) && open_parcel(self)))
        return self->opened[--self->ready];
    block *taken = self->current ? pop(self->current) : NULL;
    return __builtin_expect(taken != NULL, true) ? taken : take_slowly(self);
}

static block *take_common(void)
{
    static pthread_mutex_t common_lock = PTHREAD_MUTEX_INITIALIZER; /* guards `common` but for its `remote` */
    pthread_mutex_lock(&common_lock);
    block *taken = take_from(&common);
    pthread_mutex_unlock(&common_lock);
    return taken;
}

static heap *create_heap(al_lane *lane)
{
    if (lane != al_lane_mine)
        return NULL; /* the lane of all that have none */
    heap *self = aligned_alloc(_Alignof(heap), sizeof *self);
    if (self)
        *self = (heap){ 0 };
    return lane->slab = self;
}

void *al_slab_take_new(void)
{
    al_lane *lane = al_lane_here();
    heap *self = lane->slab;
    if (__builtin_expect(!self, false) && !(self = create_heap(lane)))
        return take_common();
    return take_from(self);
}

void al_slab_give_back(void *given)
{
    chunk *which = chunk_of(given);
    heap *owner = which->heap, *self = al_lane_here()->slab;
    if (__builtin_expect(owner == self, true))
        give_own(owner, which, given);
    else
        give_remote(self, owner, given);
}

void al_slab_flush(void)
{
    heap *self = al_lane_here()->slab;
    if (self)
        flush(self);
}

static void give_empty(heap *self)
{
    for (chunk *next, *each = self->listed; each; each = next) {
        next = each->next;
        if (each->used)
            continue;
        unlist_chunk(self, each);
        give_chunk(each);
    }
    self->empty = 0;
    if (self->current && !self->current->used) {
        give_chunk(self->current);
        self->current = NULL;
    }
}

/* What is at hand goes back to its chunks. */
static void give_spares(al_lane *lane)
{
    while (lane->spare) {
        block *each = lane->spare;
        lane->spare = each->next;
        lane->spares--;
        give_own(lane->slab, chunk_of(each), each);
    }
}

size_t al_slab_trim(void)
{
    al_lane *lane = al_lane_here();
    heap *self = lane->slab;
    if (self) {
        give_spares(lane);
        flush(self);
        collect_remote(self);
        give_empty(self);
    }
    return trim_pool();
}
