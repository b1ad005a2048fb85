/* What worker processes may not do: limits that the host sets, and what holds in any case. */
#include "process_rig.h"
#include <allot/numeric.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static char text[12000];

static bool says(const char *words)
{
    if (!strstr(text, words))
        printf("\n    '%s' is not in: %s\n", words, text);
    return strstr(text, words) != NULL;
}

static allot_executor *open_with(const allot_process_options *options)
{
    return allot_open(ALLOT_OPTIONS(.processes = 1, .process = options));
}

/* One call of a function on an executor of its own, whose workers have these limits. */
static allot_status call_within(const allot_process_options *options, allot_function function, const void *in,
                                size_t in_size, void *out, size_t out_size)
{
    allot_executor *executor = open_with(options);
    if (!executor)
        printf("\n    %s\n", allot_open_error());
    CU_ASSERT_PTR_NOT_NULL_FATAL(executor);
    allot_future *future =
        allot_submit(executor, function, in, in_size, out_size, ALLOT_HINTS(.place = ALLOT_PROCESS));
    allot_status status = allot_get(future, out, out_size, LIMIT);
    snprintf(text, sizeof text, "%s", allot_future_error(future));
    allot_release(future);
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
    return status;
}

/* ---- Memory ---- */

/* Maps a MiB after the other; tells how many there were. */
static allot_status take_memory(allot_call *call, const void *in, void *out)
{
    (void)call;
    size_t most = *(const size_t *)in, *taken = out;
    while (*taken < most) {
        void *memory = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            return errno == ENOMEM ? ALLOT_OK : ALLOT_FAILED;
        ++*taken;
    }
    return ALLOT_OK;
}

static void memory_has_a_limit(void)
{
    size_t most = 256, taken = 0;
    CU_ASSERT_EQUAL(call_within(ALLOT_PROCESS_OPTIONS(.memory_bytes = 64 * MIB), take_memory, &most,
                                sizeof most, &taken, sizeof taken),
                    ALLOT_OK);
    CU_ASSERT(taken >= 32 && taken <= 64);
}

static void arrays_are_not_counted(void)
{
    enum {
        N = 4 << 20
    };
    allot_executor *executor = open_with(ALLOT_PROCESS_OPTIONS(.memory_bytes = 8 * MIB));
    CU_ASSERT_PTR_NOT_NULL_FATAL(executor);
    allot_array *x = allot_array_full(executor, ALLOT_F64, N, 1),
                *y = allot_array_full(executor, ALLOT_F64, N, 1);
    allot_future *future = allot_launch(executor, allot_axpy(), allot_range(N),
                                        ALLOT_ARGS(allot_f64(2), allot_in(x), allot_inout(y)),
                                        ALLOT_HINTS(.place = ALLOT_PROCESS));
    CU_ASSERT_EQUAL(rig_ended(future, text, sizeof text), ALLOT_OK);
    allot_array_release(x);
    allot_array_release(y);
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
}

/* ---- Time ---- */

static int64_t used_ns(void)
{
    struct timespec used = { 0 };
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * SECOND + used.tv_nsec;
}

static allot_status burn(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    int64_t end_ns = used_ns() + *(const int64_t *)in;
    while (used_ns() < end_ns)
        continue;
    return ALLOT_OK;
}

static allot_status rest(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    usleep(100000);
    return ALLOT_OK;
}

static void cpu_time_has_a_limit(void)
{
    int64_t most = 600 * SECOND;
    const allot_process_options *options = ALLOT_PROCESS_OPTIONS(.cpu_ns = SECOND / 50);
    CU_ASSERT_EQUAL(call_within(options, burn, &most, sizeof most, NULL, 0), ALLOT_WORKER_DIED);
    CU_ASSERT(says("was killed by SIGXCPU (24), its CPU time used up"));
    CU_ASSERT(SANITIZED || says("burn"));
    CU_ASSERT_EQUAL(call_within(options, rest, NULL, 0, NULL, 0), ALLOT_OK);
}

/* The limit is each task's, not their sum's. */
static void cpu_time_is_each_tasks_own(void)
{
    int64_t some_ns = SECOND / 10;
    allot_executor *executor = open_with(ALLOT_PROCESS_OPTIONS(.cpu_ns = SECOND / 4)), *kept = ex;
    CU_ASSERT_PTR_NOT_NULL_FATAL(executor);
    ex = executor;
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(rig_call(burn, &some_ns, sizeof some_ns), ALLOT_OK);
    ex = kept;
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
}

/* ---- Files ---- */

static allot_status write_file(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    static char block[4096];
    char name[] = "/tmp/allot_test_file.XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    for (int i = 0; i < 100; i++)
        if (write(fd, block, sizeof block) < 0) /* the one that reaches the limit is cut */
            return allot_fail(call, ALLOT_FAILED, "write: %s", strerror(errno));
    close(fd);
    return ALLOT_OK;
}

static void files_have_a_limit(void)
{
    const allot_process_options *options = ALLOT_PROCESS_OPTIONS(.file_bytes = 100000);
    CU_ASSERT_EQUAL(call_within(options, write_file, NULL, 0, NULL, 0), ALLOT_WORKER_DIED);
    CU_ASSERT(says("was killed by SIGXFSZ (25), its file grew too large"));
}

static allot_status open_many(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    int *opened = out;
    while (*opened < 100 && open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
        ++*opened;
    return errno == EMFILE ? ALLOT_OK : ALLOT_FAILED;
}

static void descriptors_have_a_limit(void)
{
    int opened = 0;
    CU_ASSERT_EQUAL(
        call_within(ALLOT_PROCESS_OPTIONS(.open_files = 32), open_many, NULL, 0, &opened, sizeof opened),
        ALLOT_OK);
    CU_ASSERT(opened >= 16 && opened < 32);
}

static allot_status look_where(allot_call *call, const void *in, void *out)
{
    (void)in;
    return getcwd(out, allot_call_out_size(call)) ? ALLOT_OK : ALLOT_FAILED;
}

static void workers_work_where_they_are_told(void)
{
    char where[256] = "";
    CU_ASSERT_EQUAL(
        call_within(ALLOT_PROCESS_OPTIONS(.directory = "/proc"), look_where, NULL, 0, where, sizeof where),
        ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(where, "/proc");
}

/* ---- Network and programs ---- */

typedef struct attempts {
    int internet, local, program; /* 0 or the error number */
} attempts;

static allot_status attempt(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    attempts *made = out;
    char name[] = "true", *arguments[] = { name, NULL };
    pid_t pid;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    made->internet = fd < 0 ? errno : close(fd);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    made->local = fd < 0 ? errno : close(fd);
    made->program = posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ);
    if (!made->program)
        waitpid(pid, NULL, 0);
    return ALLOT_OK;
}

static bool filters(void)
{
    allot_executor *executor = open_with(ALLOT_PROCESS_OPTIONS(.no_exec = true));
    bool possible = executor || allot_last_status() != ALLOT_UNSUPPORTED;
    allot_close(executor);
    if (!possible)
        printf("skipped: no libseccomp ");
    return possible;
}

static void the_network_can_be_forbidden(void)
{
    attempts made = { 0 };
    if (!filters())
        return;
    CU_ASSERT_EQUAL(
        call_within(ALLOT_PROCESS_OPTIONS(.no_network = true), attempt, NULL, 0, &made, sizeof made),
        ALLOT_OK);
    CU_ASSERT(made.internet == EPERM && made.local == 0 && made.program == 0);
}

static void programs_can_be_forbidden(void)
{
    attempts made = { 0 };
    if (!filters())
        return;
    CU_ASSERT_EQUAL(call_within(ALLOT_PROCESS_OPTIONS(.no_exec = true), attempt, NULL, 0, &made, sizeof made),
                    ALLOT_OK);
    CU_ASSERT(made.internet == 0 && made.local == 0 && made.program == EPERM);
    CU_ASSERT_EQUAL(call_within(NULL, attempt, NULL, 0, &made, sizeof made), ALLOT_OK);
    CU_ASSERT(made.internet == 0 && made.program == 0);
}

/* ---- In any case ---- */

/* Tries to shrink the pages that it shares with its parent, by the way that only root has. */
static int shrink_shared_page(void)
{
    char line[600], path[100];
    int result = ENOENT;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && result == ENOENT && fgets(line, sizeof line, maps)) {
        if (!strstr(line, "memfd:allot-worker"))
            continue;
        snprintf(path, sizeof path, "/proc/self/map_files/%.*s", (int)strcspn(line, " "), line);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        result = fd < 0 ? errno : ftruncate(fd, 0) == 0 ? 0 : errno;
        if (fd >= 0)
            close(fd);
    }
    if (maps)
        fclose(maps);
    return result;
}

typedef struct isolation {
    int no_new_privileges, death_signal, shrinking, arrays_seen;
} isolation;

static allot_status look_at_isolation(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    isolation *seen = out;
    seen->no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    prctl(PR_GET_PDEATHSIG, &seen->death_signal);
    seen->shrinking = shrink_shared_page();
    char line[600];
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps))
        seen->arrays_seen += strstr(line, "memfd:allot-array") != NULL;
    if (maps)
        fclose(maps);
    return ALLOT_OK;
}

static void workers_are_kept_apart(void)
{
    isolation seen = { 0 };
    allot_array *array = allot_array_full(ex, ALLOT_F32, 100000, 1); /* that nobody gives to a worker */
    allot_future *future = rig_submit(look_at_isolation, NULL, 0, sizeof seen);
    CU_ASSERT_EQUAL(allot_get(future, &seen, sizeof seen, LIMIT), ALLOT_OK);
    CU_ASSERT_EQUAL(seen.no_new_privileges, 1);
    CU_ASSERT_EQUAL(seen.death_signal, SIGKILL);
    CU_ASSERT_EQUAL(seen.shrinking, EPERM);
    CU_ASSERT_EQUAL(seen.arrays_seen, 0);
    allot_release(future);
    allot_array_release(array);
}

/* ---- Refused ---- */

static bool refused(const allot_process_options *options, const char *words)
{
    allot_executor *executor = open_with(options);
    bool right = !executor && strstr(allot_open_error(), words) && allot_last_status() == ALLOT_INVALID;
    if (!right)
        printf("\n    %s\n", allot_open_error());
    allot_close(executor);
    return right;
}

static void limits_that_cannot_be_are_refused_by_name(void)
{
    CU_ASSERT(refused(&(allot_process_options){ 0 }, "options.process->size is 0"));
    CU_ASSERT(refused(ALLOT_PROCESS_OPTIONS(.directory = "/nonexistent"), "'/nonexistent': No such file"));
    CU_ASSERT(refused(ALLOT_PROCESS_OPTIONS(.directory = "/dev/null"), "'/dev/null': Not a directory"));
    CU_ASSERT(refused(ALLOT_PROCESS_OPTIONS(.open_files = 3), "open_files is 3"));
    CU_ASSERT(refused(ALLOT_PROCESS_OPTIONS(.tasks_max = -1), "tasks_max -1"));
    CU_ASSERT(refused(ALLOT_PROCESS_OPTIONS(.data_size = 8), "data is NULL"));
}

static void a_directory_that_is_gone_sets_the_place_aside(void)
{
    char folder[] = "/tmp/allot_test_folder.XXXXXX";
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    allot_executor *executor = open_with(ALLOT_PROCESS_OPTIONS(.directory = folder)), *kept = ex;
    rmdir(folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(executor);
    ex = executor;
    allot_set_log(NULL, NULL, ALLOT_LOG_ERROR);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(rig_ended(rig_submit(rig_nothing, NULL, 0, 0), text, sizeof text), ALLOT_NO_PLACE);
        CU_ASSERT(says("a worker process cannot be set up") && says(folder));
    }
    allot_set_log(NULL, NULL, ALLOT_LOG_WARNING);
    ex = kept;
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
}

/* ---- No more processes ---- */

/* Another user, who may have no more processes than there are: opens an executor, and leaves the error on the
 * board. Threads count, so the keeper is the last that there may be. */
static int be_host(const char *path)
{
    (void)path;
    ex = allot_open(ALLOT_OPTIONS(.processes = 2, .threads = 1));
    allot_future *future = rig_submit(rig_nothing, NULL, 0, 0);
    struct rlimit before, one;
    getrlimit(RLIMIT_NPROC, &before);
    one = (struct rlimit){ 1, before.rlim_max };
    bool first = rig_ended(future, NULL, 0) == ALLOT_OK;
    setrlimit(RLIMIT_NPROC, &one);
    rig_call(rig_die, "k", 1);
    allot_status status = ALLOT_OK;
    for (int i = 0; i < 3; i++)
        status = rig_ended(rig_submit(rig_nothing, NULL, 0, 0), text, sizeof text);
    atomic_store(&rig_board->tally[0], first);
    atomic_store(&rig_board->tally[1], (int)status);
    atomic_store(&rig_board->tally[2], strstr(text, "Resource temporarily unavailable") != NULL);
    status = allot_close(ex);
    setrlimit(RLIMIT_NPROC, &before); /* a sanitizer's last check starts a process */
    return status == ALLOT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void become_nobody(void)
{
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
        _exit(90);
}

static void no_more_processes_is_an_error_and_no_hang(void) /* as another user: no such limit binds root */
{
    rig_reset_board();
    chmod(rig_path, 0666);
    char name[] = "test_process_limits", word[] = "host", *arguments[] = { name, word, rig_path, NULL };
    pid_t pid = fork();
    if (pid == 0) {
        become_nobody();
        execv(test_program(), arguments);
        execv("/proc/self/exe", arguments);
        _exit(91);
    }
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 90 || WEXITSTATUS(status) == 91)) {
        printf("skipped: another user cannot run this program ");
        return;
    }
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
    CU_ASSERT_EQUAL(atomic_load(&rig_board->tally[0]), 1);
    CU_ASSERT_EQUAL(atomic_load(&rig_board->tally[1]), ALLOT_SYSTEM);
    CU_ASSERT_EQUAL(atomic_load(&rig_board->tally[2]), 1);
}

static const test_fact facts[] = {
    { "memory has a limit", memory_has_a_limit },
    { "arrays are not counted", arrays_are_not_counted },
    { "CPU time has a limit, and the error says so", cpu_time_has_a_limit },
    { "CPU time is each task's own", cpu_time_is_each_tasks_own },
    { "files have a limit", files_have_a_limit },
    { "descriptors have a limit", descriptors_have_a_limit },
    { "workers work where they are told", workers_work_where_they_are_told },
    { "the network can be forbidden", the_network_can_be_forbidden },
    { "programs can be forbidden", programs_can_be_forbidden },
    { "H20 workers are kept apart", workers_are_kept_apart },
    { "A10 limits that cannot be are refused by name", limits_that_cannot_be_are_refused_by_name },
    { "a directory that is gone sets the place aside", a_directory_that_is_gone_sets_the_place_aside },
    { "H14 no more processes is an error and no hang", no_more_processes_is_an_error_and_no_hang },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "process limits", facts, be_host);
}
