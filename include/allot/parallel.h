/* Loops and fork-join on the thread place: work that is split over its workers while the caller takes part.
 *
 * For numbers in plain memory and code of one's own, where a kernel's description (allot_launch) would be too
 * much: nothing is transferred, no place is chosen, no future is made. All calls wait for their end. They may
 * be called from any thread, from tasks and from one another. On an executor without a thread place the
 * caller does all of it. */
#ifndef ALLOT_PARALLEL_H
#define ALLOT_PARALLEL_H

#include <allot/executor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A part of a range: indices begin[d] to end[d] of each of its `rank` dimensions; [0, 1) in the unused ones.
 */
typedef struct allot_block {
    size_t rank;
    size_t begin[3], end[3];
} allot_block;

/* How a range is split. The names are OpenMP's. */
typedef enum allot_schedule {
    ALLOT_AUTO,    /* the library chooses: guided */
    ALLOT_STATIC,  /* one share of equal length for each worker, the same one each time if it comes in time:
                      for loops that run over the same data again and again. Where the same body, user pointer
                      and length took less than a microsecond the last time the caller runs it all */
    ALLOT_DYNAMIC, /* chunks of `grain`, first come, first served */
    ALLOT_GUIDED   /* chunks that shrink with what is left, down to `grain` */
} allot_schedule;

/* Options of a loop. Every member's 0 is its default; so is NULL for the whole. */
typedef struct allot_loop {
    size_t size; /* sizeof(allot_loop), filled by ALLOT_LOOP and allot_loop_init */
    allot_schedule schedule;
    size_t grain; /* the fewest items worth a call, as long as so many are left; 0: for ALLOT_STATIC 1, for
                     ALLOT_DYNAMIC a 16th of a worker's share, else a 128th of it */
    int workers;  /* take part at most, with the caller; 0: as many as the thread place has */
    bool deterministic; /* allot_parallel_reduce: the result has the same bits for any number of workers. The
                           range is cut into at most 256 parts that depend on the range and `grain` alone (0:
                           1,024 items), and their accumulators are combined pairwise, in order */
} allot_loop;

ALLOT_API void allot_loop_init(allot_loop *loop);

#ifndef __cplusplus
/* ALLOT_LOOP(.schedule = ALLOT_STATIC): options in place, valid to the end of the enclosing block. */
#define ALLOT_LOOP(...) (&(const allot_loop){ .size = sizeof(allot_loop), __VA_ARGS__ })
#endif

/* The body of a loop: computes one block; called at once from several threads for disjoint blocks, together
 * all of the range, each index once. `call` serves allot_fail() and allot_call_stopping(), which tells
 * whether the task that runs the loop is asked to stop. */
typedef allot_status (*allot_body)(allot_call *call, const allot_block *block, void *user);

/* Calls `body` for all of `range`. Where the first dimensions are short, several are cut together. Returns
 * ALLOT_OK; or the first error of a body, after which no further blocks are begun, and allot_last_error() has
 * its message; or ALLOT_INVALID, ALLOT_FORKED, ALLOT_SHUTDOWN. An empty range is a success, body is not
 * called. */
ALLOT_API allot_status allot_parallel_for(allot_executor *executor, allot_ndrange range, allot_body body,
                                          void *user, const allot_loop *loop);

/* The body of a reduction: adds what one block comes to to *accumulator. */
typedef allot_status (*allot_reduce_body)(allot_call *call, const allot_block *block, void *user,
                                          void *accumulator);

/* *into = *into ∘ *from, where all of `from` comes after all of `into` in the range if the loop is
 * deterministic; else the operation must be commutative too. */
typedef void (*allot_combine)(void *into, const void *from, void *user);

/* Reduces a range to one value of `value_size` bytes (aligned to 64 while it is computed). *value is the
 * operation's identity before the call, from which all accumulators start, and the result after it. Without
 * `deterministic` the order in which parts are combined, and with floating-point numbers the last bits of the
 * result, differ from call to call. Errors as above, and ALLOT_NO_MEMORY; *value is then unchanged. */
ALLOT_API allot_status allot_parallel_reduce(allot_executor *executor, allot_ndrange range,
                                             allot_reduce_body body, allot_combine combine, void *value,
                                             size_t value_size, void *user, const allot_loop *loop);

/* One side of a fork-join: a call whose argument and result stay where they are. */
typedef struct allot_branch {
    allot_function function;
    const void *in;
    void *out;
    size_t in_size, out_size; /* only told to the function: allot_call_in_size(), allot_call_out_size() */
} allot_branch;

/* Runs both branches, at once if another worker comes in time, and returns when both are over: ALLOT_OK, or
 * the error of `first` if it has one, else that of `second`, with its message in allot_last_error().
 * Recursive use is what it is for: in a worker it costs some ten nanoseconds, no memory is allocated. Both
 * run, whatever the other returns. */
ALLOT_API allot_status allot_fork_join(allot_executor *executor, const allot_branch *first,
                                       const allot_branch *second);

#ifdef __cplusplus
}
#endif
#endif
