/* What must reach a worker before a job can: modules, arrays, arguments that are too large for a slot; and
 * launches cut into parts. */
#include "places/process/pool.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PART_BYTES ((size_t)2 << 20)
#define FINER_MOST 4

/* ---- Messages ---- */

static bool tell(al_worker *worker, const al_wire_message *message, int fd)
{
    if (!al_wire_send(worker->child.socket, message, fd))
        return false;
    atomic_fetch_add(&worker->page->mail, 1);
    return true;
}

static void begin_message(al_wire_message *message, al_wire_kind kind, size_t index, size_t size)
{
    memset(message, 0, offsetof(al_wire_message, path) + 1);
    message->kind = (uint32_t)kind;
    message->index = (uint32_t)index;
    message->size = size;
}

static bool tell_module(al_process *place, al_worker *worker, uint32_t module)
{
    if (worker->modules[module / 64] >> (module % 64) & 1)
        return true;
    al_wire_message message;
    pthread_mutex_lock(&place->lock);
    al_symbols_introduce(&place->symbols, module, &message);
    pthread_mutex_unlock(&place->lock);
    if (!tell(worker, &message, -1))
        return false;
    pthread_mutex_lock(&place->lock);
    worker->modules[module / 64] |= UINT64_C(1) << (module % 64);
    pthread_mutex_unlock(&place->lock);
    return true;
}

/* ---- Arguments that do not fit a slot ---- */

static bool write_all(int fd, const void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t wrote = pwrite(fd, (const char *)bytes + done, size - done, (off_t)done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote == 0 || errno != EINTR)
            return false;
    }
    return true;
}

/* The task's own memory where that can be shared; else new memory for this one call, so that no worker keeps
 * a way to another task's bytes. */
static bool tell_parcel(al_worker *worker, al_job *job, allot_status *status, al_failure *failure)
{
    const al_task *task = job->task;
    size_t bytes = al_slot_out_offset(task->in_size) + task->out_size;
    al_wire_message message;
    if (al_slot_holds(task->in_size, task->out_size))
        return true;
    begin_message(&message, AL_WIRE_PARCEL, 0, bytes);
    if (al_task_shared(task) >= 0)
        return tell(worker, &message, al_task_shared(task));
    if (job->parcel < 0)
        job->parcel = al_shared_create("allot-parcel", bytes);
    if (job->parcel < 0 || !write_all(job->parcel, al_task_in(task), task->in_size)) {
        *status = al_failure_set(failure, errno == ENOSPC || errno == ENOMEM ? ALLOT_NO_MEMORY : ALLOT_SYSTEM,
                                 "no shared memory for %zu bytes of arguments and result: %s", bytes,
                                 strerror(errno));
        return true;
    }
    return tell(worker, &message, job->parcel);
}

/* ---- Arrays ---- */

/* The index under which the worker has the copy mapped; -1: it has not. */
static int index_of(const al_worker *worker, uint64_t copy)
{
    for (int i = 0; i < AL_ARRAYS_MAX; i++)
        if (worker->arrays[i].copy == copy)
            return i;
    return -1;
}

/* The index that was not used for longest. A call has far fewer arguments than there are. */
static int oldest_of(const al_worker *worker)
{
    int oldest = 0;
    for (int i = 1; i < AL_ARRAYS_MAX; i++)
        if (worker->arrays[i].used < worker->arrays[oldest].used)
            oldest = i;
    return oldest;
}

static bool tell_array(al_process *place, al_worker *worker, const al_shared_copy *copy)
{
    pthread_mutex_lock(&place->lock);
    int index = index_of(worker, copy->id);
    bool known = index >= 0;
    if (!known)
        index = oldest_of(worker);
    worker->arrays[index] = (struct al_worker_array){ copy->id, ++worker->uses, false };
    pthread_mutex_unlock(&place->lock);
    if (known)
        return true;
    al_wire_message message;
    begin_message(&message, AL_WIRE_ARRAY, (size_t)index, copy->bytes);
    return tell(worker, &message, copy->fd);
}

static bool tell_arrays(al_process *place, al_worker *worker, const al_split *split)
{
    const al_launch *launch = al_task_launch(split->launch->task);
    for (size_t i = 0; i < launch->arg_count; i++)
        if (split->copies[i] && !tell_array(place, worker, (const al_shared_copy *)split->copies[i]))
            return false;
    return true;
}

/* Used by a call that is given now, they stay mapped at least until it is done: no other is told to a worker
 * that is at work. */
bool al_worker_has_arrays(const al_worker *worker, const al_split *split)
{
    const al_launch *launch = al_task_launch(split->launch->task);
    for (size_t i = 0; i < launch->arg_count; i++)
        if (split->copies[i] && index_of(worker, ((const al_shared_copy *)split->copies[i])->id) < 0)
            return false;
    return true;
}

bool al_prepare(al_process *place, al_worker *worker, al_job *job, allot_status *status, al_failure *failure)
{
    *status = ALLOT_OK;
    if (!tell_module(place, worker, job->symbol.module))
        return false;
    return job->split ? tell_arrays(place, worker, job->split) : tell_parcel(worker, job, status, failure);
}

/* ---- Sync objects ---- */

/* The answer is not counted as mail: the worker waits for it. */
bool al_worker_lend(al_worker *worker, const al_wire_message *asked)
{
    al_wire_message message;
    begin_message(&message, AL_WIRE_LEND, 0, 0);
    if (!worker->party)
        worker->party = al_party_take();
    message.sync.ref = asked->sync.ref;
    int fd = al_sync_lend(&message.sync.ref, worker->party, &message.sync.form);
    bool sent = al_wire_send(worker->child.socket, &message, fd);
    if (fd >= 0)
        close(fd);
    return sent;
}

/* With the lock held: one that is gone; false if there is none. */
static bool next_stale(al_process *place, al_worker **worker, size_t *index)
{
    for (*worker = place->workers; *worker; *worker = (*worker)->next)
        for (*index = 0; *index < AL_ARRAYS_MAX; ++*index)
            if ((*worker)->arrays[*index].stale)
                return true;
    place->arrays_stale = false;
    return false;
}

void al_forget_stale(al_process *place)
{
    al_worker *worker;
    size_t index;
    al_wire_message message;
    pthread_mutex_lock(&place->lock);
    while (next_stale(place, &worker, &index)) {
        worker->arrays[index] = (struct al_worker_array){ 0 };
        begin_message(&message, AL_WIRE_FORGET, index, 0);
        tell(worker, &message, -1); /* one that does not listen gets another array there some time */
        _Atomic uint32_t *bell = al_page_ring(worker->page);
        pthread_mutex_unlock(&place->lock); /* only this thread removes workers */
        al_page_wake(bell);
        pthread_mutex_lock(&place->lock);
    }
    pthread_mutex_unlock(&place->lock);
}

/* ---- Launches ---- */

/* Workers get accumulators as they get arrays; the parent reads them in the same pages. */
static allot_status share_accumulators(al_process *place, al_split *split, al_launch *launch, size_t parts,
                                       al_failure *failure)
{
    allot_status status = al_launch_accumulate(launch, parts, AL_ACCUMULATOR_ALIGN, true, failure);
    for (size_t i = 0; i < launch->arg_count && status == ALLOT_OK; i++) {
        const al_accumulators *own = &launch->args[i].own;
        if (own->shared)
            status = al_array_acquire(own->shared, place->base.memory, 0, own->shared->size_bytes,
                                      ALLOT_WRITE, &split->copies[i], NULL, failure);
    }
    return status;
}

/* A launch that moves much is cut finer: its end waits for the last part, and what one costs beyond its work
 * is nothing beside that of moving PART_BYTES. */
static size_t parts_of(const al_launch *launch, size_t workers)
{
    size_t bytes = 0;
    for (size_t i = 0; i < launch->arg_count; i++)
        bytes += al_argument_is_array(&launch->args[i]) ? launch->args[i].end - launch->args[i].begin : 0;
    size_t finer = bytes / (al_launch_parts(launch, workers) * PART_BYTES);
    return al_launch_parts(launch, workers * (finer < 1 ? 1 : finer < FINER_MOST ? finer : FINER_MOST));
}

al_split *al_split_create(al_process *place, al_job *job, allot_status *status, al_failure *failure)
{
    al_launch *launch = al_task_launch(job->task);
    size_t parts = parts_of(launch, (size_t)place->limit);
    al_split *split = calloc(1, sizeof *split + parts * sizeof split->jobs[0]);
    *status = ALLOT_NO_MEMORY;
    if (!split)
        return NULL;
    *status = al_launch_acquire(launch, place->base.memory, split->copies, failure);
    if (*status == ALLOT_OK)
        *status = share_accumulators(place, split, launch, parts, failure);
    if (*status != ALLOT_OK) {
        free(split);
        return NULL;
    }
    split->launch = job;
    split->parts = split->unfinished = parts;
    split->start_ns = al_clock_now_ns();
    for (size_t i = 0; i < parts; i++)
        split->jobs[i] = (al_job){ .task = job->task,
                                   .split = split,
                                   .part = i,
                                   .state = AL_JOB_WAITING,
                                   .symbol = job->symbol,
                                   .parcel = -1 };
    return split;
}

static void write_argument(const al_argument *from, const al_copy *copy, al_worker *worker, size_t part,
                           al_slot_argument *to)
{
    *to = (al_slot_argument){ .value = from->value, .is_array = copy != NULL };
    to->value.data = NULL;
    if (copy) {
        to->index = (uint32_t)index_of(worker, ((const al_shared_copy *)copy)->id);
        worker->arrays[to->index].used = ++worker->uses;
        to->offset = al_argument_is_reduced(from) ? part * from->own.stride_bytes : al_argument_offset(from);
    } else {
        memcpy(to->scalar, from->scalar, sizeof to->scalar);
    }
}

_Static_assert(sizeof(al_slot_part) + AL_PARAMS_MAX * sizeof(al_slot_argument) <= AL_SLOT_BYTES,
               "every part fits a slot");

void al_split_write(const al_job *job, al_worker *worker, al_slot *slot, al_slot_body *body)
{
    const al_split *split = job->split;
    const al_launch *launch = al_task_launch(split->launch->task);
    al_slot_part *part = (al_slot_part *)body->bytes;
    const al_job *before = job->turn > worker->tail ? worker->jobs[(job->turn - 1) % AL_SLOTS] : NULL;
    slot->kind = before && before->split == split ? AL_SLOT_NEXT_PART : AL_SLOT_PART;
    slot->in_parcel = 0;
    part->type = launch->type;
    part->range = launch->range;
    al_launch_part(launch, split->parts, job->part, &part->begin, &part->end);
    part->arg_count = launch->arg_count;
    for (size_t i = 0; i < launch->arg_count; i++)
        write_argument(&launch->args[i], split->copies[i], worker, job->part, &part->args[i]);
}
