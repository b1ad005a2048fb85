/* The process place: the table over the pool of worker processes. */
#include "places/process/pool.h"
#include "places/process/start.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX   3                    /* of workers in workers, where nobody says else */
#define IDLE_NS     INT64_C(1000000000)  /* that workers beyond those kept stay without work */
#define CLOSE_NS    INT64_C(1000000000)  /* what a worker gets to exit by itself */
#define FINALIZE_NS INT64_C(10000000000) /* and if it has something to do before */

static void describe(const al_place *place, allot_place_info *info)
{
    snprintf(info->name, sizeof info->name, "process pool");
    info->workers = atomic_load((_Atomic int *)&((const al_process *)place)->limit);
    info->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    info->max_array_bytes = info->memory_bytes;
    info->shares_memory = true;
    info->has_f64 = true;
}

/* A slot's arguments have room for numbers. */
static bool structs_fit(const al_task *task, char *why, size_t why_size)
{
    const al_launch *launch = al_task_launch(task);
    for (size_t i = 0; launch && i < launch->arg_count; i++)
        if (launch->args[i].block) {
            snprintf(why, why_size,
                     "%s: its struct of %zu bytes does not travel to worker processes (up to %zu)",
                     launch->args[i].param->name, launch->args[i].bytes, sizeof launch->args[i].scalar);
            return false;
        }
    return true;
}

static bool can_run(const al_place *place, const al_task *task, char *why, size_t why_size)
{
    const char *refusal = ((const al_process *)place)->refusal;
    if (!al_place_runs_c(place, task, why, why_size) || !structs_fit(task, why, why_size))
        return false;
    if (refusal[0])
        snprintf(why, why_size, "%s", refusal);
    return !refusal[0];
}

static allot_status open_place(al_place *place, al_failure *failure)
{
    return al_keeper_start(al_process_from(place), failure);
}

static void enqueue(al_place *place, al_task *task)
{
    al_process_enqueue(al_process_from(place), task);
}

static al_task *withdraw(al_place *place, al_task *which)
{
    return al_process_withdraw(al_process_from(place), which);
}

static void stop(al_place *place, al_task *task, int64_t grace_ns)
{
    al_process_stop(al_process_from(place), task, grace_ns);
}

static void free_place(al_process *place)
{
    for (al_job *next, *job = place->spare; job; job = next) {
        next = job->next;
        free(job);
    }
    if (place->life.setup >= 0)
        close(place->life.setup);
    al_inject_fini(&place->inject);
    al_symbols_fini(&place->symbols);
    al_spawner_fini(&place->spawner);
    pthread_mutex_destroy(&place->lock);
    free(place);
}

static void close_place(al_place *base)
{
    al_process *place = al_process_from(base);
    al_keeper_stop(place);
    al_memory_fini(&place->memory);
    free_place(place);
}

static allot_status resize(al_place *place, int min, int max, al_failure *failure)
{
    (void)failure;
    al_process_resize(al_process_from(place), min, max);
    return ALLOT_OK;
}

static const al_place_ops ops = {
    describe, can_run, open_place, enqueue, withdraw, stop, close_place, resize
};

/* Held for well under a microsecond: spinning for it is cheaper than a system call. */
static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

/* ---- What the host asks for ---- */

/* A function of the setup travels as a task's does. */
static bool find_function(al_process *place, allot_function function, al_symbol *symbol, al_failure *failure)
{
    al_lifetime *life = &place->life;
    *symbol = (al_symbol){ 0 };
    if (!function)
        return true;
    if (!al_symbols_find(&place->symbols, (al_code)function, symbol, failure))
        return false;
    if (!life->module_count || life->modules[0] != symbol->module)
        life->modules[life->module_count++] = symbol->module;
    return true;
}

static allot_status make_setup(al_process *place, const allot_process_options *options, al_failure *failure)
{
    al_symbol initialize, finalize;
    if (!al_setup_needed(options))
        return ALLOT_OK;
    if (!find_function(place, options->initialize, &initialize, failure) ||
        !find_function(place, options->finalize, &finalize, failure))
        return ALLOT_INVALID;
    place->life.setup = al_setup_create(options, initialize, finalize);
    place->life.setup_bytes = sizeof(al_setup) + options->data_size;
    if (place->life.setup >= 0)
        return ALLOT_OK;
    return al_failure_set(failure, errno == ENOMEM || errno == ENOSPC ? ALLOT_NO_MEMORY : ALLOT_SYSTEM,
                          "no shared memory for the setup of worker processes: %s", strerror(errno));
}

static void set_depth(al_process *place, const allot_process_options *options)
{
    int inherited = al_start_depth_max(), depth = al_start_depth() + 1;
    int most = options->depth_max ? options->depth_max : al_start_depth() ? inherited : DEPTH_MAX;
    most = most < inherited ? most : inherited;
    place->spawner.depth = depth;
    place->spawner.depth_max = most;
    if (depth > most && !place->refusal[0])
        snprintf(place->refusal, sizeof place->refusal,
                 "worker processes are %d deep in each other already (allot_process_options.depth_max)",
                 depth - 1);
}

static allot_status read_config(al_process *place, const al_place_config *config, al_failure *failure)
{
    const allot_process_options *options = &config->process;
    place->kept = (size_t)config->processes;
    atomic_init(&place->limit, config->processes_max);
    place->spawner.caps_libraries = config->caps_libraries;
    place->life.tasks_max = options->tasks_max ? (uint64_t)options->tasks_max : UINT64_MAX;
    place->life.idle_ns = config->idle_ns ? config->idle_ns : IDLE_NS;
    place->life.close_ns = options->finalize ? FINALIZE_NS : CLOSE_NS;
    place->life.shares_stderr = options->shares_stderr;
    set_depth(place, options);
    return make_setup(place, options, failure);
}

static al_process *create(const al_place_config *config, al_failure *failure)
{
    al_process *place = al_place_allocate(sizeof *place);
    if (!place)
        return NULL;
    place->epoll_fd = place->wake_fd = place->life.setup = -1;
    al_spawner_allowed(place->refusal, sizeof place->refusal);
    place->cpus_known = sched_getaffinity(0, sizeof place->cpus, &place->cpus) == 0;
    init_lock(&place->lock);
    al_process_collector_init(&place->collector);
    al_symbols_init(&place->symbols);
    al_inject_init(&place->inject);
    atomic_store(&place->wanted, true); /* there is no worker yet */
    if (!al_spawner_init(&place->spawner) || read_config(place, config, failure) != ALLOT_OK) {
        free_place(place);
        return NULL;
    }
    al_memory_init(&place->memory, &al_shared_memory_ops);
    atomic_store(&place->memory.shares_host, true);
    place->base = (al_place){ .ops = &ops,
                              .kind = ALLOT_PROCESS,
                              .id = al_intern("process"),
                              .memory = &place->memory,
                              .shares_cpus = true,
                              .only_by_name = true,
                              .width = config->processes };
    return place;
}

static size_t discover(const al_place_config *config, al_place **places, size_t capacity, char *message,
                       size_t message_size)
{
    al_failure failure = { 0 };
    al_process *place = capacity ? create(config, &failure) : NULL;
    if (place)
        places[0] = &place->base;
    else
        snprintf(message, message_size, "%s", failure.message ? failure.message : "out of memory");
    al_failure_fini(&failure);
    return place != NULL;
}

const al_place_kind al_process_kind = { ALLOT_PROCESS, false, discover };
