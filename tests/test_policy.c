/* Choosing a place: snapshots in, decision out. */
#include "placement/policy.h"
#include "test.h"
#include <math.h>
#include <string.h>
#include <time.h>

#define US 1e-6
#define MS 1e-3

enum {
    MOST = 4
};

/* A place that could run it: samples, ready, transfer, compile, expected run, optimistic run. */
#define CAN(samples_, ready, transfer, compile, run, low)                                                    \
    {                                                                                                        \
        .possible = true, .samples = (samples_), .ready_s = (ready), .transfer_s = (transfer),               \
        .compile_s = (compile), .run_s = (run), .low_s = (low),                                              \
        .total_s = (ready) + (transfer) + (compile) + (run)                                                  \
    }
#define CANNOT                                                                                               \
    {                                                                                                        \
        .possible = false, .samples = 99                                                                     \
    }

typedef struct policy_row {
    const char *says;
    allot_candidate candidates[MOST];
    size_t count;
    double busy_s, explored_s;
    int chosen;
    bool explores;
    const char *why; /* how it begins */
} policy_row;

static const policy_row rows[] = {
    { "no candidate at all", { { .possible = false } }, 0, 0, 0, -1, false, "no place can run it" },
    { "none is possible", { CANNOT, CANNOT }, 2, 1, 0, -1, false, "no place can run it" },
    { "one is possible, however dear", { CANNOT, CAN(0, 9, 9, 9, 9, 9) }, 2, 0, 0, 1, false, "the only one" },

    /* Both known. */
    { "the lower total wins",
      { CAN(5, 0, 0, 0, 3 * MS, 3 * MS), CAN(5, 0, 0, 0, 2 * MS, 2 * MS) },
      2,
      1,
      0,
      1,
      false,
      "lowest predicted cost" },
    { "what is queued there counts",
      { CAN(5, 5 * MS, 0, 0, 1 * MS, 1 * MS), CAN(5, 0, 0, 0, 2 * MS, 2 * MS) },
      2,
      1,
      0,
      1,
      false,
      "lowest predicted cost" },
    { "moving the data counts",
      { CAN(5, 0, 0, 0, 2 * MS, 2 * MS), CAN(5, 0, 4 * MS, 0, 1 * MS, 1 * MS) },
      2,
      1,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "of equals the first",
      { CAN(5, 0, 0, 0, 2 * MS, 2 * MS), CAN(7, 0, 0, 0, 2 * MS, 2 * MS) },
      2,
      1,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "a known place is not explored, hopeful as it may be",
      { CAN(5, 0, 0, 0, 2 * MS, 2 * MS), CAN(1, 0, 0, 0, 3 * MS, 1 * US) },
      2,
      1e6,
      0,
      0,
      false,
      "lowest predicted cost" },

    /* The cold start: nothing is known. */
    { "by a guess the lowest total",
      { CAN(0, 0, 0, 0, 5 * US, 1 * US), CAN(0, 0, 0, 0, 30 * US, 7 * US) },
      2,
      0,
      0,
      0,
      false,
      "lowest predicted cost, by a guess" },
    { "a hopeful one is no reason while all are guesses",
      { CAN(0, 0, 0, 0, 50 * US, 40 * US), CAN(0, 0, 0, 0, 60 * US, 1 * US) },
      2,
      0,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "a compiler that takes longer than the others' whole run is not waited for",
      { CAN(0, 0, 0, 0, 150 * MS, 40 * MS), CAN(0, 0, 0, 200 * MS, 1 * MS, 1 * US) },
      2,
      0,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "a compiler that pays at the first run is",
      { CAN(0, 0, 0, 0, 1, 0.25), CAN(0, 0, 0, 200 * MS, 300 * MS, 40 * MS) },
      2,
      0,
      0,
      1,
      false,
      "lowest predicted cost" },

    /* One is known, one is not. */
    { "a guess below what is known is simply the lowest",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 5 * MS, 1 * MS) },
      2,
      0,
      0,
      1,
      false,
      "lowest predicted cost, by a guess" },
    { "untried, and at best cheaper: tried without a budget",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 30 * MS, 5 * MS) },
      2,
      0,
      0,
      1,
      true,
      "explored: untried, and at" },
    { "untried, and even at best dearer: not tried",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 30 * MS, 10 * MS) },
      2,
      0.5,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "untried, dearer, and the budget allows it",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 30 * MS, 10 * MS) },
      2,
      0.601,
      0,
      1,
      true,
      "explored: untried, and within" },
    { "what was explored is taken off the budget",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 30 * MS, 10 * MS) },
      2,
      0.601,
      1 * MS,
      0,
      false,
      "lowest predicted cost" },
    { "compiling counts against the hope",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 8 * MS, 30 * MS, 2 * MS) },
      2,
      0,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "a microsecond task does not wait for a compiler",
      { CAN(9, 0, 0, 0, 1 * US, 1 * US), CAN(0, 0, 0, 600 * MS, 40 * US, 0) },
      2,
      11.9,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "until the compiler fits the budget",
      { CAN(9, 0, 0, 0, 1 * US, 1 * US), CAN(0, 0, 0, 600 * MS, 40 * US, 0) },
      2,
      12.1,
      0,
      1,
      true,
      "explored: untried, and within" },

    /* Several untried. */
    { "the most hopeful one is tried",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 30 * MS, 8 * MS), CAN(0, 0, 0, 0, 40 * MS, 2 * MS) },
      3,
      0,
      0,
      2,
      true,
      "explored: untried, and at" },
    { "of the hopeless the cheapest is tried",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 40 * MS, 10 * MS),
        CAN(0, 0, 0, 0, 30 * MS, 20 * MS) },
      3,
      10,
      0,
      2,
      true,
      "explored: untried, and within" },
    { "an impossible one is never the one to try",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CANNOT, CAN(0, 0, 0, 0, 40 * MS, 10 * MS) },
      3,
      10,
      0,
      2,
      true,
      "explored: untried, and within" },

    /* Figures that are none. */
    { "what is not a number does not win",
      { CAN(5, 0, 0, 0, NAN, NAN), CAN(5, 0, 0, 0, 1, 1) },
      2,
      1,
      0,
      1,
      false,
      "lowest predicted cost" },
    { "nor does it keep the only one away",
      { CAN(0, 0, 0, 0, NAN, NAN) },
      1,
      1,
      0,
      0,
      false,
      "the only one" },
    { "nor all of them",
      { CAN(0, 0, 0, 0, NAN, NAN), CAN(2, 0, 0, 0, INFINITY, 1) },
      2,
      1,
      0,
      0,
      false,
      "lowest predicted cost" },
};

static void decides_each_row_as_it_says(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const policy_row *row = &rows[i];
        al_snapshot snapshot = { row->candidates, row->count, row->busy_s, row->explored_s };
        al_choice made = al_policy_choose(&snapshot);
        bool right = made.chosen == row->chosen && made.explores == row->explores &&
                     strncmp(made.why, row->why, strlen(row->why)) == 0;
        if (!right)
            printf("\n    %s: chose %d%s, \"%s\" ", row->says, made.chosen,
                   made.explores ? " to explore" : "", made.why);
        CU_ASSERT_TRUE(right);
    }
}

/* ---- Any snapshot ---- */

static uint64_t random_state;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

static double random_seconds(void)
{
    static const double odd[] = { 0, NAN, INFINITY, -1 };
    if (random_below(10) == 0)
        return odd[random_below(4)];
    return ldexp((double)random_below(1000), -(int)random_below(30));
}

static allot_candidate random_candidate(void)
{
    allot_candidate candidate = CAN(random_below(2) * random_below(9), random_seconds(), random_seconds(),
                                    random_seconds(), random_seconds(), random_seconds());
    candidate.possible = random_below(3) > 0;
    return candidate;
}

/* What must hold of any choice. */
static bool sound(const al_snapshot *snapshot, al_choice made)
{
    bool any = false;
    for (size_t i = 0; i < snapshot->count; i++)
        any = any || snapshot->candidates[i].possible;
    if (made.chosen < 0)
        return !any && made.chosen == -1 && !made.explores;
    if ((size_t)made.chosen >= snapshot->count)
        return false;
    const allot_candidate *chosen = &snapshot->candidates[made.chosen];
    if (!chosen->possible || (made.explores && chosen->samples > 0))
        return false;
    for (size_t i = 0; i < snapshot->count && !made.explores; i++)
        if (snapshot->candidates[i].possible && snapshot->candidates[i].total_s < chosen->total_s)
            return false; /* not to explore, and yet not the cheapest */
    return true;
}

static void never_chooses_what_cannot_run_it(void)
{
    const char *text = getenv("TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    printf("TEST_SEED=%llu ", (unsigned long long)seed);
    random_state = seed * 2 + 1;
    size_t wrong = 0, different = 0;
    for (int i = 0; i < 200000; i++) {
        allot_candidate candidates[MOST];
        al_snapshot snapshot = { candidates, random_below(MOST + 1), random_seconds(), random_seconds() };
        for (size_t j = 0; j < snapshot.count; j++)
            candidates[j] = random_candidate();
        al_choice made = al_policy_choose(&snapshot), again = al_policy_choose(&snapshot);
        wrong += !sound(&snapshot, made);
        different += made.chosen != again.chosen || made.explores != again.explores ||
                     strcmp(made.why, again.why) != 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(different, 0);
}

int main(void)
{
    static const test_fact facts[] = {
        { "decides each row as it says", decides_each_row_as_it_says },
        { "never chooses what cannot run it, and always the same", never_chooses_what_cannot_run_it },
        { NULL, NULL },
    };
    return test_main("policy", facts);
}
