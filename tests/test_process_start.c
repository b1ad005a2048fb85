/* How workers start, beside what, and what they leave behind. */
#include "process_rig.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

static void gives_workers_a_clean_slate(void) /* H20 */
{
    int fd = open("/dev/null", O_RDONLY); /* on purpose without close-on-exec */
    int high = fcntl(fd, F_DUPFD, 100), found[7];
    allot_future *future = rig_submit(look_around, &high, sizeof high, sizeof found);
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

static allot_status print_and_allocate(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    char *text = NULL;
    int length = asprintf(&text, "%p", (void *)call);
    free(text);
    return length > 0 && fflush(NULL) == 0 ? ALLOT_OK : ALLOT_FAILED;
}

/* Other threads that hold the locks of malloc and stdio at any time. */
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
        CU_ASSERT_EQUAL(rig_ended(rig_submit(print_and_allocate, NULL, 0, 0), NULL, 0), ALLOT_OK);
        CU_ASSERT_EQUAL(allot_close(ex), ALLOT_OK);
    }
    atomic_store(&noisy, false);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ex = kept;
}

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
        allot_future *future = rig_submit(rig_square, &two, sizeof two, sizeof four);
        CU_ASSERT_EQUAL(allot_get(future, &four, sizeof four, LIMIT), ALLOT_OK);
        allot_release(future);
        if (i % 2)
            rig_ended(rig_submit(rig_die, "k", 1, 0), NULL, 0);
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

/* One task on an executor whose workers run another program. */
static allot_status run_with_program(const char *program, char *text, size_t text_size)
{
    allot_executor *kept = ex;
    setenv("ALLOT_WORKER", program, 1);
    ex = allot_open(ALLOT_OPTIONS(.processes = WORKERS));
    allot_future *both[] = { rig_submit(rig_nothing, NULL, 0, 0), rig_submit(rig_nothing, NULL, 0, 0) };
    allot_status status = rig_ended(both[0], text, text_size);
    CU_ASSERT_EQUAL(rig_ended(both[1], NULL, 0), status);
    allot_status later = rig_call(rig_nothing, NULL, 0); /* by then the place may be set aside */
    CU_ASSERT(later == status || later == ALLOT_NO_PLACE);
    allot_close(ex);
    unsetenv("ALLOT_WORKER");
    ex = kept;
    return status;
}

static void reports_workers_that_cannot_start(
    void) /* H14, by a program that is not there: as root no limit on processes binds */
{
    char text[256];
    if (under_valgrind()) {
        printf("not under Valgrind, where no spawn fails ");
        return;
    }
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

/* Another process that runs this program as "host": it has workers busy, says so on the board, and never
 * ends. */
static int be_host(const char *path)
{
    (void)path;
    ex = allot_open(ALLOT_OPTIONS(.processes = WORKERS));
    allot_future *future = rig_submit(rig_never_return, rig_path, sizeof rig_path, 0);
    rig_submit(rig_hold, rig_path, sizeof rig_path, 0);
    allot_wait(future, ALLOT_FOREVER);
    return EXIT_FAILURE;
}

static void workers_end_with_a_killed_host(void) /* H11 */
{
    rig_reset_board();
    char name[] = "test_process", word[] = "host", *arguments[] = { name, word, rig_path, NULL };
    pid_t host = 0;
    CU_ASSERT_EQUAL_FATAL(posix_spawn(&host, test_program(), NULL, NULL, arguments, environ), 0);
    rig_wait_for(&rig_board->begun, 2);
    pid_t worker = atomic_load(&rig_board->pid);
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
    { "H20 gives workers a clean slate", gives_workers_a_clean_slate },
    { "H15 workers start beside threads that hold malloc's and stdio's locks",
      workers_start_beside_busy_threads },
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
    return rig_main(argc, argv, "process start", facts, be_host);
}
