#include "child.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_MS 240000 /* of a round, which takes seconds */
#define ENDING_MS  30000
#define LOOK_MS    5

extern char **environ;

static int spawn(bench_child *child, const char *program, const char *const *arguments, int in, int out)
{
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    error = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (!error)
        error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (!error)
        error = posix_spawn(&child->process, program, &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

bool bench_child_start(bench_child *child, const char *program, const char *const *arguments)
{
    int in[2], out[2];
    *child = (bench_child){ 0 };
    if (pipe2(in, O_CLOEXEC) != 0)
        return false;
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]), close(in[1]);
        return false;
    }
    int error = spawn(child, program, arguments, in[0], out[1]);
    close(in[0]), close(out[1]);
    child->to = in[1];
    child->from = out[0];
    if (!error)
        return true;
    close(child->to), close(child->from);
    child->process = 0;
    return false;
}

bool bench_child_ask(bench_child *child, const char *system)
{
    char line[64];
    int length = snprintf(line, sizeof line, "round %.50s\n", system);
    kill(child->process, SIGCONT);
    /* A pipe takes so few bytes whole; SIGPIPE is ignored. */
    return write(child->to, line, (size_t)length) == length;
}

/* Moves the first line out of what was read; false if there is no whole one. */
static bool take_line(bench_child *child, char *line, size_t size)
{
    char *newline = memchr(child->text, '\n', child->used);
    size_t length = newline ? (size_t)(newline - child->text) : child->used;
    if (!newline && child->used < sizeof child->text)
        return false;
    size_t kept = length < size ? length : size - 1;
    memcpy(line, child->text, kept);
    line[kept] = '\0';
    child->used -= length + (newline != NULL);
    memmove(child->text, child->text + length + (newline != NULL), child->used);
    return true;
}

bool bench_child_line(bench_child *child, char *line, size_t size)
{
    while (!take_line(child, line, size)) {
        struct pollfd ready = { .fd = child->from, .events = POLLIN };
        int count = poll(&ready, 1, SILENCE_MS);
        if (count < 0 && errno == EINTR)
            continue;
        ssize_t got =
            count > 0 ? read(child->from, child->text + child->used, sizeof child->text - child->used) : 0;
        if (got <= 0)
            return false;
        child->used += (size_t)got;
    }
    return true;
}

void bench_child_stop(bench_child *child)
{
    siginfo_t found;
    if (kill(child->process, SIGSTOP) == 0)
        while (waitid(P_PID, (id_t)child->process, &found, WSTOPPED | WEXITED | WNOWAIT) < 0 &&
               errno == EINTR)
            ;
}

/* Its status; false while it has not ended. */
static bool ended(const bench_child *child, int *status)
{
    pid_t got = waitpid(child->process, status, WNOHANG);
    if (got < 0 && errno != EINTR)
        *status = -1; /* somebody else has taken it: that is no good end */
    return got == child->process || (got < 0 && errno != EINTR);
}

bool bench_child_end(bench_child *child)
{
    const struct timespec pause = { 0, LOOK_MS * 1000000L };
    int status = -1;
    if (!child->process)
        return true;
    close(child->to);
    close(child->from);
    kill(child->process, SIGCONT);
    for (int waited_ms = 0; !ended(child, &status); waited_ms += LOOK_MS) {
        if (waited_ms == ENDING_MS)
            kill(child->process, SIGKILL);
        nanosleep(&pause, NULL);
    }
    child->process = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
