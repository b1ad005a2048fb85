/* A kernel that never ends, by the layer in opencl_layer/: its future does, the device is set aside until the
 * kernel has ended after all, and nothing waits for ever. The watchdog is set to half a second here. */
#include "opencl_layer/layer.h"
#include "probe_kernels.h"
#include "support.h"
#include <string.h>

#define PATIENCE ((under_valgrind() ? 300 : 15) * SECOND)

enum {
    N = 1000
};

static const opencl_layer *layer;

static const char *watchdog_s(void)
{
    return under_valgrind() ? "60" : TEST_SANITIZED ? "3" : "0.5";
}

static allot_executor *open_executor(void)
{
    layer->reset();
    allot_executor *executor = allot_open(
        ALLOT_OPTIONS(.threads = 1, .places = ALLOT_KIND_BIT(ALLOT_THREAD) | ALLOT_KIND_BIT(ALLOT_OPENCL)));
    REQUIRE(executor != NULL);
    return executor;
}

static allot_future *square_on(allot_executor *executor, allot_kind kind, allot_array *x, allot_array *y)
{
    return allot_launch(executor, probe_kernel(PROBE_SQUARE), allot_range(N),
                        ALLOT_ARGS(allot_in(x), allot_out(y)), ALLOT_HINTS(.place = kind));
}

/* The first launch of all has drivers compile, for minutes under Valgrind, and they keep what comes of it:
 * done before the watchdog is set, so that only what hangs is given up. */
static bool launch_once(void)
{
    allot_executor *executor = allot_open(NULL);
    bool there = executor && has_place(executor, ALLOT_OPENCL);
    if (there) {
        allot_array *x = allot_array_full(executor, ALLOT_F32, N, 3),
                    *y = allot_array_full(executor, ALLOT_F32, N, 0);
        allot_future *first = square_on(executor, ALLOT_OPENCL, x, y);
        allot_wait(first, ALLOT_FOREVER);
        allot_release(first);
        allot_array_release(x);
        allot_array_release(y);
    }
    allot_close(executor);
    return there;
}

static allot_place_state state_of_device(allot_executor *executor)
{
    allot_place_info infos[16];
    for (size_t i = 0; i < 16; i++)
        infos[i].size = sizeof infos[0];
    size_t count = allot_places(executor, infos, 16);
    for (size_t i = 0; i < count && i < 16; i++)
        if (infos[i].kind == ALLOT_OPENCL)
            return infos[i].state;
    return ALLOT_PLACE_COLD;
}

static bool comes_back(allot_executor *executor)
{
    int64_t until_ns = now_ns() + PATIENCE;
    while (state_of_device(executor) != ALLOT_PLACE_READY && now_ns() < until_ns)
        sched_yield();
    return state_of_device(executor) == ALLOT_PLACE_READY;
}

static bool one_hangs(void)
{
    int64_t until_ns = now_ns() + PATIENCE;
    while (layer->hanging() != 1 && now_ns() < until_ns)
        sched_yield();
    return layer->hanging() == 1;
}

static void check_nothing_left(void)
{
    int64_t until_ns = now_ns() + PATIENCE; /* a thread that was left alone may be at it still */
    while (layer->live(LAYER_KINDS) && now_ns() < until_ns)
        sched_yield();
    CHECK(layer->live(LAYER_KINDS) == 0);
    CHECK(layer->misuses() == 0);
}

/* ---- Facts ---- */

static void it_is_given_up_and_the_device_comes_back(void)
{
    allot_executor *executor = open_executor();
    allot_array *x = allot_array_full(executor, ALLOT_F32, N, 3),
                *y = allot_array_full(executor, ALLOT_F32, N, 0);
    allot_array *z = allot_array_full(executor, ALLOT_F32, N, 0);
    CHECK_STATUS(finish(square_on(executor, ALLOT_OPENCL, x, y)), ALLOT_OK);
    layer->hang(1);
    allot_future *hanging = square_on(executor, ALLOT_OPENCL, x, z);
    CHECK(one_hangs()); /* else the next one, whose arrays are there, may come to the driver first */
    allot_future *behind = square_on(executor, ALLOT_OPENCL, x, y);
    CHECK_STATUS(allot_wait(hanging, PATIENCE), ALLOT_OK);
    CHECK_STATUS(allot_future_status(hanging), ALLOT_DEVICE);
    CHECK(strstr(allot_future_error(hanging), "has not ended") != NULL);
    CHECK_STATUS(allot_wait(behind, PATIENCE), ALLOT_OK);
    /* It may have got past the one that hangs before that was noticed. */
    allot_status of_behind = allot_future_status(behind), of_next;
    CHECK(of_behind == ALLOT_DEVICE || of_behind == ALLOT_OK);
    CHECK(layer->hanging() == 1);
    CHECK(state_of_device(executor) == ALLOT_PLACE_ASIDE);
    CHECK_STATUS(finish(square_on(executor, ALLOT_OPENCL, x, y)), ALLOT_NO_PLACE);
    of_next = finish(square_on(executor, ALLOT_THREAD, x, y));
    CHECK(of_next == ALLOT_OK || (of_next == ALLOT_DEVICE && of_behind == ALLOT_DEVICE));
    layer->let_go();
    CHECK(comes_back(executor));
    CHECK_STATUS(finish(square_on(executor, ALLOT_OPENCL, x, z)), ALLOT_OK);
    CHECK(all_are(z, N, 9));
    allot_release(hanging);
    allot_release(behind);
    allot_array_release(x);
    allot_array_release(y);
    allot_array_release(z);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    check_nothing_left();
}

/* On a device that has its own copy nothing of the host's is in its hands. */
static void what_it_only_read_stays_usable(void)
{
    allot_executor *executor = open_executor();
    allot_array *x = allot_array_full(executor, ALLOT_F32, N, 3),
                *y = allot_array_full(executor, ALLOT_F32, N, 0);
    allot_array *z = allot_array_full(executor, ALLOT_F32, N, 0);
    CHECK_STATUS(finish(square_on(executor, ALLOT_OPENCL, x, y)), ALLOT_OK);
    layer->hang(1);
    allot_future *hanging = square_on(executor, ALLOT_OPENCL, x, y);
    CHECK_STATUS(allot_wait(hanging, PATIENCE), ALLOT_OK);
    CHECK_STATUS(allot_future_status(hanging), ALLOT_DEVICE);
    CHECK_STATUS(finish(square_on(executor, ALLOT_THREAD, x, z)), ALLOT_OK);
    CHECK(all_are(z, N, 9));
    CHECK(!all_are(y, N, 9)); /* poisoned, or not to be had at all: in any case no data */
    layer->let_go();
    CHECK(comes_back(executor));
    CHECK_STATUS(finish(square_on(executor, ALLOT_THREAD, x, y)), ALLOT_OK);
    CHECK(all_are(y, N, 9));
    allot_release(hanging);
    allot_array_release(x);
    allot_array_release(y);
    allot_array_release(z);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    check_nothing_left();
}

static void closing_does_not_wait_for_it(void)
{
    allot_executor *executor = open_executor();
    allot_array *x = allot_array_full(executor, ALLOT_F32, N, 3),
                *y = allot_array_full(executor, ALLOT_F32, N, 0);
    allot_array *z = allot_array_full(executor, ALLOT_F32, N, 0);
    CHECK_STATUS(finish(square_on(executor, ALLOT_OPENCL, x, y)), ALLOT_OK);
    layer->hang(1);
    allot_future *hanging = square_on(executor, ALLOT_OPENCL, x, z);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    CHECK(layer->hanging() == 1);
    CHECK_STATUS(allot_future_status(hanging), ALLOT_DEVICE);
    CHECK(!all_are(z, N, 9));
    allot_release(hanging);
    allot_array_release(x);
    allot_array_release(y);
    allot_array_release(z);
    CHECK(layer->live(LAYER_CONTEXT) == 1); /* what the kernel works on is there */
    layer->let_go();
    check_nothing_left();
}

static void a_deadline_does_not_free_what_it_works_on(void)
{
    allot_executor *executor = open_executor();
    allot_array *x = allot_array_full(executor, ALLOT_F32, N, 3),
                *y = allot_array_full(executor, ALLOT_F32, N, 0);
    CHECK_STATUS(finish(square_on(executor, ALLOT_OPENCL, x, y)), ALLOT_OK);
    layer->hang(1);
    allot_future *hanging = allot_launch(executor, probe_kernel(PROBE_SQUARE), allot_range(N),
                                         ALLOT_ARGS(allot_in(x), allot_out(y)),
                                         ALLOT_HINTS(.place = ALLOT_OPENCL, .deadline_ns = 50 * MILLISECOND));
    allot_array_release(y); /* the launch's alone now */
    CHECK_STATUS(allot_wait(hanging, PATIENCE), ALLOT_OK);
    CHECK_STATUS(allot_future_status(hanging), ALLOT_DEADLINE);
    CHECK(layer->hanging() <= 1); /* 0: the deadline was over before it was enqueued */
    layer->let_go();
    allot_release(hanging);
    allot_array_release(x);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    check_nothing_left();
}

/* By job control, a debugger, or the machine that it runs on. */
static void a_program_that_was_stopped_gives_nothing_up(void)
{
    if (under_valgrind()) {
        printf("not under Valgrind, whose watchdog has a minute ");
        return;
    }
    setenv("ALLOT_WATCHDOG_S", "3", 1);
    allot_executor *executor = open_executor();
    allot_array *x = allot_array_full(executor, ALLOT_F32, N, 3),
                *y = allot_array_full(executor, ALLOT_F32, N, 0);
    CHECK_STATUS(finish(square_on(executor, ALLOT_OPENCL, x, y)), ALLOT_OK);
    setenv("ALLOT_WATCHDOG_S", watchdog_s(), 1); /* the device is open: it has been read */
    layer->hang(1);
    allot_future *slow = square_on(executor, ALLOT_OPENCL, x, y);
    CHECK(one_hangs());
    CHECK(system("kill -STOP $PPID; sleep 4; kill -CONT $PPID") == 0);
    CHECK_STATUS(allot_wait(slow, SECOND / 2), ALLOT_TIMEOUT);
    layer->let_go();
    CHECK_STATUS(finish(slow), ALLOT_OK);
    CHECK(all_are(y, N, 9));
    allot_array_release(x);
    allot_array_release(y);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
    check_nothing_left();
}

static const test_fact facts[] = {
    { "a kernel that never ends is given up, and its device comes back when it has",
      it_is_given_up_and_the_device_comes_back },
    { "what it only read stays usable, what it writes is nobody's till it has ended",
      what_it_only_read_stays_usable },
    { "closing does not wait for it", closing_does_not_wait_for_it },
    { "a deadline does not free what it works on", a_deadline_does_not_free_what_it_works_on },
    { "a program that was stopped gives up no launch", a_program_that_was_stopped_gives_nothing_up },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    static const watched_suite suite = { "kernels that never end", facts, NULL };
    setenv("OPENCL_LAYERS", TEST_BINARY_DIR "/tests/libopencl_layer.so", 0);
    setenv("POCL_DEVICES", "pthread", 0); /* not basic: it locks up when a command waits for a user event */
    setenv("ALLOT_LOG", "error", 0);
    setenv("ALLOT_WATCHDOG_S", "1200", 1);
    layer = opencl_layer_find();
    if (!layer)
        return test_skip("this OpenCL loader takes no layers");
    if (!launch_once())
        return test_skip("no OpenCL device");
    setenv("ALLOT_WATCHDOG_S", watchdog_s(), 1);
    int result = watched_main(argc, argv, &suite, 1);
    probe_kernels_free();
    return result;
}
