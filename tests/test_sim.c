/* Simulated machines: virtual time as worked out by hand, the same each time; faults; data; bad files. */
#include "places/sim/cost.h"
#include "support.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

#define US INT64_C(1000)

/* ---- Machines ---- */

/* One megabyte takes 1000 + 10 µs to the GPU and 2000 + 20 µs from it; a kilo-operation of k 1 ms on the CPU,
 * 100 + 5 µs on the GPU. */
#define CPU "{ \"name\": \"cpu\", \"kernels\": { \"k\": [ { \"flops\": 1000, \"mean_s\": 1e-3 } ] } }"
#define GPU_OF(name, more)                                                                                   \
    "{ \"name\": \"" name "\", \"kind\": \"opencl\", \"own_memory\": true, \"launch_s\": 5e-6, "             \
    "\"to\": { \"bytes_per_s\": 1e9, \"latency_s\": 1e-5 }, "                                                \
    "\"from\": { \"bytes_per_s\": 5e8, \"latency_s\": 2e-5 }, "                                              \
    "\"kernels\": { \"k\": [ { \"flops\": 1000, \"mean_s\": 1e-4 } ] }" more " }"
#define MACHINE(classes, more) "{ \"name\": \"small\", \"classes\": [ " classes " ]" more " }"

static allot_kernel *kernel, *reader;

static allot_executor *open_machine(const char *text, uint64_t seed)
{
    char path[] = "/tmp/allot-machine-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.machine = path, .machine_seed = seed));
    if (!executor)
        printf("\n    %s", allot_open_error());
    unlink(path);
    REQUIRE(executor != NULL);
    return executor;
}

static allot_status nothing(allot_call *call, const allot_part *part)
{
    (void)call, (void)part;
    return ALLOT_OK;
}

static allot_work work(allot_type type, allot_ndrange range, const allot_value *args)
{
    (void)type, (void)args;
    return (allot_work){ 1000 * (double)range.size[0], 0 };
}

static void make_kernels(void)
{
    static const allot_param update[] = { { .name = "x", .access = ALLOT_READ_WRITE } };
    static const allot_param read[] = { { .name = "x", .access = ALLOT_READ } };
    if (kernel)
        return;
    kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = "k", .params = update, .param_count = 1, .cpu = nothing, .work = work));
    reader = allot_kernel_create(
        ALLOT_KERNEL(.name = "k", .params = read, .param_count = 1, .cpu = nothing, .work = work));
}

static allot_array *megabyte(allot_executor *executor)
{
    allot_array *array = allot_array_new(executor, ALLOT_U8, 1000000);
    REQUIRE(array != NULL);
    return array;
}

/* Updates the array; with hints of NULL anywhere. */
static allot_future *update(allot_executor *executor, allot_array *array, const allot_hints *hints)
{
    return allot_launch(executor, kernel, allot_range(1), ALLOT_ARGS(allot_inout(array)), hints);
}

static allot_times times_of(const allot_future *future)
{
    allot_times times = { .size = sizeof times };
    CHECK_STATUS(allot_future_times(future, &times), ALLOT_OK);
    return times;
}

#define CHECK_NS(actual, expected)                                                                           \
    do {                                                                                                     \
        int64_t actual_ns = (actual), expected_ns = (expected);                                              \
        if (actual_ns != expected_ns)                                                                        \
            printf("\n    %lld ns, not %lld", (long long)actual_ns, (long long)expected_ns);                 \
        CU_ASSERT_EQUAL(actual_ns, expected_ns);                                                             \
    } while (0)

/* ---- Time ---- */

static void time_passes_only_while_somebody_waits(void)
{
    allot_executor *executor = open_machine(MACHINE(CPU, ""), 0);
    allot_array *x = allot_array_new(executor, ALLOT_F32, 10);
    CHECK_NS(allot_now_ns(executor), 1);
    allot_future *one = allot_launch(executor, kernel, allot_range(1), ALLOT_ARGS(allot_inout(x)), NULL);
    allot_future *two = allot_launch(executor, kernel, allot_range(1), ALLOT_ARGS(allot_inout(x)), NULL);
    CHECK(!allot_done(one));
    CHECK_NS(allot_now_ns(executor), 1);
    CHECK_STATUS(allot_wait(one, ALLOT_FOREVER), ALLOT_OK);
    CHECK_NS(allot_now_ns(executor), 1 + 1000 * US);
    CHECK(!allot_done(two));
    CHECK_STATUS(finish(two), ALLOT_OK);
    CHECK_NS(allot_now_ns(executor), 1 + 2000 * US);
    CHECK_NS(allot_now_ns(NULL), 0);
    allot_release(one);
    allot_array_release(x);
    allot_close(executor);
}

/* cpu: x 0 to 1000. Link: y 0 to 1010; x, when it is written, from 1000 (y's bytes have left it) to 2010.
 * gpu: y 1010 to 1115, x 2010 to 2115, x again to 2220. Then the host maps x: 2020 more. */
static void transfers_overlap_with_runs(void)
{
    allot_executor *executor = open_machine(MACHINE(CPU ", " GPU_OF("gpu", ""), ""), 0);
    allot_array *x = megabyte(executor), *y = megabyte(executor);
    const allot_hints *gpu = ALLOT_HINTS(.place_id = "gpu"), *cpu = ALLOT_HINTS(.place_id = "cpu");
    allot_future *f[] = { update(executor, x, cpu), update(executor, x, gpu), update(executor, y, gpu),
                          update(executor, x, gpu) };
    CHECK_STATUS(allot_wait_all(f, 4, ALLOT_FOREVER), ALLOT_OK);
    CHECK_NS(times_of(f[0]).ended, 1 + 1000 * US);
    CHECK_NS(times_of(f[1]).placed, 1 + 1000 * US);
    CHECK_NS(times_of(f[1]).started, 1 + 2010 * US);
    CHECK_NS(times_of(f[1]).ended, 1 + 2115 * US);
    CHECK_NS(times_of(f[2]).started, 1 + 1010 * US);
    CHECK_NS(times_of(f[2]).ended, 1 + 1115 * US);
    CHECK_NS(times_of(f[3]).ended, 1 + 2220 * US);
    const allot_decision *decision = allot_future_decision(f[1]);
    REQUIRE(decision != NULL);
    CU_ASSERT_EQUAL(decision->bytes_moved, 1000000);
    CU_ASSERT_DOUBLE_EQUAL(decision->moved_s, 1010e-6, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(decision->ran_s, 100e-6, 1e-9);
    CU_ASSERT_PTR_NOT_NULL(allot_array_map(x, ALLOT_READ));
    CHECK_NS(allot_now_ns(executor), 1 + 4240 * US);
    allot_array_unmap(x);
    allot_array_stats stats = { .size = sizeof stats };
    CHECK_STATUS(allot_array_get_stats(x, &stats), ALLOT_OK);
    CU_ASSERT_EQUAL(stats.bytes_to, 1000000); /* once: the second update found it there */
    CU_ASSERT_EQUAL(stats.bytes_from, 1000000);
    CU_ASSERT_EQUAL(stats.transfer_ns, (uint64_t)(3030 * US));
    allot_release_all(f, 4);
    allot_array_release(x), allot_array_release(y);
    allot_close(executor);
}

static void the_more_urgent_runs_first(void)
{
    allot_executor *executor = open_machine(MACHINE(CPU, ""), 0);
    allot_array *x[3];
    allot_future *f[3];
    const int priorities[] = { 0, -1, 5 };
    for (int i = 0; i < 3; i++) {
        x[i] = megabyte(executor);
        f[i] = update(executor, x[i], ALLOT_HINTS(.priority = priorities[i]));
    }
    CHECK_STATUS(allot_wait_all(f, 3, ALLOT_FOREVER), ALLOT_OK);
    CHECK_NS(times_of(f[2]).ended, 1 + 1000 * US);
    CHECK_NS(times_of(f[0]).ended, 1 + 2000 * US);
    CHECK_NS(times_of(f[1]).ended, 1 + 3000 * US);
    allot_release_all(f, 3);
    for (int i = 0; i < 3; i++)
        allot_array_release(x[i]);
    allot_close(executor);
}

/* A direct link of 4e9 bytes/s: 250 µs; without it bytes go through the host's memory, one way after the
 * other. */
static void devices_are_linked_directly_or_through_memory(void)
{
    static const char *const machines[] = {
        MACHINE(GPU_OF("a", "") ", " GPU_OF("b", ""),
                ", \"links\": [ { \"from\": \"a\", \"to\": \"b\", \"bytes_per_s\": 4e9 } ]"),
        MACHINE(GPU_OF("a", "") ", " GPU_OF("b", ""), ""),
    };
    const int64_t arrives[] = { 1115 + 250, 1115 + 2020 + 1010 };
    for (int i = 0; i < 2; i++) {
        allot_executor *executor = open_machine(machines[i], 0);
        allot_array *x = megabyte(executor);
        CHECK_STATUS(finish(update(executor, x, ALLOT_HINTS(.place_id = "a"))), ALLOT_OK);
        allot_future *second = update(executor, x, ALLOT_HINTS(.place_id = "b"));
        CHECK_STATUS(allot_wait(second, ALLOT_FOREVER), ALLOT_OK);
        CHECK_NS(times_of(second).started, 1 + arrives[i] * US);
        allot_release(second);
        allot_array_release(x);
        allot_close(executor);
    }
}

/* Two devices, each with a link of 1e9; the bus that both share has 1e9 too: the second waits for the first.
 */
static void a_bus_is_shared(void)
{
    allot_executor *executor =
        open_machine(MACHINE(GPU_OF("gpu", ", \"count\": 2"), ", \"bus\": { \"bytes_per_s\": 1e9 }"), 0);
    allot_array *x = megabyte(executor), *y = megabyte(executor);
    allot_future *f[] = { update(executor, x, ALLOT_HINTS(.place_id = "gpu:0")),
                          update(executor, y, ALLOT_HINTS(.place_id = "gpu:1")) };
    CHECK_STATUS(allot_wait_all(f, 2, ALLOT_FOREVER), ALLOT_OK);
    CHECK_NS(times_of(f[0]).started, 1 + 1010 * US);
    CHECK_NS(times_of(f[1]).started, 1 + 2010 * US);
    allot_release_all(f, 2);
    allot_array_release(x), allot_array_release(y);
    allot_close(executor);
}

/* From the first node's memory over the network into the second's: 1e6 / 1e10 + 1 µs, and on to its device.
 */
static void nodes_have_memories_of_their_own(void)
{
    allot_executor *executor =
        open_machine(MACHINE(CPU ", " GPU_OF("gpu", ""),
                             ", \"nodes\": 2, \"network\": { \"bytes_per_s\": 1e10, \"latency_s\": 1e-6 }"),
                     0);
    allot_array *x = megabyte(executor), *y = megabyte(executor);
    allot_future *f[] = { update(executor, x, ALLOT_HINTS(.place_id = "n1/cpu:0")),
                          update(executor, y, ALLOT_HINTS(.place_id = "n0/cpu:0")),
                          update(executor, x, ALLOT_HINTS(.place_id = "n1/gpu:0")) };
    CHECK_STATUS(allot_wait_all(f, 3, ALLOT_FOREVER), ALLOT_OK);
    CHECK_NS(times_of(f[0]).started, 1 + 101 * US);
    CHECK_NS(times_of(f[1]).started, 1);
    CHECK_NS(times_of(f[2]).started, 1 + (1101 + 1010) * US);
    CU_ASSERT_EQUAL(allot_places(executor, NULL, 0), 4);
    allot_release_all(f, 3);
    allot_array_release(x), allot_array_release(y);
    allot_close(executor);
}

/* ---- Chance ---- */

static int64_t noisy_end(uint64_t seed)
{
    allot_executor *executor = open_machine(
        MACHINE("{ \"name\": \"cpu\", \"count\": 3, \"flops_per_s\": 1e6, \"noise\": 0.3 }", ""), seed);
    allot_array *x[10];
    for (int i = 0; i < 10; i++)
        x[i] = allot_array_new(executor, ALLOT_F32, 10);
    for (int i = 0; i < 100; i++)
        allot_release(update(executor, x[i * 7 % 10], NULL));
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    int64_t end_ns = allot_now_ns(executor);
    for (int i = 0; i < 10; i++)
        allot_array_release(x[i]);
    allot_close(executor);
    return end_ns;
}

static void a_seed_repeats_a_run(void)
{
    int64_t first_ns = noisy_end(7);
    CHECK_NS(noisy_end(7), first_ns);
    CHECK(noisy_end(8) != first_ns);
}

static void noise_has_its_mean_and_deviation(void)
{
    const al_sim_cost cost = { 2e-3, 5e-4 };
    double sum = 0, squares = 0;
    enum {
        DRAWS = 20000
    };
    for (uint64_t i = 0; i < DRAWS; i++) {
        double drawn = al_sim_cost_drawn(cost, al_sim_draw(3, 1, i));
        CHECK(drawn > 0);
        sum += drawn;
        squares += drawn * drawn;
    }
    double mean = sum / DRAWS, deviation = sqrt(squares / DRAWS - mean * mean);
    CU_ASSERT_DOUBLE_EQUAL(mean, 2e-3, 2e-5); /* five standard errors are 1.8e-5 */
    CU_ASSERT_DOUBLE_EQUAL(deviation, 5e-4, 3e-5);
}

static void points_are_interpolated(void)
{
    al_sim_point points[] = { { 1e3, 1e-3, 1e-4 }, { 4e3, 2e-3, 4e-4 } };
    al_sim_kernel known = { .name = (char[]){ "k" }, .count = 2, .points = points };
    al_sim_class class = { .kernels = &known, .kernel_count = 1, .flops_per_s = 1e6, .bytes_per_s = 1e6 };
    CU_ASSERT_EQUAL(al_sim_cost_of(&class, "k", (allot_work){ 1e3, 0 }).mean_s, 1e-3);
    CU_ASSERT_EQUAL(al_sim_cost_of(&class, "k", (allot_work){ 4e3, 0 }).stddev_s, 4e-4);
    CU_ASSERT_DOUBLE_EQUAL(al_sim_cost_of(&class, "k", (allot_work){ 2e3, 0 }).mean_s, sqrt(2) * 1e-3, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(al_sim_cost_of(&class, "k", (allot_work){ 500, 0 }).mean_s, 5e-4, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(al_sim_cost_of(&class, "k", (allot_work){ 8e3, 0 }).mean_s, 4e-3, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(al_sim_cost_of(&class, "other", (allot_work){ 1e3, 5e3 }).mean_s, 5e-3, 1e-9);
    CU_ASSERT_EQUAL(al_sim_cost_of(&class, "other", (allot_work){ NAN, -1 }).mean_s, 0);
}

/* ---- Faults ---- */

/* Five times slower from 1.5 ms on: the second run has half of its work before it, and ends at 1.5 + 2.5 ms.
 */
static void a_device_gets_slower(void)
{
    allot_executor *executor = open_machine(
        MACHINE(
            "{ \"name\": \"cpu\", \"flops_per_s\": 1e6, \"faults\": [ { \"at_s\": 1.500001e-3, \"slower\": "
            "5 } ] }",
            ""),
        0);
    allot_array *x = allot_array_new(executor, ALLOT_F32, 10);
    CHECK_STATUS(finish(update(executor, x, NULL)), ALLOT_OK);
    CHECK_NS(allot_now_ns(executor), 1 + 1000 * US);
    CHECK_STATUS(finish(update(executor, x, NULL)), ALLOT_OK);
    CHECK_NS(allot_now_ns(executor), 1 + 4000 * US);
    allot_array_release(x);
    allot_close(executor);
}

/* It must not stray to a device unasked; who names one has asked, whatever the device is called. */
static void a_deterministic_launch_goes_where_it_is_sent(void)
{
    allot_executor *executor = open_machine(MACHINE(CPU ", " GPU_OF("gpu", ""), ""), 0);
    allot_array *x = allot_array_new(executor, ALLOT_F32, 10);
    const char *const ids[] = { "gpu", "cpu", NULL }, *const places[] = { "gpu", "cpu", "cpu" };
    for (int i = 0; i < 3; i++) {
        allot_future *future = update(executor, x, ALLOT_HINTS(.place_id = ids[i], .deterministic = true));
        CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
        CU_ASSERT_STRING_EQUAL(allot_future_place(future), places[i]);
        CHECK_STATUS(finish(future), ALLOT_OK);
    }
    allot_array_release(x);
    allot_close(executor);
}

/* How many of so many tasks, one after the other, run on the fast one. */
static int count_fast(allot_executor *executor, allot_array *array, int tasks)
{
    int fast = 0;
    for (int i = 0; i < tasks; i++) {
        allot_future *future = update(executor, array, NULL);
        CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
        fast += strcmp(allot_future_place(future), "fast") == 0;
        CHECK_STATUS(finish(future), ALLOT_OK);
    }
    return fast;
}

/* Five times slower for 40 ms: then nothing tells who works elsewhere that it is over, but trying. */
static void a_device_that_was_slow_for_a_moment_is_chosen_again(void)
{
    allot_executor *executor = open_machine(
        MACHINE("{ \"name\": \"fast\", \"flops_per_s\": 1e6, \"faults\": [ { \"at_s\": 0.6, \"slower\": 5 }, "
                "{ \"at_s\": 0.64, \"slower\": 1 } ] }, { \"name\": \"slow\", \"flops_per_s\": 4e5 }",
                ""),
        0);
    allot_array *x = allot_array_new(executor, ALLOT_F32, 10);
    while (allot_now_ns(executor) < 640 * 1000 * US)
        count_fast(executor, x, 1);
    count_fast(executor, x, 40);
    CU_ASSERT_TRUE(count_fast(executor, x, 20) >= 19);
    allot_array_release(x);
    allot_close(executor);
}

/* It is lost while the second runs and the third waits; what only it had is lost with it. */
static void a_lost_device_ends_its_tasks_once(void)
{
    allot_executor *executor = open_machine(
        MACHINE(CPU ", " GPU_OF("gpu", ", \"faults\": [ { \"at_s\": 1.2e-3, \"dies\": true } ]"), ""), 0);
    allot_array *x = megabyte(executor), *y = allot_array_new(executor, ALLOT_F32, 10);
    const allot_hints *gpu = ALLOT_HINTS(.place_id = "gpu");
    allot_future *f[] = { update(executor, x, gpu), update(executor, x, gpu), update(executor, y, gpu) };
    CHECK_STATUS(finish(f[0]), ALLOT_OK);
    CHECK_STATUS(allot_wait(f[1], ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_future_status(f[1]), ALLOT_DEVICE);
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(f[1]), "gpu was lost at 0.0012 s"));
    CHECK_STATUS(finish(f[1]), ALLOT_DEVICE);
    allot_wait(f[2], ALLOT_FOREVER);
    allot_release(f[2]); /* it may have run while the first one's data was on its way */
    allot_place_info infos[2] = { { .size = sizeof infos[0] }, { .size = sizeof infos[0] } };
    CU_ASSERT_EQUAL(allot_places(executor, infos, 2), 2);
    CU_ASSERT_EQUAL(infos[1].state, ALLOT_PLACE_ASIDE);
    CHECK_STATUS(finish(update(executor, x, gpu)), ALLOT_NO_PLACE);
    CU_ASSERT_PTR_NULL(allot_array_map(x, ALLOT_READ));
    allot_array *z = megabyte(executor);
    CHECK_STATUS(finish(update(executor, z, NULL)), ALLOT_OK); /* elsewhere */
    allot_place_metrics metrics;
    CHECK_STATUS(allot_get_place_metrics(executor, 1, &metrics, sizeof metrics), ALLOT_OK);
    CU_ASSERT_EQUAL(metrics.queued, 0);
    CU_ASSERT_EQUAL(metrics.running, 0);
    allot_array_release(x), allot_array_release(y), allot_array_release(z);
    allot_close(executor);
}

/* ---- Deadlines and retries ---- */

/* Four that take 1 ms each on one processor. */
static void deadlines_are_virtual(void)
{
    allot_executor *executor = open_machine(MACHINE(CPU, ""), 0);
    const int64_t deadlines_ns[] = { 0, 1500 * US, 500 * US, 2000 * US };
    const allot_status expected[] = { ALLOT_OK, ALLOT_DEADLINE, ALLOT_DEADLINE, ALLOT_DEADLINE };
    const int64_t ends_ns[] = { 1000 * US, 2000 * US, 500 * US, 2000 * US };
    allot_array *x[4];
    allot_future *f[4];
    for (int i = 0; i < 4; i++) {
        x[i] = megabyte(executor);
        f[i] = update(executor, x[i], ALLOT_HINTS(.deadline_ns = deadlines_ns[i]));
    }
    const int order[] = { 2, 0, 1, 3 };
    for (int i = 0; i < 4; i++) {
        CHECK_STATUS(allot_wait(f[order[i]], ALLOT_FOREVER), ALLOT_OK);
        CHECK_STATUS(allot_future_status(f[order[i]]), expected[order[i]]);
        CHECK_NS(allot_now_ns(executor), 1 + ends_ns[order[i]]);
    }
    const allot_decision *decision = allot_future_decision(f[1]); /* it ran, if too long */
    REQUIRE(decision != NULL);
    CU_ASSERT_DOUBLE_EQUAL(decision->snapshot->deadline_s, 1.5e-3, 1e-12);
    allot_release_all(f, 4);
    for (int i = 0; i < 4; i++)
        allot_array_release(x[i]);
    allot_close(executor);
}

#define HOUR (INT64_C(3600) * 1000000 * US)

/* Nothing would ever happen but for the deadline; an hour of it takes none. */
static void a_deadline_lets_time_pass(void)
{
    allot_executor *executor = open_machine(MACHINE(CPU, ""), 0);
    allot_array *x = megabyte(executor);
    CU_ASSERT_PTR_NOT_NULL(allot_array_map(x, ALLOT_WRITE));
    allot_future *blocked = update(executor, x, ALLOT_HINTS(.deadline_ns = HOUR));
    allot_future *before = update(executor, x, ALLOT_HINTS(.deadline_ns = -1));
    CHECK_STATUS(allot_future_status(before), ALLOT_DEADLINE);
    CHECK_STATUS(finish(blocked), ALLOT_DEADLINE);
    CHECK_NS(allot_now_ns(executor), 1 + HOUR);
    CHECK_STATUS(allot_array_unmap(x), ALLOT_OK);
    allot_release(before), allot_array_release(x);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static int attempts;

static allot_status fail_once(allot_call *call, const void *in, void *out)
{
    (void)in, (void)out;
    return attempts++ ? ALLOT_OK : allot_fail(call, ALLOT_FAILED, "the first time");
}

static void retries_wait_in_virtual_time(void)
{
    allot_executor *executor = open_machine(MACHINE("{ \"name\": \"cpu\", \"call_s\": 1e-3 }", ""), 0);
    attempts = 0;
    allot_future *future =
        allot_submit(executor, fail_once, NULL, 0, 0,
                     ALLOT_HINTS(.retries = 1, .retry_delay_ns = HOUR, .idempotent = true));
    CHECK_STATUS(finish(future), ALLOT_OK);
    CU_ASSERT_EQUAL(attempts, 2);
    CHECK_NS(allot_now_ns(executor), 1 + HOUR + 2000 * US);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

static void every_third_launch_fails(void)
{
    allot_executor *executor =
        open_machine(MACHINE("{ \"name\": \"cpu\", \"faults\": [ { \"each\": 3 } ] }", ""), 0);
    for (int i = 1; i <= 9; i++) {
        allot_array *x = allot_array_new(executor, ALLOT_F32, 10);
        allot_future *future = update(executor, x, NULL);
        allot_wait(future, ALLOT_FOREVER);
        CHECK_STATUS(allot_future_status(future), i % 3 ? ALLOT_OK : ALLOT_DEVICE);
        allot_release(future);
        allot_array_release(x);
    }
    allot_close(executor);
}

/* ---- Data ---- */

/* Room for two megabytes: the third pushes out what was unused for longest, which comes back to the host
 * first. */
static void a_full_memory_gives_back_what_was_unused_for_longest(void)
{
    allot_executor *executor =
        open_machine(MACHINE(GPU_OF("gpu", ", \"memory_bytes\": 2.5e6, \"lookahead\": 0"), ""), 0);
    allot_array *x[3];
    for (int i = 0; i < 3; i++) {
        x[i] = megabyte(executor);
        CHECK_STATUS(finish(update(executor, x[i], NULL)), ALLOT_OK);
    }
    const uint64_t from[] = { 1000000, 0, 0 };
    for (int i = 0; i < 3; i++) {
        allot_array_stats stats = { .size = sizeof stats };
        CHECK_STATUS(allot_array_get_stats(x[i], &stats), ALLOT_OK);
        CU_ASSERT_EQUAL(stats.bytes_to, 1000000);
        CU_ASSERT_EQUAL(stats.bytes_from, from[i]);
    }
    allot_array *large = allot_array_new(executor, ALLOT_U8, 3000000);
    allot_future *refused = update(executor, large, NULL);
    CHECK_STATUS(allot_wait(refused, ALLOT_FOREVER), ALLOT_OK);
    CHECK_STATUS(allot_future_status(refused), ALLOT_NO_PLACE);
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_future_error(refused), "2500000"));
    allot_release(refused);
    allot_array_release(large);
    for (int i = 0; i < 3; i++)
        allot_array_release(x[i]);
    allot_close(executor);
}

/* More launches than fit wait for each other; none fails for want of memory. */
static void what_does_not_fit_beside_others_waits(void)
{
    allot_executor *executor =
        open_machine(MACHINE(GPU_OF("gpu", ", \"memory_bytes\": 1.5e6, \"lookahead\": 4"), ""), 0);
    allot_future *f[8];
    for (int i = 0; i < 8; i++) {
        allot_array *x = megabyte(executor);
        f[i] = update(executor, x, NULL);
        allot_array_release(x);
    }
    for (int i = 0; i < 8; i++)
        CHECK_STATUS(finish(f[i]), ALLOT_OK);
    allot_close(executor);
}

static void results_are_right(void)
{
    allot_executor *executor = open_machine(MACHINE(CPU ", " GPU_OF("gpu", ""), ""), 0);
    allot_array *x = allot_array_full(executor, ALLOT_F32, 1000, 1),
                *y = allot_array_full(executor, ALLOT_F32, 1000, 0.5);
    allot_array *sum = allot_array_new(executor, ALLOT_F32, 1);
    static const char *const places[] = { "gpu", "cpu" };
    for (int i = 0; i < 4; i++)
        CHECK_STATUS(finish(allot_launch(executor, allot_axpy(), allot_range(1000),
                                         ALLOT_ARGS(allot_f32(2), allot_in(x), allot_inout(y)),
                                         ALLOT_HINTS(.place_id = places[i % 2]))),
                     ALLOT_OK);
    CHECK_STATUS(finish(allot_launch(executor, allot_dot(), allot_range(1000),
                                     ALLOT_ARGS(allot_in(x), allot_in(y), allot_out(sum)),
                                     ALLOT_HINTS(.place_id = "gpu"))),
                 ALLOT_OK);
    const float *result = allot_array_map(y, ALLOT_READ);
    CHECK(result && result[0] == 8.5f && result[999] == 8.5f);
    allot_array_unmap(y);
    result = allot_array_map(sum, ALLOT_READ);
    CHECK(result && result[0] == 8500);
    allot_array_unmap(sum);
    double three = 3, nine = 0;
    allot_future *square = allot_submit(executor, task_square, &three, sizeof three, sizeof nine, NULL);
    CHECK_STATUS(allot_get(square, &nine, sizeof nine, ALLOT_FOREVER), ALLOT_OK);
    CU_ASSERT_EQUAL(nine, 9);
    CU_ASSERT_STRING_EQUAL(allot_future_place(square), "cpu");
    allot_release(square);
    allot_array_release(x), allot_array_release(y), allot_array_release(sum);
    allot_close(executor);
}

/* ---- Others who submit ---- */

typedef struct chain {
    allot_executor *executor;
    allot_array *array;
    allot_future *next;
} chain;

static void submit_next(allot_future *future, void *user)
{
    chain *self = user;
    (void)future;
    self->next = update(self->executor, self->array, ALLOT_HINTS(.place_id = "cpu:0"));
}

/* What a callback submits at 1 ms runs from 1 ms on, though the program waits for another launch until 2 ms.
 */
static void time_waits_for_callbacks(void)
{
    allot_executor *executor =
        open_machine(MACHINE("{ \"name\": \"cpu\", \"count\": 2, \"flops_per_s\": 1e6 }", ""), 0);
    chain made = { .executor = executor, .array = allot_array_new(executor, ALLOT_F32, 10) };
    allot_array *x = allot_array_new(executor, ALLOT_F32, 10), *y = allot_array_new(executor, ALLOT_F32, 10);
    allot_future *one = update(executor, x, ALLOT_HINTS(.place_id = "cpu:0"));
    CHECK_STATUS(allot_on_done(one, submit_next, &made), ALLOT_OK);
    allot_future *two = allot_launch(executor, kernel, allot_range(2), ALLOT_ARGS(allot_inout(y)),
                                     ALLOT_HINTS(.place_id = "cpu:1"));
    CHECK_STATUS(finish(two), ALLOT_OK);
    CHECK_STATUS(allot_shutdown(executor, ALLOT_DRAIN), ALLOT_OK);
    REQUIRE(made.next != NULL);
    CHECK_NS(times_of(made.next).submitted, 1 + 1000 * US);
    CHECK_NS(times_of(made.next).ended, 1 + 2000 * US);
    allot_release(one);
    allot_release(made.next);
    allot_array_release(x), allot_array_release(y), allot_array_release(made.array);
    allot_close(executor);
}

static void what_is_cancelled_takes_no_time(void)
{
    allot_executor *executor = open_machine(MACHINE(CPU, ""), 0);
    allot_array *x[3];
    allot_future *f[3];
    for (int i = 0; i < 3; i++) {
        x[i] = megabyte(executor);
        f[i] = update(executor, x[i], NULL);
    }
    CHECK(allot_cancel(f[1]));
    CHECK_STATUS(finish(f[0]), ALLOT_OK);
    CHECK_STATUS(finish(f[1]), ALLOT_CANCELLED);
    CHECK_STATUS(finish(f[2]), ALLOT_OK);
    CHECK_NS(allot_now_ns(executor), 1 + 2000 * US);
    for (int i = 0; i < 3; i++)
        allot_array_release(x[i]);
    allot_close(executor);
}

enum {
    THREADS = 4,
    LAUNCHES = 200
};

static void *launch_and_wait(void *of)
{
    allot_executor *executor = *(allot_executor **)of;
    allot_array *x = allot_array_new(executor, ALLOT_F32, 100);
    for (int i = 0; i < ROUNDS(LAUNCHES); i++)
        CHECK_STATUS(finish(update(executor, x, NULL)), ALLOT_OK);
    CU_ASSERT_PTR_NOT_NULL(allot_array_map(x, ALLOT_READ));
    allot_array_unmap(x);
    allot_array_release(x);
    return NULL;
}

static void many_threads_may_wait(void)
{
    allot_executor *executor = open_machine(MACHINE(CPU ", " GPU_OF("gpu", ", \"count\": 2"), ""), 0);
    allot_executor *executors[THREADS] = { executor, executor, executor, executor };
    run_threads(THREADS, launch_and_wait, executors, sizeof executors[0]);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

/* ---- Much ---- */

/* Each reader of one array would be compared with all others if the order of launches were kept in a list. */
static void one_array_may_have_many_readers(void)
{
    allot_executor *executor = open_machine(MACHINE(CPU, ""), 0);
    allot_array *x = allot_array_new(executor, ALLOT_F32, 10);
    int count = ROUNDS(50000);
    for (int i = 0; i < count; i++)
        allot_release(allot_launch(executor, reader, allot_range(1), ALLOT_ARGS(allot_in(x)), NULL));
    allot_future *last = update(executor, x, NULL);
    CHECK_STATUS(allot_wait(last, ALLOT_FOREVER), ALLOT_OK);
    CHECK_NS(times_of(last).ended, 1 + (int64_t)(count + 1) * 1000 * US);
    allot_release(last);
    allot_array_release(x);
    allot_close(executor);
}

static void there_may_be_thousands_of_places(void)
{
    allot_executor *executor =
        open_machine(MACHINE("{ \"name\": \"cpu\", \"count\": 3 }",
                             ", \"nodes\": 400, \"network\": { \"bytes_per_s\": 1e10 }"),
                     0);
    CU_ASSERT_EQUAL(allot_places(executor, NULL, 0), 1200);
    allot_metrics metrics = { .size = sizeof metrics };
    CHECK_STATUS(allot_get_metrics(executor, &metrics), ALLOT_OK);
    CU_ASSERT_EQUAL(metrics.place_count, 1200);
    allot_place_metrics last;
    CHECK_STATUS(allot_get_place_metrics(executor, 1199, &last, sizeof last), ALLOT_OK);
    CU_ASSERT_STRING_EQUAL(last.id, "n399/cpu:2");
    allot_array *x = allot_array_new(executor, ALLOT_F32, 10);
    allot_future *there = update(executor, x, ALLOT_HINTS(.place_id = "n399/cpu:2"));
    CHECK_STATUS(finish(there), ALLOT_OK);
    allot_array_release(x);
    allot_close(executor);
}

/* ---- Files ---- */

static const struct {
    const char *text, *says;
} bad[] = {
    { "", "m.json: line 1" },
    { "[]", "m.json: expected an object" },
    { "{ \"name\": \"m\" }", "m.json: classes: expected a list of one or more" },
    { "{ \"name\": 5, \"classes\": [ " CPU " ] }", "m.json: name: expected a text" },
    { "{ \"name\": \"m\", \"clases\": [] }", "m.json: clases: expected one of these keys: name" },
    { MACHINE("{ \"name\": \"x\", \"count\": 0 }", ""), "classes[0].count: expected a whole number above 0" },
    { MACHINE("{ \"name\": \"x:0\" }", ""), "classes[0].name: expected a text without ':' and '/'" },
    { MACHINE("{ \"name\": \"n0/x\" }", ""), "classes[0].name: expected a text without ':' and '/'" },
    { MACHINE("{ \"name\": \"x\", \"count\": -1 }", ""), "classes[0].count: expected a whole number from 0" },
    { MACHINE("{ \"name\": \"x\", \"kind\": \"gpu\" }", ""), "classes[0].kind: expected \"thread\"" },
    { MACHINE(CPU ", " CPU, ""), "classes[1].name: expected a name that no other class has" },
    { MACHINE("{ \"name\": \"x\", \"flops_per_s\": 0 }", ""),
      "classes[0].flops_per_s: expected a number above" },
    { MACHINE("{ \"name\": \"x\", \"noise\": \"much\" }", ""), "classes[0].noise: expected a number from 0" },
    { MACHINE("{ \"name\": \"x\", \"own_memory\": true }", ""), "classes[0].to: expected the links" },
    { MACHINE("{ \"name\": \"x\", \"memory_bytes\": 5 }", ""), "classes[0].own_memory: expected true" },
    { MACHINE("{ \"name\": \"x\", \"kernels\": { \"k\": [] } }", ""),
      "classes[0].kernels.k: expected a list" },
    { MACHINE("{ \"name\": \"x\", \"kernels\": { \"k\": [ { \"flops\": 1 } ] } }", ""),
      "classes[0].kernels.k[0].mean_s: expected a number above 0" },
    { MACHINE("{ \"name\": \"x\", \"faults\": [ { \"device\": 1, \"dies\": true } ] }", ""),
      "classes[0].faults[0].device: expected a whole number from 0 to 0" },
    { MACHINE("{ \"name\": \"x\", \"faults\": [ { \"at_s\": 1 } ] }", ""),
      "faults[0]: expected exactly one of" },
    { MACHINE(CPU, ", \"nodes\": 2"), "network: expected the network" },
    { MACHINE("{ \"name\": \"x\", \"count\": 1000 }",
              ", \"nodes\": 1000, \"network\": { \"bytes_per_s\": 1 }"),
      "at most 100000 places" },
    { MACHINE(CPU, ", \"links\": [ { \"from\": \"cpu\", \"to\": \"cpu\", \"bytes_per_s\": 1 } ]"),
      "links[0].from: expected the name of a class with own_memory" },
};

static void bad_files_are_refused_with_the_key(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        al_failure failure = { 0 };
        allot_status status = ALLOT_OK;
        al_sim_machine *machine =
            al_sim_machine_read(bad[i].text, strlen(bad[i].text), "m.json", &status, &failure);
        CU_ASSERT_PTR_NULL(machine);
        CHECK_STATUS(status, ALLOT_INVALID);
        bool said = failure.message && strstr(failure.message, bad[i].says);
        if (!said)
            printf("\n    %zu: %s", i, failure.message ? failure.message : "(nothing)");
        CHECK(said);
        al_failure_fini(&failure);
        al_sim_machine_destroy(machine);
    }
    CU_ASSERT_PTR_NULL(allot_open(ALLOT_OPTIONS(.machine = "/nonexistent/m.json")));
    CU_ASSERT_PTR_NOT_NULL(strstr(allot_open_error(), "/nonexistent/m.json: cannot be read"));
    CU_ASSERT_PTR_NULL(allot_open(ALLOT_OPTIONS(.machine = "x", .places = ALLOT_KIND_BIT(ALLOT_THREAD))));
}

static void a_machine_can_be_looked_at(void)
{
    allot_machine *machine = allot_machine_load(TEST_DATA "/machines/mirage.json");
    REQUIRE(machine != NULL);
    allot_machine_class classes[8];
    for (int i = 0; i < 8; i++)
        classes[i].size = sizeof classes[0];
    CU_ASSERT_EQUAL(allot_machine_classes(machine, classes, 8), 4);
    CU_ASSERT_STRING_EQUAL(allot_machine_name(machine), "mirage");
    CU_ASSERT_EQUAL(classes[0].count, 12);
    CHECK(classes[1].own_memory && classes[1].to_bytes_per_s == 6031e6);
    const allot_work gemm = { 2.0 * 960 * 960 * 960, 0 };
    CU_ASSERT_DOUBLE_EQUAL(allot_machine_run_s(machine, 0, "gemm", gemm), 87780.2e-6, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(allot_machine_run_s(machine, 1, "gemm", gemm), 2805.5e-6, 1e-12);
    CHECK(isinf(allot_machine_run_s(machine, 4, "gemm", gemm)));
    CU_ASSERT_EQUAL(allot_machine_class_of(machine, 11), 0);
    CU_ASSERT_EQUAL(allot_machine_class_of(machine, 14), 3);
    CU_ASSERT_EQUAL(allot_machine_class_of(machine, 15), SIZE_MAX);
    allot_machine_destroy(machine);
    CU_ASSERT_PTR_NULL(allot_machine_load(NULL));
}

static const test_fact facts[] = {
    { "time passes only while somebody waits", time_passes_only_while_somebody_waits },
    { "transfers overlap with runs, and are counted", transfers_overlap_with_runs },
    { "the more urgent runs first", the_more_urgent_runs_first },
    { "devices are linked directly or through memory", devices_are_linked_directly_or_through_memory },
    { "a bus is shared", a_bus_is_shared },
    { "nodes have memories of their own", nodes_have_memories_of_their_own },
    { "a seed repeats a run", a_seed_repeats_a_run },
    { "noise has its mean and deviation", noise_has_its_mean_and_deviation },
    { "points are interpolated", points_are_interpolated },
    { "a device gets slower", a_device_gets_slower },
    { "a deterministic launch goes where it is sent", a_deterministic_launch_goes_where_it_is_sent },
    { "a device that was slow for a moment is chosen again",
      a_device_that_was_slow_for_a_moment_is_chosen_again },
    { "a lost device ends its tasks once, and is set aside", a_lost_device_ends_its_tasks_once },
    { "deadlines are virtual", deadlines_are_virtual },
    { "a deadline lets time pass", a_deadline_lets_time_pass },
    { "retries wait in virtual time", retries_wait_in_virtual_time },
    { "every third launch fails", every_third_launch_fails },
    { "a full memory gives back what was unused for longest",
      a_full_memory_gives_back_what_was_unused_for_longest },
    { "what does not fit beside others waits", what_does_not_fit_beside_others_waits },
    { "results are right", results_are_right },
    { "time waits for callbacks", time_waits_for_callbacks },
    { "what is cancelled takes no time", what_is_cancelled_takes_no_time },
    { "many threads may wait", many_threads_may_wait },
    { "one array may have many readers", one_array_may_have_many_readers },
    { "there may be thousands of places", there_may_be_thousands_of_places },
    { "bad files are refused with the key", bad_files_are_refused_with_the_key },
    { "a machine can be looked at", a_machine_can_be_looked_at },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    if (!*al_sim_reader_version())
        return test_skip("this build cannot read machine files");
    watched_suite suite = { .name = "sim", .facts = facts, .prepare = make_kernels };
    int result = watched_main(argc, argv, &suite, 1);
    allot_kernel_release(kernel);
    allot_kernel_release(reader);
    return result;
}
