/* `allot simulate` as a user runs it: makespans and bounds worked out by hand, pictures, mistakes. */
#include "command.h"
#include "places/sim/machine.h"
#include <math.h>

#define MACHINES  TEST_DATA "/machines/"
#define WORKLOADS TEST_DATA "/workloads/"

/* Two alike processors and a device twice as fast at k, all with the host's memory: no transfers. */
static const char *machine(void)
{
    static const char text[] = "{ \"name\": \"three\", \"classes\": ["
                               "{ \"name\": \"cpu\", \"count\": 2, \"flops_per_s\": 1e9 },"
                               "{ \"name\": \"acc\", \"flops_per_s\": 2e9 } ] }";
    const char *path = in_folder("three.json");
    write_file(path, text, sizeof text - 1);
    return path;
}

static const char *workload(const char *name, const char *text)
{
    const char *path = in_folder(name);
    write_file(path, text, strlen(text));
    return path;
}

static double number_at(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    if (!json_is_number(value))
        printf("\n    %s is no number", key);
    CU_ASSERT_TRUE(json_is_number(value));
    return json_number_value(value);
}

/* Eight launches of a second on a CPU, half one on the accelerator: together 4 a second, so 2 s. Alone the
 * longest takes half a second. */
static void independent_launches_have_the_area_bound(void)
{
    const char *path = workload(
        "eight.json",
        "{ \"arrays\": [ { \"name\": \"x\", \"bytes\": 8 } ], \"tasks\": ["
        "{ \"kernel\": \"k\", \"flops\": 1e9, \"read\": [ \"x\" ] }, { \"kernel\": \"k\", \"flops\": 1e9 },"
        "{ \"kernel\": \"k\", \"flops\": 1e9 }, { \"kernel\": \"k\", \"flops\": 1e9 },"
        "{ \"kernel\": \"k\", \"flops\": 1e9 }, { \"kernel\": \"k\", \"flops\": 1e9 },"
        "{ \"kernel\": \"k\", \"flops\": 1e9 }, { \"kernel\": \"k\", \"flops\": 1e9 } ] }");
    const outcome *got = ALLOT_RUN("simulate", machine(), path, "--json", "--repeat", "4");
    expect_code(got, 0);
    json_t *json = parse_json(got->out), *bounds = json_object_get(json, "bounds");
    CU_ASSERT_DOUBLE_EQUAL(number_at(bounds, "area_s"), 2, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(number_at(bounds, "critical_path_s"), 0.5, 1e-9);
    CU_ASSERT_EQUAL(number_at(json, "launches"), 8);
    CU_ASSERT_EQUAL(number_at(json, "bytes_moved"), 0);
    CU_ASSERT_TRUE(number_at(json, "makespan_s") >= 2 - 1e-9);
    json_t *classes = json_object_get(json, "classes");
    CU_ASSERT_EQUAL(json_array_size(classes), 2);
    double launches = 0;
    for (size_t i = 0; i < json_array_size(classes); i++)
        launches += number_at(json_array_get(classes, i), "launches");
    CU_ASSERT_EQUAL(launches, 32);
    json_decref(json);
}

/* fill 0.5 s, two smooths of 1 s each at their fastest, and join 0.5 s: 2 s; the third waits for the first.
 */
static void a_chain_has_the_critical_path(void)
{
    const char *path =
        workload("diamond.json",
                 "{ \"arrays\": [ { \"name\": \"x\", \"bytes\": 8 }, { \"name\": \"y\", \"bytes\": 8 }, { "
                 "\"name\": \"z\", "
                 "\"bytes\": 8 } ], \"tasks\": ["
                 "{ \"kernel\": \"fill\", \"flops\": 1e9, \"write\": [ \"x\" ] },"
                 "{ \"kernel\": \"smooth\", \"flops\": 2e9, \"read\": [ \"x\" ], \"write\": [ \"y\" ] },"
                 "{ \"kernel\": \"smooth\", \"flops\": 2e9, \"read\": [ \"x\" ], \"write\": [ \"z\" ], "
                 "\"priority\": 2 },"
                 "{ \"kernel\": \"join\", \"flops\": 1e9, \"read\": [ \"y\" ], \"update\": [ \"z\" ], "
                 "\"after\": [ 0 ] } ] }");
    const outcome *got = ALLOT_RUN("simulate", machine(), path, "--json");
    expect_code(got, 0);
    json_t *json = parse_json(got->out), *bounds = json_object_get(json, "bounds");
    CU_ASSERT_DOUBLE_EQUAL(number_at(bounds, "critical_path_s"), 2, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(number_at(bounds, "area_s"), 1.5, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(number_at(bounds, "bound_s"), 2, 1e-9);
    CU_ASSERT_TRUE(number_at(json, "makespan_s") >= 2 - 1e-9);
    json_decref(json);
}

static void every_shipped_workload_runs_on_every_shipped_machine(void)
{
    static const char *const workloads[] = { "cholesky",   "lu",     "qr",    "stencil",
                                             "map_reduce", "layers", "stream" };
    static const char *const machines[] = { "mirage", "sirocco", "laptop", "workstation", "cluster" };
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        char path[300], on[300];
        snprintf(path, sizeof path, WORKLOADS "%s.json", workloads[i]);
        snprintf(on, sizeof on, MACHINES "%s.json", machines[i % 5]);
        const outcome *got = ALLOT_RUN("simulate", on, path, "--tiles", "6", "--json");
        expect_code(got, 0);
        json_t *json = parse_json(got->out);
        CU_ASSERT_TRUE(number_at(json, "makespan_s") >
                       0.5 * number_at(json_object_get(json, "bounds"), "bound_s")); /* noise is in it */
        json_decref(json);
    }
    expect_code(ALLOT_RUN("simulate", "workstation", "hand"), 0);
    const outcome *got = ALLOT_RUN("simulate", "workstation", "hand", "--tiles", "8");
    expect_code(got, 2);
    expect_text(got->err, "hand.json lists its tasks");
}

static double makespan(const char *seed)
{
    const outcome *got = ALLOT_RUN("simulate", "mirage", "cholesky", "--tiles", "8", "--seed", seed,
                                   "--repeat", "2", "--json");
    expect_code(got, 0);
    json_t *json = parse_json(got->out);
    double made = number_at(json, "makespan_s");
    json_decref(json);
    return made;
}

static void a_seed_repeats_a_run(void)
{
    double first = makespan("5");
    CU_ASSERT_EQUAL(makespan("5"), first);
    CU_ASSERT_NOT_EQUAL(makespan("6"), first);
}

static void policies_have_names(void)
{
    expect_code(ALLOT_RUN("simulate", "mirage", "cholesky", "--tiles", "4", "--policy", "round_robin"), 0);
    const outcome *got = ALLOT_RUN("simulate", "mirage", "cholesky", "--policy", "wishful");
    expect_code(got, 2);
    expect_text(got->err, "wishful");
}

static void a_picture_can_be_drawn(void)
{
    static char text[1 << 20];
    const char *path = in_folder("gantt.svg");
    const outcome *got = ALLOT_RUN("simulate", "mirage", "cholesky", "--tiles", "4", "--gantt", path);
    expect_code(got, 0);
    expect_text(got->out, "times the lower bound of");
    CU_ASSERT_TRUE(read_file(path, text, sizeof text) > 1000);
    expect_text(text, "<svg xmlns='http://www.w3.org/2000/svg'");
    expect_text(text, "cholesky on mirage");
    expect_text(text, ">potrf</text>");
    expect_text(text, "</svg>");
    expect_code(ALLOT_RUN("simulate", "mirage", "cholesky", "--gantt", "/nonexistent/x.svg"), 1);
}

static void failures_are_told(void)
{
    const char *path =
        workload("dying.json", "{ \"name\": \"dying\", \"classes\": [ { \"name\": \"cpu\", \"flops_per_s\": "
                               "1e9, \"faults\": [ { \"at_s\": 1, \"dies\": true } ] } ] }");
    const outcome *got = ALLOT_RUN("simulate", path, "cholesky", "--tiles", "4", "--json");
    expect_code(got, 1);
    got = ALLOT_RUN("simulate", path, "cholesky", "--tiles", "4");
    expect_code(got, 1);
    expect_text(got->out, "launches did not succeed; the first: cpu was lost at 1 s");
}

static void mistakes_name_file_and_key(void)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "{", "expected JSON" },
        { "{ \"generator\": \"cube\" }", "generator 'cube': expected one of cholesky, lu" },
        { "{ \"generator\": \"lu\", \"tiles\": -1 }", "tiles: expected a number from 0" },
        { "{ \"generator\": \"lu\", \"tile\": 1.5 }", "tile: expected a whole number" },
        { "{ \"generator\": \"lu\", \"size\": 3 }", "size: expected one of these keys" },
        { "{ \"generator\": \"map_reduce\", \"degree\": 1 }", "degree: expected 2 or more" },
        { "{ \"generator\": \"layers\", \"degree\": 16 }", "degree: expected at most 15" },
        { "{ \"generator\": \"stream\", \"steps\": 65 }", "steps: expected at most 64" },
        { "{ }", "generator: expected a generator's name (or list \"tasks\")" },
        { "{ \"tasks\": [] }", "tasks: expected a list of one or more tasks" },
        { "{ \"tasks\": [ { \"flops\": 1 } ] }", "tasks[0].kernel: expected a name" },
        { "{ \"tasks\": [ { \"kernel\": \"k\", \"read\": [ \"x\" ] } ] }",
          "tasks[0].read: expected names of arrays" },
        { "{ \"tasks\": [ { \"kernel\": \"k\", \"after\": [ 0 ] } ] }",
          "tasks[0].after: expected numbers of tasks" },
        { "{ \"arrays\": [ { \"name\": \"x\" } ], \"tasks\": [ { \"kernel\": \"k\" } ] }",
          "arrays[0].bytes: expected a number above 0" },
        { "{ \"arrays\": [ { \"name\": \"x\", \"bytes\": 1 } ], \"tasks\": [ { \"kernel\": \"k\", \"read\": "
          "[ \"x\" ], "
          "\"write\": [ \"x\" ] } ] }",
          "tasks[0]: expected that an array which is written is named once" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *path = workload("bad.json", bad[i].text);
        const outcome *got = ALLOT_RUN("simulate", "mirage", path);
        expect_code(got, 3);
        expect_text(got->err, path);
        expect_text(got->err, bad[i].says);
    }
    const outcome *got = ALLOT_RUN("simulate", workload("bad.json", "{ \"name\": \"m\" }"), "cholesky");
    expect_code(got, 3);
    expect_text(got->err, "classes: expected");
    expect_code(ALLOT_RUN("simulate", "atlantis", "cholesky"), 3);
    expect_code(ALLOT_RUN("simulate", "mirage", "no-such-workload"), 3);
    expect_code(ALLOT_RUN("simulate", "mirage"), 2);
    expect_code(ALLOT_RUN("simulate", "mirage", "cholesky", "lu"), 2);
    expect_code(ALLOT_RUN("simulate", "mirage", "cholesky", "--tiles", "many"), 2);
    expect_code(ALLOT_RUN("simulate", "mirage", "cholesky", "--tiles", "0"), 2);
    got = ALLOT_RUN("simulate", "atlantis", "cholesky", "--json");
    expect_code(got, 3);
    json_t *json = parse_json(got->out);
    CU_ASSERT_PTR_NOT_NULL(json_object_get(json, "error"));
    json_decref(json);
}

/* Nothing is made of them: neither time nor memory goes by. */
static void what_the_machine_cannot_hold_is_refused(void)
{
    static const char *const large[] = {
        "{ \"generator\": \"cholesky\", \"tiles\": 1000000 }",
        "{ \"generator\": \"lu\", \"tiles\": 1000000000 }",
        "{ \"generator\": \"qr\", \"tiles\": 100000 }",
        "{ \"generator\": \"stencil\", \"steps\": 1000000000 }",
        "{ \"generator\": \"map_reduce\", \"tiles\": 1000000000 }",
        "{ \"generator\": \"layers\", \"width\": 1000000000 }",
        "{ \"generator\": \"stream\", \"tiles\": 1000000000 }",
    };
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        const outcome *got = ALLOT_RUN("simulate", "laptop", workload("large.json", large[i]));
        expect_code(got, 3);
        expect_text(got->err, "GiB of memory");
    }
    const outcome *got = ALLOT_RUN(
        "simulate", "laptop",
        workload("array.json", "{ \"arrays\": [ { \"name\": \"x\", \"bytes\": 1e15 } ], \"tasks\": ["
                               "{ \"kernel\": \"k\", \"write\": [ \"x\" ] } ] }"));
    expect_code(got, 1);
    expect_text(got->err, "more than this machine's memory");
}

static void what_is_no_file_is_told(void)
{
    const outcome *got = ALLOT_RUN("simulate", folder(), "cholesky");
    expect_code(got, 3);
    expect_text(got->err, "cannot be read: Is a directory");
    got = ALLOT_RUN("simulate", "mirage", folder());
    expect_code(got, 3);
    expect_text(got->err, "cannot be read: Is a directory");
}

static const test_fact facts[] = {
    { "independent launches have the area bound", independent_launches_have_the_area_bound },
    { "a chain has the critical path", a_chain_has_the_critical_path },
    { "every shipped workload runs, and every shipped machine",
      every_shipped_workload_runs_on_every_shipped_machine },
    { "a seed repeats a run", a_seed_repeats_a_run },
    { "policies have names", policies_have_names },
    { "a picture can be drawn", a_picture_can_be_drawn },
    { "failures are told", failures_are_told },
    { "mistakes name file and key", mistakes_name_file_and_key },
    { "what the machine cannot hold is refused", what_the_machine_cannot_hold_is_refused },
    { "what is no file is told", what_is_no_file_is_told },
    { NULL, NULL },
};

int main(void)
{
    if (!*al_sim_reader_version())
        return test_skip("this build cannot read machine files");
    int result = test_main("cli_simulate", facts);
    remove_folder();
    return result;
}
