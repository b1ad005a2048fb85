/* Choosing a place: snapshots in, decision out. */
#include "placement/policies.h"
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
        .total_s = (ready) + (transfer) + (compile) + (run),                                                 \
        .bound_s = (ready) + (transfer) + (compile) + (low), .place = "somewhere", .history_ms = -1          \
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

static const policy_row eft_rows[] = {
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
    { "a known place that may be better is tried within the share of time",
      { CAN(10, 0, 0, 0, 2 * MS, 2 * MS), CAN(1, 0, 0, 0, 3 * MS, 1 * US) },
      2,
      1,
      0,
      1,
      true,
      "explored: at best cheaper, and within" },
    { "and not beyond it",
      { CAN(5, 0, 0, 0, 2 * MS, 2 * MS), CAN(1, 0, 0, 0, 3 * MS, 1 * US) },
      2,
      0.05,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "a known place that is worse even at best is not tried",
      { CAN(5, 0, 0, 0, 2 * MS, 2 * MS), CAN(9, 0, 0, 0, 3 * MS, 2.5 * MS) },
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
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 17 * MS, 5 * MS) },
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
    { "untried, at best cheaper, and expected to be far dearer: not without a budget",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 40 * MS, 5 * MS) },
      2,
      0,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "one run on a device, and a guess of most of a minute elsewhere: not at once",
      { CAN(0, 0, 0, 0, 50, 12), CAN(1, 0, 0, 0, 13, 12) },
      2,
      20,
      0,
      1,
      false,
      "lowest predicted cost" },
    { "untried, and even at best far dearer: not with any budget",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 90 * MS, 19 * MS) },
      2,
      1e6,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "compiling counts against the hope",
      { CAN(2, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 8 * MS, 30 * MS, 2 * MS) },
      2,
      0,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "until it could have been saved",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 8 * MS, 30 * MS, 2 * MS) },
      2,
      0,
      0,
      1,
      true,
      "explored: untried, and what" },
    { "so does moving the data",
      { CAN(1, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 30 * MS, 0, 5 * MS, 1 * MS) },
      2,
      0,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "which is moved once for all runs",
      { CAN(9, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 30 * MS, 0, 5 * MS, 1 * MS) },
      2,
      0,
      0,
      1,
      true,
      "explored: untried, and what" },
    { "but not where it is known what that brings",
      { CAN(9, 0, 0, 0, 9 * MS, 9 * MS), CAN(1, 0, 30 * MS, 0, 5 * MS, 1 * MS) },
      2,
      0,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "nothing is due where all is sure, and dearer",
      { CAN(1000, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 20 * MS, 19 * MS) },
      2,
      0,
      0,
      0,
      false,
      "lowest predicted cost" },
    { "nor where it hardly ever is cheaper",
      { CAN(9, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 9000 * MS, 8 * MS) },
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
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 16 * MS, 8 * MS), CAN(0, 0, 0, 0, 17 * MS, 2 * MS) },
      3,
      0,
      0,
      2,
      true,
      "explored: untried, and at" },
    { "of the hopeless the cheapest is tried",
      { CAN(5, 0, 0, 0, 9 * MS, 9 * MS), CAN(0, 0, 0, 0, 40 * MS, 10 * MS),
        CAN(0, 0, 0, 0, 30 * MS, 17 * MS) },
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

/* A snapshot of a row's candidates, to be asked as a whole. */
static allot_snapshot snapshot_of(const allot_candidate *candidates, size_t count, double busy_s,
                                  double explored_s)
{
    return (allot_snapshot){ .size = sizeof(allot_snapshot),
                             .task = "axpy",
                             .type = "f32",
                             .argument = "",
                             .candidates = candidates,
                             .candidate_count = count,
                             .busy_s = busy_s,
                             .explored_s = explored_s,
                             .retried_s = explored_s };
}

static allot_choice ask(const char *name, const allot_snapshot *snapshot)
{
    allot_choice made = { 0 };
    allot_policy *policy = allot_policy_create(name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(policy);
    al_policy_pick(policy, snapshot, &made);
    allot_policy_destroy(policy);
    return made;
}

static void eft_decides_each_row_as_it_says(void)
{
    for (size_t i = 0; i < sizeof eft_rows / sizeof *eft_rows; i++) {
        const policy_row *row = &eft_rows[i];
        allot_snapshot snapshot = snapshot_of(row->candidates, row->count, row->busy_s, row->explored_s);
        allot_choice made = ask("eft", &snapshot);
        bool right = made.chosen == row->chosen && made.explores == row->explores &&
                     strncmp(made.why, row->why, strlen(row->why)) == 0;
        if (!right)
            printf("\n    %s: chose %d%s, \"%s\" ", row->says, made.chosen,
                   made.explores ? " to explore" : "", made.why);
        CU_ASSERT_TRUE(right);
    }
}

/* A compiler that was waited for leaves no share for years: what was spent on places that had run it counts.
 */
static void eft_tries_known_places_again_beside_compilers(void)
{
    const allot_candidate known[] = { CAN(50, 0, 0, 0, 2 * MS, 2 * MS), CAN(5, 0, 0, 0, 9 * MS, 1 * MS) };
    allot_snapshot snapshot = snapshot_of(known, 2, 1, 60);
    snapshot.retried_s = 0.015;
    allot_choice made = ask("eft", &snapshot);
    CU_ASSERT_TRUE(made.chosen == 1 && made.explores);
    snapshot.retried_s = 0.02; /* of a second's fortieth 5 ms are left: too little */
    CU_ASSERT_EQUAL(ask("eft", &snapshot).chosen, 0);
}

/* ---- The others: one table, a policy a row ---- */

/* What a policy may look at of a place beside its costs. */
#define KIND(alike_, ready, transfer, run, tries, samples_, mean, ms)                                        \
    {                                                                                                        \
        .possible = true, .place = alike_, .alike = alike_, .samples = 5, .ready_s = (ready),                \
        .transfer_s = (transfer), .run_s = (run), .low_s = (run), .total_s = (ready) + (transfer) + (run),   \
        .bound_s = (ready) + (transfer) + (run), .history_tries = (tries), .history_samples = (samples_),    \
        .history_s = (mean), .history_ms = (ms), .watts = 10                                                 \
    }
#define NO                                                                                                   \
    {                                                                                                        \
        .possible = false, .place = "none", .alike = "none"                                                  \
    }

typedef struct other_row {
    const char *policy, *says;
    allot_candidate candidates[MOST];
    size_t count;
    uint64_t number;
    int chosen;
} other_row;

static const other_row other_rows[] = {
    { "fixed",
      "the first that can",
      { NO, KIND("a", 9, 9, 9, 0, 0, 0, -1), KIND("b", 0, 0, 0, 0, 0, 0, -1) },
      3,
      7,
      1 },
    { "fixed:b",
      "the one named",
      { KIND("a", 0, 0, 0, 0, 0, 0, -1), KIND("b", 9, 9, 9, 0, 0, 0, -1) },
      2,
      7,
      1 },
    { "fixed:c",
      "the one named is not there: the first",
      { KIND("a", 9, 0, 0, 0, 0, 0, -1), KIND("b", 0, 0, 0, 0, 0, 0, -1) },
      2,
      7,
      0 },

    { "round_robin",
      "the first in turn",
      { KIND("a", 0, 0, 1, 0, 0, 0, -1), NO, KIND("b", 0, 0, 1, 0, 0, 0, -1) },
      3,
      4,
      0 },
    { "round_robin",
      "the next, past what cannot",
      { KIND("a", 0, 0, 1, 0, 0, 0, -1), NO, KIND("b", 0, 0, 1, 0, 0, 0, -1) },
      3,
      5,
      2 },

    { "least_loaded",
      "the one free first, whatever it costs",
      { KIND("a", 2, 0, 1, 0, 0, 0, -1), KIND("b", 1, 9, 9, 0, 0, 0, -1) },
      2,
      0,
      1 },
    { "least_loaded",
      "of equals the first",
      { NO, KIND("a", 1, 0, 1, 0, 0, 0, -1), KIND("b", 1, 0, 0, 0, 0, 0, -1) },
      3,
      0,
      1 },

    { "random:7",
      "a seed's fourth",
      { KIND("a", 0, 0, 1, 0, 0, 0, -1), KIND("b", 0, 0, 1, 0, 0, 0, -1), KIND("c", 0, 0, 1, 0, 0, 0, -1) },
      3,
      4,
      1 },

    /* dmda: ready + frozen mean + transfer, once all are calibrated. */
    { "dmda",
      "calibrates what has fewer than 10 samples",
      { KIND("a", 0, 0, 1, 10, 10, 1, 1), KIND("b", 0, 0, 9, 3, 3, 9, 9) },
      2,
      0,
      1 },
    { "dmda",
      "of those the one free first",
      { KIND("a", 4, 0, 1, 0, 9, 1, 1), KIND("b", 3, 0, 9, 0, 9, 9, 9) },
      2,
      0,
      1 },
    { "dmda",
      "then its own mean decides, not the model's",
      { KIND("a", 0, 0, 1, 10, 10, 5, 1), KIND("b", 0, 0, 9, 10, 10, 2, 1) },
      2,
      0,
      1 },
    { "dmda",
      "with the transfer",
      { KIND("a", 0, 0, 1, 10, 10, 5, 1), KIND("b", 0, 4, 9, 10, 10, 2, 1) },
      2,
      0,
      0 },
    { "dmda",
      "and what is queued",
      { KIND("a", 4, 0, 1, 10, 10, 1, 1), KIND("b", 0, 0, 9, 10, 10, 2, 1) },
      2,
      0,
      1 },

    { "auto_tune",
      "what was not tried",
      { KIND("a", 0, 0, 1, 1, 1, 1, 3), KIND("b", 0, 0, 9, 0, 0, 0, -1) },
      2,
      0,
      1 },
    { "auto_tune",
      "in order",
      { KIND("a", 0, 0, 9, 0, 0, 0, -1), KIND("b", 0, 0, 1, 0, 0, 0, -1) },
      2,
      0,
      0 },
    { "auto_tune",
      "then the winner",
      { KIND("a", 0, 0, 1, 5, 1, 1, 3), KIND("b", 9, 9, 9, 1, 1, 1, 2) },
      2,
      0,
      1 },
    { "auto_tune",
      "of equal milliseconds the first",
      { KIND("a", 0, 0, 9, 5, 1, 1, 0), KIND("b", 0, 0, 1, 1, 1, 1, 0) },
      2,
      0,
      0 },
    { "auto_tune",
      "a trial under way has no time yet",
      { KIND("a", 0, 0, 9, 1, 0, 0, -1), KIND("b", 0, 0, 9, 1, 0, 0, 8) },
      2,
      0,
      1 },

    { "heteroprio",
      "the kind that runs it fastest, though it is queued",
      { KIND("cpu", 1, 0, 10, 0, 0, 0, -1), KIND("gpu", 5, 0, 1, 0, 0, 0, -1) },
      2,
      0,
      1 },
    { "heteroprio",
      "but for one that is idle and done before",
      { KIND("cpu", 0, 0, 3, 0, 0, 0, -1), KIND("gpu", 5, 0, 1, 0, 0, 0, -1) },
      2,
      0,
      0 },
    { "heteroprio",
      "not for one that is idle and slower still",
      { KIND("cpu", 0, 0, 10, 0, 0, 0, -1), KIND("gpu", 5, 0, 1, 0, 0, 0, -1) },
      2,
      0,
      1 },
    { "heteroprio",
      "of one kind the one free first",
      { KIND("gpu", 5, 0, 1, 0, 0, 0, -1), KIND("cpu", 0, 0, 10, 0, 0, 0, -1),
        KIND("gpu", 2, 0, 1, 0, 0, 0, -1) },
      3,
      0,
      2 },

    { "heft",
      "the earliest finish",
      { KIND("a", 5, 0, 1, 0, 0, 0, -1), KIND("b", 0, 1, 3, 0, 0, 0, -1) },
      2,
      0,
      1 },
};

static void the_others_decide_each_row_as_it_says(void)
{
    for (size_t i = 0; i < sizeof other_rows / sizeof *other_rows; i++) {
        const other_row *row = &other_rows[i];
        allot_snapshot snapshot = snapshot_of(row->candidates, row->count, 0, 0);
        snapshot.number = row->number;
        allot_choice made = ask(row->policy, &snapshot);
        if (made.chosen != row->chosen)
            printf("\n    %s, %s: chose %d, \"%s\" ", row->policy, row->says, made.chosen, made.why);
        CU_ASSERT_EQUAL(made.chosen, row->chosen);
    }
}

static void a_rank_and_an_acceleration_are_urgency(void)
{
    const allot_candidate two[] = { KIND("cpu", 0, 0, 8, 0, 0, 0, -1), KIND("gpu", 0, 0, 2, 0, 0, 0, -1) };
    allot_snapshot snapshot = snapshot_of(two, 2, 0, 0);
    snapshot.rank_s = 17;
    CU_ASSERT_EQUAL(ask("heft", &snapshot).urgency, 17);
    CU_ASSERT_EQUAL(ask("eft", &snapshot).urgency, 0);
    CU_ASSERT_EQUAL(ask("heteroprio", &snapshot).urgency, 4); /* 8 s there, 2 s here */
}

/* ---- What the hints change ---- */

static void a_deadline_ranks_those_behind_that_would_miss_it(void)
{
    allot_candidate three[] = { CAN(5, 0, 0, 0, 1, 1), CAN(5, 0, 0, 0, 2, 2), CAN(5, 0, 0, 0, 9, 9) };
    three[0].watts = 100, three[1].watts = 20, three[2].watts = 1; /* joules: 100, 40, 9 */
    allot_snapshot snapshot = snapshot_of(three, 3, 0, 0);
    snapshot.prefer = ALLOT_PREFER_ENERGY;
    CU_ASSERT_EQUAL(ask("eft", &snapshot).chosen, 2);
    snapshot.deadline_s = 5;
    CU_ASSERT_EQUAL(ask("eft", &snapshot).chosen, 1);
    snapshot.deadline_s = 1.5;
    CU_ASSERT_EQUAL(ask("eft", &snapshot).chosen, 0);
    snapshot.deadline_s = 0.5;
    CU_ASSERT_EQUAL(ask("eft", &snapshot).chosen, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(ask("eft", &snapshot).why, "meet its deadline"));
}

static void energy_counts_no_waiting(void)
{
    allot_candidate two[] = { CAN(5, 9, 0, 0, 1, 1), CAN(5, 0, 0, 0, 2, 2) };
    two[0].watts = 10, two[1].watts = 10;
    allot_snapshot snapshot = snapshot_of(two, 2, 0, 0);
    CU_ASSERT_EQUAL(ask("eft", &snapshot).chosen, 1);
    snapshot.prefer = ALLOT_PREFER_ENERGY;
    CU_ASSERT_EQUAL(ask("eft", &snapshot).chosen, 0);
}

/* A device that launches usually run 40 times as fast on, and a processor. */
typedef struct advantage_row {
    const char *says;
    double device_ready_s, device_run_s, cpu_run_s, cpu_usual;
    int chosen;
} advantage_row;

static void who_gains_less_from_a_wanted_place_leaves_it(void)
{
    static const advantage_row rows[] = {
        { "ten times as fast is little: to the processor", 10 * MS, 2 * MS, 18 * MS, 40, 1 },
        { "not where nobody waits", 0, 2 * MS, 2.5 * MS, 40, 0 },
        { "not if it would be over much later", 10 * MS, 2 * MS, 36 * MS, 40, 0 },
        { "as usual: the earlier end", 10 * MS, 0.5 * MS, 10.4 * MS, 20.8, 1 },
        { "as usual: the earlier end, which is there", 10 * MS, 0.5 * MS, 10.6 * MS, 21.2, 0 },
        { "eighty times as fast is much: it waits", 20 * MS, 0.2 * MS, 16 * MS, 40, 0 },
        { "nothing is known of what is usual", 10 * MS, 2 * MS, 18 * MS, 0, 0 },
        { "nor is this a figure", 10 * MS, 2 * MS, 18 * MS, NAN, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const advantage_row *row = &rows[i];
        allot_candidate two[] = { CAN(5, row->device_ready_s, 0, 0, row->device_run_s, row->device_run_s),
                                  CAN(5, 0, 0, 0, row->cpu_run_s, row->cpu_run_s) };
        two[0].usual_ratio = 1, two[1].usual_ratio = row->cpu_usual;
        allot_snapshot snapshot = snapshot_of(two, 2, 0, 0);
        int chosen = ask("eft", &snapshot).chosen;
        if (chosen != row->chosen)
            printf("\n    %s: chose %d ", row->says, chosen);
        CU_ASSERT_EQUAL(chosen, row->chosen);
    }
}

static void a_deterministic_launch_goes_to_the_first_place_that_can(void)
{
    const allot_candidate three[] = { CANNOT, CAN(5, 9, 0, 0, 9, 9), CAN(5, 0, 0, 0, 1, 1) };
    allot_snapshot snapshot = snapshot_of(three, 3, 1e6, 0);
    snapshot.deterministic = true;
    allot_policy_info infos[32] = { 0 };
    for (size_t i = 0; i < 32; i++)
        infos[i].size = sizeof infos[i];
    size_t count = allot_policies(infos, 32);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_EQUAL(ask(infos[i].name, &snapshot).chosen, 1);
}

/* ---- Names ---- */

static void names_are_found_and_wrong_ones_listed(void)
{
    CU_ASSERT_PTR_NULL(allot_policy_create("heftt"));
    CU_ASSERT_EQUAL(allot_last_status(), ALLOT_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_last_error(), "heftt"));
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_last_error(), "eft, heft, heteroprio, dmda, auto_tune"));
    CU_ASSERT_PTR_NULL(allot_policy_create(""));
    CU_ASSERT_PTR_NULL(allot_policy_create(NULL));
    CU_ASSERT_PTR_NULL(allot_policy_create("random:seven"));
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_last_error(), "seed"));
    allot_policy *policy = allot_policy_create("random:42");
    CU_ASSERT_PTR_NOT_NULL_FATAL(policy);
    CU_ASSERT_STRING_EQUAL(allot_policy_name(policy), "random");
    allot_policy_destroy(policy);
    allot_policy_info first = { .size = sizeof first };
    CU_ASSERT_TRUE(allot_policies(&first, 1) >= 9);
    CU_ASSERT_STRING_EQUAL(first.name, "eft");
    CU_ASSERT_TRUE(allot_policies(NULL, 0) >= 9);
}

static void choose_the_second(const allot_snapshot *snapshot, void *user, allot_choice *choice)
{
    (void)snapshot;
    choice->chosen = *(int *)user;
    choice->why = "because";
}

static void choose_nothing(const allot_snapshot *snapshot, void *user, allot_choice *choice)
{
    (void)snapshot, (void)user;
    CU_ASSERT_TRUE(choice->chosen < 0);
}

static void a_user_can_add_one(void)
{
    static int answer = 1;
    const allot_policy_info mine = { .size = sizeof mine,
                                     .name = "mine",
                                     .says = "the second",
                                     .choose = choose_the_second,
                                     .user = &answer };
    const allot_candidate two[] = { CAN(5, 0, 0, 0, 1, 1), CAN(5, 0, 0, 0, 9, 9), CANNOT };
    allot_snapshot snapshot = snapshot_of(two, 3, 0, 0);
    CU_ASSERT_EQUAL_FATAL(allot_policy_register(&mine), ALLOT_OK);
    CU_ASSERT_EQUAL(allot_policy_register(&mine), ALLOT_INVALID); /* the name is taken */
    CU_ASSERT_EQUAL(ask("mine", &snapshot).chosen, 1);
    CU_ASSERT_STRING_EQUAL(ask("mine", &snapshot).why, "because");
    for (answer = 2; answer < 4; answer++) { /* what cannot run it, and what is not there */
        CU_ASSERT_EQUAL(ask("mine", &snapshot).chosen, 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(ask("mine", &snapshot).why, "no place that can run it"));
    }
    allot_policy_info shy = mine;
    shy.name = "shy", shy.choose = choose_nothing;
    CU_ASSERT_EQUAL_FATAL(allot_policy_register(&shy), ALLOT_OK);
    CU_ASSERT_EQUAL(ask("shy", &snapshot).chosen, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(ask("shy", &snapshot).why, "no place that can run it"));
    answer = 1;
    allot_policy_info bad = mine;
    bad.name = "two words";
    CU_ASSERT_EQUAL(allot_policy_register(&bad), ALLOT_INVALID);
    bad.name = "eft";
    CU_ASSERT_EQUAL(allot_policy_register(&bad), ALLOT_INVALID);
    bad.name = "other", bad.choose = NULL;
    CU_ASSERT_EQUAL(allot_policy_register(&bad), ALLOT_INVALID);
    bad.size = 0;
    CU_ASSERT_EQUAL(allot_policy_register(&bad), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_policy_register(NULL), ALLOT_INVALID);
}

/* ---- Policies with a history ---- */

static int choose_and_run(allot_policy *policy, const allot_snapshot *snapshot, const double took_s[])
{
    allot_choice made;
    CU_ASSERT_EQUAL(allot_policy_choose(policy, snapshot, &made), ALLOT_OK);
    allot_policy_learn(policy, snapshot, made.chosen, took_s[made.chosen], took_s[made.chosen]);
    return made.chosen;
}

static void dmda_calibrates_and_then_freezes(void)
{
    allot_candidate two[] = { CAN(0, 0, 0, 0, 1, 1), CAN(0, 0, 0, 0, 1, 1) };
    two[0].place = two[0].alike = "a", two[1].place = two[1].alike = "b";
    allot_snapshot snapshot = snapshot_of(two, 2, 0, 0);
    allot_policy *policy = allot_policy_create("dmda");
    CU_ASSERT_PTR_NOT_NULL_FATAL(policy);
    int chosen[2] = { 0, 0 };
    for (int i = 0; i < 20; i++)
        chosen[choose_and_run(policy, &snapshot, (double[]){ 3, 2 })]++;
    CU_ASSERT_TRUE(chosen[0] == 10 && chosen[1] == 10);
    for (int i = 0; i < 50; i++) /* ten times slower now, and it never notices */
        CU_ASSERT_EQUAL(choose_and_run(policy, &snapshot, (double[]){ 3, 20 }), 1);
    snapshot.flops = 2; /* another size: from the start */
    CU_ASSERT_EQUAL(choose_and_run(policy, &snapshot, (double[]){ 3, 20 }), 0);
    allot_policy_destroy(policy);
}

static void auto_tune_never_demotes_its_winner(void)
{
    allot_candidate two[] = { CAN(0, 0, 0, 0, 1, 1), CAN(0, 0, 0, 0, 1, 1) };
    two[0].place = two[0].alike = "a", two[1].place = two[1].alike = "b";
    allot_snapshot snapshot = snapshot_of(two, 2, 0, 0);
    allot_policy *policy = allot_policy_create("auto_tune");
    CU_ASSERT_PTR_NOT_NULL_FATAL(policy);
    CU_ASSERT_EQUAL(choose_and_run(policy, &snapshot, (double[]){ 3, 2 }), 0);
    CU_ASSERT_EQUAL(choose_and_run(policy, &snapshot, (double[]){ 3, 2 }), 1);
    for (int i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(choose_and_run(policy, &snapshot, (double[]){ 3, 20 }), 1);
    allot_policy_destroy(policy);
}

static void bad_arguments_are_refused(void)
{
    allot_snapshot snapshot = snapshot_of(NULL, 0, 0, 0), bad = snapshot;
    allot_choice made;
    allot_policy *policy = allot_policy_create("dmda");
    bad.size = 0;
    CU_ASSERT_EQUAL(allot_policy_choose(NULL, &snapshot, &made), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_policy_choose(policy, NULL, &made), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_policy_choose(policy, &bad, &made), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_policy_choose(policy, &snapshot, NULL), ALLOT_INVALID);
    CU_ASSERT_EQUAL(allot_policy_choose(policy, &snapshot, &made), ALLOT_OK);
    CU_ASSERT_EQUAL(made.chosen, -1);
    allot_policy_learn(policy, &snapshot, 0, 1, 1);
    allot_policy_learn(NULL, &snapshot, 0, 1, 1);
    allot_policy_destroy(policy);
    allot_policy_destroy(NULL);
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
    static const double odd[] = { 0, NAN, INFINITY, -1, -INFINITY };
    if (random_below(10) == 0)
        return odd[random_below(5)];
    return ldexp((double)random_below(1000), -(int)random_below(30));
}

static allot_candidate random_candidate(void)
{
    static const char *const names[] = { "a", "b", "c" };
    allot_candidate candidate = CAN(random_below(2) * random_below(9), random_seconds(), random_seconds(),
                                    random_seconds(), random_seconds(), random_seconds());
    candidate.possible = random_below(3) > 0;
    candidate.place = candidate.alike = names[random_below(3)];
    candidate.watts = random_seconds();
    candidate.history_tries = random_below(3);
    candidate.history_samples = random_below(12);
    candidate.history_s = random_seconds();
    candidate.history_ms = random_seconds();
    candidate.usual_ratio = random_below(2) ? 0 : random_seconds();
    return candidate;
}

/* What must hold of any choice. */
static bool sound(const allot_snapshot *snapshot, const allot_choice *made, bool is_eft)
{
    bool any = false;
    for (size_t i = 0; i < snapshot->candidate_count; i++)
        any = any || snapshot->candidates[i].possible;
    if (made->chosen < 0)
        return !any && made->chosen == -1 && !made->explores;
    if ((size_t)made->chosen >= snapshot->candidate_count || !snapshot->candidates[made->chosen].possible ||
        isnan(made->urgency) || !made->why)
        return false;
    bool weighs = false;
    for (size_t i = 0; i < snapshot->candidate_count; i++)
        weighs = weighs || snapshot->candidates[i].usual_ratio != 0;
    bool by_cost = is_eft && !weighs && !made->explores && snapshot->prefer == ALLOT_PREFER_TIME &&
                   !snapshot->deterministic && snapshot->deadline_s == 0;
    for (size_t i = 0; by_cost && i < snapshot->candidate_count; i++)
        if (snapshot->candidates[i].possible &&
            snapshot->candidates[i].total_s < snapshot->candidates[made->chosen].total_s)
            return false; /* not to explore, and yet not the cheapest */
    return true;
}

static allot_snapshot random_snapshot(allot_candidate *candidates)
{
    size_t count = random_below(MOST + 1);
    for (size_t i = 0; i < count; i++)
        candidates[i] = random_candidate();
    allot_snapshot snapshot = snapshot_of(candidates, count, random_seconds(), random_seconds());
    snapshot.number = random_below(1000);
    snapshot.rank_s = random_seconds();
    snapshot.deadline_s = random_below(4) ? 0 : random_seconds();
    snapshot.prefer = random_below(4) ? ALLOT_PREFER_TIME : ALLOT_PREFER_ENERGY;
    snapshot.deterministic = random_below(20) == 0;
    return snapshot;
}

static void check_policy(const char *name)
{
    allot_policy *policy = allot_policy_create(name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(policy);
    size_t wrong = 0, different = 0;
    for (int i = 0; i < 50000; i++) {
        allot_candidate candidates[MOST];
        allot_choice made, again;
        allot_snapshot snapshot = random_snapshot(candidates);
        al_policy_pick(policy, &snapshot, &made);
        al_policy_pick(policy, &snapshot, &again);
        wrong += !sound(&snapshot, &made, strcmp(name, "eft") == 0);
        different += made.chosen != again.chosen || made.explores != again.explores ||
                     strcmp(made.why, again.why) != 0 || made.urgency != again.urgency;
    }
    if (wrong || different)
        printf("\n    %s: %zu wrong, %zu not repeated ", name, wrong, different);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(different, 0);
    allot_policy_destroy(policy);
}

static void never_chooses_what_cannot_run_it(void)
{
    const char *text = getenv("TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    printf("TEST_SEED=%llu ", (unsigned long long)seed);
    random_state = seed * 2 + 1;
    allot_policy_info infos[32] = { 0 };
    for (size_t i = 0; i < 32; i++)
        infos[i].size = sizeof infos[i];
    size_t count = allot_policies(infos, 32);
    CU_ASSERT_TRUE(count >= 9 && count <= 32);
    for (size_t i = 0; i < count; i++)
        check_policy(infos[i].name);
}

int main(void)
{
    static const test_fact facts[] = {
        { "eft decides each row as it says", eft_decides_each_row_as_it_says },
        { "eft tries known places again beside compilers", eft_tries_known_places_again_beside_compilers },
        { "the others decide each row as it says", the_others_decide_each_row_as_it_says },
        { "a rank and an acceleration are urgency", a_rank_and_an_acceleration_are_urgency },
        { "a deadline ranks those behind that would miss it",
          a_deadline_ranks_those_behind_that_would_miss_it },
        { "energy counts no waiting", energy_counts_no_waiting },
        { "who gains less from a place that is wanted leaves it",
          who_gains_less_from_a_wanted_place_leaves_it },
        { "a deterministic launch goes to the first place that can",
          a_deterministic_launch_goes_to_the_first_place_that_can },
        { "names are found, and wrong ones answered with a list", names_are_found_and_wrong_ones_listed },
        { "a user can add one", a_user_can_add_one },
        { "dmda calibrates and then freezes", dmda_calibrates_and_then_freezes },
        { "auto_tune never demotes its winner", auto_tune_never_demotes_its_winner },
        { "bad arguments are refused", bad_arguments_are_refused },
        { "no policy chooses what cannot run it, and each always the same",
          never_chooses_what_cannot_run_it },
        { NULL, NULL },
    };
    return test_main("policy", facts);
}
