#include "process_rig.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

allot_executor *ex;
board *rig_board;
char rig_path[64];

allot_future *rig_submit(allot_function function, const void *in, size_t in_size, size_t out_size)
{
    return allot_submit(ex, function, in, in_size, out_size, ALLOT_HINTS(.place = ALLOT_PROCESS));
}

allot_status rig_ended(allot_future *future, char *text, size_t text_size)
{
    allot_status status = allot_get(future, NULL, 0, LIMIT);
    if (status == ALLOT_INVALID && allot_done(future))
        status = allot_future_status(future);
    if (text)
        snprintf(text, text_size, "%s", allot_future_error(future));
    allot_release(future);
    return status;
}

allot_status rig_call(allot_function function, const void *in, size_t in_size)
{
    return rig_ended(rig_submit(function, in, in_size, 0), NULL, 0);
}

bool rig_ran_or_died(allot_future *future)
{
    allot_status status = rig_ended(future, NULL, 0);
    return status == ALLOT_OK || status == ALLOT_WORKER_DIED;
}

/* ---- The board ---- */

static board *map_board(void)
{
    int fd = open(rig_path, O_RDWR | O_CLOEXEC);
    void *address =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    return address == MAP_FAILED ? NULL : address;
}

board *rig_board_of(const void *in)
{
    snprintf(rig_path, sizeof rig_path, "%s", (const char *)in);
    return rig_board ? rig_board : (rig_board = map_board());
}

void rig_reset_board(void)
{
    memset(rig_board, 0, sizeof *rig_board);
}

void rig_wait_for(_Atomic int *word, int value)
{
    while (atomic_load(word) < value)
        usleep(100);
}

int rig_main(int argc, char **argv, const char *name, const test_fact *facts, int (*host)(const char *path))
{
    if (argc == 3 && host && strcmp(argv[1], "host") == 0)
        return rig_board_of(argv[2]) ? host(argv[2]) : EXIT_FAILURE;
    snprintf(rig_path, sizeof rig_path, "/tmp/allot_test.%d", (int)getpid());
    int fd = open(rig_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(board)) != 0 || !(rig_board = map_board()))
        return EXIT_FAILURE;
    close(fd);
    ex = allot_open(ALLOT_OPTIONS(.processes = WORKERS));
    int result = ex ? test_main(name, facts) : EXIT_FAILURE;
    allot_close(ex);
    munmap(rig_board, sizeof(board));
    unlink(rig_path);
    return result;
}

/* ---- Tasks ---- */

allot_status rig_square(allot_call *call, const void *in, void *out)
{
    (void)call;
    *(double *)out = *(const double *)in * *(const double *)in;
    return ALLOT_OK;
}

allot_status rig_who(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in;
    *(pid_t *)out = getpid();
    return ALLOT_OK;
}

allot_status rig_nothing(allot_call *call, const void *in, void *out)
{
    return call && !in && !out ? ALLOT_OK : ALLOT_FAILED;
}

allot_status rig_die(allot_call *call, const void *in, void *out)
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

allot_status rig_hold(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    board *seen = rig_board_of(in);
    atomic_store(&seen->pid, getpid());
    atomic_fetch_add(&seen->begun, 1);
    while (!atomic_load(&seen->go))
        usleep(100);
    return ALLOT_OK;
}

allot_status rig_count(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    atomic_fetch_add(&(rig_board_of(in))->count, 1);
    return ALLOT_OK;
}

allot_status rig_never_return(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    atomic_fetch_add(&(rig_board_of(in))->begun, 1);
    while (in)
        usleep(100000);
    return ALLOT_OK;
}

/* Kills the children of a process, but for one of them: what /proc says of who has which parent. */
void rig_kill_children(pid_t parent, pid_t but)
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
