/* Lifetimes: rounds that leave nothing behind, forks, ends of the process with work in flight. */
#include "core/array.h"
#include "probe_kernels.h"
#include "support.h"
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Not an assertion of CUnit: used outside of suites too. */
static allot_executor *open_small(void)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 2, .processes = 2));
    if (executor)
        return executor;
    fprintf(stderr, "allot_open: %s\n", allot_open_error());
    abort();
}

/* ---- G14: rounds ---- */

/* Opens, uses one kind of place a little, closes. */
static void use_once(allot_kind kind)
{
    allot_executor *executor = open_small();
    if (kind != ALLOT_OPENCL) {
        allot_status error = ALLOT_FAILED;
        allot_future *futures[4];
        double three = 3;
        futures[0] = allot_submit(executor, task_square, &three, sizeof three, sizeof three,
                                  ALLOT_HINTS(.place = kind));
        futures[1] = allot_submit(executor, task_fail, &error, sizeof error, 0, ALLOT_HINTS(.place = kind));
        futures[2] = allot_submit(executor, task_nothing, NULL, 0, 0,
                                  ALLOT_HINTS(.place = kind, .after = futures, .after_count = 2));
        futures[3] = allot_submit(executor, task_nothing, NULL, 0, 0,
                                  ALLOT_HINTS(.place = kind, .deadline_ns = 100 * SECOND));
        allot_cancel(futures[3]);
        CHECK_STATUS(allot_wait_all(futures, 4, ALLOT_FOREVER), ALLOT_OK);
        CHECK_STATUS(allot_future_status(futures[2]), ALLOT_DEPENDENCY);
        allot_release_all(futures, 4);
    }
    allot_array *x = allot_array_full(executor, ALLOT_F32, 2000, 3),
                *y = allot_array_new(executor, ALLOT_F32, 2000);
    CHECK_STATUS(finish(allot_launch(executor, probe_kernel(PROBE_SQUARE), allot_range(2000),
                                     ALLOT_ARGS(allot_in(x), allot_out(y)), ALLOT_HINTS(.place = kind))),
                 ALLOT_OK);
    allot_array_release(x);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    const float *data = allot_array_map(y, ALLOT_READ);
    CHECK(data && data[1999] == 9);
    allot_array_unmap(y);
    allot_array_release(y);
}

static void check_rounds(allot_kind kind, int rounds)
{
    allot_executor *executor = open_small();
    bool there = has_place(executor, kind);
    allot_close(executor);
    if (!there) {
        printf("no %s place here; ", allot_kind_name(kind));
        return;
    }
    for (int i = 0; i < 10; i++)
        use_once(kind);
    int threads = count_threads(), fds = count_fds(), children = count_children();
    size_t resident = resident_bytes();
    for (int i = 0; i < rounds; i++)
        use_once(kind);
    CHECK(falls_to(count_threads, threads));
    CHECK(falls_to(count_fds, fds));
    CHECK(falls_to(count_children, children));
    CU_ASSERT_EQUAL(children, 0);
    size_t now = resident_bytes();
    if (!TEST_SANITIZED && now > resident + (8u << 20)) {
        printf("\n    resident %zu kB, then %zu kB", resident >> 10, now >> 10);
        CU_FAIL("memory grew");
    }
}

static void thread_rounds_leave_nothing(void)
{
    check_rounds(ALLOT_THREAD, ROUNDS(1000));
}

static void inline_rounds_leave_nothing(void)
{
    check_rounds(ALLOT_INLINE, ROUNDS(1000));
}

static void process_rounds_leave_nothing(void)
{
    check_rounds(ALLOT_PROCESS, ROUNDS(100));
}

static void device_rounds_leave_nothing(void)
{
    check_rounds(ALLOT_OPENCL, ROUNDS(30));
}

static void shared_memory_is_gone(void)
{
    allot_executor *executor = open_small();
    int fds = count_fds();
    size_t many = (size_t)ROUNDS(300);
    for (size_t i = 0; i < many; i++) {
        allot_array *array = allot_array_full(executor, ALLOT_F64, 10000, 1);
        REQUIRE(array != NULL);
        allot_array_release(array);
    }
    CHECK(falls_to(count_fds, fds));
    allot_close(executor);
}

/* ---- Forks ---- */

typedef struct inherited {
    allot_executor *executor;
    allot_future *done, *pending, *map;
    allot_as_completed *ended;
    allot_array *array;
} inherited;

static void note(allot_future *future, void *user)
{
    (void)future;
    *(int *)user = 1;
}

/* Maps and as-completed, which were made before the fork and are not over. */
static const char *call_gatherers(const inherited *from)
{
    size_t index;
    double number = 1;
    if (allot_future_status(allot_map(from->executor, task_nothing, &number, sizeof number, 0, 1, NULL)) !=
        ALLOT_FORKED)
        return "map";
    if (allot_map_next(from->map, &index, ALLOT_FOREVER) != ALLOT_FORKED)
        return "map_next";
    if (allot_map_item(from->map, 0, NULL, 0, ALLOT_FOREVER) != ALLOT_FORKED)
        return "map_item";
    if (allot_as_completed_next(from->ended, NULL, &index, ALLOT_FOREVER) != ALLOT_FORKED)
        return "as_completed_next";
    if (allot_as_completed_add(from->ended, from->pending) != ALLOT_FORKED)
        return "as_completed_add";
    if (allot_as_completed_create(&from->pending, 1) || allot_last_status() != ALLOT_FORKED)
        return "as_completed_create";
    if (allot_as_completed_fd(from->ended) >= 0 || allot_last_status() != ALLOT_FORKED)
        return "as_completed_fd";
    return "";
}

/* In the child: true if every call answers FORKED, each in its way. What went wrong is named in `wrong`. */
static const char *call_everything(const inherited *from)
{
    int called = 0;
    size_t index;
    allot_metrics metrics = { .size = sizeof metrics };
    allot_place_metrics place;
    allot_future *refused = allot_submit(from->executor, task_nothing, NULL, 0, 0, NULL);
    if (!refused || allot_future_status(refused) != ALLOT_FORKED)
        return "submit";
    refused = allot_launch(from->executor, probe_kernel(PROBE_SLOW), allot_range(1),
                           ALLOT_ARGS(allot_inout(from->array), allot_u32(1)), NULL);
    if (!refused || allot_future_status(refused) != ALLOT_FORKED)
        return "launch";
    if (allot_open(NULL) || allot_last_status() != ALLOT_FORKED)
        return "open";
    if (allot_array_new(from->executor, ALLOT_F32, 1) || allot_last_status() != ALLOT_FORKED)
        return "array_new";
    if (allot_array_map(from->array, ALLOT_READ) || allot_last_status() != ALLOT_FORKED)
        return "map";
    if (allot_array_unmap(from->array) != ALLOT_FORKED)
        return "unmap";
    if (allot_wait(from->pending, ALLOT_FOREVER) != ALLOT_FORKED)
        return "wait";
    if (allot_wait_all(&from->pending, 1, ALLOT_FOREVER) != ALLOT_FORKED)
        return "wait_all";
    if (allot_wait_any(&from->pending, 1, ALLOT_FOREVER, &index) != ALLOT_FORKED)
        return "wait_any";
    if (allot_wait_first_error(&from->pending, 1, ALLOT_FOREVER, &index) != ALLOT_FORKED)
        return "wait_first_error";
    if (allot_get(from->pending, NULL, 0, ALLOT_FOREVER) != ALLOT_FORKED)
        return "get";
    if (*call_gatherers(from))
        return call_gatherers(from);
    if (allot_cancel(from->pending))
        return "cancel";
    if (allot_stop(from->pending, 0) != ALLOT_FORKED)
        return "stop";
    if (allot_on_done(from->pending, note, &called) != ALLOT_FORKED || called)
        return "on_done";
    if (allot_get_metrics(from->executor, &metrics) != ALLOT_FORKED)
        return "get_metrics";
    if (allot_get_place_metrics(from->executor, 0, &place, sizeof place) != ALLOT_FORKED)
        return "get_place_metrics";
    if (allot_places(from->executor, NULL, 0) != 0)
        return "places";
    allot_topology topology = { .size = sizeof topology };
    if (allot_get_topology(&topology) != ALLOT_FORKED)
        return "get_topology";
    if (allot_trace_start("/nonexistent/trace") != ALLOT_FORKED || allot_trace_stop() != ALLOT_FORKED)
        return "trace";
    if (!*allot_devices_message(from->executor))
        return "devices_message";
    if (allot_shutdown(from->executor, ALLOT_DRAIN) != ALLOT_FORKED)
        return "shutdown";
    allot_array_stats stats = { .size = sizeof stats };
    if (allot_array_get_stats(from->array, &stats) != ALLOT_FORKED)
        return "array_get_stats";
    allot_as_completed_destroy(from->ended);
    allot_release(from->pending), allot_release(from->done), allot_release(from->map);
    allot_array_release(from->array);
    if (allot_close(from->executor) != ALLOT_FORKED)
        return "close";
    return "";
}

/* Forks, runs call_everything() in the child under a watchdog of its own, and fetches its verdict. */
static void check_child(const inherited *from)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    fflush(stdout);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(10);
        const char *wrong = call_everything(from);
        _exit(write(ends[1], wrong, strlen(wrong) + 1) > 0 ? 0 : 1);
    }
    close(ends[1]);
    char wrong[64] = "it died";
    ssize_t length = read(ends[0], wrong, sizeof wrong - 1);
    close(ends[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(length > 0);
    if (wrong[0])
        printf("\n    not FORKED in the child: %s", wrong);
    CU_ASSERT_STRING_EQUAL(wrong, "");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void in_a_forked_child_every_call_fails(void)
{
    test_gate gate = gate_create();
    inherited from = { .executor = open_small() };
    from.array = allot_array_new(from.executor, ALLOT_U32, 10);
    from.done = allot_submit(from.executor, task_nothing, NULL, 0, 0, NULL);
    CHECK_STATUS(allot_wait(from.done, ALLOT_FOREVER), ALLOT_OK);
    from.pending = allot_submit(from.executor, task_gate, &gate.key, sizeof gate.key, 0, NULL);
    from.map = allot_map(from.executor, task_gate, &gate.key, sizeof gate.key, 0, 1, NULL);
    from.ended = allot_as_completed_create(&from.pending, 1);
    probe_kernel(PROBE_SLOW);
    gate_await(&gate, 1);
    pthread_mutex_lock(&from.array->lock); /* as a thread that moves it holds it at the moment of the fork */
    check_child(&from);
    pthread_mutex_unlock(&from.array->lock);
    gate_open(&gate); /* the parent is as it was */
    allot_as_completed_destroy(from.ended);
    CHECK_STATUS(finish(from.map), ALLOT_OK);
    CHECK_STATUS(finish(from.pending), ALLOT_OK);
    CHECK_STATUS(finish(allot_submit(from.executor, task_nothing, NULL, 0, 0, NULL)), ALLOT_OK);
    allot_release(from.done);
    allot_array_release(from.array);
    CHECK_STATUS(allot_close(from.executor), ALLOT_OK);
    gate_destroy(&gate);
}

static void a_child_can_exit_at_once(void)
{
    allot_executor *executor = open_small();
    CHECK_STATUS(finish(allot_submit(executor, task_nothing, NULL, 0, 0, NULL)), ALLOT_OK);
    fflush(stdout);
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            alarm(10);
            _exit(42);
        }
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    }
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- Ends of a process: this program runs itself with the name of an end ---- */

static void busy(allot_kind kind)
{
    allot_executor *executor = open_small();
    if (!has_place(executor, kind))
        return;
    test_gate gate = gate_create(); /* never opened */
    for (int i = 0; i < 10; i++)
        allot_release(
            allot_submit(executor, task_gate, &gate.key, sizeof gate.key, 0, ALLOT_HINTS(.place = kind)));
    gate_await(&gate, 2);
}

/* Ends the process some moments after the first launch, while drivers are being loaded beside it. */
static void launch_and_leave(const char *how)
{
    long after_ms = 0;
    char by[16] = "";
    sscanf(how, "leave-%15[a-z]-%ld", by, &after_ms);
    allot_executor *executor = allot_open(NULL);
    allot_array *x = allot_array_new(executor, ALLOT_F32, 1000),
                *y = allot_array_new(executor, ALLOT_F32, 1000);
    allot_release(allot_launch(executor, allot_axpy(), allot_range(1000),
                               ALLOT_ARGS(allot_f32(1), allot_in(x), allot_inout(y)), NULL));
    for (int64_t end_ns = now_ns() + after_ms * MILLISECOND; now_ns() < end_ns;)
        sched_yield();
    if (strcmp(by, "exit") == 0)
        exit(0);
}

static void submit_late(void);
static allot_executor *late;

static int end_as(const char *how)
{
    alarm(15);
    if (strcmp(how, "return-thread") == 0)
        busy(ALLOT_THREAD);
    else if (strcmp(how, "exit-thread") == 0)
        busy(ALLOT_THREAD), exit(0);
    else if (strcmp(how, "return-process") == 0)
        busy(ALLOT_PROCESS);
    else if (strcmp(how, "never-used") == 0)
        (void)!allot_open(NULL);
    else if (strncmp(how, "leave-", 6) == 0)
        launch_and_leave(how);
    else if (strcmp(how, "exit-handler") == 0) {
        late = open_small();
        atexit(submit_late);
    }
    return 0;
}

static void submit_late(void)
{
    allot_future *future = allot_submit(late, task_nothing, NULL, 0, 0, NULL);
    allot_status status = allot_get(future, NULL, 0, 5 * SECOND);
    allot_release(future);
    if (status != ALLOT_OK && status != ALLOT_SHUTDOWN)
        _exit(3);
}

/* For the programs that this one starts: itself has read its options. */
static void add_option(const char *variable, const char *option)
{
    char all[1024];
    const char *before = getenv(variable);
    if (before && strstr(before, option))
        return;
    snprintf(all, sizeof all, "%s%s%s", before ? before : "", before ? ":" : "", option);
    setenv(variable, all, 1);
}

/* Runs this program with an argument; returns its wait status. Also checks that what it started is gone: they
 * would hold the pipe. */
static int run_self(const char *how)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    char program[] = "test_lifetime", option[] = "--end", end[32];
    snprintf(end, sizeof end, "%s", how);
    char *arguments[] = { program, option, end, NULL };
    add_option("ASAN_OPTIONS", "detect_leaks=0"); /* it ends with futures and threads in its hands */
    add_option("TSAN_OPTIONS", "report_thread_leaks=0");
    pid_t child;
    REQUIRE(posix_spawn(&child, test_program(), &actions, NULL, arguments, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    char rest[256];
    while (read(ends[0], rest, sizeof rest) > 0) /* to its end: until nobody holds the other side */
        ;
    close(ends[0]);
    return status;
}

static void a_process_may_end_with_work_in_flight(void)
{
    const char *ends[] = { "return-thread", "exit-thread", "return-process", "never-used", "exit-handler" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int status = run_self(ends[i]);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            printf("\n    %s ended with wait status %#x", ends[i], (unsigned)status);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static void a_process_may_end_while_devices_are_looked_for(void)
{
    for (int round = 0; round < 12; round++) {
        char how[32];
        snprintf(how, sizeof how, "leave-%s-%d", round % 2 ? "exit" : "return", round / 2 * 8);
        int status = run_self(how);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            printf("\n    %s ended with wait status %#x", how, (unsigned)status);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static const test_fact facts[] = {
    { "G14 rounds with the thread place leave nothing", thread_rounds_leave_nothing },
    { "G14 rounds with the inline place leave nothing", inline_rounds_leave_nothing },
    { "G14 rounds with the process place leave nothing", process_rounds_leave_nothing },
    { "G14 rounds with a device leave nothing", device_rounds_leave_nothing },
    { "G14 arrays leave no descriptors", shared_memory_is_gone },
    { "H16 in a forked child every call fails with FORKED, and the parent goes on",
      in_a_forked_child_every_call_fails },
    { "H16 a forked child can exit at once", a_child_can_exit_at_once },
    { "G9 G10 a process may end with work in flight", a_process_may_end_with_work_in_flight },
    { "G9 a process may end while devices are looked for", a_process_may_end_while_devices_are_looked_for },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--end") == 0)
        return end_as(argv[2]);
    watched_suite suite = { .name = "lifetime", .facts = facts };
    int result = watched_main(argc, argv, &suite, 1);
    probe_kernels_free();
    return result;
}
