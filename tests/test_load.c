/* What is queued where, and who is free first. */
#include "places/load.h"
#include "test.h"
#include <string.h>
#include <time.h>

#define MS INT64_C(1000000)

/* ---- One resource ---- */

static void a_device_works_off_one_launch_after_the_other(void)
{
    al_load load = { .width = 1 };
    CU_ASSERT_EQUAL(al_load_wait_ns(&load, 1, 5 * MS), 0);
    al_load_charge(&load, 10 * MS, 1, 5 * MS);
    CU_ASSERT_EQUAL(al_load_begin(&load, 10 * MS, 1), 0);
    al_load_charge(&load, 4 * MS, 1, 6 * MS);
    CU_ASSERT_EQUAL(al_load_wait_ns(&load, 1, 6 * MS), 13 * MS); /* until 19 */
    CU_ASSERT_EQUAL(al_load_wait_ns(&load, 1, 12 * MS), 7 * MS);
    al_load_discharge(&load, 10 * MS, 1, 13 * MS); /* sooner than thought */
    CU_ASSERT_EQUAL(al_load_wait_ns(&load, 1, 13 * MS), 4 * MS);
    CU_ASSERT_EQUAL(al_load_begin(&load, 4 * MS, 1), 1); /* another began before it */
    al_load_discharge(&load, 4 * MS, 1, 15 * MS);
    CU_ASSERT_EQUAL(al_load_wait_ns(&load, 1, 15 * MS), 0);
}

static void one_that_is_late_does_not_hide_those_behind_it(void)
{
    al_load load = { .width = 1 };
    al_load_charge(&load, 1 * MS, 1, 0);
    al_load_begin(&load, 1 * MS, 1);
    al_load_charge(&load, 3 * MS, 1, 0);
    CU_ASSERT_EQUAL(al_load_wait_ns(&load, 1, 100 * MS), 3 * MS);
}

static void a_launch_beside_others_that_leave_workers_free_does_not_wait(void)
{
    al_load load = { .width = 4 };
    al_load_charge(&load, 8 * MS, 3, 0);
    CU_ASSERT_EQUAL(al_load_wait_ns(&load, 1, 0), 0);
    CU_ASSERT_EQUAL(al_load_wait_ns(&load, 2, 0), 6 * MS); /* 24 ms of work on 4 workers */
    al_load_charge(&load, 8 * MS, 1, 0);
    CU_ASSERT_EQUAL(al_load_wait_ns(&load, 1, 0), 8 * MS);
    CU_ASSERT_EQUAL(al_load_wait_ns(&load, 0, 0), 8 * MS); /* one that only waits adds nothing itself */
    al_load_discharge(&load, 8 * MS, 3, 8 * MS);
    CU_ASSERT_EQUAL(al_load_wait_ns(&load, 3, 8 * MS), 0);
}

static void absurd_predictions_stay_in_range(void)
{
    al_load load = { .width = 1 };
    for (int i = 0; i < 100; i++)
        al_load_charge(&load, INT64_MAX / 3, 1000, 1);
    CU_ASSERT_TRUE(al_load_wait_ns(&load, 1, 1) > 0);
    for (int i = 0; i < 100; i++)
        al_load_discharge(&load, INT64_MAX / 3, 1000, 2);
    CU_ASSERT_EQUAL(al_load_wait_ns(&load, 1, 2), 0);
}

/* ---- Who is free first ---- */

static size_t first_by_looking(const al_load *loads, const bool *out, size_t count)
{
    size_t first = SIZE_MAX;
    for (size_t i = 0; i < count; i++)
        if (!out[i] && (first == SIZE_MAX || loads[i].free_at_ns < loads[first].free_at_ns))
            first = i;
    return first;
}

enum {
    LOADS = 300
};

static void the_tournament_knows_who_is_free_first(void)
{
    static al_load loads[LOADS];
    static bool out[LOADS];
    const char *text = getenv("TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL), state = seed * 2 + 1;
    printf("TEST_SEED=%llu ", (unsigned long long)seed);
    memset(loads, 0, sizeof loads);
    memset(out, 0, sizeof out);
    al_ready ready = { 0 };
    size_t count = 0, wrong = 0;
    for (int i = 0; i < 20000; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t draw = state >> 33;
        if (count < LOADS && draw % 50 == 0) {
            loads[count].width = 1;
            CU_ASSERT_TRUE_FATAL(al_ready_add(&ready, &loads[count]));
            count++;
        }
        if (!count)
            continue;
        al_load *load = &loads[draw % count];
        if (draw % 7 == 0 && load->busy)
            al_load_discharge(load, 5, 1, i);
        else
            al_load_charge(load, 5 + (int64_t)(draw % 11), 1, i);
        if (draw % 997 == 0 && count > 10) {
            al_ready_withdraw(&ready, load);
            out[load->slot] = true;
        }
        size_t expected = first_by_looking(loads, out, count);
        wrong += expected != SIZE_MAX && al_ready_first(&ready) != expected;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(count > 100);
    al_ready_fini(&ready);
}

static void of_none_it_says_the_first(void)
{
    al_ready ready = { 0 };
    CU_ASSERT_EQUAL(al_ready_first(&ready), 0);
    al_ready_fini(&ready);
}

int main(void)
{
    static const test_fact facts[] = {
        { "a device works off one launch after the other", a_device_works_off_one_launch_after_the_other },
        { "one that is late does not hide those behind it", one_that_is_late_does_not_hide_those_behind_it },
        { "a launch beside others that leave workers free does not wait",
          a_launch_beside_others_that_leave_workers_free_does_not_wait },
        { "absurd predictions stay in range", absurd_predictions_stay_in_range },
        { "the tournament knows who is free first", the_tournament_knows_who_is_free_first },
        { "of none it says the first", of_none_it_says_the_first },
        { NULL, NULL },
    };
    return test_main("load", facts);
}
