/* How many things of an executor are unfinished, and whether it still accepts any: counted by each thread in
 * a cell of its own.
 *
 * The memory of a gate is never given back but used again, so that who leaves last may still look at it while
 * the executor is freed. */
#ifndef AL_CORE_GATE_H
#define AL_CORE_GATE_H

#include "base/fence.h"
#include "base/lane.h"
#include <allot/future.h>
#include <stdalign.h>

struct allot_executor;

typedef struct al_gate_cell {
    alignas(64) _Atomic uint64_t entered, left;
    _Atomic uint64_t others;  /* that entered and are no tasks, or none any more: rarer than those that are */
    _Atomic uint64_t refused; /* tasks, for the metrics */
} al_gate_cell;

typedef struct al_gate {
    struct allot_executor *executor; /* whose it is */
    const _Atomic int64_t *clock;    /* the executor's virtual time; NULL: the real clock */
    struct al_gate *next;            /* of the unused ones */
    _Atomic bool closed;
    _Atomic uint32_t drainers; /* threads that wait for the last to leave */
    _Atomic uint32_t changed;  /* what they sleep on */
    al_gate_cell cells[AL_LANES];
} al_gate;

/* An open gate; NULL when memory is out. */
al_gate *al_gate_create(struct allot_executor *executor);
/* Nobody may be inside. */
void al_gate_destroy(al_gate *gate);

/* Refuses whoever comes from now on, unless forced. */
void al_gate_close(al_gate *gate);

/* Waits until nobody is inside a closed gate. */
void al_gate_drain(al_gate *gate);

/* How many are inside: exact for a closed gate that nobody tries to enter (who is refused counts for a
 * moment), else of some moment during the call. */
uint64_t al_gate_inside(const al_gate *gate);

/* The sums over all threads. */
uint64_t al_gate_submitted(const al_gate *gate);
uint64_t al_gate_refused(const al_gate *gate);

void al_gate_notify(al_gate *gate);

/* Counts so many unfinished things out. The executor must not be touched afterwards. `number`: of this
 * thread's lane. */
static inline void al_gate_leave_at(al_gate *gate, unsigned number, size_t count)
{
    al_lane_add_at(number, &gate->cells[number].left, count);
    al_fence_light(); /* with al_gate_drain(): it sees this one gone, or this one sees it wait */
    if (__builtin_expect(atomic_load_explicit(&gate->drainers, memory_order_relaxed) != 0, false))
        al_gate_notify(gate);
}

static inline void al_gate_leave_many(al_gate *gate, size_t count)
{
    al_gate_leave_at(gate, al_lane_here()->number, count);
}

static inline void al_gate_leave(al_gate *gate)
{
    al_gate_leave_many(gate, 1);
}

/* Tasks that were counted in could not be made. */
static inline void al_gate_abandon_tasks(al_gate *gate, size_t count)
{
    al_lane *lane = al_lane_here();
    al_lane_add(lane, &gate->cells[lane->number].others, count);
    al_gate_leave_many(gate, count);
}

static inline void al_gate_abandon_task(al_gate *gate)
{
    al_gate_abandon_tasks(gate, 1);
}

/* Counts so many tasks in; false if the gate is closed. */
static inline bool al_gate_enter_at(al_gate *gate, unsigned number, size_t count)
{
    al_lane_add_at(number, &gate->cells[number].entered, count);
    al_fence_light(); /* with al_gate_close(): they are counted, or see that it is closed */
    if (__builtin_expect(!atomic_load_explicit(&gate->closed, memory_order_relaxed), true))
        return true;
    al_gate_abandon_tasks(gate, count);
    return false;
}

static inline bool al_gate_enter_tasks(al_gate *gate, size_t count)
{
    return al_gate_enter_at(gate, al_lane_here()->number, count);
}

static inline bool al_gate_enter_task(al_gate *gate)
{
    return al_gate_enter_tasks(gate, 1);
}

/* Counts one more unfinished thing; false if the gate is closed. Only while one is inside already may
 * `forced` be used. */
static inline bool al_gate_enter(al_gate *gate, bool forced)
{
    al_lane *lane = al_lane_here();
    al_gate_cell *cell = &gate->cells[lane->number];
    al_lane_add(lane, &cell->others, 1); /* before: nobody takes it for a task */
    al_lane_add(lane, &cell->entered, 1);
    al_fence_light(); /* with al_gate_close(): this one is counted, or sees that it is closed */
    if (__builtin_expect(!atomic_load_explicit(&gate->closed, memory_order_relaxed), true) || forced)
        return true;
    al_gate_leave(gate);
    return false;
}

#endif
