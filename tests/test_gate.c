/* The gate: drain returns when the last one has left, whoever leaves and wherever. */
#include "core/gate.h"
#include "stress/random.h"
#include "support.h"
#include <sched.h>

enum {
    THREADS = 4,
    ROUNDS_OF_RACES = 200,
    PASSES = 400
};

static uint64_t seed;

static void lets_in_until_it_is_closed(void)
{
    al_gate *gate = al_gate_create(NULL);
    REQUIRE(gate != NULL);
    CHECK(al_gate_enter(gate, false) && al_gate_enter(gate, false));
    CHECK(al_gate_inside(gate) == 2);
    al_gate_close(gate);
    CHECK(!al_gate_enter(gate, false));
    CHECK(al_gate_enter(gate, true)); /* while others are inside */
    CHECK(al_gate_inside(gate) == 3);
    for (int i = 0; i < 3; i++)
        al_gate_leave(gate);
    CHECK(al_gate_inside(gate) == 0);
    al_gate_drain(gate);
    al_gate_destroy(gate);
}

static void one_that_is_used_again_is_as_new(void)
{
    al_gate *first = al_gate_create(NULL);
    REQUIRE(first != NULL && al_gate_enter(first, false));
    al_gate_leave(first);
    al_gate_close(first);
    al_gate_destroy(first);
    al_gate *second = al_gate_create(NULL);
    CHECK(second == first);
    CHECK(al_gate_inside(second) == 0 && al_gate_submitted(second) == 0 && al_gate_refused(second) == 0);
    CHECK(al_gate_enter(second, false));
    al_gate_leave(second);
    al_gate_destroy(second);
    al_gate_destroy(NULL);
}

/* ---- Races ---- */

typedef struct race {
    al_gate *gate;
    uint64_t seed;
    _Atomic int32_t *inside; /* what the gate should know */
    _Atomic int32_t *open;   /* entered by one thread, to be left by any */
    _Atomic bool *drained;
    _Atomic uint32_t *late; /* seen inside after drain returned */
} race;

static bool adopt_one(const race *in)
{
    int32_t open = atomic_load(in->open);
    while (open > 0)
        if (atomic_compare_exchange_weak(in->open, &open, open - 1))
            return true;
    return false;
}

static void leave(const race *in)
{
    if (atomic_load(in->drained))
        atomic_fetch_add(in->late, 1);
    atomic_fetch_sub(in->inside, 1);
    al_gate_leave(in->gate);
}

/* Enters until it is refused; leaves for itself or lets another thread do so; forces one in now and then. */
static void *pass(void *of)
{
    const race *in = of;
    random_state random = random_start(in->seed);
    bool refused = false;
    for (int i = 0; i < PASSES && !refused; i++) {
        refused = !al_gate_enter(in->gate, false);
        if (!refused) {
            atomic_fetch_add(in->inside, 1);
            if (random_next(&random) % 4 == 0 && al_gate_enter(in->gate, true)) {
                atomic_fetch_add(in->inside, 1);
                atomic_fetch_add(in->open, 1);
            }
            atomic_fetch_add(in->open, 1);
        }
        if (random_next(&random) % 2 && adopt_one(in))
            leave(in);
    }
    while (adopt_one(in))
        leave(in);
    return NULL;
}

static void race_once(uint64_t number)
{
    _Atomic int32_t inside = 0, open = 0;
    _Atomic bool drained = false;
    _Atomic uint32_t late = 0;
    race inputs[THREADS];
    pthread_t threads[THREADS];
    al_gate *gate = al_gate_create(NULL);
    REQUIRE(gate != NULL);
    for (int i = 0; i < THREADS; i++) {
        inputs[i] = (race){ gate, seed + number * THREADS + (uint64_t)i, &inside, &open, &drained, &late };
        threads[i] = start_thread(pass, &inputs[i]);
    }
    for (uint64_t i = 0; i < number % 8; i++)
        sched_yield();
    al_gate_close(gate);
    al_gate_drain(gate);
    atomic_store(&drained, true);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    CHECK(al_gate_inside(gate) == 0); /* before, who is refused counts for a moment */
    CHECK(atomic_load(&inside) == 0 && atomic_load(&late) == 0);
    al_gate_destroy(gate);
}

static void drain_waits_for_the_last(void)
{
    for (uint64_t i = 0; i < ROUNDS(ROUNDS_OF_RACES); i++)
        race_once(i);
}

static void *drain(void *of)
{
    al_gate_drain(*(al_gate **)of);
    return NULL;
}

static void several_may_drain_at_once(void)
{
    for (int round = 0; round < 50; round++) {
        al_gate *gate = al_gate_create(NULL);
        REQUIRE(gate != NULL && al_gate_enter(gate, false));
        al_gate_close(gate);
        pthread_t threads[3];
        for (int i = 0; i < 3; i++)
            threads[i] = start_thread(drain, &gate);
        for (int i = 0; i < round % 5; i++)
            sched_yield();
        al_gate_leave(gate);
        for (int i = 0; i < 3; i++)
            join_thread(threads[i]);
        CHECK(al_gate_inside(gate) == 0);
        al_gate_destroy(gate);
    }
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "it lets in until it is closed, and then by force only", lets_in_until_it_is_closed },
        { "one that is used again is as new", one_that_is_used_again_is_as_new },
        { "drain waits for the last one, whoever leaves for whom", drain_waits_for_the_last },
        { "several may drain at once", several_may_drain_at_once },
        { NULL, NULL },
    };
    const watched_suite suite = { "gate", facts, NULL };
    seed = random_seed(NULL);
    setenv("TEST_WATCHDOG_S", "120", 0);
    return watched_main(argc, argv, &suite, 1);
}
