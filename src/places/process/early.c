/* What workers are given before they are ready: while none is, each that starts gets one call, which it finds
 * when it comes to its loop. So a cold place answers without a word between its keeper and a new worker, each
 * of which would wake one of them. Should another worker be ready first, the keeper takes the call back for
 * it. */
#include "places/process/pool.h"

static bool is_vacant(const al_worker *worker)
{
    return worker->state == AL_WORKER_STARTING && !worker->doomed && !worker->held &&
           worker->head == worker->tail;
}

size_t al_process_vacant(const al_process *place)
{
    size_t count = 0;
    for (const al_worker *worker = place->workers; worker; worker = worker->next)
        count += is_vacant(worker);
    return count;
}

/* A plain call that fits a slot: others need messages that only the keeper can send, so nobody could take
 * them over at once. */
static bool may_go_early(const al_job *job)
{
    const al_task *task = job->task;
    return !job->split && !al_task_launch(task) && task->function &&
           al_slot_holds(task->in_size, task->out_size);
}

al_worker *al_process_early_worker(al_process *place)
{
    al_worker *found = NULL;
    if (!place->queue.first || !may_go_early(place->queue.first))
        return NULL;
    for (al_worker *worker = place->workers; worker; worker = worker->next) {
        if (worker->state == AL_WORKER_READY)
            return NULL;
        if (is_vacant(worker))
            found = worker; /* the last in the list was started first */
    }
    return found;
}

bool al_process_gave_early(const al_process *place)
{
    return place->starting && place->starting > al_process_vacant(place);
}

void al_process_take_back_early(al_process *place)
{
    if (place->queue.first || !al_process_gave_early(place) || !al_process_free_worker(place))
        return;
    for (al_worker *worker = place->workers; worker; worker = worker->next) {
        al_job *job = worker->jobs[worker->tail % AL_SLOTS];
        if (worker->state != AL_WORKER_STARTING || worker->head == worker->tail || !job ||
            !al_process_take_back(place, job))
            continue;
        al_job_queue_prepend(&place->queue, job);
        return;
    }
}
