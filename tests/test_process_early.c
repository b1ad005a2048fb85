/* What a cold place does: each worker that starts is given a call before it is ready. */
#include "process_rig.h"
#include <sched.h>
#include <string.h>
#include <unistd.h>

#define MILLISECOND 1000000
#define LARGE       (256 << 10)

static allot_executor *kept;

static void begin(int processes, const allot_process_options *process)
{
    kept = ex;
    ex = allot_open(ALLOT_OPTIONS(.processes = processes, .process = process));
    CU_ASSERT_PTR_NOT_NULL_FATAL(ex);
}

static void end(void)
{
    CU_ASSERT_EQUAL(allot_close(ex), ALLOT_OK);
    ex = kept;
}

/* tally[0] counts those that came, tally[1] says how many need not wait for `go`. */
static allot_status come_late(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    board *seen = rig_board_of(in);
    if (atomic_fetch_add(&seen->tally[0], 1) >= atomic_load(&seen->tally[1]))
        rig_wait_for(&seen->go, 1);
    return ALLOT_OK;
}

/* The first `prompt` workers are ready at once. */
static void begin_late(int processes, int prompt)
{
    rig_reset_board();
    atomic_store(&rig_board->tally[1], prompt);
    begin(processes,
          ALLOT_PROCESS_OPTIONS(.initialize = come_late, .data = rig_path, .data_size = sizeof rig_path));
}

static pid_t pid_from(allot_future *future)
{
    pid_t pid = -1;
    CU_ASSERT_EQUAL(allot_get(future, &pid, sizeof pid, LIMIT), ALLOT_OK);
    allot_release(future);
    return pid;
}

static void one_that_is_ready_takes_over(void)
{
    static char large[LARGE];
    allot_future *futures[4];
    begin_late(2, 1);
    for (int i = 0; i < 3; i++)
        futures[i] = rig_submit(rig_who, NULL, 0, sizeof(pid_t));
    futures[3] = rig_submit(rig_who, large, sizeof large, sizeof(pid_t));
    pid_t first = pid_from(futures[0]);
    for (int i = 1; i < 4; i++)
        CU_ASSERT_EQUAL(pid_from(futures[i]), first);
    atomic_store(&rig_board->go, 1);
    end();
}

static void each_gets_one_if_all_are_slow(void)
{
    allot_future *futures[2];
    begin_late(2, 0);
    for (int i = 0; i < 2; i++)
        futures[i] = rig_submit(rig_hold, rig_path, sizeof rig_path, 0);
    rig_wait_for(&rig_board->tally[0], 2); /* a worker for each */
    CU_ASSERT_FALSE(allot_done(futures[0]) || allot_done(futures[1]));
    atomic_store(&rig_board->go, 1);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(rig_ended(futures[i], NULL, 0), ALLOT_OK);
    CU_ASSERT_EQUAL(atomic_load(&rig_board->begun), 2);
    end();
}

static void a_deadline_need_not_wait_for_it(void)
{
    begin_late(1, 0);
    allot_future *late = allot_submit(ex, rig_nothing, NULL, 0, 0,
                                      ALLOT_HINTS(.place = ALLOT_PROCESS, .deadline_ns = 20 * MILLISECOND));
    CU_ASSERT_EQUAL(rig_ended(late, NULL, 0), ALLOT_DEADLINE);
    CU_ASSERT_EQUAL(atomic_load(&rig_board->go), 0);
    allot_future *next = rig_submit(rig_who, NULL, 0, sizeof(pid_t));
    atomic_store(&rig_board->go, 1);
    pid_t pid = pid_from(next);
    CU_ASSERT(pid > 0 && pid != getpid());
    CU_ASSERT_EQUAL(pid_from(rig_submit(rig_who, NULL, 0, sizeof(pid_t))), pid);
    CU_ASSERT_EQUAL(atomic_load(&rig_board->tally[0]), 1); /* the worker had nothing to do with it */
    end();
}

static void force_need_not_either(void)
{
    allot_future *futures[4];
    begin_late(2, 0);
    for (int i = 0; i < 4; i++)
        futures[i] = rig_submit(rig_nothing, NULL, 0, 0);
    CU_ASSERT_EQUAL(allot_shutdown(ex, ALLOT_KILL), ALLOT_OK);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_NOT_EQUAL(rig_ended(futures[i], NULL, 0), ALLOT_OK);
    end();
}

static void one_call_is_all_where_that_is_the_limit(void)
{
    pid_t before = 0;
    begin(1, ALLOT_PROCESS_OPTIONS(.tasks_max = 1));
    for (int i = 0; i < 5; i++) {
        pid_t pid = pid_from(rig_submit(rig_who, NULL, 0, sizeof pid));
        CU_ASSERT(pid > 0 && pid != before);
        before = pid;
    }
    end();
}

static void a_first_task_that_kills_is_no_failed_start(void)
{
    char how = 'k';
    begin(1, NULL);
    for (int i = 0; i < 8; i++) /* so many deaths at the start would break the place */
        CU_ASSERT_EQUAL(rig_call(rig_die, &how, sizeof how), ALLOT_WORKER_DIED);
    CU_ASSERT_EQUAL(rig_call(rig_nothing, NULL, 0), ALLOT_OK);
    end();
}

static void cold_places_lose_nothing(void)
{
    enum {
        ROUNDS = SANITIZED ? 5 : 25,
        TASKS = 40
    };
    for (int round = 0; round < ROUNDS; round++) {
        allot_future *futures[TASKS];
        begin(1 + round % 4, NULL);
        rig_reset_board();
        for (int i = 0; i < TASKS; i++) {
            futures[i] = rig_submit(rig_count, rig_path, sizeof rig_path, 0);
            if (i % (1 + round % 7) == 0)
                sched_yield();
        }
        for (int i = 0; i < TASKS; i++)
            CU_ASSERT_EQUAL(rig_ended(futures[i], NULL, 0), ALLOT_OK);
        CU_ASSERT_EQUAL(atomic_load(&rig_board->count), TASKS);
        end();
    }
}

static const test_fact facts[] = {
    { "one that is ready takes over what a slow one was given", one_that_is_ready_takes_over },
    { "each gets one if all are slow", each_gets_one_if_all_are_slow },
    { "a deadline need not wait for a worker to start", a_deadline_need_not_wait_for_it },
    { "H13 force need not wait for it either", force_need_not_either },
    { "H18 a worker that may do one call gets no second", one_call_is_all_where_that_is_the_limit },
    { "H14 a first task that kills is no failed start", a_first_task_that_kills_is_no_failed_start },
    { "cold places lose nothing", cold_places_lose_nothing },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "process early", facts, NULL);
}
