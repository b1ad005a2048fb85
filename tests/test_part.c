/* Parting: who serves on the CPU of one that waits leaves it, and only then; it keeps its affinity. */
#include "base/part.h"
#include "support.h"
#include <sched.h>
#include <time.h>

enum {
    PLENTY = 8
};

static cpu_set_t allowed;

static void go_to(int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
}

static void wait_on(int cpu, bool given_up)
{
    go_to(cpu);
    for (int i = 0; i < PLENTY; i++)
        al_part_count(given_up);
    REQUIRE(sched_setaffinity(0, sizeof allowed, &allowed) == 0);
}

/* Each try may find that the kernel has moved this thread by itself, or that it is too soon. */
static bool leaves(int cpu, bool given_up)
{
    bool left = false;
    for (int i = 0; i < 50 && !left; i++) {
        wait_on(cpu, given_up);
        go_to(cpu);
        REQUIRE(sched_setaffinity(0, sizeof allowed, &allowed) == 0);
        bool before = sched_getcpu() == cpu;
        al_part_heed();
        left = before && sched_getcpu() != cpu;
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL); /* a move is not made twice at once */
    }
    return left;
}

static void who_serves_on_a_waiter_s_cpu_leaves_it(void)
{
    int cpu = sched_getcpu();
    CHECK(leaves(cpu, true));
    cpu_set_t now;
    REQUIRE(sched_getaffinity(0, sizeof now, &now) == 0);
    CHECK(CPU_EQUAL(&now, &allowed));
}

static void who_may_run_on_one_cpu_alone_stays(void)
{
    int cpu = sched_getcpu();
    wait_on(cpu, true);
    go_to(cpu);
    al_part_heed();
    CHECK(sched_getcpu() == cpu);
    REQUIRE(sched_setaffinity(0, sizeof allowed, &allowed) == 0);
}

int main(void)
{
    static const test_fact facts[] = {
        { "who serves on a waiter's CPU leaves it, and keeps its affinity",
          who_serves_on_a_waiter_s_cpu_leaves_it },
        { "who may run on one CPU alone stays", who_may_run_on_one_cpu_alone_stays },
        { NULL, NULL },
    };
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2)
        return TEST_SKIPPED;
    return test_main("part", facts);
}
