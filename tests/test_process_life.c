/* How long workers live: replaced after so many tasks, when they have grown, when they die; leaving when
 * there is nothing to do or there are too many; what they do first and last; how deep they may be; and their
 * end by force. */
#include "process_rig.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static char text[12000];

static bool says(const char *words)
{
    if (!strstr(text, words))
        printf("\n    '%s' is not in: %s\n", words, text);
    return strstr(text, words) != NULL;
}

static allot_executor *kept;

/* The rig's calls go to an executor of the fact's own meanwhile. */
static void begin(const allot_options *options)
{
    kept = ex;
    ex = allot_open(options);
    if (!ex)
        printf("\n    %s\n", allot_open_error());
    CU_ASSERT_PTR_NOT_NULL_FATAL(ex);
}

static void end(void)
{
    CU_ASSERT_EQUAL(allot_close(ex), ALLOT_OK);
    ex = kept;
}

static int workers_now(void)
{
    allot_metrics metrics = { .size = sizeof metrics };
    allot_get_metrics(ex, &metrics);
    for (size_t i = 0; i < metrics.place_count; i++)
        if (strcmp(metrics.places[i].id, "process") == 0)
            return metrics.places[i].workers;
    return -1;
}

static uint64_t restarts_now(void)
{
    allot_metrics metrics = { .size = sizeof metrics };
    allot_get_metrics(ex, &metrics);
    for (size_t i = 0; i < metrics.place_count; i++)
        if (strcmp(metrics.places[i].id, "process") == 0)
            return metrics.places[i].restarts;
    return 0;
}

static pid_t worker_of_a_task(void)
{
    pid_t pid = 0;
    allot_future *future = rig_submit(rig_who, NULL, 0, sizeof pid);
    CU_ASSERT_EQUAL(allot_get(future, &pid, sizeof pid, LIMIT), ALLOT_OK);
    allot_release(future);
    return pid;
}

/* ---- After so many tasks ---- */

static void a_worker_is_replaced_after_so_many_tasks(void)
{
    enum {
        TASKS = 60,
        MOST = 3
    };
    pid_t pids[TASKS];
    int in_a_row = 0, changes = 0;
    begin(ALLOT_OPTIONS(.processes = 1, .process = ALLOT_PROCESS_OPTIONS(.tasks_max = MOST)));
    for (int i = 0; i < TASKS; i++) {
        pids[i] = worker_of_a_task();
        bool same = i && pids[i] == pids[i - 1];
        in_a_row = same ? in_a_row + 1 : 1;
        changes += !same;
        CU_ASSERT(in_a_row <= MOST);
    }
    CU_ASSERT_EQUAL(changes, TASKS / MOST);
    end();
}

static void a_backlog_is_never_stranded(void)
{
    enum {
        TASKS = 2000
    };
    allot_future *futures[TASKS];
    size_t wrong = 0;
    begin(ALLOT_OPTIONS(.processes = 2, .process = ALLOT_PROCESS_OPTIONS(.tasks_max = 7)));
    for (int i = 0; i < TASKS; i++) {
        double x = i;
        futures[i] = rig_submit(rig_square, &x, sizeof x, sizeof x);
    }
    for (int i = 0; i < TASKS; i++) {
        double value = 0;
        wrong += allot_get(futures[i], &value, sizeof value, LIMIT) != ALLOT_OK || value != (double)i * i;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    allot_release_all(futures, TASKS);
    end();
}

/* ---- Memory ---- */

static allot_status grow(allot_call *call, const void *in, void *out)
{
    (void)call;
    size_t bytes = *(const size_t *)in;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return ALLOT_NO_MEMORY;
    memset(memory, 1, bytes); /* and never let go of */
    *(pid_t *)out = getpid();
    return ALLOT_OK;
}

static void a_worker_that_has_grown_is_replaced(void)
{
    size_t little = 100000, much = (size_t)64 << 20;
    pid_t first = 0, second = 0;
    begin(
        ALLOT_OPTIONS(.processes = 1, .process = ALLOT_PROCESS_OPTIONS(.growth_bytes = (uint64_t)32 << 20)));
    allot_future *futures[] = { rig_submit(grow, &little, sizeof little, sizeof first),
                                rig_submit(grow, &much, sizeof much, sizeof second) };
    CU_ASSERT_EQUAL(allot_get(futures[0], &first, sizeof first, LIMIT), ALLOT_OK);
    CU_ASSERT_EQUAL(allot_get(futures[1], &second, sizeof second, LIMIT), ALLOT_OK);
    CU_ASSERT_EQUAL(first, second);
    while (kill(first, 0) == 0)
        sched_yield();
    CU_ASSERT_NOT_EQUAL(worker_of_a_task(), first);
    allot_release_all(futures, 2);
    end();
}

/* ---- Replaced without being asked for ---- */

static void one_that_dies_is_replaced_before_a_task_asks(void)
{
    begin(ALLOT_OPTIONS(.processes = 1));
    pid_t first = worker_of_a_task();
    kill(first, SIGKILL);
    while (restarts_now() < 1 || workers_now() < 1)
        sched_yield();
    CU_ASSERT_NOT_EQUAL(worker_of_a_task(), first);
    end();
}

/* ---- More and fewer ---- */

/* So many tasks at once, each in a worker of its own. */
static void fill(int count)
{
    allot_future *futures[32];
    rig_reset_board();
    for (int i = 0; i < count; i++)
        futures[i] = rig_submit(rig_hold, rig_path, sizeof rig_path, 0);
    rig_wait_for(&rig_board->begun, count);
    while (workers_now() != count) /* those too many may still be on their way out */
        sched_yield();
    atomic_store(&rig_board->go, 1);
    for (int i = 0; i < count; i++)
        CU_ASSERT_EQUAL(rig_ended(futures[i], NULL, 0), ALLOT_OK);
}

static void idle_workers_leave_and_come_back(void)
{
    begin(ALLOT_OPTIONS(.processes = 1, .processes_max = 4, .idle_ns = SECOND / 50));
    for (int i = 0; i < 3; i++) {
        fill(4);
        while (workers_now() > 1)
            sched_yield();
        CU_ASSERT_EQUAL(workers_now(), 1);
        CU_ASSERT_EQUAL(rig_call(rig_nothing, NULL, 0), ALLOT_OK);
    }
    CU_ASSERT_EQUAL(restarts_now(), 0);
    end();
}

/* Idle workers go while tasks come, too: none of these is lost. */
static void no_task_is_lost_to_a_worker_that_leaves(void)
{
    begin(ALLOT_OPTIONS(.processes = 1, .processes_max = 3, .idle_ns = 1000000));
    for (int i = 0; i < 200; i++) {
        allot_future *futures[3];
        for (int k = 0; k < 3; k++)
            futures[k] = rig_submit(rig_nothing, NULL, 0, 0);
        for (int k = 0; k < 3; k++)
            CU_ASSERT_EQUAL(rig_ended(futures[k], NULL, 0), ALLOT_OK);
        usleep((unsigned)(i % 4) * 700);
    }
    end();
}

static void it_can_be_resized_while_it_works(void)
{
    static const int sizes[] = { 12, 2, 1, 12, 6, 1, 8, 5 };
    enum {
        TASKS = 400
    };
    allot_future *futures[TASKS];
    size_t wrong = 0;
    begin(ALLOT_OPTIONS(.processes = 2));
    for (int i = 0; i < TASKS; i++) {
        double x = i;
        if (i % 50 == 0)
            CU_ASSERT_EQUAL(allot_resize(ex, "process", 1, sizes[i / 50]), ALLOT_OK);
        futures[i] = rig_submit(rig_square, &x, sizeof x, sizeof x);
    }
    for (int i = 0; i < TASKS; i++) {
        double value = 0;
        wrong += allot_get(futures[i], &value, sizeof value, LIMIT) != ALLOT_OK || value != (double)i * i;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    allot_release_all(futures, TASKS);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CU_ASSERT_EQUAL(allot_resize(ex, "process", sizes[i], sizes[i]), ALLOT_OK);
        fill(sizes[i]);
    }
    end();
}

static void those_too_many_leave_after_their_task(void)
{
    allot_future *futures[4];
    begin(ALLOT_OPTIONS(.processes = 4));
    rig_reset_board();
    for (int i = 0; i < 4; i++)
        futures[i] = rig_submit(rig_hold, rig_path, sizeof rig_path, 0);
    rig_wait_for(&rig_board->begun, 4);
    CU_ASSERT_EQUAL(allot_resize(ex, "process", 1, 1), ALLOT_OK);
    while (workers_now() > 1)
        sched_yield();
    atomic_store(&rig_board->go, 1);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(rig_ended(futures[i], NULL, 0), ALLOT_OK);
    CU_ASSERT_EQUAL(rig_call(rig_nothing, NULL, 0), ALLOT_OK);
    CU_ASSERT_EQUAL(workers_now(), 1);
    end();
}

static void sizes_that_cannot_be_are_refused(void)
{
    allot_executor *none = allot_open(
        ALLOT_OPTIONS(.processes = 3, .processes_max = 2, .places = ALLOT_KIND_BIT(ALLOT_PROCESS)));
    CU_ASSERT_PTR_NULL(none);
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_open_error(), "processes_max is 2"));
    begin(ALLOT_OPTIONS(.processes = 1));
    CU_ASSERT_EQUAL(allot_resize(ex, "process", 0, 1), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_resize(ex, "process", 2, 1), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_resize(ex, "process", 1, 3), ALLOT_OK); /* before it has started */
    fill(3);
    end();
}

/* ---- First and last ---- */

static int loaded; /* by the initializer, in each worker */

/* tally[0] counts initializers, tally[1] finalizers. */
static allot_status load(allot_call *call, const void *in, void *out)
{
    board *seen = rig_board_of(in);
    loaded = 17;
    atomic_fetch_add(&seen->tally[0], 1);
    return !out && allot_call_in_size(call) == sizeof rig_path ? ALLOT_OK : ALLOT_FAILED;
}

static allot_status unload(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    atomic_fetch_add(&rig_board_of(in)->tally[1], loaded == 17);
    return ALLOT_FAILED; /* which matters to nobody */
}

static allot_status tell_loaded(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    *(int *)out = loaded;
    return ALLOT_OK;
}

static const allot_process_options *loading(int tasks_max)
{
    static allot_process_options options;
    options = *ALLOT_PROCESS_OPTIONS(.initialize = load, .finalize = unload, .data = rig_path,
                                     .data_size = sizeof rig_path, .tasks_max = tasks_max);
    return &options;
}

static void each_worker_is_initialized_before_its_first_task(void)
{
    rig_reset_board();
    begin(ALLOT_OPTIONS(.processes = 2, .process = loading(2)));
    for (int i = 0; i < 20; i++) {
        int value = 0;
        allot_future *future = rig_submit(tell_loaded, NULL, 0, sizeof value);
        CU_ASSERT_EQUAL(allot_get(future, &value, sizeof value, LIMIT), ALLOT_OK);
        CU_ASSERT_EQUAL(value, 17);
        allot_release(future);
    }
    end();
    CU_ASSERT(atomic_load(&rig_board->tally[0]) >= 10);
    /* But for one that was started in vain and told to go before it came so far. */
    CU_ASSERT(atomic_load(&rig_board->tally[1]) >= atomic_load(&rig_board->tally[0]) - 1);
}

static allot_status refuse(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    return allot_fail(call, (allot_status)(ALLOT_USER + 4), "the table of constants is not there");
}

static allot_status crash(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    raise(SIGKILL);
    return ALLOT_OK;
}

static void a_failed_initializer_breaks_the_place(void)
{
    allot_future *futures[10];
    allot_set_log(NULL, NULL, ALLOT_LOG_ERROR);
    begin(ALLOT_OPTIONS(.processes = 2, .process = ALLOT_PROCESS_OPTIONS(.initialize = refuse)));
    for (int i = 0; i < 10; i++)
        futures[i] = rig_submit(rig_nothing, NULL, 0, 0);
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(rig_ended(futures[i], text, sizeof text), ALLOT_NO_PLACE);
        CU_ASSERT(says("the initializer of a worker process failed: the table of constants is not there"));
    }
    CU_ASSERT_EQUAL(rig_ended(rig_submit(rig_nothing, NULL, 0, 0), text, sizeof text), ALLOT_NO_PLACE);
    CU_ASSERT(says("the table of constants is not there"));
    allot_future *elsewhere = allot_submit(ex, rig_nothing, NULL, 0, 0, NULL);
    CU_ASSERT_EQUAL(rig_ended(elsewhere, NULL, 0), ALLOT_OK);
    end();
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
}

static void an_initializer_that_crashes_breaks_it_too(void)
{
    allot_set_log(NULL, NULL, ALLOT_LOG_ERROR);
    begin(ALLOT_OPTIONS(.processes = 1, .process = ALLOT_PROCESS_OPTIONS(.initialize = crash)));
    CU_ASSERT_EQUAL(rig_ended(rig_submit(rig_nothing, NULL, 0, 0), text, sizeof text), ALLOT_WORKER_DIED);
    CU_ASSERT(says("die at their start; the last one was killed by SIGKILL (9)"));
    CU_ASSERT_EQUAL(rig_call(rig_nothing, NULL, 0), ALLOT_NO_PLACE);
    end();
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
}

/* ---- Workers of workers ---- */

/* Goes down as far as it may, and tells how deep that was, and why it ended. */
typedef struct dive {
    int depth;
    allot_status status;
    char why[200];
} dive;

static allot_status descend(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    dive *made = out;
    made->depth = allot_process_depth();
    allot_executor *below = allot_open(ALLOT_OPTIONS(.threads = 1, .processes = 1));
    if (!below)
        return ALLOT_FAILED;
    allot_future *future =
        allot_submit(below, descend, NULL, 0, sizeof *made, ALLOT_HINTS(.place = ALLOT_PROCESS));
    dive deeper;
    made->status = allot_get(future, &deeper, sizeof deeper, LIMIT);
    if (made->status == ALLOT_OK)
        *made = deeper;
    else
        snprintf(made->why, sizeof made->why, "%s", allot_future_error(future));
    allot_release(future);
    return allot_close(below);
}

static void nested_workers_end_at_a_depth(void)
{
    static const int limits[] = { 0, 1, 2 };
    CU_ASSERT_EQUAL(allot_process_depth(), 0);
    for (int i = 0; i < 3; i++) {
        dive made = { 0 };
        begin(ALLOT_OPTIONS(.processes = 1, .process = ALLOT_PROCESS_OPTIONS(.depth_max = limits[i])));
        allot_future *future = rig_submit(descend, NULL, 0, sizeof made);
        CU_ASSERT_EQUAL(allot_get(future, &made, sizeof made, LIMIT), ALLOT_OK);
        CU_ASSERT_EQUAL(made.depth, limits[i] ? limits[i] : 3);
        CU_ASSERT_EQUAL(made.status, ALLOT_NO_PLACE);
        CU_ASSERT_PTR_NOT_NULL(strstr(made.why, "deep in each other already"));
        allot_release(future);
        end();
    }
}

/* ---- By force ---- */

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static void a_shutdown_by_force_ends_what_runs(void)
{
    enum {
        RUNNING = 2,
        QUEUED = 30
    };
    allot_future *running[RUNNING], *queued[QUEUED];
    begin(ALLOT_OPTIONS(.processes = RUNNING));
    rig_reset_board();
    for (int i = 0; i < RUNNING; i++)
        running[i] = rig_submit(rig_never_return, rig_path, sizeof rig_path, 0);
    rig_wait_for(&rig_board->begun, RUNNING);
    for (int i = 0; i < QUEUED; i++)
        queued[i] = rig_submit(rig_nothing, NULL, 0, 0);
    allot_future *after = allot_submit(
        ex, rig_nothing, NULL, 0, 0, ALLOT_HINTS(.place = ALLOT_PROCESS, .after = running, .after_count = 1));
    allot_future *again = allot_submit(ex, rig_die, "k", 1, 0,
                                       ALLOT_HINTS(.place = ALLOT_PROCESS, .retries = 5,
                                                   .retry_delay_ns = 3600 * SECOND, .idempotent = true));
    int64_t begin_ns = now_ns();
    CU_ASSERT_EQUAL(allot_shutdown(ex, ALLOT_KILL), ALLOT_OK);
    CU_ASSERT(now_ns() - begin_ns < 5 * SECOND);
    for (int i = 0; i < RUNNING; i++)
        CU_ASSERT_EQUAL(rig_ended(running[i], NULL, 0), ALLOT_SHUTDOWN);
    for (int i = 0; i < QUEUED; i++)
        CU_ASSERT_EQUAL(rig_ended(queued[i], NULL, 0), ALLOT_SHUTDOWN);
    CU_ASSERT_EQUAL(rig_ended(after, NULL, 0), ALLOT_SHUTDOWN);
    CU_ASSERT_EQUAL(rig_ended(again, NULL, 0), ALLOT_SHUTDOWN);
    CU_ASSERT_EQUAL(rig_call(rig_nothing, NULL, 0), ALLOT_SHUTDOWN);
    CU_ASSERT_EQUAL(allot_shutdown(ex, ALLOT_KILL), ALLOT_OK);
    end();
}

static allot_status run_long(allot_call *call, const allot_part *part)
{
    (void)call;
    while (part->end)
        usleep(100000);
    return ALLOT_OK;
}

static void launches_too(void)
{
    static const allot_param params[] = {
        { .name = "y", .type = ALLOT_F64, .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED }
    };
    begin(ALLOT_OPTIONS(.processes = 2));
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "long", .params = params, .param_count = 1, .cpu = run_long));
    allot_array *y = allot_array_full(ex, ALLOT_F64, 100000, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(kernel);
    for (int i = 0; i < 2; i++) { /* begun, and at whatever point it is */
        allot_future *future = allot_launch(ex, kernel, allot_range(100000), ALLOT_ARGS(allot_inout(y)),
                                            ALLOT_HINTS(.place = ALLOT_PROCESS));
        while (i == 0 && allot_future_state(future) == ALLOT_STATE_PENDING)
            sched_yield();
        CU_ASSERT_EQUAL(allot_shutdown(ex, ALLOT_KILL), ALLOT_OK);
        CU_ASSERT_EQUAL(rig_ended(future, NULL, 0), ALLOT_SHUTDOWN);
        allot_executor *used = ex;
        ex = kept;
        begin(ALLOT_OPTIONS(.processes = 2));
        CU_ASSERT_EQUAL(allot_close(used), ALLOT_OK);
    }
    allot_array_release(y);
    allot_kernel_release(kernel);
    end();
}

static void force_does_no_harm_where_nothing_runs(void)
{
    allot_set_log(NULL, NULL, ALLOT_LOG_ERROR);
    begin(ALLOT_OPTIONS(.processes = 1)); /* never started */
    CU_ASSERT_EQUAL(allot_shutdown(ex, ALLOT_KILL), ALLOT_OK);
    end();
    begin(ALLOT_OPTIONS(.processes = 1, .process = ALLOT_PROCESS_OPTIONS(.initialize = refuse))); /* broken */
    CU_ASSERT_EQUAL(rig_call(rig_nothing, NULL, 0), ALLOT_NO_PLACE);
    CU_ASSERT_EQUAL(allot_shutdown(ex, ALLOT_KILL), ALLOT_OK);
    end();
    begin(ALLOT_OPTIONS(.processes = 1)); /* its worker dead */
    CU_ASSERT_EQUAL(rig_call(rig_die, "k", 1), ALLOT_WORKER_DIED);
    CU_ASSERT_EQUAL(allot_shutdown(ex, ALLOT_KILL), ALLOT_OK);
    end();
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
}

/* Force meets tasks at every point of their way. */
static void each_task_ends_once_however_it_is_met(void)
{
    enum {
        ROUNDS = SANITIZED ? 10 : 40,
        TASKS = 50
    };
    for (int round = 0; round < ROUNDS; round++) {
        allot_future *futures[TASKS];
        begin(ALLOT_OPTIONS(.processes = 2));
        for (int i = 0; i < TASKS; i++)
            futures[i] = rig_submit(rig_nothing, NULL, 0, 0);
        for (int64_t until_ns = now_ns() + round * 50000; now_ns() < until_ns;)
            continue; /* to yield would take milliseconds on a busy machine */
        CU_ASSERT_EQUAL(allot_shutdown(ex, ALLOT_KILL), ALLOT_OK);
        for (int i = 0; i < TASKS; i++) {
            CU_ASSERT(allot_done(futures[i]));
            allot_status status = rig_ended(futures[i], NULL, 0);
            CU_ASSERT(status == ALLOT_OK || status == ALLOT_SHUTDOWN);
        }
        end();
    }
}

static const test_fact facts[] = {
    { "H18 a worker is replaced after so many tasks", a_worker_is_replaced_after_so_many_tasks },
    { "H18 a backlog is never stranded", a_backlog_is_never_stranded },
    { "a worker that has grown is replaced", a_worker_that_has_grown_is_replaced },
    { "H3 one that dies is replaced before a task asks", one_that_dies_is_replaced_before_a_task_asks },
    { "G15 idle workers leave and come back", idle_workers_leave_and_come_back },
    { "G15 no task is lost to a worker that leaves", no_task_is_lost_to_a_worker_that_leaves },
    { "G16 it can be resized while it works", it_can_be_resized_while_it_works },
    { "G16 those too many leave after their task", those_too_many_leave_after_their_task },
    { "G16 sizes that cannot be are refused", sizes_that_cannot_be_are_refused },
    { "A7 each worker is initialized before its first task",
      each_worker_is_initialized_before_its_first_task },
    { "A8 a failed initializer breaks the place, and hangs nothing", a_failed_initializer_breaks_the_place },
    { "A8 an initializer that crashes breaks it too", an_initializer_that_crashes_breaks_it_too },
    { "H19 nested workers end at a depth", nested_workers_end_at_a_depth },
    { "H12 a shutdown by force ends what runs", a_shutdown_by_force_ends_what_runs },
    { "H12 launches too", launches_too },
    { "H13 force does no harm where nothing runs", force_does_no_harm_where_nothing_runs },
    { "H12 each task ends once, however force meets it", each_task_ends_once_however_it_is_met },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "process life", facts, NULL);
}
