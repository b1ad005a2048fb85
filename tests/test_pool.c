/* What the thread place's queues promise when they are emptied early, and when chunks are larger than the
 * range. */
#include "test.h"
#include <allot/allot.h>
#include <allot/parallel.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

enum {
    QUEUED = 5,
    ITEMS = 100,
    LOOPS = 200
};

static allot_executor *executor;
static _Atomic bool inside, go;
static _Atomic int calls;

static allot_status hold(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    atomic_store(&inside, true);
    while (!atomic_load(&go))
        sched_yield();
    return ALLOT_OK;
}

static allot_status count(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    atomic_fetch_add(&calls, 1);
    return ALLOT_OK;
}

static allot_status fork_both(allot_call *call, const void *in, void *out)
{
    allot_branch first = { .function = hold }, second = { .function = count };
    (void)call, (void)in, (void)out;
    return allot_fork_join(executor, &first, &second);
}

/* Lets the worker go once what was queued behind it has been cancelled. */
static void *let_go(void *of)
{
    allot_future *last = of;
    while (last && !allot_done(last))
        sched_yield();
    atomic_store(&go, true);
    return NULL;
}

static allot_future *start(allot_function function)
{
    atomic_store(&inside, false);
    atomic_store(&go, false);
    atomic_store(&calls, 0);
    executor = allot_open(ALLOT_OPTIONS(.threads = 1, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    allot_future *future = allot_submit(executor, function, NULL, 0, 0, NULL);
    while (!atomic_load(&inside))
        sched_yield();
    return future;
}

static void ends_when_queued_plain_tasks_are_cancelled(void)
{
    allot_future *first = start(hold), *queued[QUEUED];
    pthread_t thread;
    for (int i = 0; i < QUEUED; i++)
        queued[i] = allot_submit(executor, count, NULL, 0, 0, NULL);
    pthread_create(&thread, NULL, let_go, queued[QUEUED - 1]);
    CU_ASSERT_EQUAL(allot_shutdown(executor, ALLOT_CANCEL_PENDING), ALLOT_OK);
    pthread_join(thread, NULL);
    CU_ASSERT_TRUE(allot_cancelled(queued[0]));
    CU_ASSERT_EQUAL(atomic_load(&calls), 0);
    allot_release_all(queued, QUEUED);
    allot_release(first);
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
}

static void runs_the_second_branch_though_what_is_queued_is_cancelled(void)
{
    allot_future *first = start(fork_both), *behind = allot_submit(executor, count, NULL, 0, 0, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, let_go, behind);
    CU_ASSERT_EQUAL(allot_shutdown(executor, ALLOT_CANCEL_PENDING), ALLOT_OK);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(allot_future_status(first), ALLOT_OK);
    CU_ASSERT_EQUAL(atomic_load(&calls), 1);
    allot_release(first), allot_release(behind);
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
}

static allot_status count_items(allot_call *call, const allot_block *block, void *user)
{
    (void)call, (void)user;
    atomic_fetch_add(&calls, (int)(block->end[0] - block->begin[0]));
    for (int i = 0; i < 1000; i++)
        sched_yield();
    return ALLOT_OK;
}

static void runs_each_index_once_in_chunks_of_half_the_address_space(void)
{
    int wrong = 0;
    executor = allot_open(ALLOT_OPTIONS(.threads = 4, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    for (int i = 0; i < LOOPS; i++) {
        atomic_store(&calls, 0);
        allot_parallel_for(executor, allot_range(ITEMS), count_items, NULL,
                           ALLOT_LOOP(.schedule = ALLOT_DYNAMIC, .grain = SIZE_MAX / 2 + 1));
        wrong += atomic_load(&calls) != ITEMS;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
}

int main(void)
{
    static const test_fact facts[] = {
        { "a shutdown that cancels ends though plain tasks are queued",
          ends_when_queued_plain_tasks_are_cancelled },
        { "a shutdown that cancels leaves both branches of what runs",
          runs_the_second_branch_though_what_is_queued_is_cancelled },
        { "chunks larger than the range run each index once",
          runs_each_index_once_in_chunks_of_half_the_address_space },
        { NULL, NULL },
    };
    return test_main("pool", facts);
}
