/* sync.h, through the public interface: each object between the host's threads, between thread tasks, between
 * worker processes, and between all three. */
#include "stress/random.h"
#include "support.h"
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define PARTIES 3
#define LONG    (15 * SECOND) /* what must not end by its timeout */
#define BRIEF   (2 * MILLISECOND)

static allot_executor *ex;
static random_state dice;

/* Fewer threads than parties: those that wait must let others in. */
static void prepare(void)
{
    if (!ex)
        ex = allot_open(ALLOT_OPTIONS(.threads = 1, .processes = PARTIES));
    REQUIRE(ex != NULL);
}

/* ---- Parties: one function on several sides at once ---- */

typedef struct party_input {
    allot_sync_ref refs[2];
    uint64_t key; /* of a gate, whose tallies are what the objects guard */
    uint32_t me, count, rounds;
} party_input;

typedef enum side {
    HOST,
    THREAD,
    PROCESS
} side;

static const side all_sides[][PARTIES] = {
    { HOST, HOST, HOST },
    { THREAD, THREAD, THREAD },
    { PROCESS, PROCESS, PROCESS },
    { HOST, THREAD, PROCESS },
};

typedef struct host_party {
    allot_function function;
    party_input input;
    allot_status status;
} host_party;

static void *run_on_host(void *of)
{
    host_party *party = of;
    party->status = party->function(NULL, &party->input, NULL);
    return NULL;
}

static allot_future *submit(side where, allot_function function, const party_input *input)
{
    return allot_submit(ex, function, input, sizeof *input, 0,
                        ALLOT_HINTS(.place = where == THREAD ? ALLOT_THREAD : ALLOT_PROCESS));
}

static allot_status outcome(allot_future *future)
{
    allot_status status = allot_get(future, NULL, 0, LONG);
    if (status != ALLOT_OK && status != ALLOT_WORKER_DIED && status != ALLOT_STOPPED)
        printf("\n    %s: %s", allot_status_name(status), allot_future_error(future));
    allot_release(future);
    return status;
}

static void run_parties(const side *sides, allot_function function, party_input input)
{
    host_party hosts[PARTIES];
    pthread_t threads[PARTIES];
    allot_future *futures[PARTIES];
    input.count = PARTIES;
    for (uint32_t i = 0; i < PARTIES; i++) {
        input.me = i;
        hosts[i] = (host_party){ .function = function, .input = input };
        if (sides[i] == HOST)
            threads[i] = start_thread(run_on_host, &hosts[i]);
        else
            futures[i] = submit(sides[i], function, &input);
    }
    for (uint32_t i = 0; i < PARTIES; i++) {
        if (sides[i] == HOST)
            join_thread(threads[i]);
        CHECK_STATUS(sides[i] == HOST ? hosts[i].status : outcome(futures[i]), ALLOT_OK);
    }
}

/* On all sides, one after the other; `check` sees the gate's page after each. */
static void run_everywhere(allot_function function, party_input input,
                           void (*check)(const gate_page *page, const party_input *input))
{
    for (size_t i = 0; i < sizeof all_sides / sizeof all_sides[0]; i++) {
        test_gate gate = gate_create();
        input.key = gate.key;
        run_parties(all_sides[i], function, input);
        if (check)
            check(gate.page, &input);
        gate_destroy(&gate);
    }
}

/* What is guarded: no atomic operation, so that two at once lose one. */
static void add_one(gate_page *page, size_t index)
{
    uint32_t before = atomic_load_explicit(&page->tally[index], memory_order_relaxed);
    if (before % 64 == 0) /* on a busy machine each costs milliseconds */
        sched_yield();
    atomic_store_explicit(&page->tally[index], before + 1, memory_order_relaxed);
}

static uint32_t tally(const gate_page *page, size_t index)
{
    return atomic_load_explicit(&page->tally[index], memory_order_relaxed);
}

/* ---- Mutex ---- */

static allot_status lock_and_add(allot_call *call, const void *in, void *out)
{
    (void)out;
    const party_input *input = in;
    allot_mutex *mutex = allot_mutex_from(call, &input->refs[0]);
    if (!mutex)
        return allot_last_status();
    gate_page *page = gate_page_of(input->key);
    allot_status status = ALLOT_OK;
    for (uint32_t i = 0; i < input->rounds && status == ALLOT_OK; i++) {
        if ((status = allot_mutex_lock(mutex, LONG)) != ALLOT_OK)
            break;
        add_one(page, 0);
        status = allot_mutex_unlock(mutex);
    }
    gate_page_done(input->key, page);
    return status;
}

static void counted_every_round(const gate_page *page, const party_input *input)
{
    CU_ASSERT_EQUAL(tally(page, 0), PARTIES * input->rounds);
}

static void mutex_lets_one_in(void)
{
    allot_mutex *mutex = allot_mutex_create(ex);
    REQUIRE(mutex != NULL);
    run_everywhere(lock_and_add, (party_input){ { allot_mutex_ref(mutex) }, .rounds = ROUNDS(5000) },
                   counted_every_round);
    allot_mutex_destroy(mutex);
}

static void *try_and_fail(void *of)
{
    CHECK_STATUS(allot_mutex_try_lock(of), ALLOT_TIMEOUT);
    int64_t before_ns = now_ns();
    CHECK_STATUS(allot_mutex_lock(of, BRIEF), ALLOT_TIMEOUT);
    CHECK(now_ns() - before_ns >= BRIEF);
    CHECK_STATUS(allot_mutex_unlock(of), ALLOT_INVALID);
    CHECK_STATUS(allot_mutex_consistent(of), ALLOT_INVALID);
    return NULL;
}

static void mutex_knows_its_holder(void)
{
    allot_mutex *mutex = allot_mutex_create(ex);
    CHECK_STATUS(allot_mutex_unlock(mutex), ALLOT_INVALID);
    CHECK_STATUS(allot_mutex_lock(mutex, 0), ALLOT_OK);
    CHECK_STATUS(allot_mutex_lock(mutex, LONG), ALLOT_WOULD_DEADLOCK);
    join_thread(start_thread(try_and_fail, mutex));
    CHECK_STATUS(allot_mutex_unlock(mutex), ALLOT_OK);
    CHECK_STATUS(allot_mutex_unlock(mutex), ALLOT_INVALID);
    allot_mutex_destroy(mutex);
}

static void *lock_and_end(void *of)
{
    CHECK_STATUS(allot_mutex_lock(of, LONG), ALLOT_OK);
    return NULL;
}

static void check_owner_died(allot_mutex *mutex)
{
    CHECK_STATUS(allot_mutex_lock(mutex, LONG), ALLOT_OWNER_DIED);
    CHECK_STATUS(allot_mutex_unlock(mutex), ALLOT_OK);
    CHECK_STATUS(allot_mutex_try_lock(mutex), ALLOT_OWNER_DIED);
    CHECK_STATUS(allot_mutex_consistent(mutex), ALLOT_OK);
    CHECK_STATUS(allot_mutex_unlock(mutex), ALLOT_OK);
    CHECK_STATUS(allot_mutex_try_lock(mutex), ALLOT_OK);
    CHECK_STATUS(allot_mutex_unlock(mutex), ALLOT_OK);
}

static void thread_that_ends_is_reported(void)
{
    allot_mutex *first = allot_mutex_create(ex), *second = allot_mutex_create(ex);
    join_thread(start_thread(lock_and_end, first));
    join_thread(start_thread(lock_and_end, second));
    check_owner_died(second);
    check_owner_died(first);
    allot_mutex_destroy(first);
    allot_mutex_destroy(second);
}

static allot_status lock_and_die(allot_call *call, const void *in, void *out)
{
    (void)out;
    const party_input *input = in;
    allot_mutex *mutex = allot_mutex_from(call, &input->refs[0]);
    allot_status status = mutex ? allot_mutex_lock(mutex, LONG) : allot_last_status();
    if (status != ALLOT_OK)
        return status;
    gate_page *page = gate_page_of(input->key);
    if (input->rounds) { /* until others wait */
        atomic_store(&page->tally[1], 1);
        await_count(&page->tally[2], input->rounds);
    }
    raise(SIGKILL);
    return ALLOT_OK;
}

static void worker_that_dies_is_reported(void)
{
    allot_mutex *mutex = allot_mutex_create(ex);
    test_gate gate = gate_create();
    party_input input = { { allot_mutex_ref(mutex) }, .key = gate.key };
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(outcome(submit(PROCESS, lock_and_die, &input)), ALLOT_WORKER_DIED);
        check_owner_died(mutex);
    }
    gate_destroy(&gate);
    allot_mutex_destroy(mutex);
}

typedef struct waiter {
    allot_mutex *mutex;
    gate_page *page;
    allot_status status;
} waiter;

static void *wait_for_the_dead(void *of)
{
    waiter *self = of;
    atomic_fetch_add(&self->page->tally[2], 1);
    self->status = allot_mutex_lock(self->mutex, LONG);
    if (self->status == ALLOT_OK || self->status == ALLOT_OWNER_DIED)
        allot_mutex_unlock(self->mutex);
    return NULL;
}

static void those_who_wait_for_the_dead_go_on(void)
{
    allot_mutex *mutex = allot_mutex_create(ex);
    test_gate gate = gate_create();
    party_input input = { { allot_mutex_ref(mutex) }, .key = gate.key, .rounds = PARTIES };
    allot_future *dies = submit(PROCESS, lock_and_die, &input);
    await_count(&gate.page->tally[1], 1);
    waiter waiters[PARTIES];
    for (int i = 0; i < PARTIES; i++)
        waiters[i] = (waiter){ mutex, gate.page, ALLOT_OK };
    run_threads(PARTIES, wait_for_the_dead, waiters, sizeof waiters[0]);
    for (int i = 0; i < PARTIES; i++)
        CHECK_STATUS(waiters[i].status, ALLOT_OWNER_DIED);
    CHECK_STATUS(outcome(dies), ALLOT_WORKER_DIED);
    gate_destroy(&gate);
    allot_mutex_destroy(mutex);
}

/* ---- Condition ---- */

static allot_status take_turns(allot_call *call, const void *in, void *out)
{
    (void)out;
    const party_input *input = in;
    allot_mutex *mutex = allot_mutex_from(call, &input->refs[0]);
    allot_condition *condition = mutex ? allot_condition_from(call, &input->refs[1]) : NULL;
    if (!condition)
        return allot_last_status();
    gate_page *page = gate_page_of(input->key);
    allot_status status = allot_mutex_lock(mutex, LONG);
    for (uint32_t i = 0; i < input->rounds && status == ALLOT_OK; i++) {
        while (tally(page, 0) % input->count != input->me && status == ALLOT_OK)
            status = allot_condition_wait(condition, mutex, LONG);
        add_one(page, 0);
        allot_condition_broadcast(condition);
    }
    allot_mutex_unlock(mutex);
    gate_page_done(input->key, page);
    return status;
}

static void condition_passes_turns(void)
{
    allot_mutex *mutex = allot_mutex_create(ex);
    allot_condition *condition = allot_condition_create(ex);
    run_everywhere(
        take_turns,
        (party_input){ { allot_mutex_ref(mutex), allot_condition_ref(condition) }, .rounds = ROUNDS(300) },
        counted_every_round);
    allot_condition_destroy(condition);
    allot_mutex_destroy(mutex);
}

static void condition_times_out_with_the_mutex(void)
{
    allot_mutex *mutex = allot_mutex_create(ex);
    allot_condition *condition = allot_condition_create(ex);
    CHECK_STATUS(allot_condition_wait(condition, mutex, BRIEF), ALLOT_INVALID);
    CHECK_STATUS(allot_mutex_lock(mutex, 0), ALLOT_OK);
    CHECK_STATUS(allot_condition_wait(condition, mutex, 0), ALLOT_TIMEOUT);
    int64_t before_ns = now_ns();
    CHECK_STATUS(allot_condition_wait(condition, mutex, BRIEF), ALLOT_TIMEOUT);
    CHECK(now_ns() - before_ns >= BRIEF);
    CHECK_STATUS(allot_condition_signal(condition), ALLOT_OK); /* of nobody: not kept */
    CHECK_STATUS(allot_condition_wait(condition, mutex, BRIEF), ALLOT_TIMEOUT);
    CHECK_STATUS(allot_mutex_unlock(mutex), ALLOT_OK);
    allot_condition_destroy(condition);
    allot_mutex_destroy(mutex);
}

typedef struct listener {
    allot_mutex *mutex;
    allot_condition *condition;
    _Atomic uint32_t *waiting, *tokens, *heard;
} listener;

static void *listen(void *of)
{
    listener *self = of;
    allot_mutex_lock(self->mutex, LONG);
    atomic_fetch_add(self->waiting, 1);
    while (!atomic_load(self->tokens))
        if (allot_condition_wait(self->condition, self->mutex, LONG) != ALLOT_OK)
            break;
    atomic_fetch_sub(self->tokens, 1);
    atomic_fetch_add(self->heard, 1);
    allot_mutex_unlock(self->mutex);
    return NULL;
}

static void every_signal_wakes_one(void)
{
    _Atomic uint32_t waiting = 0, tokens = 0, heard = 0;
    allot_mutex *mutex = allot_mutex_create(ex);
    allot_condition *condition = allot_condition_create(ex);
    listener self = { mutex, condition, &waiting, &tokens, &heard };
    pthread_t threads[PARTIES];
    for (uint32_t i = 0; i < PARTIES; i++)
        threads[i] = start_thread(listen, &self);
    await_count(&waiting, PARTIES);
    for (uint32_t i = 0; i < PARTIES; i++) {
        allot_mutex_lock(mutex, LONG); /* none holds it: those counted sleep */
        atomic_fetch_add(&tokens, 1);
        allot_mutex_unlock(mutex);
        CHECK_STATUS(allot_condition_signal(condition), ALLOT_OK);
        await_count(&heard, i + 1);
    }
    for (uint32_t i = 0; i < PARTIES; i++)
        join_thread(threads[i]);
    allot_condition_destroy(condition);
    allot_mutex_destroy(mutex);
}

/* ---- Semaphore ---- */

static allot_status enter_few(allot_call *call, const void *in, void *out)
{
    (void)out;
    const party_input *input = in;
    allot_semaphore *semaphore = allot_semaphore_from(call, &input->refs[0]);
    if (!semaphore)
        return allot_last_status();
    gate_page *page = gate_page_of(input->key);
    allot_status status = ALLOT_OK;
    for (uint32_t i = 0; i < input->rounds && status == ALLOT_OK; i++) {
        if ((status = allot_semaphore_acquire(semaphore, LONG)) != ALLOT_OK)
            break;
        uint32_t inside = atomic_fetch_add(&page->inside, 1) + 1, most = atomic_load(&page->most_inside);
        while (most < inside && !atomic_compare_exchange_weak(&page->most_inside, &most, inside))
            continue;
        if (i % 8 == 0)
            sched_yield();
        atomic_fetch_sub(&page->inside, 1);
        atomic_fetch_add(&page->tally[0], 1);
        status = allot_semaphore_release(semaphore, 1);
    }
    gate_page_done(input->key, page);
    return status;
}

static void two_at_most(const gate_page *page, const party_input *input)
{
    counted_every_round(page, input);
    CHECK(atomic_load(&page->most_inside) <= 2);
}

static void semaphore_lets_few_in(void)
{
    allot_semaphore *semaphore = allot_semaphore_create(ex, 2);
    run_everywhere(enter_few, (party_input){ { allot_semaphore_ref(semaphore) }, .rounds = ROUNDS(2000) },
                   two_at_most);
    CU_ASSERT_EQUAL(allot_semaphore_value(semaphore), 2);
    allot_semaphore_destroy(semaphore);
}

static void semaphore_counts(void)
{
    CHECK(!allot_semaphore_create(ex, ALLOT_SEMAPHORE_MAX + UINT32_C(1)));
    CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    allot_semaphore *semaphore = allot_semaphore_create(ex, 1);
    CHECK_STATUS(allot_semaphore_acquire(semaphore, 0), ALLOT_OK);
    CHECK_STATUS(allot_semaphore_acquire(semaphore, 0), ALLOT_TIMEOUT);
    CHECK_STATUS(allot_semaphore_acquire(semaphore, BRIEF), ALLOT_TIMEOUT);
    CHECK_STATUS(allot_semaphore_release(semaphore, 3), ALLOT_OK);
    CHECK_STATUS(allot_semaphore_release(semaphore, ALLOT_SEMAPHORE_MAX), ALLOT_TOO_LARGE);
    CU_ASSERT_EQUAL(allot_semaphore_value(semaphore), 3);
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(allot_semaphore_acquire(semaphore, 0), ALLOT_OK);
    CU_ASSERT_EQUAL(allot_semaphore_value(semaphore), 0);
    allot_semaphore_destroy(semaphore);
}

/* ---- Event ---- */

/* refs[0] stays set and starts everybody; refs[1] resets itself and lets one through at a time. */
static allot_status pass_events(allot_call *call, const void *in, void *out)
{
    (void)out;
    const party_input *input = in;
    allot_event *start = allot_event_from(call, &input->refs[0]);
    allot_event *turn = start ? allot_event_from(call, &input->refs[1]) : NULL;
    if (!turn)
        return allot_last_status();
    gate_page *page = gate_page_of(input->key);
    if (atomic_fetch_add(&page->tally[1], 1) + 1 == input->count)
        allot_event_set(start);
    allot_status status = allot_event_wait(start, LONG);
    for (uint32_t i = 0; i < input->rounds && status == ALLOT_OK; i++) {
        if ((status = allot_event_wait(turn, LONG)) != ALLOT_OK)
            break;
        add_one(page, 0);
        status = allot_event_set(turn);
    }
    gate_page_done(input->key, page);
    return status;
}

static void events_start_and_pass(void)
{
    allot_event *start = allot_event_create(ex, ALLOT_EVENT_STAYS);
    allot_event *turn = allot_event_create(ex, ALLOT_EVENT_RESETS);
    allot_event_set(turn);
    run_everywhere(pass_events,
                   (party_input){ { allot_event_ref(start), allot_event_ref(turn) }, .rounds = ROUNDS(1000) },
                   counted_every_round);
    CHECK(allot_event_is_set(start) && allot_event_is_set(turn));
    allot_event_destroy(start);
    allot_event_destroy(turn);
}

static void events_are_set_and_reset(void)
{
    CHECK(!allot_event_create(ex, (allot_event_kind)7));
    allot_event *stays = allot_event_create(ex, ALLOT_EVENT_STAYS);
    allot_event *resets = allot_event_create(ex, ALLOT_EVENT_RESETS);
    CHECK_STATUS(allot_event_wait(stays, 0), ALLOT_TIMEOUT);
    CHECK_STATUS(allot_event_wait(stays, BRIEF), ALLOT_TIMEOUT);
    allot_event_set(stays);
    CHECK_STATUS(allot_event_wait(stays, 0), ALLOT_OK);
    CHECK_STATUS(allot_event_wait(stays, 0), ALLOT_OK);
    allot_event_reset(stays);
    CHECK(!allot_event_is_set(stays));
    CHECK_STATUS(allot_event_wait(stays, 0), ALLOT_TIMEOUT);
    allot_event_set(resets);
    allot_event_set(resets);
    CHECK_STATUS(allot_event_wait(resets, 0), ALLOT_OK);
    CHECK_STATUS(allot_event_wait(resets, 0), ALLOT_TIMEOUT);
    allot_event_destroy(stays);
    allot_event_destroy(resets);
}

typedef struct pulsed {
    allot_event *event;
    _Atomic uint32_t *passed;
} pulsed;

static void *wait_for_pulse(void *of)
{
    pulsed *self = of;
    CHECK_STATUS(allot_event_wait(self->event, LONG), ALLOT_OK);
    atomic_fetch_add(self->passed, 1);
    return NULL;
}

static void set_and_reset_frees_all_who_wait(void)
{
    allot_event *event = allot_event_create(ex, ALLOT_EVENT_STAYS);
    _Atomic uint32_t passed = 0;
    pulsed self = { event, &passed };
    pthread_t threads[PARTIES];
    for (int i = 0; i < PARTIES; i++)
        threads[i] = start_thread(wait_for_pulse, &self);
    while (atomic_load(&passed) < PARTIES) { /* a thread that only comes now is freed by the next one */
        allot_event_set(event);
        allot_event_reset(event);
        sched_yield();
    }
    for (int i = 0; i < PARTIES; i++)
        join_thread(threads[i]);
    allot_event_destroy(event);
}

/* ---- Barrier ---- */

static allot_status meet(allot_call *call, const void *in, void *out)
{
    (void)out;
    const party_input *input = in;
    allot_barrier *barrier = allot_barrier_from(call, &input->refs[0]);
    if (!barrier)
        return allot_last_status();
    gate_page *page = gate_page_of(input->key);
    allot_status status = ALLOT_OK;
    for (uint32_t i = 1; i <= input->rounds && status == ALLOT_OK; i++) {
        bool last;
        add_one(page, 10 + input->me);
        status = allot_barrier_wait(barrier, LONG, &last);
        if (last)
            atomic_fetch_add(&page->tally[0], PARTIES); /* one of them */
        for (uint32_t other = 0; other < input->count; other++)
            if (tally(page, 10 + other) != i && tally(page, 10 + other) != i + 1)
                status = allot_fail(call, ALLOT_FAILED, "round %u: party %u is at %u", i, other,
                                    tally(page, 10 + other));
    }
    gate_page_done(input->key, page);
    return status;
}

static void barrier_keeps_rounds(void)
{
    allot_barrier *barrier = allot_barrier_create(ex, PARTIES);
    run_everywhere(meet, (party_input){ { allot_barrier_ref(barrier) }, .rounds = ROUNDS(300) },
                   counted_every_round);
    allot_barrier_destroy(barrier);
}

static void *arrive_once(void *of)
{
    CHECK_STATUS(allot_barrier_wait(of, LONG, NULL), ALLOT_OK);
    return NULL;
}

static void who_gives_up_has_not_arrived(void)
{
    CHECK(!allot_barrier_create(ex, 0));
    CHECK(!allot_barrier_create(ex, ALLOT_BARRIER_MAX + 1));
    allot_barrier *barrier = allot_barrier_create(ex, 2);
    for (int i = 0; i < 5; i++)
        CHECK_STATUS(allot_barrier_wait(barrier, i ? BRIEF : 0, NULL), ALLOT_TIMEOUT);
    pthread_t other = start_thread(arrive_once, barrier);
    CHECK_STATUS(allot_barrier_wait(barrier, LONG, NULL), ALLOT_OK);
    join_thread(other);
    CHECK_STATUS(allot_barrier_reset(barrier), ALLOT_INVALID);
    allot_barrier_destroy(barrier);
}

static allot_status open_and_die(allot_call *call, const void *in, void *out)
{
    (void)out;
    const party_input *input = in;
    if (!allot_barrier_from(call, &input->refs[0]))
        return allot_last_status();
    if (input->me)
        raise(SIGKILL);
    return ALLOT_OK;
}

static void *arrive_in_vain(void *of)
{
    CHECK_STATUS(allot_barrier_wait(of, LONG, NULL), ALLOT_WORKER_DIED);
    return NULL;
}

static void death_breaks_a_barrier(void)
{
    allot_barrier *barrier = allot_barrier_create(ex, 2);
    party_input input = { { allot_barrier_ref(barrier) } };
    CHECK_STATUS(outcome(submit(PROCESS, open_and_die, &input)), ALLOT_OK);
    CHECK_STATUS(allot_barrier_wait(barrier, 0, NULL), ALLOT_TIMEOUT); /* it has ended, not died */
    pthread_t other = start_thread(arrive_in_vain, barrier);
    input.me = 1;
    CHECK_STATUS(outcome(submit(PROCESS, open_and_die, &input)), ALLOT_WORKER_DIED);
    join_thread(other);
    CHECK_STATUS(allot_barrier_wait(barrier, LONG, NULL), ALLOT_WORKER_DIED);
    CHECK_STATUS(allot_barrier_reset(barrier), ALLOT_OK);
    other = start_thread(arrive_once, barrier);
    CHECK_STATUS(allot_barrier_wait(barrier, LONG, NULL), ALLOT_OK);
    join_thread(other);
    allot_barrier_destroy(barrier);
}

/* ---- Counter ---- */

static allot_status count_together(allot_call *call, const void *in, void *out)
{
    (void)out;
    const party_input *input = in;
    allot_counter *counter = allot_counter_from(call, &input->refs[0]);
    if (!counter)
        return allot_last_status();
    for (uint32_t i = 0; i < input->rounds; i++)
        allot_counter_add(counter, 1);
    return allot_counter_wait_until(counter, 0, LONG);
}

static void counter_is_a_latch(void)
{
    for (size_t i = 0; i < sizeof all_sides / sizeof all_sides[0]; i++) {
        uint32_t rounds = ROUNDS(20000);
        allot_counter *counter = allot_counter_create(ex, -(int64_t)rounds * PARTIES);
        run_parties(all_sides[i], count_together,
                    (party_input){ { allot_counter_ref(counter) }, .rounds = rounds });
        CU_ASSERT_EQUAL(allot_counter_get(counter), 0);
        allot_counter_destroy(counter);
    }
}

static void counter_counts(void)
{
    allot_counter *counter = allot_counter_create(ex, 5);
    CU_ASSERT_EQUAL(allot_counter_add(counter, -7), -2);
    CHECK_STATUS(allot_counter_wait_until(counter, -2, 0), ALLOT_OK);
    CHECK_STATUS(allot_counter_wait_until(counter, -1, 0), ALLOT_TIMEOUT);
    CHECK_STATUS(allot_counter_wait_until(counter, -1, BRIEF), ALLOT_TIMEOUT);
    CHECK_STATUS(allot_counter_wait_until(counter, INT64_MAX, BRIEF), ALLOT_TIMEOUT);
    CU_ASSERT_EQUAL(allot_counter_add(counter, INT64_MAX), INT64_MAX - 2);
    CU_ASSERT_EQUAL(allot_counter_add(counter, 3), INT64_MIN);
    CU_ASSERT_EQUAL(allot_counter_get(counter), INT64_MIN);
    allot_counter_destroy(counter);
}

typedef struct awaiting {
    allot_counter *counter;
    int64_t value;
} awaiting;

static void *await_value(void *of)
{
    awaiting *self = of;
    CHECK_STATUS(allot_counter_wait_until(self->counter, self->value, LONG), ALLOT_OK);
    CHECK(allot_counter_get(self->counter) >= self->value);
    return NULL;
}

static void each_waits_for_its_own_value(void)
{
    awaiting waiting[8];
    pthread_t threads[8];
    allot_counter *counter = allot_counter_create(ex, 0);
    for (int i = 0; i < 8; i++) {
        waiting[i] = (awaiting){ counter, (i * 5) % 8 * 10 + 10 };
        threads[i] = start_thread(await_value, &waiting[i]);
    }
    for (int i = 0; i < 80; i++) {
        allot_counter_add(counter, 1);
        sched_yield();
    }
    for (int i = 0; i < 8; i++)
        join_thread(threads[i]);
    allot_counter_destroy(counter);
}

/* ---- Queue ---- */

/* An item that shows whether it is whole. */
typedef struct item {
    uint64_t from, number, check;
} item;

static item make_item(uint64_t from, uint64_t number)
{
    return (item){ from, number, ~(from ^ number * 3) };
}

static bool is_whole(const item *of)
{
    return of->check == ~(of->from ^ of->number * 3);
}

/* Party 0 pops till the end, the others push. The producers' last one closes. */
static allot_status push_or_pop(allot_call *call, const void *in, void *out)
{
    (void)out;
    const party_input *input = in;
    allot_queue *queue = allot_queue_from(call, &input->refs[0]);
    if (!queue)
        return allot_last_status();
    gate_page *page = gate_page_of(input->key);
    allot_status status = ALLOT_OK;
    uint64_t next[PARTIES] = { 0 };
    for (uint32_t i = 0; input->me && i < input->rounds && status == ALLOT_OK; i++) {
        item mine = make_item(input->me, i);
        status = allot_queue_push(queue, &mine, LONG);
    }
    if (input->me && atomic_fetch_add(&page->tally[1], 1) + 2 == input->count)
        allot_queue_close(queue);
    for (item got; !input->me && status == ALLOT_OK;) {
        status = allot_queue_pop(queue, &got, LONG);
        if (status == ALLOT_OK && (!is_whole(&got) || got.from >= PARTIES || got.number != next[got.from]++))
            status = allot_fail(call, ALLOT_FAILED, "%d from %d is wrong", (int)got.number, (int)got.from);
        if (status == ALLOT_OK)
            add_one(page, 0);
    }
    gate_page_done(input->key, page);
    return status == ALLOT_END ? ALLOT_OK : status;
}

static void queue_keeps_order(void)
{
    for (size_t i = 0; i < sizeof all_sides / sizeof all_sides[0]; i++) {
        allot_queue *queue = allot_queue_create(ex, 1 + i * 5, sizeof(item));
        test_gate gate = gate_create();
        uint32_t rounds = ROUNDS(3000);
        run_parties(all_sides[i], push_or_pop,
                    (party_input){ { allot_queue_ref(queue) }, .key = gate.key, .rounds = rounds });
        CU_ASSERT_EQUAL(gate_tally(&gate, 0), (PARTIES - 1) * rounds);
        gate_destroy(&gate);
        allot_queue_destroy(queue);
    }
}

static void queue_is_bounded(void)
{
    CHECK(!allot_queue_create(ex, 0, 8));
    CHECK(!allot_queue_create(ex, 8, 0));
    CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    CHECK(!allot_queue_create(ex, SIZE_MAX / 2, 1));
    CHECK_STATUS(allot_last_status(), ALLOT_TOO_LARGE);
    CHECK(!allot_queue_create(ex, 2, SIZE_MAX - 8));
    CHECK(!allot_queue_create(ex, 1 << 20, UINT64_C(1) << 40));
    CHECK_STATUS(allot_last_status(), ALLOT_TOO_LARGE);
    for (size_t capacity = 1; capacity < 5; capacity++) {
        allot_queue *queue = allot_queue_create(ex, capacity, 1);
        CHECK(allot_queue_capacity(queue) == capacity && allot_queue_item_size(queue) == 1);
        for (int lap = 0; lap < 5; lap++) {
            char byte;
            for (size_t i = 0; i < capacity; i++)
                CHECK_STATUS(allot_queue_push(queue, &(char){ (char)i }, 0), ALLOT_OK);
            CU_ASSERT_EQUAL(allot_queue_count(queue), capacity);
            CHECK_STATUS(allot_queue_push(queue, "x", 0), ALLOT_TIMEOUT);
            CHECK_STATUS(allot_queue_push(queue, "x", BRIEF), ALLOT_TIMEOUT);
            for (size_t i = 0; i < capacity; i++) {
                CHECK_STATUS(allot_queue_pop(queue, &byte, 0), ALLOT_OK);
                CU_ASSERT_EQUAL(byte, (char)i);
            }
            CU_ASSERT_EQUAL(allot_queue_count(queue), 0);
            CHECK_STATUS(allot_queue_pop(queue, &byte, 0), ALLOT_TIMEOUT);
            CHECK_STATUS(allot_queue_pop(queue, &byte, BRIEF), ALLOT_TIMEOUT);
        }
        allot_queue_destroy(queue);
    }
}

static void closed_queue_drains(void)
{
    allot_queue *queue = allot_queue_create(ex, 4, sizeof(int));
    int got;
    for (int i = 0; i < 3; i++)
        CHECK_STATUS(allot_queue_push(queue, &i, 0), ALLOT_OK);
    CHECK_STATUS(allot_queue_close(queue), ALLOT_OK);
    CHECK_STATUS(allot_queue_close(queue), ALLOT_OK);
    CHECK_STATUS(allot_queue_push(queue, &(int){ 3 }, LONG), ALLOT_END);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(allot_queue_pop(queue, &got, LONG), ALLOT_OK);
        CU_ASSERT_EQUAL(got, i);
    }
    CHECK_STATUS(allot_queue_pop(queue, &got, LONG), ALLOT_END);
    CHECK_STATUS(allot_queue_pop(queue, &got, 0), ALLOT_END);
    CHECK_STATUS(allot_queue_push(queue, &got, 0), ALLOT_END);
    allot_queue_destroy(queue);
}

static void *pop_one(void *of)
{
    item got;
    CHECK_STATUS(allot_queue_pop(of, &got, LONG), ALLOT_END);
    return NULL;
}

static void *push_one(void *of)
{
    item mine = make_item(0, 0);
    CHECK_STATUS(allot_queue_push(of, &mine, LONG), ALLOT_END);
    return NULL;
}

static void closing_frees_all_who_wait(void)
{
    for (int full = 0; full < 2; full++) {
        allot_queue *queue = allot_queue_create(ex, 1, sizeof(item));
        pthread_t threads[PARTIES];
        item first = make_item(9, 9);
        if (full)
            CHECK_STATUS(allot_queue_push(queue, &first, 0), ALLOT_OK);
        for (int i = 0; i < PARTIES; i++)
            threads[i] = start_thread(full ? push_one : pop_one, queue);
        sched_yield();
        allot_queue_close(queue);
        for (int i = 0; i < PARTIES; i++)
            join_thread(threads[i]);
        allot_queue_destroy(queue);
    }
}

/* How many of a run's items were pushed and popped, by threads that race with the closing. */
typedef struct racer {
    allot_queue *queue;
    bool pushes;
    uint32_t done;
} racer;

static void *race(void *of)
{
    racer *self = of;
    item one = make_item(1, 1);
    while ((self->pushes ? allot_queue_push(self->queue, &one, LONG)
                         : allot_queue_pop(self->queue, &one, LONG)) == ALLOT_OK)
        self->done++;
    return NULL;
}

static void closing_loses_no_item(void)
{
    for (int round = 0; round < ROUNDS(200); round++) {
        racer racers[6] = { 0 };
        pthread_t threads[6];
        allot_queue *queue = allot_queue_create(ex, 1 + (size_t)round % 3, sizeof(item));
        for (int i = 0; i < 6; i++) {
            racers[i] = (racer){ queue, i % 2, 0 };
            threads[i] = start_thread(race, &racers[i]);
        }
        linger((int64_t)(random_next(&dice) % 16) * 4 * MICROSECOND);
        allot_queue_close(queue);
        uint32_t counts[2] = { 0 };
        for (int i = 0; i < 6; i++) {
            join_thread(threads[i]);
            counts[racers[i].pushes] += racers[i].done;
        }
        CU_ASSERT_EQUAL(counts[0], counts[1]);
        allot_queue_destroy(queue);
    }
}

/* ---- Deaths in the middle ---- */

#define BIG 65536

/* me 0: reads the item from, 1: writes it to where there is no memory, past the first half. */
static allot_status die_copying(allot_call *call, const void *in, void *out)
{
    (void)out;
    const party_input *input = in;
    allot_queue *queue = allot_queue_from(call, &input->refs[0]);
    if (!queue)
        return allot_last_status();
    signal(SIGSEGV, SIG_DFL); /* a sanitizer would tell a long story */
    void *nowhere = (void *)(uintptr_t)(allot_call_in_size(call) & 8); /* not known to the compiler */
    return input->me ? allot_queue_pop(queue, nowhere, LONG) : allot_queue_push(queue, nowhere, LONG);
}

static void crash_in_a_push_blocks_nobody(void)
{
    allot_queue *queue = allot_queue_create(ex, 2, BIG);
    party_input input = { { allot_queue_ref(queue) } };
    unsigned char *bytes = calloc(1, BIG);
    for (int i = 0; i < 7; i++) {
        CHECK(outcome(submit(PROCESS, die_copying, &input)) == ALLOT_WORKER_DIED);
        if (i % 2)
            CHECK_STATUS(allot_queue_pop(queue, bytes, 0), ALLOT_TIMEOUT);
        CHECK_STATUS(allot_queue_push(queue, memset(bytes, i, BIG), i % 2 ? 0 : LONG), ALLOT_OK);
        CHECK_STATUS(allot_queue_pop(queue, memset(bytes, 99, BIG), LONG), ALLOT_OK);
        CHECK(bytes[0] == i && bytes[BIG - 1] == i);
    }
    allot_queue_close(queue);
    CHECK_STATUS(allot_queue_pop(queue, bytes, LONG), ALLOT_END);
    allot_queue_destroy(queue);
    free(bytes);
}

static void crash_in_a_pop_loses_that_item_alone(void)
{
    allot_queue *queue = allot_queue_create(ex, 2, BIG);
    party_input input = { { allot_queue_ref(queue) }, .me = 1 };
    unsigned char *bytes = calloc(1, BIG);
    for (int i = 0; i < 7; i++) {
        CHECK_STATUS(allot_queue_push(queue, memset(bytes, i, BIG), 0), ALLOT_OK);
        CHECK_STATUS(allot_queue_push(queue, memset(bytes, i + 100, BIG), 0), ALLOT_OK);
        CHECK(outcome(submit(PROCESS, die_copying, &input)) == ALLOT_WORKER_DIED);
        CHECK_STATUS(allot_queue_pop(queue, bytes, 0), ALLOT_OK);
        CHECK(bytes[0] == i + 100 && bytes[BIG - 1] == i + 100);
        CHECK_STATUS(allot_queue_pop(queue, bytes, 0), ALLOT_TIMEOUT);
    }
    allot_queue_destroy(queue);
    free(bytes);
}

/* Everything at once, until the timer kills this process: lock, count, push and pop. */
static void die_in(uint32_t microseconds)
{
    signal(SIGALRM, SIG_DFL);
    struct itimerval timer = { .it_value = { .tv_usec = (suseconds_t)microseconds } };
    setitimer(ITIMER_REAL, &timer, NULL);
}

typedef struct storm_input {
    allot_sync_ref queue, mutex, semaphore, counter, condition;
    uint64_t from, key;
    uint32_t live_us;
} storm_input;

static allot_status storm(allot_call *call, const void *in, void *out)
{
    (void)out;
    const storm_input *input = in;
    allot_queue *queue = allot_queue_from(call, &input->queue);
    allot_mutex *mutex = allot_mutex_from(call, &input->mutex);
    allot_semaphore *semaphore = allot_semaphore_from(call, &input->semaphore);
    allot_counter *counter = allot_counter_from(call, &input->counter);
    allot_condition *condition = allot_condition_from(call, &input->condition);
    if (!queue || !mutex || !semaphore || !counter || !condition)
        return allot_last_status();
    die_in(input->live_us);
    for (uint64_t i = 0;; i++) {
        item one = make_item(input->from, i);
        allot_status locked = allot_mutex_lock(mutex, LONG);
        if (locked == ALLOT_OWNER_DIED)
            allot_mutex_consistent(mutex);
        else if (locked != ALLOT_OK)
            return allot_fail(call, ALLOT_FAILED, "the mutex: %s", allot_status_name(locked));
        if (i % 8 == 0)
            allot_condition_wait(condition, mutex, BRIEF / 100);
        allot_condition_signal(condition);
        allot_mutex_unlock(mutex);
        allot_semaphore_release(semaphore, 1);
        allot_semaphore_acquire(semaphore, LONG);
        allot_counter_add(counter, 1);
        allot_status pushed = allot_queue_push(queue, &one, LONG);
        if (pushed != ALLOT_OK)
            return allot_fail(call, ALLOT_FAILED, "the queue: %s", allot_status_name(pushed));
        if (i % 4 == 3)
            allot_queue_pop(queue, &one, 0);
    }
}

/* The host's part: pops all the while, and looks that no item is torn or comes twice. */
typedef struct drain {
    allot_queue *queue;
    uint64_t *next; /* by producer: the lowest number that may come */
    uint64_t producers, got, wrong;
} drain;

static void *pop_all(void *of)
{
    drain *self = of;
    item got;
    allot_status status;
    while ((status = allot_queue_pop(self->queue, &got, LONG)) == ALLOT_OK) {
        self->got++;
        bool right = is_whole(&got) && got.from < self->producers && got.number >= self->next[got.from];
        self->wrong += !right;
        if (right)
            self->next[got.from] = got.number + 1;
    }
    self->wrong += status != ALLOT_END;
    return NULL;
}

static void killed_at_any_moment(void)
{
    enum {
        KILLS = TEST_SANITIZED ? 12 : 90
    };
    allot_queue *queue = allot_queue_create(ex, 4, sizeof(item));
    allot_mutex *mutex = allot_mutex_create(ex);
    allot_semaphore *semaphore = allot_semaphore_create(ex, 0);
    allot_counter *counter = allot_counter_create(ex, 0);
    allot_condition *condition = allot_condition_create(ex);
    uint64_t *next = calloc(KILLS, sizeof *next);
    drain host = { queue, next, KILLS, 0, 0 };
    pthread_t popper = start_thread(pop_all, &host);
    allot_future *futures[KILLS];
    for (uint64_t i = 0; i < KILLS; i++) {
        storm_input input = { allot_queue_ref(queue),
                              allot_mutex_ref(mutex),
                              allot_semaphore_ref(semaphore),
                              allot_counter_ref(counter),
                              allot_condition_ref(condition),
                              i,
                              0,
                              200 + (uint32_t)(random_next(&dice) % 5000) };
        futures[i] = allot_submit(ex, storm, &input, sizeof input, 0, ALLOT_HINTS(.place = ALLOT_PROCESS));
    }
    for (uint64_t i = 0; i < KILLS; i++)
        CHECK_STATUS(outcome(futures[i]), ALLOT_WORKER_DIED);
    allot_queue_close(queue);
    join_thread(popper);
    CU_ASSERT_EQUAL(host.wrong, 0);
    CHECK(host.got <= (uint64_t)allot_counter_get(counter));
    allot_status status = allot_mutex_lock(mutex, LONG);
    CHECK(status == ALLOT_OK || status == ALLOT_OWNER_DIED);
    CHECK_STATUS(allot_mutex_unlock(mutex), ALLOT_OK);
    free(next);
    allot_condition_destroy(condition);
    allot_counter_destroy(counter);
    allot_semaphore_destroy(semaphore);
    allot_mutex_destroy(mutex);
    allot_queue_destroy(queue);
}

/* ---- Stop ---- */

static allot_status wait_in_vain(allot_call *call, const void *in, void *out)
{
    (void)out;
    const party_input *input = in;
    allot_event *event = allot_event_from(call, &input->refs[0]);
    gate_page *page = gate_page_of(input->key);
    atomic_fetch_add(&page->tally[0], 1);
    allot_status status = event ? allot_event_wait(event, ALLOT_FOREVER) : allot_last_status();
    atomic_store(&page->tally[1], (uint32_t)status);
    gate_page_done(input->key, page);
    return status;
}

static void stop_ends_a_wait(void)
{
    allot_event *event = allot_event_create(ex, ALLOT_EVENT_STAYS);
    for (side where = THREAD; where <= PROCESS; where++) {
        test_gate gate = gate_create();
        party_input input = { { allot_event_ref(event) }, .key = gate.key };
        allot_future *future = submit(where, wait_in_vain, &input);
        await_count(&gate.page->tally[0], 1);
        CHECK_STATUS(allot_stop(future, LONG), ALLOT_OK);
        CHECK_STATUS(outcome(future), ALLOT_STOPPED);
        CU_ASSERT_EQUAL(gate_tally(&gate, 1), ALLOT_STOPPED);
        gate_destroy(&gate);
    }
    allot_event_destroy(event);
}

/* With one worker: the second task can only run when the first one's wait lets another worker in. */
static void waiting_lets_others_work(void)
{
    allot_executor *one = allot_open(ALLOT_OPTIONS(.threads = 1, .places = ALLOT_KIND_BIT(ALLOT_THREAD)));
    allot_event *event = allot_event_create(one, ALLOT_EVENT_STAYS);
    test_gate gate = gate_create();
    party_input input = { { allot_event_ref(event) }, .key = gate.key };
    allot_future *waits = allot_submit(one, wait_in_vain, &input, sizeof input, 0, NULL);
    await_count(&gate.page->tally[0], 1);
    tally_input second = { gate.key, 5 };
    CHECK_STATUS(outcome(allot_submit(one, task_tally, &second, sizeof second, 0, NULL)), ALLOT_OK);
    allot_event_set(event);
    CHECK_STATUS(outcome(waits), ALLOT_OK);
    CHECK_STATUS(allot_close(one), ALLOT_OK);
    gate_destroy(&gate);
    allot_event_destroy(event);
}

/* ---- References ---- */

static allot_status open_queue(allot_call *call, const void *in, void *out)
{
    (void)out;
    return allot_queue_from(call, in) ? ALLOT_OK : allot_last_status();
}

static allot_status open_ref(side where, allot_sync_ref ref, char *text, size_t size)
{
    allot_future *future = allot_submit(ex, open_queue, &ref, sizeof ref, 0,
                                        ALLOT_HINTS(.place = where == THREAD ? ALLOT_THREAD : ALLOT_PROCESS));
    allot_status status = allot_get(future, NULL, 0, LONG);
    snprintf(text, size, "%s", allot_future_error(future));
    allot_release(future);
    return status;
}

static void wrong_references_are_refused(void)
{
    char text[200];
    allot_mutex *mutex = allot_mutex_create(ex);
    allot_queue *queue = allot_queue_create(ex, 1, 1);
    allot_sync_ref right = allot_queue_ref(queue), guessed = right;
    guessed.word[1]++;
    CHECK(allot_queue_from(NULL, &right) == queue);
    CHECK(!allot_queue_from(NULL, &guessed) && !allot_queue_from(NULL, NULL));
    for (side where = THREAD; where <= PROCESS; where++) {
        CHECK_STATUS(open_ref(where, right, text, sizeof text), ALLOT_OK);
        CHECK_STATUS(open_ref(where, (allot_sync_ref){ { 0 } }, text, sizeof text), ALLOT_NOT_FOUND);
        CHECK_STATUS(open_ref(where, guessed, text, sizeof text), ALLOT_NOT_FOUND);
        CHECK(strstr(text, "names no object") != NULL);
        CHECK_STATUS(open_ref(where, allot_mutex_ref(mutex), text, sizeof text), ALLOT_INVALID);
        CU_ASSERT_STRING_EQUAL(text, "the reference names a mutex, not a queue");
    }
    allot_queue_destroy(queue);
    for (side where = THREAD; where <= PROCESS; where++)
        CHECK_STATUS(open_ref(where, right, text, sizeof text), ALLOT_NOT_FOUND);
    allot_mutex_destroy(mutex);
}

static void null_is_invalid(void)
{
    char byte = 0;
    CHECK(!allot_mutex_create(NULL));
    CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    CHECK_STATUS(allot_mutex_lock(NULL, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_mutex_unlock(NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_condition_wait(NULL, NULL, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_condition_signal(NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_semaphore_acquire(NULL, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_semaphore_release(NULL, 1), ALLOT_INVALID);
    CHECK_STATUS(allot_event_set(NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_event_reset(NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_event_wait(NULL, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_barrier_wait(NULL, 0, NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_barrier_reset(NULL), ALLOT_INVALID);
    CHECK_STATUS(allot_counter_wait_until(NULL, 0, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_queue_push(NULL, &byte, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_queue_pop(NULL, &byte, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_queue_close(NULL), ALLOT_INVALID);
    CHECK(!allot_semaphore_value(NULL) && !allot_event_is_set(NULL) && !allot_counter_get(NULL) &&
          !allot_counter_add(NULL, 1) && !allot_queue_count(NULL) && !allot_queue_capacity(NULL) &&
          !allot_queue_item_size(NULL));
    allot_queue *queue = allot_queue_create(ex, 1, 1);
    CHECK_STATUS(allot_queue_push(queue, NULL, 0), ALLOT_INVALID);
    CHECK_STATUS(allot_queue_pop(queue, NULL, 0), ALLOT_INVALID);
    allot_queue_destroy(queue);
    allot_mutex_destroy(NULL), allot_condition_destroy(NULL), allot_semaphore_destroy(NULL);
    allot_event_destroy(NULL), allot_barrier_destroy(NULL), allot_counter_destroy(NULL);
    allot_queue_destroy(NULL);
    allot_sync_ref none = allot_mutex_ref(NULL);
    CHECK(!none.word[0] && !none.word[1]);
}

static void objects_outlive_their_executor(void)
{
    allot_executor *brief = allot_open(NULL);
    allot_queue *queue = allot_queue_create(brief, 1, 1);
    allot_close(brief);
    char text[100];
    CHECK_STATUS(open_ref(PROCESS, allot_queue_ref(queue), text, sizeof text), ALLOT_OK);
    CHECK_STATUS(allot_queue_push(queue, "x", 0), ALLOT_OK);
    allot_queue_destroy(queue);
}

/* ---- What is left behind ---- */

static void one_round_of_objects(void)
{
    allot_queue *queue = allot_queue_create(ex, 1000, 1000);
    allot_mutex *mutex = allot_mutex_create(ex);
    char text[100];
    CHECK_STATUS(open_ref(PROCESS, allot_queue_ref(queue), text, sizeof text), ALLOT_OK);
    allot_mutex_destroy(mutex);
    allot_queue_destroy(queue);
}

static void nothing_is_left_behind(void)
{
    for (int i = 0; i < 50; i++)
        one_round_of_objects();
    int fds = count_fds();
    size_t bytes = resident_bytes();
    for (int i = 0; i < ROUNDS(500); i++)
        one_round_of_objects();
    CHECK(count_fds() <= fds);
    CHECK(TEST_SANITIZED || resident_bytes() < bytes + (4 << 20));
}

typedef struct many_input {
    allot_sync_ref refs[200];
} many_input;

/* More than a worker keeps open between tasks. */
static allot_status open_many(allot_call *call, const void *in, void *out)
{
    const many_input *input = in;
    int64_t sum = 0;
    allot_counter *counters[200];
    for (int i = 0; i < 200; i++)
        if (!(counters[i] = allot_counter_from(call, &input->refs[i])))
            return allot_last_status();
    for (int i = 0; i < 200; i++)
        sum += allot_counter_add(counters[i], 1);
    *(int64_t *)out = sum;
    return ALLOT_OK;
}

static void a_task_opens_many(void)
{
    many_input input;
    allot_counter *counters[200];
    for (int i = 0; i < 200; i++) {
        counters[i] = allot_counter_create(ex, i);
        input.refs[i] = allot_counter_ref(counters[i]);
    }
    for (int round = 1; round <= 5; round++) {
        int64_t sum = 0;
        allot_future *future = allot_submit(ex, open_many, &input, sizeof input, sizeof sum,
                                            ALLOT_HINTS(.place = ALLOT_PROCESS));
        CHECK_STATUS(allot_get(future, &sum, sizeof sum, LONG), ALLOT_OK);
        CU_ASSERT_EQUAL(sum, 199 * 100 + 200 * round);
        allot_release(future);
    }
    for (int i = 0; i < 200; i++)
        allot_counter_destroy(counters[i]);
}

static const test_fact facts[] = {
    { "a mutex lets one in at a time, on every side", mutex_lets_one_in },
    { "a mutex knows its holder, and times out", mutex_knows_its_holder },
    { "a thread that ends with a mutex is reported", thread_that_ends_is_reported },
    { "a worker that dies with a mutex is reported", worker_that_dies_is_reported },
    { "those who wait for the dead go on", those_who_wait_for_the_dead_go_on },
    { "a condition passes turns, on every side", condition_passes_turns },
    { "a condition times out with the mutex held", condition_times_out_with_the_mutex },
    { "every signal wakes one", every_signal_wakes_one },
    { "a semaphore lets few in, on every side", semaphore_lets_few_in },
    { "a semaphore counts, and times out", semaphore_counts },
    { "events start all and pass one, on every side", events_start_and_pass },
    { "events are set and reset, and time out", events_are_set_and_reset },
    { "set and reset frees all who wait", set_and_reset_frees_all_who_wait },
    { "a barrier keeps rounds, on every side", barrier_keeps_rounds },
    { "who gives up has not arrived", who_gives_up_has_not_arrived },
    { "a death breaks the barriers that the task had opened", death_breaks_a_barrier },
    { "a counter is a latch, on every side", counter_is_a_latch },
    { "a counter counts, and times out", counter_counts },
    { "each waits for its own value of a counter", each_waits_for_its_own_value },
    { "a queue keeps order, on every side", queue_keeps_order },
    { "a queue is bounded, and times out", queue_is_bounded },
    { "a closed queue drains", closed_queue_drains },
    { "closing frees all who wait", closing_frees_all_who_wait },
    { "closing loses no item", closing_loses_no_item },
    { "a crash in a push blocks nobody", crash_in_a_push_blocks_nobody },
    { "a crash in a pop loses that item alone", crash_in_a_pop_loses_that_item_alone },
    { "workers killed at any moment leave everything usable", killed_at_any_moment },
    { "a stop ends a wait", stop_ends_a_wait },
    { "a thread task that waits lets others work", waiting_lets_others_work },
    { "wrong references are refused", wrong_references_are_refused },
    { "NULL is invalid", null_is_invalid },
    { "objects outlive their executor", objects_outlive_their_executor },
    { "a task opens many", a_task_opens_many },
    { "nothing is left behind", nothing_is_left_behind },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    dice = random_start(random_seed(NULL));
    watched_suite suite = { "sync", facts, prepare };
    int code = watched_main(argc, argv, &suite, 1);
    return allot_close(ex) == ALLOT_OK ? code : EXIT_FAILURE;
}
