/* Loops run each index once, however short they are and however they are split. */
#include "test.h"

#include <allot/allot.h>
#include <stdatomic.h>
#include <time.h>

#define LONGEST 1000
#define LOOPS   20000 /* among so many some find the other workers asleep */

static _Atomic uint32_t runs[LONGEST];

static allot_status count(allot_call *call, const allot_block *block, void *user)
{
    (void)call, (void)user;
    for (size_t i = block->begin[0]; i < block->end[0]; i++)
        atomic_fetch_add_explicit(&runs[i], 1, memory_order_relaxed);
    return ALLOT_OK;
}

static size_t count_wrong(size_t length, uint32_t expected)
{
    size_t wrong = 0;
    for (size_t i = 0; i < length; i++)
        wrong += atomic_exchange_explicit(&runs[i], 0, memory_order_relaxed) != expected;
    return wrong;
}

static void run_with(allot_schedule schedule)
{
    static const size_t lengths[] = { 1, 2, 3, 63, 64, 65, 127, LONGEST };
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 2));
    CU_ASSERT_PTR_NOT_NULL_FATAL(executor);
    size_t wrong = 0;
    for (size_t k = 0; k < LOOPS; k++) {
        size_t length = lengths[k % (sizeof lengths / sizeof lengths[0])];
        wrong += allot_parallel_for(executor, allot_range(length), count, NULL,
                                    ALLOT_LOOP(.schedule = schedule)) != ALLOT_OK;
        wrong += count_wrong(length, 1);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
}

static void runs_each_index_once_by_default(void)
{
    run_with(ALLOT_AUTO);
}

static void runs_each_index_once_in_shares(void)
{
    run_with(ALLOT_STATIC);
}

static void runs_each_index_once_in_chunks(void)
{
    run_with(ALLOT_DYNAMIC);
}

/* Whatever the caller took for his share: the loop is not run by him alone the next time. */
static _Atomic uint32_t blocks;

static allot_status take_long(allot_call *call, const allot_block *block, void *user)
{
    struct timespec pause = { 0, 100000 };
    (void)call, (void)block, (void)user;
    atomic_fetch_add(&blocks, 1);
    nanosleep(&pause, NULL);
    return ALLOT_OK;
}

static void shares_what_takes_long_each_time(void)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 2));
    CU_ASSERT_PTR_NOT_NULL_FATAL(executor);
    for (uint32_t i = 1; i <= 100; i++) {
        CU_ASSERT_EQUAL(allot_parallel_for(executor, allot_range(LONGEST), take_long, NULL,
                                           ALLOT_LOOP(.schedule = ALLOT_STATIC)),
                        ALLOT_OK);
        CU_ASSERT_EQUAL(atomic_load(&blocks), 2 * i);
    }
    CU_ASSERT_EQUAL(allot_close(executor), ALLOT_OK);
}

int main(void)
{
    static const test_fact facts[] = {
        { "runs each index once by default", runs_each_index_once_by_default },
        { "runs each index once in shares", runs_each_index_once_in_shares },
        { "runs each index once in chunks", runs_each_index_once_in_chunks },
        { "shares what takes long each time", shares_what_takes_long_each_time },
        { NULL, NULL },
    };
    return test_main("loop", facts);
}
