/* Which worker process gets what, and when: ahead and back, by priority, and parts of launches. */
#include "support.h"
#include <sched.h>
#include <stdlib.h>

enum {
    SHORT = 2000, /* calls */
    BANDS = 3,
    OF_EACH = 90
};

static allot_executor *open_with(int processes)
{
    allot_executor *executor =
        allot_open(ALLOT_OPTIONS(.threads = 1, .processes = processes,
                                 .places = ALLOT_KIND_BIT(ALLOT_THREAD) | ALLOT_KIND_BIT(ALLOT_PROCESS)));
    REQUIRE(executor != NULL);
    return executor;
}

static allot_future *submit(allot_executor *executor, allot_function function, const void *in, size_t size)
{
    return allot_submit(executor, function, in, size, 0, ALLOT_HINTS(.place = ALLOT_PROCESS));
}

static void finish_all(allot_future **futures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK_STATUS(finish(futures[i]), ALLOT_OK);
}

/* ---- Ahead ---- */

/* Calls that are usually short are given several at once: those behind one that is not must not wait for it.
 */
static void nothing_waits_behind_a_long_call(void)
{
    allot_executor *executor = open_with(2);
    allot_future **futures = calloc(SHORT, sizeof *futures);
    for (int round = 0; round < ROUNDS(30); round++) {
        test_gate gate = gate_create();
        allot_future *held = NULL;
        for (int i = 0; i < SHORT; i++) {
            if (i == 100 + round * 50)
                held = submit(executor, task_gate, &gate.key, sizeof gate.key);
            futures[i] = submit(executor, task_nothing, NULL, 0);
        }
        finish_all(futures, SHORT); /* while one worker is held */
        gate_open(&gate);
        CHECK_STATUS(finish(held), ALLOT_OK);
        gate_destroy(&gate);
    }
    free(futures);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static allot_status task_long(allot_call *call, const void *in, void *out)
{
    (void)call, (void)in, (void)out;
    linger(300 * MICROSECOND);
    return ALLOT_OK;
}

/* Workers at long calls are given one at a time, and find nothing but cancelled ones; and nobody but the
 * thread that waits has heard of their last answers. */
static void cancelled_ones_hold_nobody_up(void)
{
    enum {
        HELD = 2,
        CANCELLED = 30
    };
    allot_executor *executor = open_with(HELD);
    for (int round = 0; round < ROUNDS(30); round++) {
        allot_future *held[HELD], *cancelled[CANCELLED], *slow[8 * HELD];
        for (int i = 0; i < 8 * HELD; i++)
            slow[i] = submit(executor, task_long, NULL, 0);
        finish_all(slow, 8 * HELD);
        test_gate gate = gate_create();
        for (int i = 0; i < HELD; i++)
            held[i] = submit(executor, task_gate, &gate.key, sizeof gate.key);
        while (allot_future_state(held[0]) != ALLOT_STATE_RUNNING ||
               allot_future_state(held[1]) != ALLOT_STATE_RUNNING)
            sched_yield();
        for (int i = 0; i < CANCELLED; i++)
            cancelled[i] = submit(executor, task_nothing, NULL, 0);
        for (int i = 0; i < CANCELLED; i++)
            CHECK(allot_cancel(cancelled[i]));
        linger(round * 200 * MICROSECOND); /* the keeper falls asleep meanwhile */
        gate_open(&gate);
        finish_all(held, HELD);
        CHECK_STATUS(finish(submit(executor, task_nothing, NULL, 0)), ALLOT_OK);
        allot_release_all(cancelled, CANCELLED);
        gate_destroy(&gate);
    }
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- Priorities ---- */

typedef struct ranked {
    uint64_t key;
    uint32_t band;
} ranked;

/* Tally 0 counts those that have run, tallies 1 to 3 add up their ranks by band. */
static allot_status note_rank(allot_call *call, const void *in, void *out)
{
    (void)call, (void)out;
    const ranked *what = in;
    gate_page *page = gate_page_of(what->key);
    uint32_t rank = atomic_fetch_add(&page->tally[0], 1);
    atomic_fetch_add(&page->tally[1 + what->band], rank);
    gate_page_done(what->key, page);
    return ALLOT_OK;
}

static void high_goes_before_normal_before_low(void)
{
    test_gate gate = gate_create();
    allot_executor *executor = open_with(1);
    allot_future *futures[BANDS * OF_EACH], *held = submit(executor, task_gate, &gate.key, sizeof gate.key);
    gate_await(&gate, 1);
    for (uint32_t i = 0; i < BANDS * OF_EACH; i++) { /* low first */
        ranked what = { gate.key, i / OF_EACH };
        futures[i] = allot_submit(executor, note_rank, &what, sizeof what, 0,
                                  ALLOT_HINTS(.place = ALLOT_PROCESS, .priority = (int)what.band - 1));
    }
    gate_open(&gate);
    CHECK_STATUS(finish(held), ALLOT_OK);
    finish_all(futures, BANDS * OF_EACH);
    uint32_t low = gate_tally(&gate, 1), normal = gate_tally(&gate, 2), high = gate_tally(&gate, 3);
    CHECK(high < normal && normal < low);
    CHECK(low < OF_EACH * (BANDS * OF_EACH - OF_EACH / 2)); /* not all of them last: none starves */
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    gate_destroy(&gate);
}

/* ---- Parts of launches ---- */

/* Every part but the first counts; the first waits until all others have. */
static allot_status wait_for_others(allot_call *call, const allot_part *part)
{
    const uint64_t key = *(const uint64_t *)part->args[0].data;
    uint32_t *y = part->args[1].data;
    gate_page *page = gate_page_of(key);
    for (size_t i = part->begin; i < part->end; i++)
        y[i] = 1;
    atomic_fetch_add(&page->tally[1], 1);
    if (part->begin)
        atomic_fetch_add(&page->tally[0], (uint32_t)(part->end - part->begin));
    while (!part->begin && atomic_load(&page->tally[0]) < part->range.size[0] - part->end)
        sched_yield();
    gate_page_done(key, page);
    return call ? ALLOT_OK : ALLOT_FAILED;
}

/* Returns how many parts there were of each launch. */
static uint32_t parts_go_to_who_is_free(size_t n, int rounds)
{
    static const allot_param params[] = {
        { .name = "key", .type = ALLOT_U64 },
        { .name = "y", .type = ALLOT_U32, .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
    };
    uint32_t parts = 0;
    allot_executor *executor = open_with(2);
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "wait", .params = params, .param_count = 2, .cpu = wait_for_others));
    allot_array *y = allot_array_new(executor, ALLOT_U32, n);
    REQUIRE(kernel && y);
    for (int round = 0; round < rounds; round++) {
        test_gate gate = gate_create();
        CHECK_STATUS(finish(allot_launch(executor, kernel, allot_range(n),
                                         ALLOT_ARGS(allot_u64(gate.key), allot_out(y)),
                                         ALLOT_HINTS(.place = ALLOT_PROCESS))),
                     ALLOT_OK);
        parts = gate_tally(&gate, 1);
        gate_destroy(&gate);
    }
    allot_array_release(y);
    allot_kernel_release(kernel);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    return parts;
}

static void parts_given_ahead_go_to_who_is_free(void)
{
    parts_go_to_who_is_free(100000, ROUNDS(50));
}

/* So that its end does not wait long for the last of them. */
static void a_launch_that_moves_much_is_cut_finer(void)
{
    uint32_t parts = parts_go_to_who_is_free(100000, 1);
    CHECK(parts_go_to_who_is_free(8 << 20, ROUNDS(10)) > parts);
}

/* Stops that meet a launch while it is cut into parts, and while they run. */
static void a_stopped_launch_ends_once(void)
{
    allot_executor *executor = open_with(2);
    allot_array *x = allot_array_full(executor, ALLOT_F32, 1 << 16, 1);
    REQUIRE(x != NULL);
    for (int i = 0; i < ROUNDS(200); i++) { /* a stopped launch leaves what it writes unreadable: a new one */
        allot_array *y = allot_array_full(executor, ALLOT_F32, 1 << 16, 1);
        allot_future *future = allot_launch(executor, allot_axpy(), allot_range(1 << 16),
                                            ALLOT_ARGS(allot_f32(0), allot_in(x), allot_inout(y)),
                                            ALLOT_HINTS(.place = ALLOT_PROCESS));
        linger(i % 40 * 10 * MICROSECOND);
        allot_stop(future, SECOND);
        allot_status status = finish(future);
        CHECK(status == ALLOT_OK || status == ALLOT_STOPPED);
        allot_array_release(y);
    }
    allot_array_release(x);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static const test_fact facts[] = {
    { "nothing waits behind a long call", nothing_waits_behind_a_long_call },
    { "cancelled ones hold nobody up", cancelled_ones_hold_nobody_up },
    { "high priority goes before normal before low, and none starves", high_goes_before_normal_before_low },
    { "parts given ahead go to who is free", parts_given_ahead_go_to_who_is_free },
    { "a launch that moves much is cut finer", a_launch_that_moves_much_is_cut_finer },
    { "a stopped launch ends once, whenever it is met", a_stopped_launch_ends_once },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    watched_suite suite = { .name = "process feed", .facts = facts };
    return watched_main(argc, argv, &suite, 1);
}
