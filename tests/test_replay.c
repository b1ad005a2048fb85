/* The decision log and its replay, as a user meets them: `allot run --policy --decisions`, `allot replay`. */
#include "command.h"

static void a_run_is_replayed_as_it_was(void)
{
    const char *log = in_folder("log.jsonl");
    static const char *const policies[] = { "eft",         "heft",      "heteroprio",
                                            "dmda",        "auto_tune", "least_loaded",
                                            "round_robin", "random:5",  "fixed:thread" };
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        const outcome *got =
            ALLOT_RUN("run", "axpy", "-n", "1000", "--policy", policies[i], "--decisions", log, "--explain");
        expect_code(got, 0);
        expect_text(got->out, "asks other policies");
        got = ALLOT_RUN("replay", log, "--policy", policies[i], "--json");
        expect_code(got, 0);
        CU_ASSERT_STRING_EQUAL(got->err, "");
        json_t *report = parse_json(got->out);
        const json_t *recorded = json_object_get(report, "recorded"),
                     *again = json_array_get(json_object_get(report, "policies"), 0);
        CU_ASSERT_EQUAL(json_integer_value(json_object_get(report, "decisions")),
                        12); /* 6 turns of 2: emptied before */
        CU_ASSERT_EQUAL(strncmp(policies[i], json_string_value(json_object_get(recorded, "policy")), 4), 0);
        double agreement = json_real_value(json_object_get(again, "agreement"));
        bool remembers =
            policies[i][0] == 'd' || policies[i][0] == 'a'; /* what was learned when is not logged */
        CU_ASSERT_TRUE(remembers ? agreement >= 0.5 : agreement == 1);
        if (!remembers)
            CU_ASSERT_EQUAL(json_real_value(json_object_get(again, "predicted_s")),
                            json_real_value(json_object_get(recorded, "predicted_s")));
        CU_ASSERT_TRUE(json_real_value(json_object_get(json_object_get(recorded, "measured"), "took_s")) > 0);
        json_decref(report);
    }
}

static void explains_by_which_policy(void)
{
    const outcome *got = ALLOT_RUN("run", "axpy", "-n", "1000", "--policy", "least_loaded", "--explain");
    expect_code(got, 0);
    expect_text(got->out, "by policy least_loaded");
    got = ALLOT_RUN("run", "axpy", "-n", "1000", "--policy", "least_loaded", "--explain", "--json");
    expect_code(got, 0);
    json_t *report = parse_json(got->out);
    const json_t *decision = json_object_get(report, "decision");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(decision, "policy")), "least_loaded");
    const json_t *first = json_array_get(json_object_get(decision, "candidates"), 0);
    static const char *const members[] = { "ready_s",  "transfer_s", "compile_s", "run_s",
                                           "return_s", "total_s",    "low_s",     "high_s",
                                           "spread",   "bound_s",    "watts" };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        CU_ASSERT_TRUE(json_is_real(json_object_get(first, members[i])));
    CU_ASSERT_TRUE(json_is_real(json_object_get(json_object_get(decision, "outcome"), "regret_s")));
    json_decref(report);
}

/* Two places, of which the second looked cheaper. */
#define LINE                                                                                                 \
    "{\"decision\":0,\"run\":\"1\",\"policy\":\"eft\",\"task\":\"axpy\",\"type\":\"f32\",\"flops\":2,"       \
    "\"candidates\":[{\"place\":\"a\",\"kind\":\"thread\",\"samples\":3,\"run_s\":2,\"low_s\":2,\"total_"    \
    "s\":2,\"bound_s\":2},"                                                                                  \
    "{\"place\":\"b\",\"kind\":\"opencl\",\"samples\":3,\"run_s\":1,\"low_s\":1,\"total_s\":1,\"bound_s\":"  \
    "1},"                                                                                                    \
    "{\"place\":\"c\",\"kind\":\"opencl\",\"reason\":\"it is small\"}],\"chosen\":%s}\n"

/* By the log, by the JSON of the run and in words alike. */
static void says_how_many_places_the_hints_leave_out(void)
{
    const char *log = in_folder("left.jsonl");
    static char line[1 << 20];
    const outcome *got = ALLOT_RUN("run", "axpy", "-n", "1000", "--place", "thread", "--decisions", log,
                                   "--explain", "--json");
    expect_code(got, 0);
    json_t *report = parse_json(got->out);
    const json_t *decision = json_object_get(report, "decision");
    CU_ASSERT_TRUE(json_integer_value(json_object_get(decision, "left_out")) >= 2);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(decision, "left_out_why")),
                           "the hints ask for thread");
    CU_ASSERT_TRUE(json_is_real(json_object_get(json_object_get(decision, "outcome"), "waited_s")));
    json_decref(report);
    CU_ASSERT_TRUE(read_file(log, line, sizeof line) > 0);
    line[strcspn(line, "\n")] = '\0';
    report = parse_json(line);
    CU_ASSERT_TRUE(json_integer_value(json_object_get(report, "left_out")) >= 2);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(report, "left_out_why")),
                           "the hints ask for thread");
    json_decref(report);
    got = ALLOT_RUN("run", "axpy", "-n", "1000", "--explain", "--json");
    expect_code(got, 0);
    report = parse_json(got->out);
    decision = json_object_get(report, "decision");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(decision, "left_out")), 0);
    CU_ASSERT_TRUE(json_is_null(json_object_get(decision, "left_out_why")));
    json_decref(report);
}

static void tells_what_another_policy_would_have_cost(void)
{
    const char *log = in_folder("two.jsonl");
    FILE *file = fopen(log, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (int i = 0; i < 10; i++)
        fprintf(file, LINE "\n", i % 2 ? "0" : "1");
    fclose(file);
    const outcome *got = ALLOT_RUN("replay", log, "--policy", "eft,fixed:a,round_robin", "--json");
    expect_code(got, 0);
    json_t *report = parse_json(got->out), *policies = json_object_get(report, "policies");
    static const double predicted_s[] = { 10, 20, 10 }, regret_s[] = { 0, 10, 0 };
    for (size_t i = 0; i < 2; i++) {
        const json_t *policy = json_array_get(policies, i);
        CU_ASSERT_EQUAL(json_real_value(json_object_get(policy, "agreement")), 0.5);
        CU_ASSERT_EQUAL(json_real_value(json_object_get(policy, "predicted_s")), predicted_s[i]);
        CU_ASSERT_EQUAL(json_real_value(json_object_get(policy, "regret_s")), regret_s[i]);
    }
    CU_ASSERT_EQUAL(json_real_value(json_object_get(json_object_get(report, "recorded"), "regret_s")), 5);
    json_decref(report);
    got = ALLOT_RUN("replay", log);
    expect_code(got, 0);
    static const char *const names[] = { "recorded (eft)", "eft",       "heft",         "heteroprio",
                                         "dmda",           "auto_tune", "least_loaded", "round_robin",
                                         "random",         "fixed" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect_text(got->out, names[i]);
}

static double predicted_by(const char *log, const char *policy)
{
    const outcome *got = ALLOT_RUN("replay", log, "--policy", policy, "--json");
    expect_code(got, 0);
    json_t *report = parse_json(got->out);
    double predicted_s = json_real_value(
        json_object_get(json_array_get(json_object_get(report, "policies"), 0), "predicted_s"));
    json_decref(report);
    return predicted_s;
}

/* Each tries both places once, and stays with the better: 2, 1, 1, 1, 1 seconds. */
static void executors_that_write_in_turns_keep_their_histories(void)
{
    const char *log = in_folder("turns.jsonl");
    FILE *file = fopen(log, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (int i = 0; i < 10; i++)
        fprintf(
            file,
            "{\"decision\":%d,\"run\":\"%d\",\"task\":\"t\",\"candidates\":["
            "{\"place\":\"a\",\"alike\":\"a\",\"kind\":\"thread\",\"run_s\":2,\"total_s\":2},"
            "{\"place\":\"b\",\"alike\":\"b\",\"index\":1,\"kind\":\"opencl\",\"run_s\":1,\"total_s\":1}],"
            "\"chosen\":0}\n",
            i / 2, i % 2);
    fclose(file);
    CU_ASSERT_EQUAL(predicted_by(log, "auto_tune"), 12);
}

static void figures_that_are_none_are_survived(void)
{
    const char *log = in_folder("odd.jsonl");
    static const char text[] =
        "{\"decision\":0,\"task\":\"t\",\"deadline_s\":\"inf\",\"rank_s\":\"nan\",\"candidates\":[{\"place\":"
        "\"a\","
        "\"kind\":\"thread\",\"total_s\":\"nan\",\"run_s\":\"-inf\"},{\"place\":\"b\",\"kind\":\"new\","
        "\"total_s\":1e300,"
        "\"bound_s\":\"inf\"}],\"chosen\":1,\"outcome\":{\"status\":\"ALLOT_OK\",\"ran_s\":1}}\n"
        "{\"decision\":1,\"task\":\"t\",\"candidates\":[],\"chosen\":-1}\n";
    write_file(log, text, strlen(text));
    const outcome *got = ALLOT_RUN("replay", log);
    expect_code(got, 0);
    got = ALLOT_RUN("replay", log, "--json");
    expect_code(got, 0);
    json_decref(parse_json(got->out));
}

static void bad_input_is_told_with_its_line(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "no decision in it" },
        { "\n\n", "no decision in it" },
        { "hello\n", ":1: no JSON" },
        { "{\"decision\":0}\n", ":1: task: a text is expected" },
        { "[1,2]\n", ":1: no decision" },
        { "{\"traceEvents\":[]}\n", ":1: no decision" },
        { "{\"decision\":-1,\"task\":\"t\",\"candidates\":[],\"chosen\":-1}\n",
          ":1: decision: a whole number" },
        { "{\"decision\":0,\"task\":\"t\",\"chosen\":-1}\n", ":1: candidates: a list is expected" },
        { "{\"decision\":0,\"task\":\"t\",\"candidates\":[],\"chosen\":0}\n", ":1: chosen: the index" },
        { "{\"decision\":0,\"task\":\"t\",\"candidates\":[],\"chosen\":-2}\n", ":1: chosen: the index" },
        { "{\"decision\":0,\"task\":\"t\",\"candidates\":[7],\"chosen\":0}\n",
          ":1: candidates[0].: an object" },
        { "{\"decision\":0,\"task\":\"t\",\"candidates\":[{}],\"chosen\":0}\n",
          ":1: candidates[0].place: a text" },
        { "{\"decision\":0,\"task\":\"t\",\"candidates\":[{\"place\":\"a\",\"kind\":\"thread\",\"run_s\":"
          "\"soon\"}],\"chosen\":0}\n",
          ":1: candidates[0].run_s: a number" },
        { "{\"decision\":0,\"task\":\"t\",\"candidates\":[{\"place\":\"a\",\"kind\":\"thread\",\"samples\":1."
          "5}],\"chosen\":0}\n",
          ":1: candidates[0].samples: a whole number" },
        { "{\"decision\":0,\"task\":\"t\",\"candidates\":[{\"place\":\"a\",\"kind\":\"thread\",\"reason\":"
          "\"no\"}],\"chosen\":0}\n",
          ":1: chosen: a candidate without a reason" },
        { "{\"decision\":0,\"task\":\"t\",\"energy\":1,\"candidates\":[],\"chosen\":-1}\n",
          ":1: energy: true or false" },
        { "{\"decision\":0,\"task\":\"t\",\"candidates\":[],\"chosen\":-1,\"outcome\":3}\n",
          ":1: outcome: an object" },
        { "{\"decision\":0,\"task\":\"t\",\"candidates\":[],\"chosen\":-1}\n{\"decision\":1,\"task\":\"t\","
          "\"cand",
          ":2: no JSON" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *log = in_folder("bad.jsonl");
        write_file(log, cases[i].text, strlen(cases[i].text));
        const outcome *got = ALLOT_RUN("replay", log);
        expect_code(got, 3);
        expect_text(got->err, cases[i].message);
        CU_ASSERT_STRING_EQUAL(got->out, "");
    }
    const outcome *got = ALLOT_RUN("replay", in_folder("missing.jsonl"), "--json");
    expect_code(got, 3);
    expect_text(got->out, "\"error\"");
}

/* No byte of a log may make the reader do anything but read it or refuse it. */
static void a_damaged_log_is_read_or_refused(void)
{
    char good[2000], text[2000];
    snprintf(good, sizeof good, LINE, "1");
    const char *log = in_folder("damaged.jsonl");
    size_t length = strlen(good);
    for (size_t i = 0; i < length; i += 7) {
        memcpy(text, good, length);
        text[i] = (char)(text[i] ^ (1 << (i % 7)));
        write_file(log, text, length - i % 3);
        const outcome *got = ALLOT_RUN("replay", log, "--policy", "eft,dmda,heteroprio");
        CU_ASSERT_TRUE(got->code == 0 || got->code == 3);
    }
}

static void mistakes_in_the_command_line_are_told(void)
{
    static const struct {
        const char *words[6], *message;
        int code;
    } cases[] = {
        { { "replay" }, "name a decision log", 2 },
        { { "replay", "a", "b" }, "'b' is one word too many", 2 },
        { { "replay", "a", "--policy", "best" }, "no policy is called 'best': there are eft, heft", 2 },
        { { "replay", "a", "--policy", "eft,,dmda" }, "a name is missing", 2 },
        { { "replay", "a", "--policy", "random:x" }, "its seed is no whole number", 2 },
        { { "run", "axpy", "--policy", "best" },
          "--policy: no policy is called 'best': there are eft, heft",
          2 },
        { { "run", "axpy", "--decisions", "/nonexistent/log" }, "/nonexistent/log", 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const outcome *got = run_program(COMMAND, cases[i].words);
        expect_code(got, cases[i].code);
        expect_text(got->err, cases[i].message);
        CU_ASSERT_STRING_EQUAL(got->out, "");
    }
}

int main(void)
{
    static const test_fact facts[] = {
        { "a run is replayed as it was", a_run_is_replayed_as_it_was },
        { "explains by which policy", explains_by_which_policy },
        { "says how many places the hints leave out", says_how_many_places_the_hints_leave_out },
        { "tells what another policy would have cost", tells_what_another_policy_would_have_cost },
        { "executors that write in turns keep their histories",
          executors_that_write_in_turns_keep_their_histories },
        { "figures that are none are survived", figures_that_are_none_are_survived },
        { "bad input is told with its line", bad_input_is_told_with_its_line },
        { "a damaged log is read or refused", a_damaged_log_is_read_or_refused },
        { "mistakes in the command line are told", mistakes_in_the_command_line_are_told },
        { NULL, NULL },
    };
    setenv("ALLOT_DATA", TEST_DATA, 1);
    setenv("ALLOT_MODEL", "off", 1);
    unsetenv("ALLOT_POLICY");
    int code = test_main("replay", facts);
    remove_folder();
    return code;
}
