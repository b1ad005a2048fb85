/* A filter of system calls, made by libseccomp for whatever processor this is. */
#include "places/process/setup.h"
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>

bool al_seccomp_there(void)
{
    return true;
}

/* All sockets but local ones; and the ring through which sockets could be opened beside the filter. */
static int forbid_network(scmp_filter_ctx filter)
{
    int error =
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX));
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(io_uring_setup), 0);
    return error;
}

static int forbid_exec(scmp_filter_ctx filter)
{
    int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(execve), 0);
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(execveat), 0);
    return error;
}

/* Threads are still started. clone3 says in memory what it is to do, which a filter cannot read: the C
 * library takes its absence for that of an older kernel, and goes on with clone. */
static int forbid_fork(scmp_filter_ctx filter)
{
    int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(fork), 0);
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(vfork), 0);
    return error;
}

/* For all threads: libraries may have started some. Calls of another architecture are refused altogether. */
int al_seccomp_forbid(bool network, bool exec, bool fork)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return ENOMEM;
    int error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!error)
        error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
    if (!error && network)
        error = forbid_network(filter);
    if (!error && exec)
        error = forbid_exec(filter);
    if (!error && fork)
        error = forbid_fork(filter);
    if (!error)
        error = seccomp_load(filter);
    seccomp_release(filter);
    return -error;
}
