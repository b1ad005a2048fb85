/* A task that takes more memory than its control group may have: the kernel kills its worker, and nothing
 * else comes to harm. In a group made for this, of version 1 or 2; skipped where none can be made. */
#include "process_rig.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUP_MIB 400
#define TAKEN     ((size_t)1 << 30)
#define OTHERS    40
#define GROUP     "ALLOT_TEST_GROUP" /* variable: the folder */

static char text[12000];

/* ---- The group ---- */

static bool put(const char *folder, const char *name, const char *value)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
    if (fd >= 0)
        close(fd);
    return written;
}

static bool make_group(char *folder, size_t size, const char *where, const char *limit,
                       const char *swap_limit)
{
    char bytes[32];
    snprintf(folder, size, "%s/allot-test-%d", where, (int)getpid());
    snprintf(bytes, sizeof bytes, "%llu", GROUP_MIB * 1024ull * 1024);
    if (mkdir(folder, 0755) != 0)
        return false;
    if (put(folder, limit, bytes)) {
        put(folder, swap_limit,
            strcmp(swap_limit, "memory.swap.max") ? bytes : "0"); /* where it is counted */
        return true;
    }
    rmdir(folder);
    return false;
}

static bool find_group(char *folder, size_t size)
{
    if (make_group(folder, size, "/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                   "memory.memsw.limit_in_bytes"))
        return true;
    put("/sys/fs/cgroup", "cgroup.subtree_control", "+memory");
    return make_group(folder, size, "/sys/fs/cgroup", "memory.max", "memory.swap.max");
}

/* ---- In it ---- */

static allot_status take(allot_call *call, const void *in, void *out)
{
    (void)out;
    size_t bytes = *(const size_t *)in;
    volatile char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return allot_fail(call, ALLOT_FAILED, "it was refused, not killed");
    for (size_t at = 0; at < bytes; at += 4096)
        memory[at] = 1;
    return ALLOT_OK;
}

static int squares_right(allot_future **futures, int count)
{
    int right = 0;
    for (int i = 0; i < count; i++) {
        double result = 0;
        right += allot_get(futures[i], &result, sizeof result, LIMIT) == ALLOT_OK && result == (double)i * i;
        allot_release(futures[i]);
    }
    return right;
}

/* One that takes too much among others that do not; returns how many of these were right. */
static int starve_one(allot_status *status)
{
    allot_future *others[OTHERS], *greedy = NULL;
    size_t bytes = TAKEN;
    for (int i = 0; i < OTHERS; i++) {
        double number = i;
        if (i == OTHERS / 2)
            greedy = rig_submit(take, &bytes, sizeof bytes, 0);
        others[i] = rig_submit(rig_square, &number, sizeof number, sizeof number);
    }
    *status = rig_ended(greedy, text, sizeof text);
    return squares_right(others, OTHERS);
}

/* What came of it goes to the board, and is judged where the group is not: there is memory for that. */
static int be_host(const char *path)
{
    (void)path;
    if (!put(getenv(GROUP), "cgroup.procs", "0"))
        return 90;
    ex = allot_open(ALLOT_OPTIONS(.threads = 1, .processes = WORKERS));
    for (int round = 0; round < 2; round++) {
        allot_status status;
        _Atomic int *tally = &rig_board->tally[8 * round];
        atomic_store(&tally[0], starve_one(&status));
        atomic_store(&tally[1], (int)status);
        atomic_store(&tally[2],
                     strstr(text, "was killed by SIGKILL (9) by the kernel for want of memory") != NULL);
        atomic_store(&tally[3], strstr(text, "400 MiB") != NULL);
        if (!atomic_load(&tally[2]))
            printf("    %s\n", text);
    }
    atomic_store(&rig_board->count, (int)rig_ended(rig_submit(rig_die, "k", 1, 0), text, sizeof text));
    atomic_store(&rig_board->go, strstr(text, "SIGKILL") && !strstr(text, "memory"));
    return allot_close(ex) == ALLOT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- Facts ---- */

static int run_host(void)
{
    char name[] = "test_process_memory", word[] = "host", *arguments[] = { name, word, rig_path, NULL };
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execv(test_program(), arguments);
        execv("/proc/self/exe", arguments);
        _exit(91);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void one_that_takes_too_much_costs_its_task_alone(void)
{
    rig_reset_board();
    CU_ASSERT_EQUAL(run_host(), EXIT_SUCCESS);
    for (int round = 0; round < 2; round++) {
        _Atomic int *tally = &rig_board->tally[8 * round];
        CU_ASSERT_EQUAL(atomic_load(&tally[0]), OTHERS);
        CU_ASSERT_EQUAL(atomic_load(&tally[1]), ALLOT_WORKER_DIED);
        CU_ASSERT(atomic_load(&tally[2])); /* says so */
        CU_ASSERT(atomic_load(&tally[3])); /* and the limit */
    }
}

/* In the same run: memory is not blamed for what another did. */
static void a_kill_by_another_is_not_taken_for_it(void)
{
    CU_ASSERT_EQUAL(atomic_load(&rig_board->count), ALLOT_WORKER_DIED);
    CU_ASSERT_EQUAL(atomic_load(&rig_board->go), 1);
}

static const test_fact facts[] = {
    { "H4 one that takes too much memory costs its task alone, and the error says so",
      one_that_takes_too_much_costs_its_task_alone },
    { "H4 a kill by another is not taken for it", a_kill_by_another_is_not_taken_for_it },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    char folder[200];
    if (getenv(GROUP)) /* the host */
        return rig_main(argc, argv, "process memory", facts, be_host);
    if (!find_group(folder, sizeof folder))
        return test_skip("no control group that limits memory can be made here");
    setenv(GROUP, folder, 1);
    int result = rig_main(argc, argv, "process memory", facts, be_host);
    if (rmdir(folder) != 0)
        perror(folder);
    return result;
}
