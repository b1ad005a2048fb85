/* Where tasks go that name a memory node, on a machine of two nodes that hwloc makes up: the threads are real
 * ones. The program runs itself again, since the topology is read once. */
#include "places/thread/pool.h"
#include "support.h"
#include "topology/topology.h"
#include <allot/allot.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    NODES = 2,
    TASKS = 12
};

static allot_executor *executor;
static _Atomic int held[NODES];  /* 1: a worker of that node is in hold() */
static _Atomic bool go[NODES];   /* it may go on */
static _Atomic int ran;          /* so many of the tasks */
static int meant_for[TASKS];     /* in the order in which they ran: for which node each was meant */
static _Atomic int run_by_other; /* by a worker of another node than the one that was let go */

static int node_here(void)
{
    return al_worker_mine->node;
}

/* A worker of each node stays here until it is let go. */
static allot_status hold(allot_call *call, const void *in, void *out)
{
    int node = node_here();
    (void)call, (void)in, (void)out;
    if (node < 0 || node >= NODES)
        return allot_fail(call, ALLOT_FAILED, "a worker of node %d", node);
    atomic_fetch_add(&held[node], 1);
    while (!atomic_load(&go[node]))
        sched_yield();
    return ALLOT_OK;
}

static allot_status note(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    meant_for[atomic_load(&ran)] = *(const int *)in; /* one worker alone runs them */
    atomic_fetch_add(&ran, 1);
    atomic_fetch_add(&run_by_other, node_here() != 1);
    return ALLOT_OK;
}

/* In the program that runs again: both workers are held, tasks for either node come by turns, and the worker
 * of node 1 alone is let go. Exit code 0: it took its node's first, then the others, all in their order. */
static int run_near(void)
{
    allot_future *futures[NODES + TASKS];
    executor = allot_open(
        ALLOT_OPTIONS(.threads = NODES, .bind_threads = true, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    if (!executor)
        return 90;
    for (int i = 0; i < NODES; i++)
        futures[i] = allot_submit(executor, hold, NULL, 0, 0, NULL);
    for (int i = 0; i < NODES; i++)
        while (!atomic_load(&held[i]))
            if (allot_done(futures[0]) || allot_done(futures[1]))
                return 91; /* no worker has a node, or both have the same */
            else
                sched_yield();
    for (int i = 0; i < TASKS; i++) {
        int node = i % NODES;
        futures[NODES + i] =
            allot_submit(executor, note, &node, sizeof node, 0, ALLOT_HINTS(.near_node = node + 1));
    }
    atomic_store(&go[1], true);
    while (atomic_load(&ran) < TASKS)
        sched_yield();
    atomic_store(&go[0], true);
    bool right = atomic_load(&run_by_other) == 0;
    for (int i = 0; i < TASKS; i++)
        right = right && meant_for[i] == (i < TASKS / NODES ? 1 : 0);
    allot_release_all(futures, NODES + TASKS);
    return allot_close(executor) == ALLOT_OK && right ? 0 : 92;
}

static void a_worker_takes_first_what_is_meant_for_its_node_and_then_the_rest(void)
{
    pid_t child = fork();
    if (child == 0) {
        setenv("HWLOC_SYNTHETIC", "numa:2 core:1 pu:1", 1);
        execl(test_program(), "test_near", "again", (char *)NULL);
        _exit(99);
    }
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFEXITED(status));
    CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "a worker takes first what is meant for its memory node, and then the rest",
          a_worker_takes_first_what_is_meant_for_its_node_and_then_the_rest },
        { NULL, NULL },
    };
    if (argc == 2 && strcmp(argv[1], "again") == 0)
        return run_near();
    if (!*al_hwloc_version())
        return test_skip("built without hwloc");
    cpu_set_t mask;
    if (sched_getaffinity(0, sizeof mask, &mask) != 0 || !CPU_ISSET(0, &mask) || !CPU_ISSET(1, &mask))
        return test_skip("needs CPUs 0 and 1");
    watched_suite suite = { .name = "near", .facts = facts };
    return watched_main(argc, argv, &suite, 1);
}
