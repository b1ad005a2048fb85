/* What a worker process that dies costs: its own task, and what that is told. */
#include "process_rig.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>

/* A task that ends its worker in one way; `says` is what the message must hold. */
static void check_death(char way, const char *says)
{
    char text[256];
    bool own_handler = SANITIZED && (way == 's' || way == 'a' || way == '0');
    CU_ASSERT_EQUAL(rig_ended(rig_submit(rig_die, &way, 1, 0), text, sizeof text), ALLOT_WORKER_DIED);
    CU_ASSERT(own_handler || strstr(text, says));
    CU_ASSERT_EQUAL(rig_ended(rig_submit(rig_nothing, NULL, 0, 0), NULL, 0), ALLOT_OK);
}

static void a_kill_is_an_error(void)
{
    check_death('k', "killed by SIGKILL (9)");
}

static void an_exit_code_is_told(void)
{
    check_death('e', "exited with code 42");
}

static void an_abort_is_told(void)
{
    check_death('a', "killed by SIGABRT (6)");
}

static void a_segfault_is_told(void)
{
    check_death('s', "killed by SIGSEGV (11)");
}

static void a_good_exit_is_no_success(void)
{
    check_death('0', "exited with code 0");
}

static void one_crash_costs_one_task(void) /* H2, H3 */
{
    enum {
        COUNT = 200
    };
    allot_future *futures[COUNT];
    size_t died = 0, right = 0;
    for (int i = 0; i < COUNT; i++) {
        double value = i;
        futures[i] = i % 40 == 7 ? rig_submit(rig_die, "k", 1, 0)
                                 : rig_submit(rig_square, &value, sizeof value, sizeof value);
    }
    for (int i = 0; i < COUNT; i++) {
        double value = 0;
        if (i % 40 == 7)
            died += allot_get(futures[i], NULL, 0, LIMIT) == ALLOT_WORKER_DIED;
        else
            right += allot_get(futures[i], &value, sizeof value, LIMIT) == ALLOT_OK && value == (double)i * i;
    }
    CU_ASSERT_EQUAL(died, COUNT / 40);
    CU_ASSERT_EQUAL(right, COUNT - COUNT / 40);
    allot_release_all(futures, COUNT);
}

static void survives_many_crashes(void) /* H10, H21 */
{
    enum {
        ROUNDS = 200
    };
    size_t wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        double two = 2, four = 0;
        allot_future *dead = rig_submit(rig_die, i % 2 ? "k" : "e", 1, 0);
        allot_future *well = rig_submit(rig_square, &two, sizeof two, sizeof four);
        wrong += allot_get(well, &four, sizeof four, LIMIT) != ALLOT_OK || four != 4;
        wrong += rig_ended(dead, NULL, 0) != ALLOT_WORKER_DIED;
        allot_release(well);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void notices_a_kill_from_outside(void) /* H1 */
{
    char text[256];
    rig_reset_board();
    allot_future *future = rig_submit(rig_hold, rig_path, sizeof rig_path, 0);
    rig_wait_for(&rig_board->begun, 1);
    kill(atomic_load(&rig_board->pid), SIGKILL);
    CU_ASSERT_EQUAL(rig_ended(future, text, sizeof text), ALLOT_WORKER_DIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "SIGKILL (9)"));
    /* An idle one: the next task runs on another. */
    pid_t pid = 0;
    future = rig_submit(rig_who, NULL, 0, sizeof pid);
    CU_ASSERT_EQUAL(allot_get(future, &pid, sizeof pid, LIMIT), ALLOT_OK);
    allot_release(future);
    kill(pid, SIGTERM);
    CU_ASSERT(rig_ran_or_died(rig_submit(rig_nothing, NULL, 0, 0)));
    CU_ASSERT_EQUAL(rig_ended(rig_submit(rig_nothing, NULL, 0, 0), NULL, 0), ALLOT_OK);
}

static allot_status kill_parents_children(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    rig_kill_children(getppid(), getpid());
    return ALLOT_OK;
}

/* All workers at once, and with others waiting behind them. */
static void all_may_die_at_once(void) /* H10 */
{
    enum {
        QUEUED = 50
    };
    rig_reset_board();
    allot_future *held[WORKERS], *queued[QUEUED];
    for (int i = 0; i < WORKERS; i++)
        held[i] = rig_submit(rig_hold, rig_path, sizeof rig_path, 0);
    rig_wait_for(&rig_board->begun, WORKERS);
    for (int i = 0; i < QUEUED; i++)
        queued[i] = rig_submit(rig_count, rig_path, sizeof rig_path, 0);
    allot_future *killer = rig_submit(kill_parents_children, NULL, 0, 0);
    rig_kill_children(getpid(), 0);
    for (int i = 0; i < WORKERS; i++)
        CU_ASSERT_EQUAL(rig_ended(held[i], NULL, 0), ALLOT_WORKER_DIED);
    for (int i = 0; i < QUEUED; i++)
        CU_ASSERT(rig_ran_or_died(queued[i])); /* the killer hits some */
    rig_ended(killer, NULL, 0);
    CU_ASSERT_EQUAL(rig_ended(rig_submit(rig_nothing, NULL, 0, 0), NULL, 0), ALLOT_OK);
}

/* The result is there before the worker dies, and stays. A task may be given to the worker of the round
 * before, whose death nobody has seen yet: such a round shows nothing. */
static void a_result_that_was_sent_is_kept(void) /* H8 */
{
    int shown = 0;
    for (int i = 0; i < 50; i++) {
        double three = 3, nine = 0;
        pid_t pid = 0;
        allot_future *which = rig_submit(rig_who, NULL, 0, sizeof pid);
        allot_future *kept = rig_submit(rig_square, &three, sizeof three, sizeof nine);
        allot_status status = allot_get(kept, NULL, 0, LIMIT);
        if (allot_get(which, &pid, sizeof pid, LIMIT) == ALLOT_OK && pid > 0)
            kill(pid, SIGKILL);
        CU_ASSERT(rig_ran_or_died(rig_submit(rig_nothing, NULL, 0, 0)));
        if (status != ALLOT_WORKER_DIED) {
            CU_ASSERT_EQUAL(allot_get(kept, &nine, sizeof nine, LIMIT), ALLOT_OK);
            CU_ASSERT_EQUAL(nine, 9);
            shown++;
        }
        allot_release(which);
        allot_release(kept);
    }
    CU_ASSERT(shown > 0);
}

static void *shut_down(void *of)
{
    return (void *)(intptr_t)allot_shutdown(of, ALLOT_DRAIN);
}

static void a_death_after_shutdown_hangs_nothing(void) /* H9 */
{
    rig_reset_board();
    allot_executor *kept = ex;
    ex = allot_open(ALLOT_OPTIONS(.processes = 1));
    allot_future *held = rig_submit(rig_hold, rig_path, sizeof rig_path, 0);
    allot_future *queued = rig_submit(rig_nothing, NULL, 0, 0);
    rig_wait_for(&rig_board->begun, 1);
    pthread_t thread;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, shut_down, ex), 0);
    CU_ASSERT_EQUAL(allot_shutdown(ex, ALLOT_NO_WAIT), ALLOT_OK);
    kill(atomic_load(&rig_board->pid), SIGKILL);
    void *status = NULL;
    pthread_join(thread, &status);
    CU_ASSERT_EQUAL((intptr_t)status, ALLOT_OK);
    CU_ASSERT_EQUAL(rig_ended(held, NULL, 0), ALLOT_WORKER_DIED);
    CU_ASSERT_EQUAL(rig_ended(queued, NULL, 0), ALLOT_OK);
    CU_ASSERT_EQUAL(rig_ended(rig_submit(rig_nothing, NULL, 0, 0), NULL, 0), ALLOT_SHUTDOWN);
    CU_ASSERT_EQUAL(allot_close(ex), ALLOT_OK);
    ex = kept;
}

static void fails_with_a_large_argument_too(void) /* H6, H7 */
{
    size_t size = 4u << 20;
    char *in = calloc(1, size);
    in[0] = 'k';
    CU_ASSERT_EQUAL(rig_ended(rig_submit(rig_die, in, size, size), NULL, 0), ALLOT_WORKER_DIED);
    free(in);
}

static const test_fact facts[] = {
    { "H1 a worker killed in its task is an error, and the next task runs", a_kill_is_an_error },
    { "H4 _exit(42) is an error with its code", an_exit_code_is_told },
    { "H4 abort() is an error with its signal", an_abort_is_told },
    { "H4 SIGSEGV is an error with its signal", a_segfault_is_told },
    { "H5 exit(0) is a worker's death, not a success", a_good_exit_is_no_success },
    { "H8 a result that was sent before the crash is kept", a_result_that_was_sent_is_kept },
    { "H9 a worker that dies after a shutdown hangs nothing", a_death_after_shutdown_hangs_nothing },
    { "H10 all workers may die at once, and by each other's hand", all_may_die_at_once },
    { "H2 H3 one crash costs one task: those in flight and those after it run", one_crash_costs_one_task },
    { "H3 H21 survives many crashes", survives_many_crashes },
    { "H1 notices a kill from outside, and names the signal", notices_a_kill_from_outside },
    { "H6 H7 a crash with a large argument and result on the way is an error",
      fails_with_a_large_argument_too },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "process crash", facts, NULL);
}
