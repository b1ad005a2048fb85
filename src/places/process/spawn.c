#include "places/process/spawn.h"
#include "places/process/start.h"
#include "topology/citizen.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The descriptors under which a worker finds what it is given. */
#define WORKER_SOCKET 3
#define WORKER_PAGE   4
#define FIRST_OTHER   5

#define PROGRAM "/proc/self/exe"

/* ---- Which program ---- */

bool al_spawner_allowed(char *why, size_t why_size)
{
    struct stat program;
    bool set_id =
        getauxval(AT_SECURE) != 0 || (stat(PROGRAM, &program) == 0 && program.st_mode & (S_ISUID | S_ISGID));
    if (set_id)
        snprintf(why, why_size, "a set-user-id program gets no worker processes");
    return !set_id;
}

/* Under Valgrind the link's text names the program, and the link itself leads to Valgrind's own. */
static char *own_program(void)
{
    char path[PATH_MAX];
    struct stat by_link, by_name;
    ssize_t length = readlink(PROGRAM, path, sizeof path - 1);
    if (length <= 0)
        return strdup(PROGRAM);
    path[length] = 0;
    if (stat(PROGRAM, &by_link) != 0 || stat(path, &by_name) != 0)
        return strdup(PROGRAM);
    bool same = by_link.st_dev == by_name.st_dev && by_link.st_ino == by_name.st_ino;
    return strdup(same ? PROGRAM : path);
}

static const char *own_library(void)
{
    Dl_info info;
    return dladdr((const void *)&al_start_seen, &info) && info.dli_fname ? info.dli_fname : "";
}

static char *helper_beside(const char *library)
{
    static const char *const relative[] = { "allot-worker", "../libexec/allot/allot-worker",
                                            "../../libexec/allot/allot-worker" };
    const char *slash = strrchr(library, '/');
    for (size_t i = 0; slash && i < sizeof relative / sizeof relative[0]; i++) {
        char *path;
        if (asprintf(&path, "%.*s/%s", (int)(slash - library), library, relative[i]) < 0)
            return NULL;
        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

/* The loader's name for the program, and for a sanitizer's runtime, which insists on coming first. */
typedef struct loaded_parts {
    bool has_interpreter;
    char runtime[PATH_MAX];
} loaded_parts;

static int look_at(struct dl_phdr_info *info, size_t size, void *of)
{
    (void)size;
    loaded_parts *parts = of;
    bool is_program = !info->dlpi_name || !info->dlpi_name[0];
    for (size_t i = 0; is_program && i < info->dlpi_phnum; i++)
        parts->has_interpreter |= info->dlpi_phdr[i].p_type == PT_INTERP;
    if (!is_program && (strstr(info->dlpi_name, "/libasan.so") || strstr(info->dlpi_name, "/libtsan.so")))
        snprintf(parts->runtime, sizeof parts->runtime, "%s:", info->dlpi_name);
    return 0;
}

/* Starts the program itself with this library put before the C library: for programs that got the library
 * through another one, or late. NULL where that cannot work. */
static char *preload_of(const char *library)
{
    loaded_parts parts = { 0 };
    char *path = realpath(library, NULL), *preload = NULL;
    dl_iterate_phdr(look_at, &parts);
    if (path && parts.has_interpreter && access(path, R_OK) == 0 && !strpbrk(path, ": \t") &&
        asprintf(&preload, "%s%s:", parts.runtime, path) < 0)
        preload = NULL;
    free(path);
    return preload;
}

static void find_program(al_spawner *spawner)
{
    const char *asked = getenv("ALLOT_WORKER"), *library = own_library();
    bool seen = atomic_load_explicit(&al_start_seen, memory_order_relaxed) != AL_START_UNSEEN;
    if (asked && *asked)
        spawner->program = strdup(asked);
    else if (seen)
        spawner->program = own_program();
    else if ((spawner->preload = preload_of(library)))
        spawner->program = own_program();
    else
        spawner->program = helper_beside(library);
}

bool al_spawner_change(al_spawner *spawner)
{
    if (!spawner->preload)
        return false;
    free(spawner->preload);
    free(spawner->program);
    spawner->preload = NULL;
    spawner->program = helper_beside(own_library());
    return true;
}

/* ---- The environment ---- */

bool al_spawner_init(al_spawner *spawner)
{
    size_t count = 0;
    memset(spawner, 0, sizeof *spawner);
    while (environ && environ[count])
        count++;
    spawner->environment = calloc(count + 1, sizeof *spawner->environment);
    for (size_t i = 0; spawner->environment && i < count; i++)
        if (!(spawner->environment[i] = strdup(environ[i])))
            return false;
    return spawner->environment != NULL;
}

void al_spawner_fini(al_spawner *spawner)
{
    for (size_t i = 0; spawner->environment && spawner->environment[i]; i++)
        free(spawner->environment[i]);
    free(spawner->environment);
    free(spawner->program);
    free(spawner->preload);
}

static const char *value_of(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

#define ADDED_MAX (3 + AL_CITIZEN_VARIABLES)

/* One worker a core: a library's own threads would only get in each other's way. Negative: no memory. */
static int add_caps(const al_spawner *spawner, char **all, size_t *added)
{
    int failed = 0;
    for (const char *const *name = al_citizen_variables; *name && failed >= 0; name++)
        if (spawner->caps_libraries && !value_of(spawner->environment, *name))
            failed = asprintf(&all[(*added)++], "%s=1", *name);
    return failed;
}

/* The environment of one worker; the first `*added` entries are its own texts. NULL when memory is out. */
static char **environment_for_worker(const al_spawner *spawner, size_t *added)
{
    size_t count = 0;
    char *const *common = spawner->environment;
    while (common[count])
        count++;
    char **all = calloc(count + ADDED_MAX + 1, sizeof *all);
    if (!all)
        return NULL;
    const char *before = value_of(common, "LD_PRELOAD");
    int failed =
        asprintf(&all[0], AL_START_VARIABLE "=%d,%d,%d,%d,%d,%d,%d", WORKER_SOCKET, WORKER_PAGE,
                 (int)getpid(), spawner->preload != NULL, spawner->depth, spawner->depth_max, spawner->apart);
    *added = 1;
    if (failed >= 0)
        failed = add_caps(spawner, all, added);
    if (failed >= 0 && spawner->preload)
        failed = asprintf(&all[(*added)++], "LD_PRELOAD=%s%s", spawner->preload, before ? before : "");
    if (failed >= 0 && spawner->preload && before)
        failed = asprintf(&all[(*added)++], AL_START_PRELOAD "=%s", before);
    if (failed < 0) {
        for (size_t i = 0; i + 1 < *added; i++)
            free(all[i]);
        free(all);
        return NULL;
    }
    size_t to = *added;
    for (size_t i = 0; i < count; i++)
        if (!spawner->preload || strncmp(common[i], "LD_PRELOAD=", 11) != 0)
            all[to++] = common[i];
    return all;
}

static void free_environment(char **environment, size_t added)
{
    for (size_t i = 0; i < added; i++)
        free(environment[i]);
    free(environment);
}

/* ---- Spawning ---- */

/* What a worker gets of this process's descriptors, beside standard output. */
typedef struct gifts {
    int socket, page, errors; /* errors: -1: standard error as it is */
} gifts;

static int set_actions(posix_spawn_file_actions_t *actions, const gifts *given)
{
    int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!error)
        error = posix_spawn_file_actions_adddup2(actions, given->socket, WORKER_SOCKET);
    if (!error)
        error = posix_spawn_file_actions_adddup2(actions, given->page, WORKER_PAGE);
    if (!error && given->errors >= 0)
        error = posix_spawn_file_actions_adddup2(actions, given->errors, STDERR_FILENO);
    if (!error)
        error = posix_spawn_file_actions_addclosefrom_np(actions, FIRST_OTHER);
    return error;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int error = posix_spawnattr_setsigmask(attributes, &none);
    if (!error)
        error = posix_spawnattr_setsigdefault(attributes, &all);
    if (!error)
        error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return error;
}

/* The error number of posix_spawn. */
static int spawn(const al_spawner *spawner, char **environment, const gifts *given, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char name[] = "allot-worker", *arguments[] = { name, NULL };
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (!error) {
        error = set_actions(&actions, given);
        if (!error)
            error = set_attributes(&attributes);
        if (!error)
            error = posix_spawn(pid, spawner->program, &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* The same descriptor, above those that the worker's are put on; closes the old one. -1 with errno set. */
static int moved_up(int fd)
{
    if (fd < 0 || fd > WORKER_PAGE)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_OTHER), error = errno;
    close(fd);
    errno = error;
    return moved;
}

static bool open_sockets(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    ends[0] = moved_up(ends[0]);
    ends[1] = moved_up(ends[1]);
    return ends[0] >= 0 && ends[1] >= 0;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

static allot_status system_failure(al_failure *failure, const char *what, int error)
{
    return al_failure_set(failure, ALLOT_SYSTEM, "cannot start a worker process: %s: %s", what,
                          strerror(error));
}

/* Starts the child with its end of the socket; the parent's end stays with the caller. */
static allot_status start_child(const al_spawner *spawner, const gifts *given, al_spawned *spawned,
                                al_failure *failure)
{
    size_t added = 0;
    char **environment = environment_for_worker(spawner, &added);
    if (!environment)
        return ALLOT_NO_MEMORY;
    gifts moved = *given;
    moved.page = fcntl(given->page, F_DUPFD_CLOEXEC, FIRST_OTHER);
    int error = moved.page < 0 ? errno : spawn(spawner, environment, &moved, &spawned->pid);
    close_if_open(moved.page);
    free_environment(environment, added);
    if (error)
        return system_failure(failure, spawner->program, error);
    spawned->pidfd = pidfd_open(spawned->pid, 0);
    if (spawned->pidfd >= 0 || errno == ENOSYS)
        return ALLOT_OK;
    error = errno;
    kill(spawned->pid, SIGKILL);
    waitpid(spawned->pid, NULL, 0);
    return system_failure(failure, "pidfd_open", error);
}

allot_status al_spawn(al_spawner *spawner, int page, int errors, al_spawned *spawned, al_failure *failure)
{
    int ends[2] = { -1, -1 };
    *spawned = (al_spawned){ -1, -1, -1 };
    if (!spawner->found)
        find_program(spawner);
    spawner->found = true;
    if (!spawner->program)
        return al_failure_set(
            failure, ALLOT_SYSTEM,
            "cannot start a worker process: this program was not started through Allot, and "
            "allot-worker was not found (set ALLOT_WORKER to its path, or call "
            "allot_worker_main() first in main)");
    bool opened = open_sockets(ends);
    gifts given = { ends[1], page, errors };
    allot_status status = opened ? start_child(spawner, &given, spawned, failure)
                                 : system_failure(failure, "socketpair", errno);
    close_if_open(ends[1]);
    if (status == ALLOT_OK)
        spawned->socket = ends[0];
    else
        close_if_open(ends[0]);
    return status;
}

/* ---- Ends ---- */

al_end al_spawned_reap(const al_spawned *spawned)
{
    siginfo_t info = { 0 };
    int result;
    do
        result = spawned->pidfd >= 0 ? waitid(P_PIDFD, (id_t)spawned->pidfd, &info, WEXITED)
                                     : waitid(P_PID, (id_t)spawned->pid, &info, WEXITED);
    while (result != 0 && errno == EINTR);
    if (result != 0)
        return (al_end){ AL_END_UNKNOWN, 0 };
    return (al_end){ info.si_code == CLD_EXITED ? AL_END_EXITED : AL_END_KILLED, info.si_status };
}

void al_spawned_signal(const al_spawned *spawned, int number)
{
    if (spawned->pidfd >= 0)
        pidfd_send_signal(spawned->pidfd, number, NULL, 0);
    else
        kill(spawned->pid, number);
}
