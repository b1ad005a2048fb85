#include "itself.h"
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

pid_t bench_start_itself(const char *const *arguments, int from, int to)
{
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    pid_t process = -1;
    if (posix_spawn_file_actions_adddup2(&actions, from, to) != 0 ||
        posix_spawn(&process, "/proc/self/exe", &actions, NULL, (char *const *)arguments, environ) != 0)
        process = -1;
    posix_spawn_file_actions_destroy(&actions);
    return process;
}

bool bench_ended_well(pid_t process)
{
    int status;
    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
