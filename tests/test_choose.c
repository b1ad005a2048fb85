/* Choosing on simulated machines: many places that are alike, data that lies somewhere, ranks, the log. */
#include "command.h"
#include "support.h"
#include <allot/allot.h>
#include <math.h>

/* A machine of `nodes` nodes with four devices of a memory of their own and two processors each. */
static const char *machine(unsigned nodes)
{
    char text[1000];
    snprintf(text, sizeof text,
             "{\"name\": \"many\", \"nodes\": %u, \"network\": {\"bytes_per_s\": 1e10, \"latency_s\": 1e-6},"
             " \"classes\": [{\"name\": \"cpu\", \"count\": 2, \"flops_per_s\": 1e9},"
             " {\"name\": \"gpu\", \"kind\": \"opencl\", \"count\": 4, \"flops_per_s\": 5e10, "
             "\"bytes_per_s\": 1e12,"
             " \"own_memory\": true, \"to\": {\"bytes_per_s\": 1e9}, \"from\": {\"bytes_per_s\": 1e9}}]}",
             nodes);
    const char *path = in_folder("machine.json");
    write_file(path, text, strlen(text));
    return path;
}

static allot_executor *open_machine(unsigned nodes, const char *policy)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.machine = machine(nodes), .policy = policy));
    if (!executor)
        printf("\n    %s ", allot_open_error());
    REQUIRE(executor != NULL);
    return executor;
}

enum {
    COUNT = 100000
};

static allot_future *axpy(allot_executor *executor, allot_array *x, allot_array *y, const allot_hints *hints)
{
    return allot_launch(executor, allot_axpy(), allot_range(COUNT),
                        ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y)), hints);
}

/* ---- Classes ---- */

static void of_thousands_a_few_are_looked_at(void)
{
    allot_executor *executor = open_machine(500, NULL);
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1);
    allot_future *futures[50];
    allot_array *y[50];
    for (int i = 0; i < 50; i++) {
        y[i] = allot_array_full(executor, ALLOT_F32, COUNT, 1);
        futures[i] = axpy(executor, x, y[i], NULL);
    }
    CHECK_STATUS(allot_wait_all(futures, 50, ALLOT_FOREVER), ALLOT_OK);
    for (int i = 0; i < 50; i++) {
        const allot_decision *decision = allot_future_decision(futures[i]);
        REQUIRE(decision != NULL && decision->chosen >= 0);
        CHECK(decision->candidate_count >= 2 && decision->candidate_count <= 20);
        for (size_t j = 0; j < decision->candidate_count; j++)
            CHECK(decision->candidates[j].alike_count ==
                  (decision->candidates[j].kind == ALLOT_OPENCL ? 2000 : 1000));
        CHECK(decision->candidates[decision->chosen].ready_s == 0); /* there are enough for all */
        allot_release(futures[i]);
        allot_array_release(y[i]);
    }
    allot_array_release(x);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void who_has_the_data_is_looked_at_though_others_are_free(void)
{
    allot_executor *executor = open_machine(500, NULL);
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1),
                *y = allot_array_full(executor, ALLOT_F32, COUNT, 1);
    CHECK_STATUS(finish(axpy(executor, x, y, ALLOT_HINTS(.place_id = "n17/gpu:3"))), ALLOT_OK);
    allot_future *future = axpy(executor, x, y, NULL);
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    const allot_decision *decision = allot_future_decision(future);
    REQUIRE(decision != NULL);
    bool listed = false;
    for (size_t i = 0; i < decision->candidate_count; i++)
        if (strcmp(decision->candidates[i].place, "n17/gpu:3") == 0)
            listed = decision->candidates[i].transfer_s == 0;
        else if (decision->candidates[i].kind == ALLOT_OPENCL)
            CHECK(decision->candidates[i].transfer_s > 0);
    CHECK(listed);
    CU_ASSERT_STRING_EQUAL(allot_future_place(future), "n17/gpu:3");
    allot_release(future);
    allot_array_release(x), allot_array_release(y);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void one_of_many_can_be_named(void)
{
    allot_executor *executor = open_machine(500, NULL);
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1),
                *y = allot_array_full(executor, ALLOT_F32, COUNT, 1);
    allot_future *future = axpy(executor, x, y, ALLOT_HINTS(.place_id = "n400/cpu:1"));
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(allot_future_place(future), "n400/cpu:1");
    allot_release(future);
    allot_array_release(x), allot_array_release(y);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void those_submitted_at_once_are_spread(void)
{
    enum {
        LAUNCHES = 8
    };
    allot_executor *executor = open_machine(1, "least_loaded");
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1), *y[LAUNCHES];
    allot_future *futures[LAUNCHES];
    for (int i = 0; i < LAUNCHES; i++) {
        y[i] = allot_array_full(executor, ALLOT_F32, COUNT, 1);
        futures[i] = axpy(executor, x, y[i], ALLOT_HINTS(.place = ALLOT_OPENCL));
    }
    CHECK_STATUS(allot_wait_all(futures, LAUNCHES, ALLOT_FOREVER), ALLOT_OK);
    for (int i = 0; i < LAUNCHES; i++)
        for (int j = i + 1; j < LAUNCHES; j++)
            CHECK((strcmp(allot_future_place(futures[i]), allot_future_place(futures[j])) == 0) ==
                  (j == i + 4));
    for (int i = 0; i < LAUNCHES; i++)
        allot_release(futures[i]), allot_array_release(y[i]);
    allot_array_release(x);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void the_way_back_counts_once_the_host_is_known_to_read(void)
{
    allot_executor *executor = open_machine(1, NULL);
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1),
                *y = allot_array_full(executor, ALLOT_F32, COUNT, 1);
    for (int round = 0; round < 3; round++) {
        allot_future *future = axpy(executor, x, y, ALLOT_HINTS(.place_id = "gpu:0"));
        CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
        const allot_decision *decision = allot_future_decision(future);
        REQUIRE(decision != NULL && decision->chosen >= 0);
        CHECK((decision->candidates[decision->chosen].return_s > 0) == (round > 0));
        allot_release(future);
        CHECK(allot_array_map(y, ALLOT_READ) != NULL);
        CHECK_STATUS(allot_array_unmap(y), ALLOT_OK);
    }
    allot_array_release(x), allot_array_release(y);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static allot_status do_nothing(allot_call *call, const allot_part *part)
{
    (void)call, (void)part;
    return ALLOT_OK;
}

static void a_type_is_named_only_where_the_kernel_has_one(void)
{
    static const allot_param params[] = { { .name = "y", .type = ALLOT_F64, .access = ALLOT_WRITE } };
    allot_executor *executor = open_machine(1, NULL);
    allot_kernel *kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "plain", .params = params, .param_count = 1, .cpu = do_nothing));
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1),
                *y = allot_array_full(executor, ALLOT_F32, COUNT, 1),
                *z = allot_array_full(executor, ALLOT_F64, COUNT, 1);
    allot_future *futures[] = { axpy(executor, x, y, NULL), allot_launch(executor, kernel, allot_range(COUNT),
                                                                         ALLOT_ARGS(allot_out(z)), NULL) };
    CHECK_STATUS(allot_wait_all(futures, 2, ALLOT_FOREVER), ALLOT_OK);
    for (int i = 0; i < 2; i++) {
        const allot_decision *decision = allot_future_decision(futures[i]);
        REQUIRE(decision != NULL);
        CU_ASSERT_STRING_EQUAL(decision->type, i ? "" : "f32");
    }
    allot_release_all(futures, 2);
    allot_array_release(x), allot_array_release(y), allot_array_release(z);
    allot_kernel_release(kernel);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- Ranks ---- */

static uint64_t number_of(const allot_future *future)
{
    const allot_decision *decision = allot_future_decision(future);
    REQUIRE(decision != NULL);
    return decision->snapshot->number;
}

static double rank_of(const allot_future *future)
{
    const allot_decision *decision = allot_future_decision(future);
    REQUIRE(decision != NULL);
    return decision->snapshot->rank_s;
}

/* One before two: a single launch, and a chain of three. The single one is submitted first. */
static void those_with_more_behind_them_go_first(void)
{
    allot_executor *executor = open_machine(1, "heft");
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1),
                *y = allot_array_full(executor, ALLOT_F32, COUNT, 1),
                *one = allot_array_full(executor, ALLOT_F32, COUNT, 1),
                *two = allot_array_full(executor, ALLOT_F32, COUNT, 1);
    allot_future *root = axpy(executor, x, y, NULL), *single = axpy(executor, y, one, NULL), *chain[3];
    for (int i = 0; i < 3; i++)
        chain[i] = axpy(executor, y, two, NULL);
    CHECK_STATUS(
        allot_wait_all((allot_future *[]){ root, single, chain[0], chain[1], chain[2] }, 5, ALLOT_FOREVER),
        ALLOT_OK);
    CHECK(number_of(chain[0]) < number_of(single));
    CHECK(rank_of(single) > 0);
    CHECK(fabs(rank_of(chain[0]) - 3 * rank_of(single)) < 0.01 * rank_of(single));
    CHECK(rank_of(chain[2]) > 0.5 * rank_of(single) && rank_of(chain[2]) < rank_of(chain[0]));
    allot_release(root), allot_release(single), allot_release_all(chain, 3);
    allot_array_release(x), allot_array_release(y), allot_array_release(one), allot_array_release(two);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void those_of_higher_priority_are_decided_first(void)
{
    allot_executor *executor = open_machine(1, "eft");
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1), *y[4];
    for (int i = 0; i < 4; i++)
        y[i] = allot_array_full(executor, ALLOT_F32, COUNT, 1);
    allot_future *root = axpy(executor, y[3], x, NULL), *after[3];
    for (int i = 0; i < 3; i++)
        after[i] = axpy(executor, x, y[i], ALLOT_HINTS(.priority = i == 1 ? 5 : i));
    CHECK_STATUS(allot_wait_all(after, 3, ALLOT_FOREVER), ALLOT_OK);
    CHECK(number_of(after[1]) < number_of(after[2]));
    CHECK(number_of(after[2]) < number_of(after[0]));
    allot_release(root), allot_release_all(after, 3), allot_array_release(x);
    for (int i = 0; i < 4; i++)
        allot_array_release(y[i]);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- Builds and affinity ---- */

static const allot_candidate *candidate_of(const allot_future *future, const char *place)
{
    const allot_decision *decision = allot_future_decision(future);
    for (size_t i = 0; decision && i < decision->candidate_count; i++)
        if (strcmp(decision->candidates[i].place, place) == 0)
            return &decision->candidates[i];
    REQUIRE(false);
    return NULL;
}

static const char *machine_with(const char *gpu)
{
    char text[600];
    snprintf(text, sizeof text,
             "{\"name\": \"pair\", \"classes\": [{\"name\": \"cpu\", \"flops_per_s\": 1e9},"
             " {\"name\": \"gpu\", \"kind\": \"opencl\", \"flops_per_s\": 2e10, \"bytes_per_s\": 1e12%s}]}",
             gpu);
    const char *path = in_folder("pair.json");
    write_file(path, text, strlen(text));
    return path;
}

static void who_builds_nothing_is_thought_to_build_nothing(void)
{
    for (int builds = 0; builds < 2; builds++) {
        const char *path = machine_with(builds ? ", \"compile_s\": 0.1" : "");
        allot_executor *executor = allot_open(ALLOT_OPTIONS(.machine = path));
        REQUIRE(executor != NULL);
        allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1),
                    *y = allot_array_full(executor, ALLOT_F32, COUNT, 1);
        allot_future *first = axpy(executor, x, y, NULL);
        CHECK_STATUS(allot_wait(first, ALLOT_FOREVER), ALLOT_OK);
        CU_ASSERT_EQUAL(candidate_of(first, "gpu")->compile_s > 0.01, builds);
        allot_release(first), allot_array_release(x), allot_array_release(y);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
    }
}

/* axpy has two operations an index: 200 µs here, 10 µs there. */
static void how_much_slower_a_place_usually_is_gets_known(void)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.machine = machine_with("")));
    REQUIRE(executor != NULL);
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1),
                *y = allot_array_full(executor, ALLOT_F32, COUNT, 1);
    for (int i = 0; i < 20; i++) {
        const allot_hints *hints = i < 10 ? ALLOT_HINTS(.place_id = "cpu") : NULL;
        allot_future *one = axpy(executor, x, y, hints);
        CHECK_STATUS(allot_wait(one, ALLOT_FOREVER), ALLOT_OK);
        if (i == 0)
            CHECK(candidate_of(one, "cpu")->usual_ratio == 0);
        if (i == 19) {
            CHECK(fabs(candidate_of(one, "gpu")->usual_ratio - 1) < 0.1);
            CHECK(candidate_of(one, "cpu")->usual_ratio > 3);
        }
        allot_release(one);
    }
    allot_array_release(x), allot_array_release(y);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* Both find an idle device, and the second goes first, for it is more urgent. Each moves 1.2 MB at 1 GB/s. */
static void who_was_overtaken_does_not_say_what_launching_costs(void)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.machine = machine_with("")));
    REQUIRE(executor != NULL);
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1), *y[2];
    for (int i = 0; i < 2; i++)
        y[i] = allot_array_full(executor, ALLOT_F32, COUNT, 1);
    for (int round = 0; round < 5; round++) {
        allot_future *two[2];
        for (int i = 0; i < 2; i++)
            two[i] = axpy(executor, x, y[i], ALLOT_HINTS(.place_id = "cpu", .priority = i));
        CHECK_STATUS(allot_wait_all(two, 2, ALLOT_FOREVER), ALLOT_OK);
        if (round > 0)
            CHECK(candidate_of(two[0], "cpu")->ready_s == 0 && candidate_of(two[0], "cpu")->run_s < 1.5e-3);
        allot_release_all(two, 2);
    }
    allot_array_release(x), allot_array_release(y[0]), allot_array_release(y[1]);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static uint64_t samples_before(allot_executor *executor, allot_array *x, allot_array *y, size_t count)
{
    allot_future *one = allot_launch(executor, allot_axpy(), allot_range(count),
                                     ALLOT_ARGS(allot_f32(2), allot_in_view(allot_view_1d(x, 0, count)),
                                                allot_inout_view(allot_view_1d(y, 0, count))),
                                     ALLOT_HINTS(.place_id = "cpu"));
    CHECK_STATUS(allot_wait(one, ALLOT_FOREVER), ALLOT_OK);
    uint64_t samples = candidate_of(one, "cpu")->samples;
    allot_release(one);
    return samples;
}

/* More sizes than are remembered at once, in turn. */
static void every_decision_knows_of_every_run_before(void)
{
    enum {
        SIZES = 10
    };
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.machine = machine_with("")));
    REQUIRE(executor != NULL);
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1),
                *y = allot_array_full(executor, ALLOT_F32, COUNT, 1);
    for (size_t run = 0; run < 6; run++)
        for (size_t size = 0; size < SIZES; size++)
            CU_ASSERT_EQUAL(samples_before(executor, x, y, COUNT >> size), run);
    CHECK_STATUS(allot_model_reset(executor), ALLOT_OK);
    for (size_t size = 0; size < SIZES; size++)
        CU_ASSERT_EQUAL(samples_before(executor, x, y, COUNT >> size), 0);
    allot_array_release(x), allot_array_release(y);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void a_dependency_on_a_future_counts_in_ranks(void)
{
    allot_executor *executor = open_machine(1, "heft");
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1), *y[4];
    for (int i = 0; i < 4; i++)
        y[i] = allot_array_full(executor, ALLOT_F32, COUNT, 1);
    allot_future *root = axpy(executor, x, y[0], NULL);
    allot_future *second = axpy(executor, x, y[1], ALLOT_HINTS(.after = &root, .after_count = 1));
    allot_future *third = axpy(executor, x, y[2], ALLOT_HINTS(.after = &second, .after_count = 1));
    allot_future *dropped = axpy(executor, x, y[3], ALLOT_HINTS(.after = &third, .after_count = 1));
    CHECK(allot_cancel(dropped));
    CHECK_STATUS(allot_wait(third, ALLOT_FOREVER), ALLOT_OK);
    CHECK(rank_of(root) > 0 && rank_of(third) > 1.5 * rank_of(root) &&
          rank_of(second) > 1.3 * rank_of(third));
    allot_release(root), allot_release(second), allot_release(third), allot_release(dropped);
    allot_array_release(x);
    for (int i = 0; i < 4; i++)
        allot_array_release(y[i]);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void ranks_of_a_long_chain_are_found_without_a_deep_stack(void)
{
    enum {
        LENGTH = ROUNDS(50000)
    };
    allot_executor *executor = open_machine(1, "heft");
    allot_array *y = allot_array_full(executor, ALLOT_F32, 8, 1);
    allot_future *first = NULL, *last = NULL;
    for (int i = 0; i < LENGTH; i++) {
        allot_future *future = allot_launch(executor, allot_axpy(), allot_range(4),
                                            ALLOT_ARGS(allot_f32(0), allot_in_view(allot_view_1d(y, 0, 4)),
                                                       allot_inout_view(allot_view_1d(y, 4, 4))),
                                            NULL);
        if (i == 1)
            first = future;
        else if (i == LENGTH - 1)
            last = future;
        else
            allot_release(future);
    }
    CHECK_STATUS(allot_wait(last, ALLOT_FOREVER), ALLOT_OK);
    CHECK(rank_of(first) > 1000 * rank_of(last));
    allot_release(first), allot_release(last);
    allot_array_release(y);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- Which policy ---- */

static void the_policy_comes_from_the_option_or_the_environment(void)
{
    setenv("ALLOT_POLICY", "round_robin", 1);
    allot_executor *executor = open_machine(1, NULL);
    allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1),
                *y = allot_array_full(executor, ALLOT_F32, COUNT, 1);
    allot_future *future = axpy(executor, x, y, NULL);
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(allot_future_decision(future)->policy, "round_robin");
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(allot_future_decision(future)->policy, "round_robin"); /* as long as the future */
    CU_ASSERT_STRING_EQUAL(allot_future_decision(future)->candidates[0].place, "cpu:0");
    allot_release(future);
    allot_array_release(x), allot_array_release(y);
    executor = open_machine(1, "fixed:gpu:2");
    CHECK_STATUS(allot_close(executor), ALLOT_OK);

    setenv("ALLOT_POLICY", "rund_robin", 1);
    CU_ASSERT_PTR_NULL(allot_open(NULL));
    CHECK_STATUS(allot_last_status(), ALLOT_NOT_FOUND);
    CHECK(strstr(allot_open_error(), "ALLOT_POLICY: no policy is called 'rund_robin': there are eft, heft") !=
          NULL);
    unsetenv("ALLOT_POLICY");
    CU_ASSERT_PTR_NULL(allot_open(ALLOT_OPTIONS(.policy = "best")));
    CHECK(strstr(allot_open_error(), "no policy is called 'best'") != NULL);
}

static void every_policy_runs_a_mix(void)
{
    allot_policy_info infos[32];
    for (size_t i = 0; i < 32; i++)
        infos[i].size = sizeof infos[i];
    size_t count = allot_policies(infos, 32);
    for (size_t p = 0; p < count; p++) {
        allot_executor *executor = open_machine(1, infos[p].name);
        allot_array *x = allot_array_full(executor, ALLOT_F32, COUNT, 1), *y[5];
        for (int i = 0; i < 5; i++)
            y[i] = allot_array_full(executor, ALLOT_F32, COUNT, 0);
        for (int i = 0; i < 200; i++)
            allot_release(axpy(executor, i % 3 ? x : y[(i + 1) % 5], y[i % 5], NULL));
        for (int i = 0; i < 5; i++) {
            const float *data = allot_array_map(y[i], ALLOT_READ);
            CHECK(data && data[0] > 0);
            if (data)
                allot_array_unmap(y[i]);
            allot_array_release(y[i]);
        }
        allot_array_release(x);
        CHECK_STATUS(allot_close(executor), ALLOT_OK);
    }
}

/* ---- The log ---- */

static size_t count_lines(const char *path)
{
    FILE *file = fopen(path, "re");
    size_t count = 0;
    for (int c; file && (c = getc(file)) != EOF;)
        count += c == '\n';
    if (file)
        fclose(file);
    return count;
}

static void every_decision_is_logged_though_many_come_at_once(void)
{
    enum {
        LAUNCHES = ROUNDS(10000) /* more than the log lets wait */
    };
    const char *path = in_folder("many.jsonl");
    unlink(path);
    allot_executor *executor =
        allot_open(ALLOT_OPTIONS(.machine = machine(1), .policy = "round_robin", .decisions = path));
    REQUIRE(executor != NULL);
    allot_array *y = allot_array_full(executor, ALLOT_F32, 64, 1);
    for (int i = 0; i < LAUNCHES; i++) {
        allot_future *future =
            allot_launch(executor, allot_axpy(), allot_range(1),
                         ALLOT_ARGS(allot_f32(0), allot_in_view(allot_view_1d(y, (size_t)(i % 16), 1)),
                                    allot_inout_view(allot_view_1d(y, (size_t)(16 + i % 48), 1))),
                         NULL);
        if (i % 100 == 0)
            allot_cancel(future); /* decided, and yet without an outcome; or not decided */
        allot_release(future);
    }
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    allot_array_release(y);
    size_t lines = count_lines(path);
    CHECK(lines >= LAUNCHES - LAUNCHES / 100 - 1 && lines <= LAUNCHES);
    const outcome *got = ALLOT_RUN("replay", path, "--policy", "round_robin", "--json");
    expect_code(got, 0);
    json_t *report = json_loads(got->out, 0, NULL);
    CHECK((size_t)json_integer_value(json_object_get(report, "decisions")) == lines);
    const json_t *policy = json_array_get(json_object_get(report, "policies"), 0);
    CHECK(json_real_value(json_object_get(policy, "agreement")) == 1);
    json_decref(report);
}

typedef struct crowd {
    allot_executor *executor;
    allot_array *arrays[4];
    unsigned seed;
} crowd;

/* Launches on what others launch on too, after each other's futures, and now and then thinks better of it. */
static void *launch_in_a_crowd(void *of)
{
    crowd *self = of;
    allot_future *last = NULL;
    unsigned draw = self->seed;
    for (int i = 0; i < ROUNDS(1000); i++) {
        draw = draw * 1103515245 + 12345;
        allot_array *x = self->arrays[draw >> 8 & 3],
                    *y = self->arrays[((draw >> 8 & 3) + 1 + (draw >> 10) % 3) & 3];
        const allot_hints *hints = last ? ALLOT_HINTS(.after = &last, .after_count = 1) : NULL;
        allot_future *future = axpy(self->executor, x, y, draw >> 16 & 1 ? hints : NULL);
        if ((draw >> 20) % 16 == 0)
            allot_cancel(future);
        else if (allot_future_decision(future))
            CHECK(allot_future_decision(future)->candidate_count >= 1);
        allot_release(last);
        last = future;
    }
    allot_wait(last, ALLOT_FOREVER);
    allot_release(last);
    return NULL;
}

static void threads_may_launch_at_once_under_ranks_and_a_log(void)
{
    const char *path = in_folder("crowd.jsonl");
    unlink(path);
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 2, .places = ALLOT_KIND_BIT(ALLOT_THREAD),
                                                        .policy = "heft", .decisions = path));
    REQUIRE(executor != NULL);
    crowd all[4];
    for (unsigned i = 0; i < 4; i++)
        all[i] = (crowd){ .executor = executor, .seed = i + 1 };
    for (int i = 0; i < 4; i++) {
        allot_array *array = allot_array_full(executor, ALLOT_F32, COUNT, 0);
        for (int j = 0; j < 4; j++)
            all[j].arrays[i] = array;
    }
    run_threads(4, launch_in_a_crowd, all, sizeof all[0]);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    for (int i = 0; i < 4; i++)
        allot_array_release(all[0].arrays[i]);
    const outcome *got = ALLOT_RUN("replay", path, "--policy", "heft");
    expect_code(got, 0);
}

static void a_log_that_cannot_be_written_is_told_at_once(void)
{
    CU_ASSERT_PTR_NULL(allot_open(ALLOT_OPTIONS(.decisions = "/nonexistent/folder/log")));
    CHECK_STATUS(allot_last_status(), ALLOT_SYSTEM);
    CHECK(strstr(allot_open_error(), "/nonexistent/folder/log") != NULL);
    setenv("ALLOT_DECISIONS", "/nonexistent/folder/log", 1);
    CU_ASSERT_PTR_NULL(allot_open(NULL));
    CHECK(strstr(allot_open_error(), "ALLOT_DECISIONS") != NULL);
    setenv("ALLOT_DECISIONS", "", 1);
    CHECK_STATUS(allot_close(allot_open(NULL)), ALLOT_OK);
    unsetenv("ALLOT_DECISIONS");
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "of thousands a few are looked at", of_thousands_a_few_are_looked_at },
        { "who has the data is looked at though others are free",
          who_has_the_data_is_looked_at_though_others_are_free },
        { "one of many can be named", one_of_many_can_be_named },
        { "those submitted at once are spread", those_submitted_at_once_are_spread },
        { "the way back counts once the host is known to read",
          the_way_back_counts_once_the_host_is_known_to_read },
        { "a type is named only where the kernel has one", a_type_is_named_only_where_the_kernel_has_one },
        { "those with more behind them go first", those_with_more_behind_them_go_first },
        { "those of higher priority are decided first", those_of_higher_priority_are_decided_first },
        { "who builds nothing is thought to build nothing", who_builds_nothing_is_thought_to_build_nothing },
        { "how much slower a place usually is gets known", how_much_slower_a_place_usually_is_gets_known },
        { "who was overtaken does not say what launching costs",
          who_was_overtaken_does_not_say_what_launching_costs },
        { "every decision knows of every run before", every_decision_knows_of_every_run_before },
        { "a dependency on a future counts in ranks", a_dependency_on_a_future_counts_in_ranks },
        { "ranks of a long chain are found without a deep stack",
          ranks_of_a_long_chain_are_found_without_a_deep_stack },
        { "the policy comes from the option or the environment",
          the_policy_comes_from_the_option_or_the_environment },
        { "every policy runs a mix", every_policy_runs_a_mix },
        { "every decision is logged though many come at once",
          every_decision_is_logged_though_many_come_at_once },
        { "threads may launch at once under ranks and a log",
          threads_may_launch_at_once_under_ranks_and_a_log },
        { "a log that cannot be written is told at once", a_log_that_cannot_be_written_is_told_at_once },
        { NULL, NULL },
    };
    setenv("ALLOT_MODEL", "off", 1);
    setenv("TEST_WATCHDOG_S", "120", 0); /* thousands of decisions are replayed, maybe beside other work */
    const watched_suite suites[] = { { "choose", facts, NULL } };
    int code = watched_main(argc, argv, suites, 1);
    remove_folder();
    return code;
}
