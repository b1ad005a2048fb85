#include "executor/executor.h"
#include "base/clock.h"
#include "base/log.h"
#include "executor/callback.h"
#include "executor/classes.h"
#include "executor/control.h"
#include "executor/journal.h"
#include "executor/retry.h"
#include "placement/keep.h"
#include "places/process/setup.h"
#include "places/sim/sim.h"
#include "topology/citizen.h"
#include "topology/topology.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Pins ----
 * An unfinished task keeps its executor alive, but may finish at any moment: a pin makes that last until the
 * caller is through. */

static pthread_mutex_t pin_lock = PTHREAD_MUTEX_INITIALIZER; /* guards every executor's pins */
static pthread_cond_t unpinned = PTHREAD_COND_INITIALIZER;

allot_executor *al_executor_pin(al_task *task)
{
    pthread_mutex_lock(&pin_lock);
    allot_executor *executor = allot_done(&task->future) ? NULL : al_task_executor(task);
    if (executor)
        executor->pins++;
    pthread_mutex_unlock(&pin_lock);
    return executor;
}

void al_executor_unpin(allot_executor *executor)
{
    pthread_mutex_lock(&pin_lock);
    if (--executor->pins == 0)
        pthread_cond_broadcast(&unpinned);
    pthread_mutex_unlock(&pin_lock);
}

static void wait_for_pins(allot_executor *executor)
{
    pthread_mutex_lock(&pin_lock);
    while (executor->pins)
        pthread_cond_wait(&unpinned, &pin_lock);
    pthread_mutex_unlock(&pin_lock);
}

/* ---- Places ---- */

enum {
    OPENING = -1
}; /* a place's state while one thread brings it up */

static void bring_up(allot_executor *executor, al_place *place)
{
    al_failure failure = { 0 };
    place->retry = al_retry;
    allot_status status = place->ops->open(place, &failure);
    if (status != ALLOT_OK)
        al_place_set_aside(place, failure.message ? failure.message : allot_status_text(status));
    al_failure_fini(&failure);
    pthread_mutex_lock(&executor->lock);
    if (status == ALLOT_OK)
        atomic_store(&place->state, ALLOT_PLACE_READY);
    pthread_cond_broadcast(&executor->changed);
    pthread_mutex_unlock(&executor->lock);
}

bool al_executor_bring_up(allot_executor *executor, al_place *place)
{
    int state = atomic_load_explicit(&place->state, memory_order_acquire);
    if (state == ALLOT_PLACE_READY)
        return true;
    int cold = ALLOT_PLACE_COLD;
    if (atomic_compare_exchange_strong(&place->state, &cold, OPENING))
        bring_up(executor, place);
    pthread_mutex_lock(&executor->lock);
    while ((state = atomic_load(&place->state)) == OPENING)
        pthread_cond_wait(&executor->changed, &executor->lock);
    pthread_mutex_unlock(&executor->lock);
    return state == ALLOT_PLACE_READY;
}

/* ---- Open ---- */

void allot_options_init(allot_options *options)
{
    if (options)
        *options = (allot_options){ .size = sizeof *options };
}

void allot_hints_init(allot_hints *hints)
{
    if (hints)
        *hints = (allot_hints){ .size = sizeof *hints };
}

static bool check_count(const char *what, int count)
{
    if (count >= 0 && count <= ALLOT_WORKERS_MAX)
        return true;
    al_last_error(ALLOT_INVALID, "allot_open: %s is %d: 0 (the usable CPUs) to %d are possible", what, count,
                  ALLOT_WORKERS_MAX);
    return false;
}

static bool check_most_processes(const allot_options *options)
{
    int processes = options->processes ? options->processes : al_usable_cpus();
    if (!options->processes_max || options->processes_max >= processes)
        return true;
    al_last_error(ALLOT_INVALID, "allot_open: options.processes_max is %d, less than options.processes, %d",
                  options->processes_max, processes);
    return false;
}

static bool check_most(const allot_options *options)
{
    int threads = options->threads ? options->threads : al_usable_cpus();
    if (!options->threads_max || options->threads_max >= threads)
        return true;
    al_last_error(ALLOT_INVALID, "allot_open: options.threads_max is %d, less than options.threads, %d",
                  options->threads_max, threads);
    return false;
}

/* See allot_options.core_watts. */
#define DEFAULT_CORE_WATTS   5.0
#define DEFAULT_DEVICE_WATTS 75.0

#define ALL_KINDS                                                                                            \
    (ALLOT_KIND_BIT(ALLOT_INLINE) | ALLOT_KIND_BIT(ALLOT_THREAD) | ALLOT_KIND_BIT(ALLOT_PROCESS) |           \
     ALLOT_KIND_BIT(ALLOT_OPENCL))

static bool read_options(const allot_options *given, allot_options *options)
{
    *options = (allot_options){ .size = sizeof *options };
    if (al_forked())
        return al_last_error(ALLOT_FORKED, "allot_open: %s", allot_status_text(ALLOT_FORKED));
    if (!given)
        return true;
    if (!given->size)
        return al_last_error(ALLOT_INVALID,
                             "allot_open: options.size is 0: use ALLOT_OPTIONS or allot_options_init");
    memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    if (options->places & ~ALL_KINDS)
        return al_last_error(ALLOT_INVALID,
                             "allot_open: options.places has bits that are no kind of place: 0x%x",
                             options->places & ~ALL_KINDS);
    if (options->machine && options->places)
        return al_last_error(ALLOT_INVALID, "allot_open: options.places chooses among the places of this "
                                            "machine, and options.machine names another");
    return check_count("options.threads", options->threads) &&
           check_count("options.processes", options->processes) &&
           check_count("options.threads_max", options->threads_max) && check_most(options) &&
           check_count("options.processes_max", options->processes_max) && check_most_processes(options);
}

/* Where plain functions can go without a look at their hints. */
static void find_direct(allot_executor *executor)
{
    char why[256];
    const al_task plain = { .place_id = "" };
    for (size_t i = 0; i < atomic_load(&executor->place_count); i++) {
        al_place *place = executor->places[i];
        bool pool = place->kind == ALLOT_THREAD || place->kind == ALLOT_PROCESS;
        if (pool && !executor->direct[place->kind] && place->ops->can_run(place, &plain, why, sizeof why))
            executor->direct[place->kind] = place;
    }
    executor->direct[ALLOT_ANYWHERE] = executor->direct[ALLOT_THREAD];
}

static bool list_found(allot_executor *executor, al_place **found, size_t count)
{
    size_t listed = 0;
    while (listed < count && al_executor_list(executor, found[listed]))
        listed++;
    for (size_t i = listed; i < count; i++)
        found[i]->ops->close(found[i]);
    return listed == count || al_last_error(ALLOT_NO_MEMORY, "allot_open: out of memory");
}

static bool discover_quick(allot_executor *executor)
{
    al_place *found[AL_PLACES_MAX];
    char message[256] = "";
    size_t count = 0;
    for (const al_place_kind *const *kind = al_place_kinds; *kind; kind++)
        if (!(*kind)->slow && executor->kinds & ALLOT_KIND_BIT((*kind)->kind))
            count += (*kind)->discover(&executor->config, found + count, AL_PLACES_MAX - count, message,
                                       sizeof message);
    /* Without a thread place, those that wait to be asked for are all there is: then they take everything. */
    for (size_t i = 0; i < count && !(executor->kinds & ALLOT_KIND_BIT(ALLOT_THREAD)); i++)
        found[i]->only_by_name = false;
    bool listed = list_found(executor, found, count);
    find_direct(executor);
    return listed && (!message[0] || al_last_error(ALLOT_NO_MEMORY, "allot_open: %s", message));
}

static void destroy(allot_executor *executor)
{
    size_t count = atomic_load(&executor->place_count);
    for (size_t i = 0; i < count; i++)
        executor->places[i]->ops->close(executor->places[i]);
    al_book_fini(&executor->book);
    al_classes_fini(executor);
    al_journal_close(executor->journal);
    allot_policy_destroy(executor->policy);
    al_model_destroy(executor->model);
    al_gate_destroy(executor->gate);
    pthread_cond_destroy(&executor->changed);
    pthread_mutex_destroy(&executor->lock);
    free(executor->places);
    free(executor);
}

/* What an option names, else a variable of the environment; "" counts as nothing. */
static const char *named(const char *option, const char *variable)
{
    const char *value = option && *option ? option : getenv(variable);
    return value && *value ? value : NULL;
}

/* Says where the name came from. */
static bool explain(const char *option, const char *variable)
{
    char error[700];
    snprintf(error, sizeof error, "%s", allot_last_error());
    return al_last_error(allot_last_status(), "allot_open: %s: %s", option && *option ? "options" : variable,
                         error);
}

static bool take_journal(allot_executor *executor, const char *option)
{
    const char *path = named(option, "ALLOT_DECISIONS");
    executor->journal = path ? al_journal_open(path) : NULL;
    return executor->journal || !path || explain(option, "ALLOT_DECISIONS");
}

static bool take_policy(allot_executor *executor, const char *option)
{
    const char *name = named(option, "ALLOT_POLICY");
    executor->policy = allot_policy_create(name ? name : "eft");
    return executor->policy || explain(option, "ALLOT_POLICY");
}

static bool take_parts(al_place_config *config, const char *option)
{
    const char *words = named(option, "ALLOT_OPENCL_PARTS");
    return al_parts_read(words, &config->device_parts) ||
           al_last_error(ALLOT_INVALID,
                         "allot_open: %s: '%s' is neither numa, nor a number of parts from 2 to %d, nor "
                         "compute units like 1+3",
                         option && *option ? "options.device_parts" : "ALLOT_OPENCL_PARTS", words,
                         AL_PARTS_MAX);
}

/* Callbacks may submit: time waits for them, but for those that wait themselves. */
static bool time_may_pass(void *of)
{
    allot_executor *executor = of;
    return !atomic_load(&executor->callbacks.due) || al_callback_executor() == executor;
}

/* The places of a simulated machine, which takes `sim` over. */
static bool discover_simulated(allot_executor *executor, al_sim *sim)
{
    size_t count = al_sim_place_count(sim);
    al_place **found = calloc(count ? count : 1, sizeof(al_place *));
    if (!found || !al_sim_places(sim, found)) {
        free(found);
        al_sim_discard(sim);
        return al_last_error(ALLOT_NO_MEMORY, "allot_open: out of memory");
    }
    bool listed = list_found(executor, found, count);
    free(found);
    if (!listed)
        return false;
    executor->gate->clock = al_sim_clock(sim);
    al_sim_hold_time(sim, time_may_pass, executor);
    return true;
}

/* What is learned of a simulated machine tells nothing of this one. */
static bool keep_from(al_model *model, const allot_options *options, bool simulated)
{
    const char *unless_told = simulated ? "off" : NULL;
    return al_keep_begin(model, options->model ? options->model : unless_told, !simulated);
}

static allot_executor *create(const allot_options *options, const allot_process_options *process, al_sim *sim)
{
    allot_executor *executor = calloc(1, sizeof *executor);
    if (!executor) {
        al_sim_discard(sim);
        return al_last_error(ALLOT_NO_MEMORY, "allot_open: out of memory");
    }
    pthread_mutex_init(&executor->lock, NULL);
    pthread_cond_init(&executor->changed, NULL);
    int cpus = al_usable_cpus();
    int threads = options->threads ? options->threads : cpus;
    int processes = options->processes ? options->processes : cpus;
    executor->config =
        (al_place_config){ .threads = threads,
                           .processes = processes,
                           .processes_max = options->processes_max ? options->processes_max : processes,
                           .process = *process,
                           .threads_max = options->threads_max ? options->threads_max : threads,
                           .idle_ns = options->idle_ns,
                           .bind_threads = options->bind_threads,
                           .device_memory_bytes = options->device_memory_bytes,
                           .caps_libraries = !options->keep_blas_threads && !sim };
    executor->kinds = sim ? 0 : options->places ? options->places : ALL_KINDS;
    executor->model = al_model_create();
    bool kept = executor->model && keep_from(executor->model, options, sim != NULL);
    executor->gate = al_gate_create(executor);
    executor->place_capacity = sim ? al_sim_place_count(sim) : AL_PLACES_MAX;
    executor->places = calloc(executor->place_capacity, sizeof(al_place *));
    executor->classes = calloc(executor->place_capacity, sizeof *executor->classes);
    executor->cpus.width = threads;
    executor->core_watts = options->core_watts > 0 ? options->core_watts : DEFAULT_CORE_WATTS;
    executor->device_watts = options->device_watts > 0 ? options->device_watts : DEFAULT_DEVICE_WATTS;
    al_book_init(&executor->book, executor->place_capacity);
    bool there = kept && executor->gate && executor->places && executor->classes;
    if (!there)
        al_last_error(ALLOT_NO_MEMORY, "allot_open: out of memory");
    there = there && take_policy(executor, options->policy) && take_journal(executor, options->decisions) &&
            take_parts(&executor->config, options->device_parts);
    if (!there)
        al_sim_discard(sim);
    if (!there || !(sim ? discover_simulated(executor, sim) : discover_quick(executor))) {
        destroy(executor);
        return NULL;
    }
    return executor;
}

static al_sim *open_machine(const allot_options *options)
{
    al_failure failure = { 0 };
    allot_status status;
    al_sim *sim = al_sim_open(options->machine, options->machine_seed, &status, &failure);
    if (!sim)
        al_last_error_take(status, &failure);
    return sim;
}

static int64_t next_timer_ns(void *of)
{
    allot_executor *executor = of;
    return al_service_next_ns(&executor->timers);
}

static void run_timers(void *of, int64_t now_ns)
{
    allot_executor *executor = of;
    al_service_run_due(&executor->timers, now_ns);
}

/* Deadlines and retries of a simulated machine's tasks are events of its time. */
static void tie_timers(allot_executor *executor, al_sim *sim)
{
    executor->timers.by_hand = true;
    al_sim_set_alarms(sim, next_timer_ns, run_timers, executor);
}

int64_t allot_now_ns(const allot_executor *executor)
{
    return executor ? al_clock_of(executor->gate->clock) : 0;
}

allot_executor *allot_open(const allot_options *given)
{
    allot_options options;
    allot_process_options process;
    al_sim *sim = NULL;
    if (!read_options(given, &options) || !al_setup_read(options.process, &process) ||
        (options.machine && !(sim = open_machine(&options))))
        return NULL;
    allot_executor *executor = create(&options, &process, sim);
    if (!executor)
        return NULL;
    al_service_init(&executor->callbacks, "allot-callbacks", false);
    al_service_init(&executor->timers, "allot-timers", true);
    if (sim)
        tie_timers(executor, sim);
    al_workers_watch_waits();
    if (executor->config.caps_libraries)
        al_citizen_cap();
    return executor;
}

const char *allot_open_error(void)
{
    return allot_last_error();
}

/* ---- Close ---- */

static bool is_own_thread(const allot_executor *executor)
{
    return (al_task_here && al_task_here->gate == executor->gate) || al_callback_executor() == executor;
}

allot_status allot_shutdown(allot_executor *executor, allot_shutdown_mode mode)
{
    if (!executor || (int)mode < ALLOT_DRAIN || mode > ALLOT_KILL)
        return ALLOT_INVALID;
    if (al_forked())
        return ALLOT_FORKED;
    al_gate_close(executor->gate);
    if (mode == ALLOT_CANCEL_PENDING || mode == ALLOT_KILL) {
        pthread_mutex_lock(&executor->lock);
        executor->cancelling = true;
        pthread_mutex_unlock(&executor->lock);
        al_control_end_pending(executor, mode == ALLOT_KILL);
    }
    if (mode == ALLOT_KILL)
        al_control_kill(executor);
    if (mode == ALLOT_NO_WAIT)
        return ALLOT_OK;
    if (is_own_thread(executor))
        return ALLOT_WOULD_DEADLOCK;
    al_gate_drain(executor->gate);
    return ALLOT_OK;
}

/* Nobody waits for it: what goes wrong is told in the log. */
static void keep_model(allot_executor *executor)
{
    al_failure failure = { 0 };
    if (al_keep_save(executor->model, &failure) != ALLOT_OK)
        al_log(AL_LOG_WARNING, "the cost model is not kept: %s",
               failure.message ? failure.message : "out of memory");
    al_failure_fini(&failure);
}

allot_status allot_close(allot_executor *executor)
{
    if (!executor)
        return ALLOT_OK;
    if (al_forked())
        return ALLOT_FORKED;
    if (is_own_thread(executor))
        return ALLOT_WOULD_DEADLOCK;
    allot_shutdown(executor, ALLOT_DRAIN);
    al_devices_fini(executor);
    wait_for_pins(executor);
    al_service_fini(&executor->callbacks);
    al_service_fini(&executor->timers);
    if (executor->config.caps_libraries)
        al_citizen_restore();
    keep_model(executor);
    destroy(executor);
    return ALLOT_OK;
}
