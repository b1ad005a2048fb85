/* The process place: the table over the pool of worker processes. */
#include "places/process/pool.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void describe(const al_place *place, allot_place_info *info)
{
    snprintf(info->name, sizeof info->name, "process pool");
    info->workers = ((const al_process *)place)->limit;
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

static const al_place_ops ops = { describe, can_run, open_place, enqueue, withdraw, stop, close_place };

/* Held for well under a microsecond: spinning for it is cheaper than a system call. */
static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

static al_process *create(const al_place_config *config)
{
    int limit = config->processes;
    al_process *place = al_place_allocate(sizeof *place);
    if (!place)
        return NULL;
    place->limit = limit;
    place->epoll_fd = place->wake_fd = -1;
    al_spawner_allowed(place->refusal, sizeof place->refusal);
    place->cpus_known = sched_getaffinity(0, sizeof place->cpus, &place->cpus) == 0;
    init_lock(&place->lock);
    al_process_collector_init(&place->collector);
    al_symbols_init(&place->symbols);
    al_inject_init(&place->inject);
    atomic_store(&place->wanted, true); /* there is no worker yet */
    if (!al_spawner_init(&place->spawner)) {
        free_place(place);
        return NULL;
    }
    place->spawner.caps_libraries = config->caps_libraries;
    al_memory_init(&place->memory, &al_shared_memory_ops);
    atomic_store(&place->memory.shares_host, true);
    place->base = (al_place){ .ops = &ops,
                              .kind = ALLOT_PROCESS,
                              .id = al_intern("process"),
                              .memory = &place->memory,
                              .shares_cpus = true,
                              .only_by_name = true,
                              .width = limit };
    return place;
}

static size_t discover(const al_place_config *config, al_place **places, size_t capacity, char *message,
                       size_t message_size)
{
    al_process *place = capacity ? create(config) : NULL;
    if (!place) {
        snprintf(message, message_size, "out of memory");
        return 0;
    }
    places[0] = &place->base;
    return 1;
}

const al_place_kind al_process_kind = { ALLOT_PROCESS, false, discover };
