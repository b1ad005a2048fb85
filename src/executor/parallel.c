/* Loops and reductions: checks, defaults, accumulators; the thread place's teams run them. */
#include "executor/executor.h"
#include "places/thread/fork.h"
#include "places/thread/loop.h"
#include "places/thread/pool.h"
#include <allot/parallel.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX   256 /* of a deterministic reduction */
#define PARTS_GRAIN 1024

void allot_loop_init(allot_loop *loop)
{
    if (loop)
        *loop = (allot_loop){ .size = sizeof *loop };
}

/* ---- Checks ---- */

static allot_status check_range(const char *caller, allot_ndrange range, al_failure *failure)
{
    size_t items = 1;
    if (range.rank < 1 || range.rank > 3)
        return al_failure_set(failure, ALLOT_INVALID, "%s: the range has %zu dimensions: 1 to 3 are possible",
                              caller, range.rank);
    for (size_t d = 0; d < range.rank; d++)
        if (!range.size[d]) /* nothing to do, however large the others are */
            return ALLOT_OK;
    for (size_t d = 0; d < range.rank; d++)
        if (__builtin_mul_overflow(items, range.size[d], &items))
            return al_failure_set(failure, ALLOT_TOO_LARGE, "%s: the range has more than 2^64 indices",
                                  caller);
    return ALLOT_OK;
}

static allot_status read_loop(const char *caller, const allot_loop *given, allot_loop *loop,
                              al_failure *failure)
{
    *loop = (allot_loop){ .size = sizeof *loop };
    if (!given)
        return ALLOT_OK;
    if (!given->size)
        return al_failure_set(failure, ALLOT_INVALID, "%s: loop.size is 0: use ALLOT_LOOP or allot_loop_init",
                              caller);
    memcpy(loop, given, given->size < sizeof *loop ? given->size : sizeof *loop);
    if ((int)loop->schedule < ALLOT_AUTO || loop->schedule > ALLOT_GUIDED)
        return al_failure_set(failure, ALLOT_INVALID, "%s: %d is no schedule", caller, (int)loop->schedule);
    if (loop->workers < 0)
        return al_failure_set(failure, ALLOT_INVALID, "%s: %d workers", caller, loop->workers);
    return ALLOT_OK;
}

static allot_status check(const char *caller, const allot_executor *executor, bool has_body,
                          allot_ndrange range, const allot_loop *given, allot_loop *loop, al_failure *failure)
{
    if (al_forked())
        return al_failure_set(failure, ALLOT_FORKED, "%s: %s", caller, allot_status_text(ALLOT_FORKED));
    if (!executor || !has_body)
        return al_failure_set(failure, ALLOT_INVALID, "%s: the %s is NULL", caller,
                              executor ? "body" : "executor");
    allot_status status = check_range(caller, range, failure);
    return status == ALLOT_OK ? read_loop(caller, given, loop, failure) : status;
}

/* ---- Running ---- */

/* The thread place, up; NULL: the executor has none, or it does not come up. */
static al_pool *pool_of(allot_executor *executor)
{
    if (!(executor->kinds & ALLOT_KIND_BIT(ALLOT_THREAD)))
        return NULL;
    al_place *place = executor->places[0]; /* the first if there is one */
    return al_executor_ensure_open(executor, place) ? al_pool_from(place) : NULL;
}

/* A caller that is no task of the executor's counts as one while it is inside, so that the executor stays,
 * and what it calls on any thread knows where it belongs. */
typedef struct visit {
    al_task shell, *outer;
} visit;

static bool enter(allot_executor *executor, visit *self)
{
    bool inside = al_task_here && al_task_here->gate == executor->gate;
    self->outer = al_task_here;
    if (!al_gate_enter(executor->gate, inside))
        return false;
    if (!inside) {
        memset(&self->shell, 0, sizeof self->shell);
        self->shell.gate = executor->gate;
        al_task_here = &self->shell;
    }
    return true;
}

static void leave(allot_executor *executor, visit *self)
{
    al_gate *gate = executor->gate;
    al_task_here = self->outer;
    al_gate_leave(gate);
}

static allot_status run(allot_executor *executor, const al_loop_job *job, al_failure *failure)
{
    size_t items = 1;
    visit self;
    for (size_t d = 0; d < job->range.rank; d++)
        items *= job->range.size[d];
    if (!enter(executor, &self))
        return al_failure_set(failure, ALLOT_SHUTDOWN, "%s", allot_status_text(ALLOT_SHUTDOWN));
    allot_status status = items ? al_loop_run(pool_of(executor), job, failure) : ALLOT_OK;
    leave(executor, &self);
    return status;
}

static allot_status report(allot_status status, al_failure *failure)
{
    if (status != ALLOT_OK)
        al_last_error_take(status, failure);
    return status;
}

/* ---- For ---- */

typedef struct for_body {
    allot_body body;
    void *user;
} for_body;

static allot_status run_for(allot_call *call, const allot_block *block, unsigned member, void *of)
{
    const for_body *self = of;
    (void)member;
    return self->body(call, block, self->user);
}

static allot_ndrange filled(allot_ndrange range)
{
    for (size_t d = range.rank; d < 3; d++)
        range.size[d] = 1;
    return range;
}

allot_status allot_parallel_for(allot_executor *executor, allot_ndrange range, allot_body body, void *user,
                                const allot_loop *given)
{
    al_failure failure = { 0 };
    allot_loop loop = { 0 };
    allot_status status = check("allot_parallel_for", executor, body != NULL, range, given, &loop, &failure);
    for_body self = { body, user };
    al_loop_job job = { .range = filled(range),
                        .schedule = loop.schedule,
                        .grain = loop.grain,
                        .workers = loop.workers,
                        .run = run_for,
                        .of = &self,
                        .body = (uintptr_t)body,
                        .user = (uintptr_t)user };
    if (status == ALLOT_OK)
        status = run(executor, &job, &failure);
    return report(status, &failure);
}

/* ---- Reduce ---- */

typedef struct reduction {
    allot_reduce_body body;
    allot_combine combine;
    void *user;
    unsigned char *accumulators;
    size_t stride, count;
    /* Of a deterministic one: its parts are the items of the loop that is run. */
    allot_ndrange range;
    size_t rows_a_part;
} reduction;

static allot_status reduce_member(allot_call *call, const allot_block *block, unsigned member, void *of)
{
    reduction *self = of;
    return self->body(call, block, self->user, self->accumulators + member * self->stride);
}

static allot_status reduce_part(allot_call *call, const allot_block *parts, unsigned member, void *of)
{
    reduction *self = of;
    allot_status status = ALLOT_OK;
    (void)member;
    for (size_t part = parts->begin[0]; part < parts->end[0] && status == ALLOT_OK; part++) {
        size_t begin = part * self->rows_a_part, left = self->range.size[0] - begin;
        allot_block block = { .rank = self->range.rank,
                              .begin = { begin },
                              .end = { begin + (left < self->rows_a_part ? left : self->rows_a_part),
                                       self->range.size[1], self->range.size[2] } };
        status = self->body(call, &block, self->user, self->accumulators + part * self->stride);
    }
    return status;
}

/* Pairwise, in order: the error of a sum grows with the logarithm of their number (N. J. Higham, "The
 * accuracy of floating point summation", SIAM J. Sci. Comput. 1993). */
static void combine_all(const reduction *self)
{
    for (size_t step = 1; step < self->count; step *= 2)
        for (size_t i = 0; i + step < self->count; i += 2 * step)
            self->combine(self->accumulators + i * self->stride,
                          self->accumulators + (i + step) * self->stride, self->user);
}

static bool make_accumulators(reduction *self, const void *identity, size_t size)
{
    size_t bytes;
    self->stride = (size + 127) & ~(size_t)127; /* two cache lines: the next one is fetched along */
    if (size > PTRDIFF_MAX / 4 || __builtin_mul_overflow(self->count, self->stride, &bytes))
        return false;
    self->accumulators = aligned_alloc(128, bytes);
    for (size_t i = 0; self->accumulators && i < self->count; i++)
        memcpy(self->accumulators + i * self->stride, identity, size);
    return self->accumulators != NULL;
}

/* Parts that depend on the range alone. */
static void cut(reduction *self, allot_ndrange range, size_t grain)
{
    size_t rows = range.size[0], row = range.size[1] * range.size[2];
    size_t least = (grain ? grain : PARTS_GRAIN) / (row ? row : 1);
    size_t each = rows / PARTS_MAX + (rows % PARTS_MAX != 0);
    self->range = range;
    self->rows_a_part = each > least ? each : least ? least : 1;
    self->count = row ? rows / self->rows_a_part + (rows % self->rows_a_part != 0) : 0;
}

static allot_status reduce(allot_executor *executor, allot_ndrange range, reduction *self, void *value,
                           size_t size, const allot_loop *loop, al_failure *failure)
{
    al_loop_job job = { .range = range,
                        .schedule = loop->schedule,
                        .grain = loop->grain,
                        .workers = loop->workers,
                        .run = reduce_member,
                        .of = self,
                        .body = (uintptr_t)self->body,
                        .user = (uintptr_t)self->user };
    al_pool *pool = executor->kinds & ALLOT_KIND_BIT(ALLOT_THREAD) ? al_pool_from(executor->places[0]) : NULL;
    self->count = al_loop_members(pool, loop->workers);
    job.workers = (int)self->count; /* each has an accumulator, even if the pool grows meanwhile */
    if (loop->deterministic) {
        cut(self, range, loop->grain);
        job = (al_loop_job){ .range = filled(allot_range(self->count)),
                             .schedule = ALLOT_DYNAMIC,
                             .grain = 1,
                             .workers = loop->workers,
                             .by_part = true,
                             .run = reduce_part,
                             .of = self };
    }
    if (!make_accumulators(self, value, size))
        return al_failure_set(failure, ALLOT_NO_MEMORY,
                              "allot_parallel_reduce: no memory for %zu accumulators of %zu "
                              "bytes",
                              self->count, size);
    allot_status status = run(executor, &job, failure);
    if (status == ALLOT_OK && self->count) {
        combine_all(self);
        memcpy(value, self->accumulators, size);
    }
    free(self->accumulators);
    return status;
}

allot_status allot_parallel_reduce(allot_executor *executor, allot_ndrange range, allot_reduce_body body,
                                   allot_combine combine, void *value, size_t value_size, void *user,
                                   const allot_loop *given)
{
    al_failure failure = { 0 };
    allot_loop loop = { 0 };
    allot_status status =
        check("allot_parallel_reduce", executor, body != NULL, range, given, &loop, &failure);
    if (status == ALLOT_OK && (!combine || !value || !value_size))
        status = al_failure_set(&failure, ALLOT_INVALID, "allot_parallel_reduce: %s",
                                !combine ? "combine is NULL"
                                : !value ? "the value is NULL"
                                         : "the value has no size");
    reduction self = { .body = body, .combine = combine, .user = user };
    if (status == ALLOT_OK)
        status = reduce(executor, filled(range), &self, value, value_size, &loop, &failure);
    return report(status, &failure);
}

/* ---- Fork-join ---- */

allot_status allot_fork_join(allot_executor *executor, const allot_branch *first, const allot_branch *second)
{
    al_failure failure = { 0 };
    al_worker *worker = al_worker_mine;
    /* In a worker of this executor's a task runs, which keeps all of it alive. */
    if (__builtin_expect(worker && executor && first && second && first->function && second->function &&
                             &worker->pool->base == executor->places[0] && !al_forked(),
                         true))
        return report(al_fork_join(worker->pool, worker, first, second, &failure), &failure);
    if (al_forked())
        return report(
            al_failure_set(&failure, ALLOT_FORKED, "allot_fork_join: %s", allot_status_text(ALLOT_FORKED)),
            &failure);
    if (!executor || !first || !second || !first->function || !second->function)
        return report(al_failure_set(&failure, ALLOT_INVALID, "allot_fork_join: %s is NULL",
                                     !executor           ? "the executor"
                                     : !first || !second ? "a branch"
                                                         : "a function"),
                      &failure);
    visit self;
    if (!enter(executor, &self))
        return report(al_failure_set(&failure, ALLOT_SHUTDOWN, "%s", allot_status_text(ALLOT_SHUTDOWN)),
                      &failure);
    allot_status status = al_fork_join(pool_of(executor), NULL, first, second, &failure);
    leave(executor, &self);
    return report(status, &failure);
}
