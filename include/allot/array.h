/* Arrays: blocks of numbers that threads, worker processes and devices can all reach, kept coherent by the
 * library.
 *
 * The host touches an array's data only between allot_array_map() and allot_array_unmap(). Copies are tracked
 * by range of the array: only what is not current somewhere moves there, and nothing moves twice. */
#ifndef ALLOT_ARRAY_H
#define ALLOT_ARRAY_H

#include <allot/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct allot_executor allot_executor;
typedef struct allot_array allot_array;

/* Element types: X(name, size in bytes, OpenCL C name, text). */
#define ALLOT_TYPE_LIST(X)                                                                                   \
    X(I8, 1, "char", "i8")                                                                                   \
    X(U8, 1, "uchar", "u8") /* raw bytes too */                                                              \
    X(I16, 2, "short", "i16")                                                                                \
    X(U16, 2, "ushort", "u16")                                                                               \
    X(I32, 4, "int", "i32")                                                                                  \
    X(U32, 4, "uint", "u32")                                                                                 \
    X(I64, 8, "long", "i64")                                                                                 \
    X(U64, 8, "ulong", "u64")                                                                                \
    X(F16, 2, "half", "f16")                                                                                 \
    X(F32, 4, "float", "f32")                                                                                \
    X(F64, 8, "double", "f64")                                                                               \
    X(C32, 8, "float2", "c32")   /* complex of two f32 */                                                    \
    X(C64, 16, "double2", "c64") /* complex of two f64 */

typedef enum allot_type {
    ALLOT_NO_TYPE, /* 0: not a type */
#define ALLOT_TYPE_ENUM(name, size, cl, text) ALLOT_##name,
    ALLOT_TYPE_LIST(ALLOT_TYPE_ENUM)
#undef ALLOT_TYPE_ENUM
} allot_type;

/* An element's size in bytes; 0 for what is not a type. */
ALLOT_API size_t allot_type_size(allot_type type);
/* A type's short name, "f32"; "?" for what is not a type. Static text. */
ALLOT_API const char *allot_type_name(allot_type type);
/* The type of that short name; ALLOT_NO_TYPE if there is none. */
ALLOT_API allot_type allot_type_named(const char *name);

/* ---- Making ----
 * Each returns NULL on failure (allot_last_error() says why: count too large, out of memory). The
 * caller owns one reference. Data is aligned to a page, shared with worker processes without a copy, and
 * lives until the last reference is gone: also past allot_close(). A count of 0 is fine. */

/* `count` elements, all zero. */
ALLOT_API allot_array *allot_array_new(allot_executor *executor, allot_type type, size_t count);

/* `count` elements of `value`, rounded to the type as a C conversion does (complex: the real part). For
 * integers a value outside the type's range is ALLOT_INVALID. */
ALLOT_API allot_array *allot_array_full(allot_executor *executor, allot_type type, size_t count,
                                        double value);

/* `count` elements copied from `data`. */
ALLOT_API allot_array *allot_array_from(allot_executor *executor, allot_type type, size_t count,
                                        const void *data);

/* Called once with the wrapped memory when the last reference is gone and nothing uses it any more; in
 * whatever thread that happens, a worker's too, so it must not wait. */
typedef void (*allot_array_free)(void *data, void *user);

/* Wraps memory that the caller already has, aligned to the element's size (else ALLOT_INVALID), with no copy:
 * it is copied only for places that cannot reach it. Until `free_data` (may be NULL: then until the executor
 * is closed and the last reference gone) is called, by whichever thread drops the last reference but never by
 * a driver's, the caller touches the memory only between map and unmap. */
ALLOT_API allot_array *allot_array_wrap(allot_executor *executor, allot_type type, size_t count, void *data,
                                        allot_array_free free_data, void *user);

ALLOT_API allot_array *allot_array_hold(allot_array *array);
/* Drops one reference; NULL is fine. Never waits: tasks in flight hold their arrays themselves. */
ALLOT_API void allot_array_release(allot_array *array);

ALLOT_API allot_type allot_array_type(const allot_array *array);
ALLOT_API size_t allot_array_count(const allot_array *array);

/* ---- The host's access ---- */

typedef enum allot_access {
    ALLOT_READ = 1,
    ALLOT_WRITE = 2, /* alone: the whole array will be overwritten; nothing is fetched */
    ALLOT_READ_WRITE = 3
} allot_access;

/* Waits until the launches submitted before it that conflict are done, brings the current data to the host
 * and returns its address: `count` elements, contiguous. Launches submitted later that conflict wait for the
 * unmap (so a thread that waits for one of them while it has the array mapped waits for ever). Readers may
 * map together. NULL on failure: a bad access, a device that cannot be read, data that a failed launch left
 * unusable (ALLOT_DEPENDENCY; mapping with ALLOT_WRITE makes it usable again). Must not be called in a
 * callback. */
ALLOT_API void *allot_array_map(allot_array *array, allot_access access);

/* Ends this thread's latest mapping of the array (or, when it has none, the oldest one of any thread).
 * ALLOT_INVALID when none is left. */
ALLOT_API allot_status allot_array_unmap(allot_array *array);

/* What the library moved for this array so far. */
typedef struct allot_array_stats {
    size_t size;          /* sizeof(allot_array_stats), set by the caller */
    uint64_t bytes_to;    /* bytes copied to other memories, from the host or, where there is a way,
                              from each other */
    uint64_t bytes_from;  /* bytes copied from other memories to the host */
    uint64_t transfers;   /* how many copies those were */
    uint64_t transfer_ns; /* time they took */
} allot_array_stats;

/* Fills *stats (whose size the caller set). ALLOT_INVALID on NULL or a size of 0. */
ALLOT_API allot_status allot_array_get_stats(const allot_array *array, allot_array_stats *stats);

/* ---- Views: what a kernel's parameter is given ---- */

/* A part of an array, in elements: element (i, j, k) lies at offset + i*stride[0] + j*stride[1] +
 * k*stride[2]. The last dimension varies fastest in the functions below (C order). Strides are not negative;
 * elements of a view that is written must not overlap. */
typedef struct allot_view {
    allot_array *array; /* not held by the view: a launch holds it */
    size_t offset;
    size_t rank; /* 1 to 3 */
    size_t shape[3];
    size_t stride[3];
} allot_view;

/* The whole array, rank 1. */
ALLOT_API allot_view allot_view_all(allot_array *array);
/* `count` elements from `offset`. */
ALLOT_API allot_view allot_view_1d(allot_array *array, size_t offset, size_t count);
/* A rows × columns matrix whose rows lie `row_stride` elements apart. */
ALLOT_API allot_view allot_view_2d(allot_array *array, size_t offset, size_t rows, size_t columns,
                                   size_t row_stride);
/* A dense block of three dimensions. */
ALLOT_API allot_view allot_view_3d(allot_array *array, size_t offset, size_t planes, size_t rows,
                                   size_t columns);

#ifdef __cplusplus
}
#endif
#endif
