/* The way of a task that has hints or dependencies: it waits for them, goes to a place, ends, is retired. */
#ifndef AL_EXECUTOR_ARM_H
#define AL_EXECUTOR_ARM_H

#include "core/batch.h"
#include "executor/executor.h"

/* Sets an accepted task's dependencies up and lets it go as soon as they are met. When memory is out it ends
 * with that. */
void al_arm(al_terms *terms, const allot_hints *hints);

/* All that a task waited for has come (or it ended early): gives it to a place. */
void al_arm_go(al_terms *terms);

/* Takes a task out of its executor's list of arming tasks, with the executor's lock held. */
void al_arm_unlist(al_terms *terms);

/* Ends a task that no place has. If somebody else ended it first there is only the owner's reference to drop.
 */
void al_arm_fail(al_task *task, allot_status status, al_failure *failure);

/* Says where a task goes. */
static inline void al_arm_address(al_task *task, al_place *place)
{
    task->place_id = place->id;
    atomic_store_explicit(&task->place, place, memory_order_release);
}

/* Gives a task to an open place, which owns it from now on. */
static inline void al_arm_dispatch(al_task *task, al_place *place)
{
    al_arm_address(task, place);
    al_place_count(place, AL_ENQUEUED, al_batch_is(task) ? al_batch_left(task) : 1);
    place->ops->enqueue(place, task);
}

/* The same for one that has been dispatched before, so that its place_id may be read at any moment. */
static inline void al_arm_dispatch_again(al_task *task, al_place *place)
{
    atomic_store_explicit(&task->place, place, memory_order_release);
    al_place_count(place, AL_ENQUEUED, 1);
    place->ops->enqueue(place, task);
}

#endif
