#include "places/process/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- For good ---- */

/* Never above what this process was given itself. */
static int lower(int resource, uint64_t most)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0)
        return errno;
    if (limit.rlim_max > most)
        limit.rlim_max = most;
    if (limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit) == 0 ? 0 : errno;
}

/* Private memory that this process holds now: the sixth number of /proc/self/statm, in pages. */
static int lower_memory(uint64_t more)
{
    char text[160] = "";
    unsigned long long pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0 || sscanf(text, "%*s %*s %*s %*s %*s %llu", &pages) != 1)
        return EIO;
    return lower(RLIMIT_DATA, pages * (uint64_t)sysconf(_SC_PAGESIZE) + more);
}

static allot_status problem(al_failure *failure, const char *what, int error)
{
    return al_failure_set(failure, ALLOT_SYSTEM, "%s: %s", what, strerror(error));
}

static allot_status limit_for_good(const al_setup *setup, al_failure *failure)
{
    int error = setup->directory[0] && chdir(setup->directory) != 0 ? errno : 0;
    if (error)
        return problem(failure, setup->directory, error);
    if (setup->file_bytes && (error = lower(RLIMIT_FSIZE, setup->file_bytes)))
        return problem(failure, "the limit of file size", error);
    if (setup->open_files && (error = lower(RLIMIT_NOFILE, (uint64_t)setup->open_files)))
        return problem(failure, "the limit of open files", error);
    if ((setup->no_network || setup->no_exec) &&
        (error = al_seccomp_forbid(setup->no_network, setup->no_exec, false)))
        return problem(failure, "the filter of system calls", error);
    if (setup->memory_bytes && (error = lower_memory(setup->memory_bytes)))
        return problem(failure, "the limit of memory", error);
    return ALLOT_OK;
}

/* ---- Each call ---- */

/* Runs with the CPU time of all threads, and sends SIGXCPU. */
static bool make_timer(al_limits *limits)
{
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGXCPU };
    return timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &limits->timer) == 0;
}

void al_limits_call(al_limits *limits, bool begins)
{
    int64_t most_ns = begins ? limits->cpu_ns : 0;
    struct itimerspec at = { .it_value = { most_ns / 1000000000, most_ns % 1000000000 } };
    if (limits->cpu_ns)
        timer_settime(limits->timer, 0, &at, NULL);
}

static size_t resident_bytes(const al_limits *limits)
{
    char text[100];
    unsigned long long pages = 0;
    ssize_t length = pread(limits->statm, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = 0;
    return sscanf(text, "%*s %llu", &pages) == 1 ? (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

void al_limits_ready(al_limits *limits)
{
    if (limits->statm >= 0)
        limits->resident_bytes = resident_bytes(limits);
}

bool al_limits_grown(al_limits *limits)
{
    if (limits->statm < 0 || limits->grown)
        return false;
    size_t bytes = resident_bytes(limits);
    limits->grown = bytes > limits->resident_bytes && bytes - limits->resident_bytes > limits->growth_bytes;
    return limits->grown;
}

allot_status al_limits_begin(al_limits *limits, const al_setup *setup, al_failure *failure)
{
    *limits = (al_limits){ .statm = -1 };
    if (!setup)
        return ALLOT_OK;
    limits->cpu_ns = setup->cpu_ns;
    limits->growth_bytes = setup->growth_bytes;
    if (setup->growth_bytes)
        limits->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (setup->cpu_ns && !make_timer(limits))
        return problem(failure, "the timer of CPU time", errno);
    return limit_for_good(setup, failure);
}
