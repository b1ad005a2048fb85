/* The process place, through the public interface: what crosses, what a crash costs, what is left behind.
 * Rows named are those of the conformance list of the design. */
#include "test.h"
#include <allot/allot.h>
#include <allot/numeric.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* its own handlers turn a crash into an exit */
#else
#define SANITIZED 0
#endif

#define WORKERS 2
#define SECOND  INT64_C(1000000000)
#define LIMIT   (60 * SECOND)

static allot_executor *ex;

static allot_future *submit(allot_function function, const void *in, size_t in_size, size_t out_size)
{
    return allot_submit(ex, function, in, in_size, out_size, ALLOT_HINTS(.place = ALLOT_PROCESS));
}

/* Waits, releases, and returns the status; the message goes to `text`. */
static allot_status ended(allot_future *future, char *text, size_t text_size)
{
    allot_status status = allot_get(future, NULL, 0, LIMIT);
    if (status == ALLOT_INVALID && allot_done(future))
        status = allot_future_status(future);
    if (text)
        snprintf(text, text_size, "%s", allot_future_error(future));
    allot_release(future);
    return status;
}

/* For those that may be given to a worker that is just being killed. */
static bool ran_or_died(allot_future *future)
{
    allot_status status = ended(future, NULL, 0);
    return status == ALLOT_OK || status == ALLOT_WORKER_DIED;
}

/* ---- Memory that tasks and the test both see: a file, since a pipe would not reach the worker ---- */

typedef struct board {
    _Atomic int begun, go, pid, count;
} board;

static board *shared;
static char board_path[64];

static board *map_board(void)
{
    int fd = open(board_path, O_RDWR | O_CLOEXEC);
    void *address =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    return address == MAP_FAILED ? NULL : address;
}

static void reset_board(void)
{
    atomic_store(&shared->begun, 0);
    atomic_store(&shared->go, 0);
    atomic_store(&shared->count, 0);
}

static void wait_for(_Atomic int *word, int value)
{
    while (atomic_load(word) < value)
        usleep(100);
}

static const board *board_of(const void *in)
{
    snprintf(board_path, sizeof board_path, "%s", (const char *)in);
    return shared ? shared : (shared = map_board());
}

/* ---- Tasks ---- */

static allot_status square(allot_call *call, const void *in, void *out)
{
    (void)call;
    *(double *)out = *(const double *)in * *(const double *)in;
    return ALLOT_OK;
}

static allot_status who(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    *(pid_t *)out = getpid();
    return ALLOT_OK;
}

static allot_status nothing(allot_call *call, const void *in, void *out)
{
    return call && !in && !out ? ALLOT_OK : ALLOT_FAILED;
}

static allot_status turn_over(allot_call *call, const void *in, void *out)
{
    size_t size = allot_call_in_size(call);
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = (unsigned char)~((const unsigned char *)in)[i];
    return allot_call_out_size(call) == size ? ALLOT_OK : ALLOT_FAILED;
}

static allot_status complain(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    int detail[3] = { 1, 2, 3 };
    return allot_fail_with(call, (allot_status)(ALLOT_USER + 7), detail, sizeof detail, "row %d is singular",
                           12);
}

static allot_status die(allot_call *call, const void *in, void *out)
{
    (void)out;
    switch (*(const char *)in) {
    case 's':
        *(volatile int *)(uintptr_t)(allot_call_in_size(call) & 0) = 1;
        break;
    case 'k':
        raise(SIGKILL);
        break;
    case 'a':
        abort();
    case 'e':
        _exit(42);
    case '0':
        exit(0);
    default:
        break;
    }
    return ALLOT_OK;
}

static allot_status hold_until_told(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    board *seen = (board *)board_of(in);
    atomic_store(&seen->pid, getpid());
    atomic_fetch_add(&seen->begun, 1);
    while (!atomic_load(&seen->go))
        usleep(100);
    return ALLOT_OK;
}

static allot_status count_up(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    atomic_fetch_add(&((board *)board_of(in))->count, 1);
    return ALLOT_OK;
}

static allot_status run_until_stopped(allot_call *call, const void *in, void *out)
{
    (void)out;
    atomic_fetch_add(&((board *)board_of(in))->begun, 1);
    while (!allot_call_stopping(call))
        usleep(100);
    return ALLOT_OK;
}

static allot_status never_return(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    atomic_fetch_add(&((board *)board_of(in))->begun, 1);
    while (in)
        usleep(100000);
    return ALLOT_OK;
}

static allot_status look_around(allot_call *call, const void *in, void *out)
{
    (void)in;
    int *found = out;
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    found[0] = fcntl(*(const int *)in, F_GETFD) >= 0; /* the parent's descriptor */
    found[1] = getenv("ALLOT_WORKER_ENTRY") != NULL;
    found[2] = sigismember(&mask, SIGUSR1);
    char byte;
    found[3] = (int)read(STDIN_FILENO, &byte, 1); /* /dev/null: 0 */
    const char *threads = getenv("OPENBLAS_NUM_THREADS");
    found[4] = threads ? atoi(threads) : -1;
    found[5] = strcmp(allot_call_place(call), "process") == 0;
    struct sigaction action;
    sigaction(SIGPIPE, NULL, &action);
    found[6] = action.sa_handler == SIG_DFL;
    return ALLOT_OK;
}

/* Kills the children of a process, but for one of them: what /proc says of who has which parent. */
static void kill_children(pid_t parent, pid_t but)
{
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char path[300], line[512] = "";
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *file = atoi(entry->d_name) > 0 ? fopen(path, "re") : NULL;
        if (!file)
            continue;
        const char *name_end = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
        int above = 0;
        if (name_end && sscanf(name_end + 1, " %*c %d", &above) == 1 && above == parent &&
            atoi(entry->d_name) != but)
            kill(atoi(entry->d_name), SIGKILL);
        fclose(file);
    }
    if (folder)
        closedir(folder);
}

static allot_status kill_parents_children(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    kill_children(getppid(), getpid());
    return ALLOT_OK;
}

static allot_status print_and_allocate(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    char *text = NULL;
    int length = asprintf(&text, "%p", (void *)call);
    free(text);
    return length > 0 && fflush(NULL) == 0 ? ALLOT_OK : ALLOT_FAILED;
}

/* ---- Values ---- */

static void returns_a_value(void) /* B1 */
{
    double three = 3, nine = 0;
    allot_future *future = submit(square, &three, sizeof three, sizeof nine);
    CU_ASSERT_EQUAL(allot_get(future, &nine, sizeof nine, LIMIT), ALLOT_OK);
    CU_ASSERT_EQUAL(nine, 9);
    CU_ASSERT_STRING_EQUAL(allot_future_place(future), "process");
    allot_release(future);
}

static void runs_in_another_process_and_reuses_it(void) /* B3 */
{
    pid_t first = 0, pid = 0;
    for (int i = 0; i < 5; i++) {
        allot_future *future = submit(who, NULL, 0, sizeof pid);
        CU_ASSERT_EQUAL(allot_get(future, &pid, sizeof pid, LIMIT), ALLOT_OK);
        allot_release(future);
        first = first ? first : pid;
        CU_ASSERT_NOT_EQUAL(pid, getpid());
    }
}

static void takes_nothing_and_gives_nothing(void) /* B16 */
{
    CU_ASSERT_EQUAL(ended(submit(nothing, NULL, 0, 0), NULL, 0), ALLOT_OK);
}

static void carries_any_size(void) /* B15 */
{
    static const size_t sizes[] = { 1, 15, 16, 17, 4095, 4096, 4097, 8192, 65536, 1000003, 8u << 20 };
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t size = sizes[s], wrong = 0;
        unsigned char *in = malloc(size), *out = malloc(size);
        for (size_t i = 0; i < size; i++)
            in[i] = (unsigned char)(i * 7 + s);
        allot_future *future = submit(turn_over, in, size, size);
        CU_ASSERT_EQUAL(allot_get(future, out, size, LIMIT), ALLOT_OK);
        for (size_t i = 0; i < size; i++)
            wrong += out[i] != (unsigned char)~in[i];
        CU_ASSERT_EQUAL(wrong, 0);
        allot_release(future);
        free(in);
        free(out);
    }
}

static void carries_many_at_once(void) /* B2, B14 */
{
    enum {
        COUNT = 20000
    };
    allot_future **futures = calloc(COUNT, sizeof *futures);
    size_t wrong = 0;
    for (int i = 0; i < COUNT; i++) {
        double value = i;
        futures[i] = submit(square, &value, sizeof value, sizeof value);
    }
    for (int i = 0; i < COUNT; i++) {
        double value = 0;
        wrong += allot_get(futures[i], &value, sizeof value, LIMIT) != ALLOT_OK || value != (double)i * i;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    allot_release_all(futures, COUNT);
    free(futures);
}

static void keeps_error_message_and_payload(void) /* B7, B10 */
{
    allot_future *future = submit(complain, NULL, 0, 0);
    size_t size = 0;
    CU_ASSERT_EQUAL(allot_get(future, NULL, 0, LIMIT), (allot_status)(ALLOT_USER + 7));
    CU_ASSERT_STRING_EQUAL(allot_future_error(future), "row 12 is singular");
    const int *detail = allot_future_payload(future, &size);
    CU_ASSERT_EQUAL_FATAL(size, 3 * sizeof(int));
    CU_ASSERT_EQUAL(detail[2], 3);
    allot_release(future);
}

static void gives_workers_a_clean_slate(void) /* H20 */
{
    int fd = open("/dev/null", O_RDONLY); /* on purpose without close-on-exec */
    int high = fcntl(fd, F_DUPFD, 100), found[7];
    allot_future *future = submit(look_around, &high, sizeof high, sizeof found);
    CU_ASSERT_EQUAL(allot_get(future, found, sizeof found, LIMIT), ALLOT_OK);
    CU_ASSERT_EQUAL(found[0], 0);
    CU_ASSERT_EQUAL(found[1], 0);
    CU_ASSERT_EQUAL(found[2], 0);
    CU_ASSERT_EQUAL(found[3], 0);
    CU_ASSERT_EQUAL(found[4], 1);
    CU_ASSERT_EQUAL(found[5], 1);
    CU_ASSERT_EQUAL(found[6], 1);
    allot_release(future);
    close(fd);
    close(high);
}

/* ---- Crashes ---- */

/* A task that ends its worker in one way; `says` is what the message must hold. */
static void check_death(char way, const char *says)
{
    char text[256];
    bool own_handler = SANITIZED && (way == 's' || way == 'a' || way == '0');
    CU_ASSERT_EQUAL(ended(submit(die, &way, 1, 0), text, sizeof text), ALLOT_WORKER_DIED);
    CU_ASSERT(own_handler || strstr(text, says));
    CU_ASSERT_EQUAL(ended(submit(nothing, NULL, 0, 0), NULL, 0), ALLOT_OK);
}

static void a_kill_is_an_error(void)
{
    check_death('k', "killed by SIGKILL (9)");
}

static void an_exit_code_is_told(void)
{
    check_death('e', "exited with code 42");
}

static void an_abort_is_told(void)
{
    check_death('a', "killed by SIGABRT (6)");
}

static void a_segfault_is_told(void)
{
    check_death('s', "killed by SIGSEGV (11)");
}

static void a_good_exit_is_no_success(void)
{
    check_death('0', "exited with code 0");
}

static void one_crash_costs_one_task(void) /* H2, H3 */
{
    enum {
        COUNT = 200
    };
    allot_future *futures[COUNT];
    size_t died = 0, right = 0;
    for (int i = 0; i < COUNT; i++) {
        double value = i;
        futures[i] =
            i % 40 == 7 ? submit(die, "k", 1, 0) : submit(square, &value, sizeof value, sizeof value);
    }
    for (int i = 0; i < COUNT; i++) {
        double value = 0;
        if (i % 40 == 7)
            died += allot_get(futures[i], NULL, 0, LIMIT) == ALLOT_WORKER_DIED;
        else
            right += allot_get(futures[i], &value, sizeof value, LIMIT) == ALLOT_OK && value == (double)i * i;
    }
    CU_ASSERT_EQUAL(died, COUNT / 40);
    CU_ASSERT_EQUAL(right, COUNT - COUNT / 40);
    allot_release_all(futures, COUNT);
}

static void survives_many_crashes(void) /* H10, H21 */
{
    enum {
        ROUNDS = 200
    };
    size_t wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        double two = 2, four = 0;
        allot_future *dead = submit(die, i % 2 ? "k" : "e", 1, 0);
        allot_future *well = submit(square, &two, sizeof two, sizeof four);
        wrong += allot_get(well, &four, sizeof four, LIMIT) != ALLOT_OK || four != 4;
        wrong += ended(dead, NULL, 0) != ALLOT_WORKER_DIED;
        allot_release(well);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void notices_a_kill_from_outside(void) /* H1 */
{
    char text[256];
    reset_board();
    allot_future *future = submit(hold_until_told, board_path, sizeof board_path, 0);
    wait_for(&shared->begun, 1);
    kill(atomic_load(&shared->pid), SIGKILL);
    CU_ASSERT_EQUAL(ended(future, text, sizeof text), ALLOT_WORKER_DIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "SIGKILL (9)"));
    /* An idle one: the next task runs on another. */
    pid_t pid = 0;
    future = submit(who, NULL, 0, sizeof pid);
    CU_ASSERT_EQUAL(allot_get(future, &pid, sizeof pid, LIMIT), ALLOT_OK);
    allot_release(future);
    kill(pid, SIGTERM);
    CU_ASSERT(ran_or_died(submit(nothing, NULL, 0, 0)));
    CU_ASSERT_EQUAL(ended(submit(nothing, NULL, 0, 0), NULL, 0), ALLOT_OK);
}

/* All workers at once, and with others waiting behind them. */
static void all_may_die_at_once(void) /* H10 */
{
    enum {
        QUEUED = 50
    };
    reset_board();
    allot_future *held[WORKERS], *queued[QUEUED];
    for (int i = 0; i < WORKERS; i++)
        held[i] = submit(hold_until_told, board_path, sizeof board_path, 0);
    wait_for(&shared->begun, WORKERS);
    for (int i = 0; i < QUEUED; i++)
        queued[i] = submit(count_up, board_path, sizeof board_path, 0);
    allot_future *killer = submit(kill_parents_children, NULL, 0, 0);
    kill_children(getpid(), 0);
    for (int i = 0; i < WORKERS; i++)
        CU_ASSERT_EQUAL(ended(held[i], NULL, 0), ALLOT_WORKER_DIED);
    for (int i = 0; i < QUEUED; i++)
        CU_ASSERT(ran_or_died(queued[i])); /* the killer hits some */
    ended(killer, NULL, 0);
    CU_ASSERT_EQUAL(ended(submit(nothing, NULL, 0, 0), NULL, 0), ALLOT_OK);
}

/* The result is there before the worker dies, and stays. A task may be given to the worker of the round
 * before, whose death nobody has seen yet: such a round shows nothing. */
static void a_result_that_was_sent_is_kept(void) /* H8 */
{
    int shown = 0;
    for (int i = 0; i < 50; i++) {
        double three = 3, nine = 0;
        pid_t pid = 0;
        allot_future *which = submit(who, NULL, 0, sizeof pid);
        allot_future *kept = submit(square, &three, sizeof three, sizeof nine);
        allot_status status = allot_get(kept, NULL, 0, LIMIT);
        if (allot_get(which, &pid, sizeof pid, LIMIT) == ALLOT_OK && pid > 0)
            kill(pid, SIGKILL);
        CU_ASSERT(ran_or_died(submit(nothing, NULL, 0, 0)));
        if (status != ALLOT_WORKER_DIED) {
            CU_ASSERT_EQUAL(allot_get(kept, &nine, sizeof nine, LIMIT), ALLOT_OK);
            CU_ASSERT_EQUAL(nine, 9);
            shown++;
        }
        allot_release(which);
        allot_release(kept);
    }
    CU_ASSERT(shown > 0);
}

static void *shut_down(void *of)
{
    return (void *)(intptr_t)allot_shutdown(of, ALLOT_DRAIN);
}

static void a_death_after_shutdown_hangs_nothing(void) /* H9 */
{
    reset_board();
    allot_executor *kept = ex;
    ex = allot_open(ALLOT_OPTIONS(.processes = 1));
    allot_future *held = submit(hold_until_told, board_path, sizeof board_path, 0);
    allot_future *queued = submit(nothing, NULL, 0, 0);
    wait_for(&shared->begun, 1);
    pthread_t thread;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, shut_down, ex), 0);
    CU_ASSERT_EQUAL(allot_shutdown(ex, ALLOT_NO_WAIT), ALLOT_OK);
    kill(atomic_load(&shared->pid), SIGKILL);
    void *status = NULL;
    pthread_join(thread, &status);
    CU_ASSERT_EQUAL((intptr_t)status, ALLOT_OK);
    CU_ASSERT_EQUAL(ended(held, NULL, 0), ALLOT_WORKER_DIED);
    CU_ASSERT_EQUAL(ended(queued, NULL, 0), ALLOT_OK);
    CU_ASSERT_EQUAL(ended(submit(nothing, NULL, 0, 0), NULL, 0), ALLOT_SHUTDOWN);
    CU_ASSERT_EQUAL(allot_close(ex), ALLOT_OK);
    ex = kept;
}

/* H15: with other threads that hold the locks of malloc and stdio at any time. */
static _Atomic bool noisy;

static void *make_noise(void *of)
{
    FILE *file = fopen("/dev/null", "w");
    while (atomic_load(&noisy)) {
        char *text = NULL;
        if (asprintf(&text, "%p", of) > 0 && file)
            fputs(text, file);
        free(text);
    }
    if (file)
        fclose(file);
    return NULL;
}

static void workers_start_beside_busy_threads(void)
{
    enum {
        THREADS = 4,
        ROUNDS = 10
    };
    pthread_t threads[THREADS];
    allot_executor *kept = ex;
    atomic_store(&noisy, true);
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, make_noise, threads), 0);
    for (int i = 0; i < ROUNDS; i++) {
        ex = allot_open(ALLOT_OPTIONS(.processes = 1));
        CU_ASSERT_EQUAL(ended(submit(print_and_allocate, NULL, 0, 0), NULL, 0), ALLOT_OK);
        CU_ASSERT_EQUAL(allot_close(ex), ALLOT_OK);
    }
    atomic_store(&noisy, false);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ex = kept;
}

static void fails_with_a_large_argument_too(void) /* H6, H7 */
{
    size_t size = 4u << 20;
    char *in = calloc(1, size);
    in[0] = 'k';
    CU_ASSERT_EQUAL(ended(submit(die, in, size, size), NULL, 0), ALLOT_WORKER_DIED);
    free(in);
}

static void names_nothing_where_the_host_reaps(void)
{
    char text[256];
    struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
    sigaction(SIGCHLD, &ignore, &before);
    CU_ASSERT_EQUAL(ended(submit(die, "k", 1, 0), text, sizeof text), ALLOT_WORKER_DIED);
    sigaction(SIGCHLD, &before, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "died"));
}

/* ---- Ending early ---- */

static void cancels_what_has_not_begun(void) /* C5, C6 */
{
    reset_board();
    allot_future *running[WORKERS], *pending[20];
    for (int i = 0; i < WORKERS; i++)
        running[i] = submit(hold_until_told, board_path, sizeof board_path, 0);
    wait_for(&shared->begun, WORKERS);
    for (int i = 0; i < 20; i++)
        pending[i] = submit(count_up, board_path, sizeof board_path, 0);
    for (int i = 0; i < 20; i++)
        CU_ASSERT_TRUE(allot_cancel(pending[i]));
    CU_ASSERT_FALSE(allot_cancel(running[0]));
    atomic_store(&shared->go, 1);
    CU_ASSERT_EQUAL(allot_wait_all(running, WORKERS, LIMIT), ALLOT_OK);
    CU_ASSERT_EQUAL(ended(submit(nothing, NULL, 0, 0), NULL, 0), ALLOT_OK);
    CU_ASSERT_EQUAL(atomic_load(&shared->count), 0);
    allot_release_all(running, WORKERS);
    allot_release_all(pending, 20);
}

static void stops_code_that_looks(void)
{
    reset_board();
    allot_future *future = submit(run_until_stopped, board_path, sizeof board_path, 0);
    wait_for(&shared->begun, 1);
    CU_ASSERT_EQUAL(allot_stop(future, 30 * SECOND), ALLOT_OK);
    CU_ASSERT_EQUAL(ended(future, NULL, 0), ALLOT_STOPPED);
}

static void stops_code_that_does_not_look(void)
{
    reset_board();
    char text[256];
    allot_future *future = submit(never_return, board_path, sizeof board_path, 0);
    wait_for(&shared->begun, 1);
    CU_ASSERT_EQUAL(allot_stop(future, SECOND / 20), ALLOT_OK);
    CU_ASSERT_EQUAL(ended(future, text, sizeof text), ALLOT_STOPPED);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "SIGKILL (9)"));
    CU_ASSERT_EQUAL(ended(submit(nothing, NULL, 0, 0), NULL, 0), ALLOT_OK);
}

static void ends_at_a_deadline(void)
{
    reset_board();
    allot_future *future = allot_submit(
        ex, never_return, board_path, sizeof board_path, 0,
        ALLOT_HINTS(.place = ALLOT_PROCESS, .deadline_ns = 2 * SECOND, .grace_ns = SECOND / 100));
    wait_for(&shared->begun, 1);
    CU_ASSERT_EQUAL(ended(future, NULL, 0), ALLOT_DEADLINE);
}

/* A stop that comes as its task ends must never hit the next one. */
static void never_kills_the_next_task(void)
{
    size_t wrong = 0;
    for (int i = 0; i < 200; i++) {
        double two = 2, four = 0;
        allot_future *first = submit(nothing, NULL, 0, 0);
        allot_future *second = submit(square, &two, sizeof two, sizeof four);
        allot_stop(first, 0);
        wrong += allot_get(second, &four, sizeof four, LIMIT) != ALLOT_OK || four != 4;
        allot_status status = ended(first, NULL, 0);
        wrong += status != ALLOT_OK && status != ALLOT_STOPPED;
        allot_release(second);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* ---- Launches ---- */

static allot_future *launch_axpy(allot_array *x, allot_array *y, size_t n)
{
    return allot_launch(ex, allot_axpy(), allot_range(n),
                        ALLOT_ARGS(allot_f64(2), allot_in(x), allot_inout(y)),
                        ALLOT_HINTS(.place = ALLOT_PROCESS));
}

static void check_axpy(allot_array *x, allot_array *y, size_t n, int rounds)
{
    size_t wrong = 0;
    for (int r = 0; r < rounds; r++)
        CU_ASSERT_EQUAL(ended(launch_axpy(x, y, n), NULL, 0), ALLOT_OK);
    const double *result = allot_array_map(y, ALLOT_READ);
    CU_ASSERT_PTR_NOT_NULL_FATAL(result);
    for (size_t i = 0; i < n; i++)
        wrong += result[i] != 1 + 2.0 * rounds * (double)i;
    CU_ASSERT_EQUAL(wrong, 0);
    allot_array_unmap(y);
}

static void launches_over_shared_arrays(void)
{
    size_t n = 300001;
    double *start = malloc(n * sizeof *start);
    for (size_t i = 0; i < n; i++)
        start[i] = (double)i;
    allot_array *x = allot_array_from(ex, ALLOT_F64, n, start), *y = allot_array_full(ex, ALLOT_F64, n, 1);
    check_axpy(x, y, n, 3);
    allot_array_stats stats = { .size = sizeof stats };
    allot_array_get_stats(y, &stats);
    CU_ASSERT_EQUAL(stats.bytes_to + stats.bytes_from, 0);
    allot_array_release(x);
    allot_array_release(y);
    free(start);
}

static void launches_over_wrapped_arrays(void)
{
    size_t n = 100003;
    double *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    for (size_t i = 0; i < n; i++)
        a[i] = (double)i, b[i] = 1;
    allot_array *x = allot_array_wrap(ex, ALLOT_F64, n, a, NULL, NULL);
    allot_array *y = allot_array_wrap(ex, ALLOT_F64, n, b, NULL, NULL);
    check_axpy(x, y, n, 2);
    CU_ASSERT_EQUAL(b[7], 29);
    allot_array_release(x);
    allot_array_release(y);
    free(a);
    free(b);
}

static void launches_over_more_arrays_than_it_keeps(void)
{
    enum {
        COUNT = 150,
        N = 1000
    };
    allot_array *x = allot_array_full(ex, ALLOT_F64, N, 1), *y[COUNT];
    size_t wrong = 0;
    for (int i = 0; i < COUNT; i++)
        y[i] = allot_array_full(ex, ALLOT_F64, N, i);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < COUNT; i++)
            wrong += ended(launch_axpy(x, y[i], N), NULL, 0) != ALLOT_OK;
    for (int i = 0; i < COUNT; i++) {
        const double *result = allot_array_map(y[i], ALLOT_READ);
        wrong += !result || result[N - 1] != i + 4;
        allot_array_unmap(y[i]);
        allot_array_release(y[i]);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    allot_array_release(x);
}

static allot_status crash_in_the_last_part(allot_call *call, const allot_part *part)
{
    (void)call;
    if (part->end == part->range.size[0])
        raise(SIGKILL);
    return ALLOT_OK;
}

static void one_dead_worker_fails_the_launch(void)
{
    static const allot_param params[] = {
        { .name = "y", .type = ALLOT_F64, .access = ALLOT_READ_WRITE, .distribution = ALLOT_SLICED }
    };
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "crash", .params = params, .param_count = 1, .cpu = crash_in_the_last_part));
    CU_ASSERT_PTR_NOT_NULL_FATAL(kernel);
    allot_array *y = allot_array_full(ex, ALLOT_F64, 1000, 1);
    allot_future *future = allot_launch(ex, kernel, allot_range(1000), ALLOT_ARGS(allot_inout(y)),
                                        ALLOT_HINTS(.place = ALLOT_PROCESS));
    CU_ASSERT_EQUAL(ended(future, NULL, 0), ALLOT_WORKER_DIED);
    allot_array_release(y);
    allot_kernel_release(kernel);
}

/* ---- What is left ---- */

static int count_entries(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

/* Waits up to 2 s: the kernel lists a thread that was joined a moment longer. */
static bool entries_fall_to(const char *path, int most)
{
    time_t end = time(NULL) + 2;
    while (count_entries(path) > most && time(NULL) <= end)
        sched_yield();
    return count_entries(path) <= most;
}

static void leaves_nothing_behind(void) /* A5, G14, H21 */
{
    allot_close(ex);
    int before = count_entries("/proc/self/fd"), threads = count_entries("/proc/self/task");
    for (int i = 0; i < 5; i++) {
        ex = allot_open(ALLOT_OPTIONS(.processes = WORKERS));
        double two = 2, four = 0;
        allot_future *future = submit(square, &two, sizeof two, sizeof four);
        CU_ASSERT_EQUAL(allot_get(future, &four, sizeof four, LIMIT), ALLOT_OK);
        allot_release(future);
        if (i % 2)
            ended(submit(die, "k", 1, 0), NULL, 0);
        CU_ASSERT_EQUAL(allot_close(ex), ALLOT_OK);
    }
    CU_ASSERT(entries_fall_to("/proc/self/fd", before));
    CU_ASSERT(entries_fall_to("/proc/self/task", threads));
    ex = allot_open(ALLOT_OPTIONS(.processes = WORKERS));
}

static void starts_nothing_before_the_first_task(void)
{
    int before = count_entries("/proc/self/fd");
    allot_executor *cold = allot_open(ALLOT_OPTIONS(.processes = WORKERS));
    CU_ASSERT_EQUAL(allot_close(cold), ALLOT_OK);
    CU_ASSERT_EQUAL(count_entries("/proc/self/fd"), before);
}

/* ---- Workers that cannot start ---- */

/* One task on an executor whose workers run another program. */
static allot_status run_with_program(const char *program, char *text, size_t text_size)
{
    allot_executor *kept = ex;
    setenv("ALLOT_WORKER", program, 1);
    ex = allot_open(ALLOT_OPTIONS(.processes = WORKERS));
    allot_future *both[] = { submit(nothing, NULL, 0, 0), submit(nothing, NULL, 0, 0) };
    allot_status status = ended(both[0], text, text_size);
    CU_ASSERT_EQUAL(ended(both[1], NULL, 0), status);
    CU_ASSERT_EQUAL(ended(submit(nothing, NULL, 0, 0), NULL, 0), status);
    allot_close(ex);
    unsetenv("ALLOT_WORKER");
    ex = kept;
    return status;
}

static void reports_workers_that_cannot_start(
    void) /* H14, by a program that is not there: as root no limit on processes binds */
{
    char text[256];
    CU_ASSERT_EQUAL(run_with_program("/nonexistent", text, sizeof text), ALLOT_SYSTEM);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "/nonexistent: No such file or directory"));
}

static void reports_workers_that_die_at_their_start(void)
{
    char text[256];
    CU_ASSERT_EQUAL(run_with_program("/bin/false", text, sizeof text), ALLOT_WORKER_DIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "die at their start; the last one exited with code 1"));
}

static void says_why_a_helper_lacks_the_function(void)
{
    char text[256];
    if (access(TEST_BINARY_DIR "/allot-worker", X_OK) != 0) {
        printf("skipped: allot-worker is not built ");
        return;
    }
    CU_ASSERT_EQUAL(run_with_program(TEST_BINARY_DIR "/allot-worker", text, sizeof text), ALLOT_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "allot_worker_main()"));
}

/* ---- A host that is killed ---- */

/* Another process that runs this program as "host": it has workers busy, says so on the board, and never
 * ends. */
static int be_host(const char *path)
{
    snprintf(board_path, sizeof board_path, "%s", path);
    shared = map_board();
    ex = allot_open(ALLOT_OPTIONS(.processes = WORKERS));
    allot_future *future = submit(never_return, board_path, sizeof board_path, 0);
    submit(hold_until_told, board_path, sizeof board_path, 0);
    allot_wait(future, ALLOT_FOREVER);
    return EXIT_FAILURE;
}

static void workers_end_with_a_killed_host(void) /* H11 */
{
    reset_board();
    char name[] = "test_process", word[] = "host", *arguments[] = { name, word, board_path, NULL };
    pid_t host = 0;
    CU_ASSERT_EQUAL_FATAL(posix_spawn(&host, test_program(), NULL, NULL, arguments, environ), 0);
    wait_for(&shared->begun, 2);
    pid_t worker = atomic_load(&shared->pid);
    CU_ASSERT_EQUAL(kill(worker, 0), 0);
    kill(host, SIGKILL);
    waitpid(host, NULL, 0);
    int tries = 0;
    while (kill(worker, 0) == 0 && tries++ < 5000)
        usleep(1000);
    CU_ASSERT_EQUAL(kill(worker, 0), -1);
}

static void no_zombie_is_left(void) /* H21; runs last, with the executor closed */
{
    allot_close(ex);
    ex = NULL;
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
    CU_ASSERT_EQUAL(errno, ECHILD);
}

static const test_fact facts[] = {
    { "starts nothing before the first task", starts_nothing_before_the_first_task },
    { "B1 returns a value", returns_a_value },
    { "B3 runs in another process and reuses it", runs_in_another_process_and_reuses_it },
    { "B16 takes nothing and gives nothing", takes_nothing_and_gives_nothing },
    { "B15 carries any size", carries_any_size },
    { "B14 carries many at once", carries_many_at_once },
    { "B7 B10 keeps error, message and payload", keeps_error_message_and_payload },
    { "H20 gives workers a clean slate", gives_workers_a_clean_slate },
    { "H1 a worker killed in its task is an error, and the next task runs", a_kill_is_an_error },
    { "H4 _exit(42) is an error with its code", an_exit_code_is_told },
    { "H4 abort() is an error with its signal", an_abort_is_told },
    { "H4 SIGSEGV is an error with its signal", a_segfault_is_told },
    { "H5 exit(0) is a worker's death, not a success", a_good_exit_is_no_success },
    { "H8 a result that was sent before the crash is kept", a_result_that_was_sent_is_kept },
    { "H9 a worker that dies after a shutdown hangs nothing", a_death_after_shutdown_hangs_nothing },
    { "H10 all workers may die at once, and by each other's hand", all_may_die_at_once },
    { "H15 workers start beside threads that hold malloc's and stdio's locks",
      workers_start_beside_busy_threads },
    { "H2 H3 one crash costs one task: those in flight and those after it run", one_crash_costs_one_task },
    { "H3 H21 survives many crashes", survives_many_crashes },
    { "H1 notices a kill from outside, and names the signal", notices_a_kill_from_outside },
    { "H6 H7 a crash with a large argument and result on the way is an error",
      fails_with_a_large_argument_too },
    { "says so where the host reaps its children", names_nothing_where_the_host_reaps },
    { "C5 C6 cancels what has not begun", cancels_what_has_not_begun },
    { "stops code that looks", stops_code_that_looks },
    { "H12 stops code that does not look", stops_code_that_does_not_look },
    { "ends at a deadline", ends_at_a_deadline },
    { "never kills the next task", never_kills_the_next_task },
    { "launches over shared arrays", launches_over_shared_arrays },
    { "launches over wrapped arrays", launches_over_wrapped_arrays },
    { "launches over more arrays than it keeps", launches_over_more_arrays_than_it_keeps },
    { "one dead worker fails the launch", one_dead_worker_fails_the_launch },
    { "A5 G14 H21 leaves nothing behind", leaves_nothing_behind },
    { "H14 reports workers that cannot start", reports_workers_that_cannot_start },
    { "H14 reports workers that die at their start", reports_workers_that_die_at_their_start },
    { "says why a helper lacks the function", says_why_a_helper_lacks_the_function },
    { "H11 workers end with a killed host", workers_end_with_a_killed_host },
    { "H21 no zombie is left", no_zombie_is_left },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "host") == 0)
        return be_host(argv[2]);
    snprintf(board_path, sizeof board_path, "/tmp/test_process.%d", (int)getpid());
    int fd = open(board_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(board)) != 0 || !(shared = map_board()))
        return EXIT_FAILURE;
    close(fd);
    ex = allot_open(ALLOT_OPTIONS(.processes = WORKERS));
    int result = ex ? test_main("process", facts) : EXIT_FAILURE;
    munmap(shared, sizeof(board));
    unlink(board_path);
    return result;
}
