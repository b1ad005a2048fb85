/* Programs built in the background, while another place runs the first launches. What holds a build up here
 * is the kernel's self-test, which is a part of it: its C variant waits at a gate. */
#include "opencl_layer/layer.h"
#include "support.h"
#include <allot/model.h>
#include <allot/policy.h>
#include <string.h>

enum {
    N = 1000,
    TRIAL = 77 /* elements of the self-test */
};

static test_gate gate;
static const opencl_layer *layer; /* NULL: this loader takes none */

static allot_status plus_one(allot_call *call, const allot_part *part)
{
    (void)call;
    if (part->range.size[0] == TRIAL)
        gate_pass(gate.key);
    for (size_t i = part->begin; i < part->end; i++)
        ((float *)part->args[1].data)[i] = ((const float *)part->args[0].data)[i] + 1;
    return ALLOT_OK;
}

static const allot_param params[] = {
    { .name = "x", .access = ALLOT_READ, .distribution = ALLOT_SLICED },
    { .name = "y", .access = ALLOT_WRITE, .distribution = ALLOT_SLICED },
};
static const double trial_values[TRIAL] = { 1, 2, 3 };
static const allot_selftest_arg trial_args[] = { { .shape = { TRIAL }, .values = trial_values },
                                                 { .shape = { TRIAL } } };
static const allot_selftest trial = { .range = { 1, { TRIAL } }, .args = trial_args };
static const allot_type types[] = { ALLOT_F32, ALLOT_NO_TYPE };

#define TEXT                                                                                                 \
    "kernel void plus(global const T *x, global T *y) { y[get_global_id(0)] = x[get_global_id(0)] + 1; }"
#define WRONG "kernel void plus(global const T *x, global T *y) { y[get_global_id(0)] = nothing_like_it; }"

/* Tries a device wherever there is one, and else takes the first place. */
static void try_devices(const allot_snapshot *snapshot, void *user, allot_choice *choice)
{
    (void)user;
    for (size_t i = snapshot->candidate_count; i-- > 0;) {
        const allot_candidate *candidate = &snapshot->candidates[i];
        if (!candidate->possible || (choice->chosen >= 0 && candidate->kind != ALLOT_OPENCL))
            continue;
        choice->chosen = (int)i;
        choice->explores = candidate->kind == ALLOT_OPENCL;
    }
}

typedef struct fixture {
    allot_executor *executor;
    allot_kernel *kernel;
    allot_array *x, *y;
    char *text, *name;
} fixture;

/* The texts are the fixture's own, to be let go of early. */
static void begin(fixture *it, const char *text)
{
    gate = gate_create();
    it->executor = allot_open(
        ALLOT_OPTIONS(.threads = 1, .places = ALLOT_KIND_BIT(ALLOT_THREAD) | ALLOT_KIND_BIT(ALLOT_OPENCL),
                      .policy = "tries-devices"));
    REQUIRE(it->executor != NULL);
    REQUIRE(has_place(it->executor, ALLOT_OPENCL));
    it->text = strdup(text);
    it->name = strdup("plus");
    it->kernel =
        allot_kernel_create(ALLOT_KERNEL(.name = it->name, .params = params, .param_count = 2, .types = types,
                                         .cpu = plus_one, .opencl_source = it->text, .selftest = &trial));
    REQUIRE(it->kernel != NULL);
    it->x = allot_array_full(it->executor, ALLOT_F32, N, 2);
    it->y = allot_array_full(it->executor, ALLOT_F32, N, 0);
}

static void let_go_of_kernel(fixture *it)
{
    allot_kernel_release(it->kernel);
    memset(it->text, 'x', strlen(it->text));
    memset(it->name, 'x', strlen(it->name));
    free(it->text);
    free(it->name);
    it->kernel = NULL;
    it->text = it->name = NULL;
}

static void end(fixture *it)
{
    allot_array_release(it->x);
    allot_array_release(it->y);
    CHECK_STATUS(allot_close(it->executor), ALLOT_OK);
    if (it->kernel)
        let_go_of_kernel(it);
    gate_destroy(&gate);
}

static allot_future *start(fixture *it, allot_kind kind)
{
    return allot_launch(it->executor, it->kernel, allot_range(N),
                        ALLOT_ARGS(allot_in(it->x), allot_out(it->y)), ALLOT_HINTS(.place = kind));
}

/* Where it ran; *reason receives why the first device was left out, or "". */
static allot_kind run(fixture *it, char reason[256])
{
    allot_future *future = start(it, ALLOT_ANYWHERE);
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_future_status(future), ALLOT_OK);
    const allot_decision *decision = allot_future_decision(future);
    REQUIRE(decision != NULL);
    allot_kind kind = decision->candidates[decision->chosen].kind;
    reason[0] = '\0';
    for (size_t i = 0; i < decision->candidate_count && !reason[0]; i++)
        if (decision->candidates[i].kind == ALLOT_OPENCL)
            snprintf(reason, 256, "%s", decision->candidates[i].reason);
    allot_release(future);
    return kind;
}

static bool is_for_now(const char *reason)
{
    return !strcmp(reason, "compiling in the background") || !strncmp(reason, "how fast it is", 14);
}

static void check_runs_beside(fixture *it)
{
    char reason[256];
    for (int i = 0; i < 5; i++) {
        CHECK(run(it, reason) == ALLOT_THREAD);
        CU_ASSERT_STRING_EQUAL(reason, "compiling in the background");
        CHECK(all_are(it->y, N, 3));
    }
}

/* ---- Facts ---- */

static void others_run_meanwhile(void)
{
    fixture it;
    char reason[256];
    begin(&it, TEXT);
    check_runs_beside(&it);
    gate_await(&gate, 1); /* it is being built */
    check_runs_beside(&it);
    gate_open(&gate);
    while (run(&it, reason) != ALLOT_OPENCL)
        CHECK(is_for_now(reason));
    CHECK(all_are(it.y, N, 3));
    CHECK(run(&it, reason) == ALLOT_OPENCL); /* and so it stays */
    end(&it);
}

static void kernel_may_go_meanwhile(void)
{
    fixture it;
    char reason[256];
    begin(&it, TEXT);
    CHECK(run(&it, reason) == ALLOT_THREAD);
    gate_await(&gate, 1);
    let_go_of_kernel(&it);
    gate_open(&gate);
    end(&it);
}

static void *close_it(void *of)
{
    fixture *it = of;
    CHECK_STATUS(allot_close(it->executor), ALLOT_OK);
    return NULL;
}

static void closing_waits_for_it(void)
{
    fixture it;
    char reason[256];
    pthread_t thread;
    begin(&it, TEXT);
    CHECK(run(&it, reason) == ALLOT_THREAD);
    gate_await(&gate, 1);
    allot_array_release(it.x);
    allot_array_release(it.y);
    REQUIRE(pthread_create(&thread, NULL, close_it, &it) == 0);
    gate_open(&gate);
    pthread_join(thread, NULL);
    let_go_of_kernel(&it);
    gate_destroy(&gate);
}

static void closing_right_away_is_fine(void)
{
    for (int i = 0; i < ROUNDS(10); i++) {
        fixture it;
        char reason[256];
        begin(&it, TEXT);
        gate_open(&gate);
        CHECK(run(&it, reason) == ALLOT_THREAD);
        end(&it);
    }
}

static void who_asks_for_it_waits(void)
{
    fixture it;
    char reason[256];
    begin(&it, TEXT);
    CHECK(run(&it, reason) == ALLOT_THREAD);
    gate_await(&gate, 1);
    allot_future *future = start(&it, ALLOT_OPENCL);
    CHECK(!allot_done(future));
    gate_open(&gate);
    CHECK_STATUS(finish(future), ALLOT_OK);
    CHECK(gate.page->arrived == 1); /* it was built once */
    while (run(&it, reason) != ALLOT_OPENCL)
        CHECK(is_for_now(reason));
    end(&it);
}

static void failure_is_remembered(void)
{
    fixture it;
    char reason[256];
    begin(&it, WRONG);
    gate_open(&gate);
    CHECK(run(&it, reason) == ALLOT_THREAD);
    while (!strstr(reason, "does not build"))
        CHECK(run(&it, reason) == ALLOT_THREAD);
    for (int i = 0; i < 5; i++) {
        CHECK(run(&it, reason) == ALLOT_THREAD);
        CHECK(strstr(reason, "plus: its OpenCL program does not build") != NULL);
    }
    allot_future *future = start(&it, ALLOT_OPENCL); /* who asks for it hears the compiler */
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_future_status(future), ALLOT_BUILD);
    CHECK(strstr(allot_future_error(future), "nothing_like_it") != NULL);
    allot_release(future);
    end(&it);
}

/* The device was out of something: that says nothing about the text, which is built once more. */
static void passing_failures_are_not(void)
{
    static const char *const calls[] = { "clCreateProgramWithSource", "clBuildProgram",     "clCreateKernel",
                                         "clCreateCommandQueue",      "clCreateBuffer",     "clSetKernelArg",
                                         "clEnqueueNDRangeKernel",    "clEnqueueReadBuffer" };
    for (size_t i = 0; layer && i < sizeof calls / sizeof *calls; i++) {
        fixture it;
        char reason[256];
        begin(&it, TEXT);
        layer->reset();
        layer->fail(calls[i], 1, CL_OUT_OF_RESOURCES);
        gate_open(&gate);
        while (run(&it, reason) != ALLOT_OPENCL)
            CHECK(is_for_now(reason));
        CU_ASSERT_EQUAL(layer->injected(), 1);
        CHECK(all_are(it.y, N, 3));
        layer->reset();
        end(&it);
        CHECK(layer->live(LAYER_KINDS) == 0);
        CHECK(layer->misuses() == 0);
    }
}

enum {
    ROWS_MAX = 64,
    PACES = 4 /* two kernels of two sizes */
};

/* Of the library's own kernels, by which a device's pace is told. */
static size_t count_probes(allot_executor *executor, uint64_t *samples)
{
    static allot_model_row rows[ROWS_MAX];
    for (size_t i = 0; i < ROWS_MAX; i++)
        rows[i].size = sizeof rows[i];
    size_t count = allot_model_rows(executor, rows, ROWS_MAX), probes = 0;
    *samples = 0;
    for (size_t i = 0; i < count && i < ROWS_MAX; i++)
        if (rows[i].subject == ALLOT_MODEL_RUN && !strncmp(rows[i].kernel, "allot_probe_", 12)) {
            probes++;
            *samples += rows[i].samples;
        }
    return probes;
}

static void its_pace_comes_first(void)
{
    fixture it;
    char reason[256];
    uint64_t samples;
    bool said = false;
    begin(&it, TEXT);
    gate_open(&gate);
    CHECK(count_probes(it.executor, &samples) == 0);
    while (run(&it, reason) != ALLOT_OPENCL)
        said = said || !strcmp(reason, "how fast it is has just been measured");
    CHECK(said);
    CHECK(count_probes(it.executor, &samples) >= 2);
    CHECK(samples % PACES == 0); /* of each device that was tried */
    for (int i = 0; i < 5; i++) {
        uint64_t later;
        CHECK(run(&it, reason) == ALLOT_OPENCL);
        count_probes(it.executor, &later);
        CHECK(later == samples);
    }
    end(&it);
}

static void its_pace_may_fail(void)
{
    /* The first ones are the build's and the self-test's. */
    static const struct {
        const char *call;
        uint64_t number;
    } calls[] = { { "clCreateProgramWithSource", 2 },
                  { "clBuildProgram", 2 },
                  { "clCreateKernel", 2 },
                  { "clCreateKernel", 3 },
                  { "clEnqueueNDRangeKernel", 2 },
                  { "clEnqueueNDRangeKernel", 9 },
                  { "clCreateCommandQueue", 2 },
                  { "clSetKernelArg", 3 } };
    for (size_t i = 0; layer && i < sizeof calls / sizeof *calls; i++) {
        fixture it;
        char reason[256];
        uint64_t samples;
        begin(&it, TEXT);
        layer->reset();
        layer->fail(calls[i].call, calls[i].number, CL_OUT_OF_RESOURCES);
        gate_open(&gate);
        while (run(&it, reason) != ALLOT_OPENCL)
            CHECK(is_for_now(reason));
        CU_ASSERT_EQUAL(layer->injected(), 1);
        CHECK(count_probes(it.executor, &samples) == 0);
        layer->reset();
        end(&it);
        CHECK(layer->live(LAYER_KINDS) == 0);
        CHECK(layer->misuses() == 0);
    }
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "while a program is built in the background, others run its launches", others_run_meanwhile },
        { "a kernel and its texts may go while its program is built", kernel_may_go_meanwhile },
        { "closing waits for what is being built", closing_waits_for_it },
        { "closing right after a build has begun neither hangs nor leaks", closing_right_away_is_fine },
        { "who asks for the device waits for the program, which is built once", who_asks_for_it_waits },
        { "a program that does not build is remembered, and decisions say why", failure_is_remembered },
        { "a build that fails for want of something is begun anew, and no launch knows",
          passing_failures_are_not },
        { "a device like none that is known has its pace taken before it is tried, once",
          its_pace_comes_first },
        { "a device whose pace cannot be taken is tried all the same, and nothing leaks", its_pace_may_fail },
        { NULL, NULL },
    };
    setenv("OPENCL_LAYERS", TEST_BINARY_DIR "/tests/libopencl_layer.so", 0);
    layer = opencl_layer_find();
    setenv("ALLOT_PROGRAMS", "off", 1);
    unsetenv("ALLOT_SELFTEST");
    setenv("TEST_WATCHDOG_S", "120", 0);
    const allot_policy_info policy = { .size = sizeof policy,
                                       .name = "tries-devices",
                                       .says = "a device wherever there is one",
                                       .choose = try_devices };
    if (allot_policy_register(&policy) != ALLOT_OK)
        return EXIT_FAILURE;
    allot_executor *executor = allot_open(NULL);
    bool there = executor && has_place(executor, ALLOT_OPENCL);
    allot_close(executor);
    if (!there)
        return test_skip("no OpenCL device");
    return watched_main(argc, argv, &(const watched_suite){ "built ahead", facts, NULL }, 1);
}
