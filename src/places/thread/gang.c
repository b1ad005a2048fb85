#include "places/thread/gang.h"
#include "base/clock.h"
#include "core/launch.h"
#include "places/thread/pool.h"
#include <stdlib.h>

typedef struct gang {
    al_team team; /* first */
    al_pool *pool;
    al_task *task;
    size_t parts;
    _Atomic size_t given; /* parts handed out */
    int64_t start_ns;
    _Atomic int status;   /* the first error; later parts are then skipped */
    al_failure failure;   /* written by the one who set `status`, read at the end */
    allot_value values[]; /* one an argument */
} gang;

static void end(al_team *team)
{
    gang *self = (gang *)team;
    al_launch *launch = al_task_launch(self->task);
    allot_status status = (allot_status)atomic_load_explicit(&self->status, memory_order_acquire);
    launch->ran_ns = al_clock_now_ns() - self->start_ns;
    if (status == ALLOT_OK)
        al_launch_publish(launch, NULL);
    al_place *place = &self->pool->base;
    al_task *task = self->task;
    al_failure failure = self->failure;
    free(self);
    al_place_complete(place, task, status, &failure, 0);
}

static allot_status call_variant(gang *self, size_t part, al_failure *failure)
{
    allot_call call = al_place_call(&self->pool->base, self->task);
    al_task *outer = al_task_here;
    al_task_here = self->task;
    allot_status status = al_launch_run(al_task_launch(self->task), &call, self->values, self->parts, part);
    al_task_here = outer;
    *failure = call.failure;
    return status;
}

static void run_part(gang *self, size_t part)
{
    int none = ALLOT_OK;
    al_failure failure = { 0 };
    allot_status status = call_variant(self, part, &failure);
    if (status != ALLOT_OK && atomic_compare_exchange_strong(&self->status, &none, (int)status))
        self->failure = failure;
    else
        al_failure_fini(&failure);
}

static void work(al_team *team, int member)
{
    gang *self = (gang *)team;
    (void)member;
    size_t part;
    while ((part = atomic_fetch_add_explicit(&self->given, 1, memory_order_relaxed)) < self->parts)
        if (atomic_load_explicit(&self->status, memory_order_relaxed) == ALLOT_OK)
            run_part(self, part);
    if (self->parts > 1 && team->teams)
        al_team_close(team);
}

static allot_status prepare(gang *self, al_failure *failure)
{
    allot_status status = al_launch_acquire(al_task_launch(self->task), NULL, NULL, failure);
    if (status == ALLOT_OK)
        status = al_launch_accumulate(al_task_launch(self->task), self->parts, AL_ACCUMULATOR_ALIGN, false,
                                      failure);
    al_launch_host_values(al_task_launch(self->task), self->values);
    self->start_ns = al_clock_now_ns();
    return status;
}

static gang *create(al_pool *pool, al_task *task)
{
    al_launch *launch = al_task_launch(task);
    gang *self = calloc(1, sizeof *self + launch->arg_count * sizeof self->values[0]);
    if (!self)
        return NULL;
    int workers = atomic_load(&pool->max);
    self->pool = pool;
    self->task = task;
    self->parts = al_launch_parts(launch, (size_t)workers);
    self->team = (al_team){ .work = work, .end = end, .members_max = (uint32_t)workers };
    return self;
}

void al_gang_begin(al_pool *pool, al_task *task)
{
    al_failure failure = { 0 };
    if (al_task_launch(task)->items == 0) {
        allot_status status = al_launch_run_empty(al_task_launch(task), &failure);
        al_place_complete(&pool->base, task, status, &failure, 0);
        return;
    }
    gang *self = create(pool, task);
    allot_status status = self ? prepare(self, &failure) : ALLOT_NO_MEMORY;
    if (status != ALLOT_OK) {
        free(self);
        al_place_complete(&pool->base, task, status, &failure, 0);
        return;
    }
    bool open = self->parts > 1 && self->team.members_max > 1 && al_team_open(&pool->teams, &self->team);
    if (open)
        al_park_announce(pool);
    work(&self->team, -1);
    if (open)
        al_team_leave(&self->team);
    else
        end(&self->team);
}
