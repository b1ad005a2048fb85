/* The work-stealing deque, with an owner and thieves that race. TEST_SEED repeats what they do, not when. */
#include "base/deque.h"
#include "stress/random.h"
#include "support.h"
#include <sched.h>
#include <stdint.h>

enum {
    THIEVES = 3,
    ITEMS = 200000,
    BATCH = 16
};

static uint64_t seed;

static void *item(uintptr_t number)
{
    return (void *)number;
}

static uintptr_t number(void *of)
{
    return (uintptr_t)of;
}

/* ---- One thread ---- */

static void nothing_comes_out_of_a_new_one(void)
{
    al_deque deque = { 0 };
    void *items[4];
    CHECK(!al_deque_take(&deque));
    CHECK(!al_deque_steal(&deque));
    CHECK(al_deque_steal_some(&deque, items, 4) == 0);
    CHECK(al_deque_length(&deque) == 0);
    al_deque_fini(&deque);
}

static void the_owner_takes_the_newest_and_thieves_the_oldest(void)
{
    al_deque deque = { 0 };
    for (uintptr_t i = 1; i <= 4; i++)
        REQUIRE(al_deque_push(&deque, item(i)));
    CHECK(number(al_deque_take(&deque)) == 4);
    CHECK(number(al_deque_steal(&deque)) == 1);
    CHECK(al_deque_length(&deque) == 2);
    CHECK(number(al_deque_take(&deque)) == 3);
    CHECK(number(al_deque_take(&deque)) == 2);
    CHECK(!al_deque_take(&deque) && !al_deque_steal(&deque));
    REQUIRE(al_deque_push(&deque, item(5)));
    CHECK(number(al_deque_steal(&deque)) == 5);
    CHECK(!al_deque_take(&deque));
    al_deque_fini(&deque);
}

static void several_are_at_most_half_and_in_order(void)
{
    al_deque deque = { 0 };
    void *items[8];
    for (uintptr_t i = 1; i <= 7; i++)
        REQUIRE(al_deque_push(&deque, item(i)));
    REQUIRE(al_deque_steal_some(&deque, items, 8) == 4);
    for (uintptr_t i = 0; i < 4; i++)
        CHECK(number(items[i]) == i + 1);
    REQUIRE(al_deque_steal_some(&deque, items, 1) == 1);
    CHECK(number(items[0]) == 5);
    CHECK(al_deque_steal_some(&deque, items, 8) == 1);
    CHECK(al_deque_steal_some(&deque, items, 8) == 1 && number(items[0]) == 7);
    CHECK(al_deque_steal_some(&deque, items, 8) == 0);
    al_deque_fini(&deque);
}

static void grows_with_what_it_holds(void)
{
    al_deque deque = { 0 };
    enum {
        MANY = 5000
    };
    for (uintptr_t i = 1; i <= 100; i++) /* so that it grows where it has wrapped around */
        REQUIRE(al_deque_push(&deque, item(i)) && al_deque_steal(&deque));
    for (uintptr_t i = 1; i <= MANY; i++)
        REQUIRE(al_deque_push(&deque, item(i)));
    CHECK(al_deque_length(&deque) == MANY);
    for (uintptr_t i = 1; i <= MANY / 2; i++)
        CHECK(number(al_deque_steal(&deque)) == i);
    for (uintptr_t i = MANY; i > MANY / 2; i--)
        CHECK(number(al_deque_take(&deque)) == i);
    CHECK(!al_deque_take(&deque));
    al_deque_fini(&deque);
}

/* ---- Many ---- */

typedef struct race {
    al_deque deque;
    bool some; /* thieves take several, the owner none */
    uint32_t items;
    _Atomic uint32_t got, twice;
    _Atomic uint8_t *seen; /* by number */
    _Atomic uint64_t turns;
} race;

static void count(race *in, void *what)
{
    if (atomic_fetch_add_explicit(&in->seen[number(what)], 1, memory_order_relaxed))
        atomic_fetch_add(&in->twice, 1);
    atomic_fetch_add(&in->got, 1);
}

static size_t steal(race *in, random_state *random)
{
    void *items[BATCH];
    size_t got;
    if (in->some)
        got = al_deque_steal_some(&in->deque, items, 1 + random_next(random) % BATCH);
    else
        got = (items[0] = al_deque_steal(&in->deque)) != NULL;
    for (size_t i = 0; i < got; i++)
        count(in, items[i]);
    return got;
}

static void *thief(void *of)
{
    race *in = *(race **)of;
    random_state random = random_start(seed + atomic_fetch_add(&in->turns, 1));
    while (atomic_load(&in->got) < in->items)
        if (!steal(in, &random))
            sched_yield();
    return NULL;
}

/* The owner fills and empties it in waves, so that both meet over the last one again and again. */
static void *owner(void *of)
{
    race *in = *(race **)of;
    random_state random = random_start(seed + 1000);
    uint32_t pushed = 0;
    while (pushed < in->items) {
        uint32_t wave = 1 + (uint32_t)(random_next(&random) % (random_next(&random) % 16 ? 4 : 1500));
        for (uint32_t i = 0; i < wave && pushed < in->items; i++)
            if (!al_deque_push(&in->deque, item(++pushed)))
                abort();
        for (void *taken; !in->some && random_next(&random) % 8 && (taken = al_deque_take(&in->deque));)
            count(in, taken);
    }
    for (void *taken; !in->some && (taken = al_deque_take(&in->deque));)
        count(in, taken);
    return NULL;
}

static void each_comes_out_once(bool some)
{
    race in = { .some = some, .items = ROUNDS(ITEMS) };
    in.seen = calloc(in.items + 1, sizeof in.seen[0]);
    REQUIRE(in.seen != NULL);
    race *inputs[THIEVES];
    pthread_t thieves[THIEVES];
    for (int i = 0; i < THIEVES; i++) {
        inputs[i] = &in;
        thieves[i] = start_thread(thief, &inputs[i]);
    }
    race *mine = &in;
    owner(&mine);
    for (int i = 0; i < THIEVES; i++)
        join_thread(thieves[i]);
    CHECK(atomic_load(&in.got) == in.items);
    CHECK(atomic_load(&in.twice) == 0);
    CHECK(al_deque_length(&in.deque) == 0);
    for (uint32_t i = 1; i <= in.items; i++)
        if (in.seen[i] != 1)
            CU_FAIL("an item did not come out once");
    free(in.seen);
    al_deque_fini(&in.deque);
}

static void each_goes_to_the_owner_or_to_one_thief(void)
{
    each_comes_out_once(false);
}

static void each_goes_to_one_of_those_who_take_several(void)
{
    each_comes_out_once(true);
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "nothing comes out of a new one", nothing_comes_out_of_a_new_one },
        { "the owner takes the newest and thieves the oldest",
          the_owner_takes_the_newest_and_thieves_the_oldest },
        { "several at once are at most half, in order", several_are_at_most_half_and_in_order },
        { "it grows with what it holds", grows_with_what_it_holds },
        { "each item goes to the owner or to one thief", each_goes_to_the_owner_or_to_one_thief },
        { "each item goes to one of those who take several", each_goes_to_one_of_those_who_take_several },
        { NULL, NULL },
    };
    const watched_suite suite = { "deque", facts, NULL };
    seed = random_seed(NULL);
    setenv("TEST_WATCHDOG_S", "120", 0);
    return watched_main(argc, argv, &suite, 1);
}
