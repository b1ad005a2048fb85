/* What the executor keeps of a task with hints or dependencies, in one allocation that ends with the task.
 *
 * Such a task is retired (its successors let go, its outcome learned, the gate left) when two things are
 * over: its own end, and its arming (and nobody looks at its arrays meanwhile: al_task_look()); so that a
 * task cancelled early still stands between those before and those after it. */
#ifndef AL_EXECUTOR_TERMS_H
#define AL_EXECUTOR_TERMS_H

#include "core/launch.h"
#include "core/task.h"
#include "executor/graph.h"
#include "executor/service.h"
#include <allot/place.h>

typedef struct al_terms al_terms;
struct al_place;

/* A dependency on a future of hints.after. */
typedef struct al_after {
    al_continuation continuation;
    al_terms *terms;
    allot_future *future; /* held until the task is armed */
    al_follow follow;     /* of it, where ranks are wanted */
} al_after;

struct al_terms {
    al_more more; /* first */
    al_node node;
    al_task *task;
    al_continuation end; /* runs first of all when the task is done */
    allot_kind kind;
    const char *place_id;    /* NULL: any */
    const char *word;        /* in place_id: al_select_word(); NULL: it can only be an id */
    const char *names_other; /* why other places are none for it then; as long-lived as its decision */
    uint32_t forbid;
    bool narrows;        /* one of those above, or memory_bytes, says more than nothing */
    int64_t deadline_ns; /* the moment; INT64_MAX: none */
    int64_t grace_ns;
    allot_bound bound;
    allot_preference prefer;
    uint64_t memory_bytes; /* 0: what its arrays need */
    al_job timer;          /* of the deadline; holds the task while it is set */
    bool timer_set;
    struct al_place *decided;     /* the place that a decision chose; NULL: none was made */
    struct al_model_entry *entry; /* what the model knows of it there; NULL: memory was out */
    int64_t predicted_ns;         /* what it was expected to cost there */
    bool alone;                   /* nothing was queued before it on these CPUs or this device */
    int retries, attempts;        /* how often it may be tried again, and how often it was */
    int64_t retry_delay_ns;
    al_job retry;             /* of the next attempt */
    allot_status last_status; /* of the last attempt, while it is tried again */
    al_failure last;
    bool explores;
    al_terms *next, *previous; /* the executor's list of arming tasks, guarded by its lock */
    bool listed;               /* in that list */
    bool at_once;              /* it never was: nothing was to be waited for */
    al_terms *next_for_devices;
    al_terms *next_in_journal; /* of the decision log, while it holds the task */
    size_t after_count;
    al_after *after;
    al_access *accesses;
    char *name, *place_text;
};

/* Makes the record of a task, of a launch (which it takes over; NULL: of a plain function), whose deadline is
 * a moment of that clock (gate.h). NULL when memory is out. */
al_terms *al_terms_create(al_task *task, al_launch *launch, const allot_hints *hints,
                          const _Atomic int64_t *clock);

/* Of a task that is not plain. */
static inline al_terms *al_terms_of(const al_task *task)
{
    return (al_terms *)task->more; /* the first member */
}

#endif
