/* The printed decision: records in, whole texts out. */
#include "placement/decision.h"
#include "test.h"
#include <math.h>
#include <string.h>

static const allot_candidate three[] = {
    { .place = "thread",
      .possible = true,
      .samples = 12,
      .ready_s = 0,
      .run_s = 412e-6,
      .low_s = 398.4e-6,
      .spread = 0.073,
      .total_s = 412e-6,
      .bound_s = 398.4e-6 },
    { .place = "process", .reason = "used only when asked for" },
    { .place = "opencl:0",
      .possible = true,
      .ready_s = 1.5e-3,
      .transfer_s = 87e-9,
      .compile_s = 0.2,
      .run_s = 999.6e-6,
      .return_s = 3e-6,
      .low_s = 12.34e-6,
      .spread = 1.5,
      .total_s = 0.20250269,
      .bound_s = 0.2015 },
};

static const allot_decision pending = {
    .size = sizeof(allot_decision),
    .task = "axpy",
    .type = "f32",
    .flops = 2e6,
    .bytes = 12e6,
    .candidate_count = 3,
    .candidates = three,
    .chosen = 0,
    .why = "lowest predicted cost",
};

static void check_text(const allot_decision *decision, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    al_decision_print(decision, stream);
    fclose(stream);
    if (strcmp(text, expected) != 0)
        printf("\n--- expected:\n%s--- printed:\n%s---\n", expected, text);
    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
}

#define TABLE                                                                                                \
    "axpy f32, 2.00 Mflop, 12.0 MB\n"                                                                        \
    "    place       ready       in  compile      run      out    total    bound   spread runs seen\n"       \
    "  * thread          0        0        0   412 µs        0   412 µs   398 µs     ±7 %        12\n"   \
    "    process   no: used only when asked for\n"                                                           \
    "    opencl:0  1.50 ms    87 ns   200 ms  1.00 ms  3.00 µs   203 ms   202 ms    ×4.48     guess\n"

static void shows_every_candidate_and_the_choice(void)
{
    check_text(&pending, TABLE "  Chosen: thread (lowest predicted cost).\n"
                               "  It is not done yet.\n");
}

static void says_what_happened(void)
{
    allot_decision decision = pending;
    decision.done = true;
    decision.queued_s = 8.1e-6;
    decision.ran_s = 430e-6;
    decision.moved_s = 2e-3;
    decision.bytes_moved = 4000000;
    decision.waited_s = 3.21e-6;
    decision.regret_s = -200e-3;
    decision.policy = "eft";
    check_text(&decision,
               TABLE "    measured  8.10 µs  2.00 ms        0   430 µs           2.44 ms\n"
                     "  Before, 3.21 µs from its submission to the choice.\n"
                     "  4.00 MB moved for it.\n"
                     "  The run took 430 µs where 412 µs was predicted: 4 % longer.\n"
                     "  The whole took 2.44 ms where 412 µs was predicted: 5.92 times as long.\n"
                     "  Regret: it was over 200 ms sooner than the best other place was predicted to be.\n"
                     "  Chosen: thread (lowest predicted cost), by policy eft.\n");
    decision.moved_s = decision.queued_s = decision.waited_s = decision.regret_s = 0;
    decision.policy = NULL;
    decision.bytes_moved = 0;
    decision.ran_s = 412e-6;
    check_text(&decision, TABLE "    measured        0        0        0   412 µs            412 µs\n"
                                "  The run took 412 µs where 412 µs was predicted: as predicted.\n"
                                "  The whole took 412 µs where 412 µs was predicted: as predicted.\n"
                                "  Chosen: thread (lowest predicted cost).\n");
}

static void says_that_it_did_not_succeed(void)
{
    allot_decision decision = pending;
    decision.done = true;
    decision.status = ALLOT_DEVICE;
    decision.chosen = 2;
    decision.ran_s = 1;
    check_text(
        &decision,
        "axpy f32, 2.00 Mflop, 12.0 MB\n"
        "    place       ready       in  compile      run      out    total    bound   spread runs seen\n"
        "    thread          0        0        0   412 µs        0   412 µs   398 µs     ±7 %        12\n"
        "    process   no: used only when asked for\n"
        "  * opencl:0  1.50 ms    87 ns   200 ms  1.00 ms  3.00 µs   203 ms   202 ms    ×4.48     guess\n"
        "    measured        0        0        0   1.00 s            1.00 s\n"
        "  It did not succeed: the device reported an error.\n"
        "  Chosen: opencl:0 (lowest predicted cost).\n");
}

static void says_for_how_many_a_place_stands(void)
{
    const allot_candidate few[] = {
        { .place = "node:0", .alike = "node", .alike_count = 1024, .possible = true, .samples = 1 },
        { .place = "node:7", .alike = "node", .alike_count = 1024, .possible = true, .samples = 1 },
        { .place = "thread", .alike = "thread", .alike_count = 1, .possible = true, .samples = 1 },
    };
    const allot_decision decision = { .task = "axpy", .candidate_count = 3, .candidates = few, .why = "so" };
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    al_decision_print(&decision, stream);
    fclose(stream);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Of 1024 places like node:0 those that"));
    CU_ASSERT_PTR_NULL(strstr(text, "like node:7"));
    CU_ASSERT_PTR_NULL(strstr(text, "like thread"));
    free(text);
}

static void says_that_no_place_was_possible(void)
{
    const allot_candidate none[] = {
        { .place = "thread", .reason = "it has no C variant" },
        { .place = "a-place-with-a-long-name:17" },
    };
    const allot_decision decision = {
        .task = "transpose",
        .flops = 12,
        .bytes = 999.6e3,
        .candidate_count = 2,
        .candidates = none,
        .chosen = -1,
        .why = "no place can run it",
    };
    check_text(&decision,
               "transpose, 12 flop, 1.00 MB\n"
               "    place                          ready       in  compile      run      out    total "
               "   bound   spread runs seen\n"
               "    thread                       no: it has no C variant\n"
               "    a-place-with-a-long-name:17  no: cannot run it\n"
               "  Chosen: none (no place can run it).\n");
}

static void says_how_many_the_hints_leave_out(void)
{
    const allot_candidate one = { .place = "opencl:0", .possible = true, .alike_count = 1 };
    allot_decision decision = { .task = "axpy",
                                .candidate_count = 1,
                                .candidates = &one,
                                .why = "asked for",
                                .left_out = 3,
                                .left_out_why = "the hints ask for opencl:0" };
    const char *const expected[] = { "    3 others  no: the hints ask for opencl:0\n",
                                     "    1 other   no: the hints ask for opencl:0\n", "asked for" };
    for (int i = 0; i < 3; i++) {
        char *text = NULL;
        size_t size = 0;
        decision.left_out = i == 1 ? 1 : i == 2 ? 0 : 3;
        FILE *stream = open_memstream(&text, &size);
        CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
        al_decision_print(&decision, stream);
        fclose(stream);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, expected[i]));
        CU_ASSERT((strstr(text, "other") != NULL) == (i < 2));
        free(text);
    }
}

static void bears_any_figures(void)
{
    const allot_candidate odd = { .place = "thread",
                                  .possible = true,
                                  .samples = 18446744073709551615u,
                                  .ready_s = NAN,
                                  .transfer_s = INFINITY,
                                  .compile_s = 1e300,
                                  .run_s = 1e-300,
                                  .low_s = 123456,
                                  .total_s = 0.25e-9 };
    const allot_decision decision = {
        .candidate_count = 1, .candidates = &odd, .flops = NAN, .bytes = INFINITY, .done = true, .ran_s = NAN
    };
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    al_decision_print(&decision, stream);
    fclose(stream);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "?"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "for ever"));
    free(text);
}

int main(void)
{
    static const test_fact facts[] = {
        { "shows every candidate and the choice", shows_every_candidate_and_the_choice },
        { "says what happened", says_what_happened },
        { "says that it did not succeed", says_that_it_did_not_succeed },
        { "says for how many alike a place stands", says_for_how_many_a_place_stands },
        { "says that no place was possible", says_that_no_place_was_possible },
        { "says how many the hints leave out", says_how_many_the_hints_leave_out },
        { "bears any figures", bears_any_figures },
        { NULL, NULL },
    };
    return test_main("decision", facts);
}
