/* What waits for a device: by priority, in order within one, and nothing for ever. */
#include "places/opencl/bands.h"
#include "support.h"
#include <string.h>

#define TASKS 300

static al_task tasks[TASKS];
static al_more mores[TASKS];

/* Task i, of that priority. */
static al_task *make(size_t i, int priority)
{
    memset(&tasks[i], 0, sizeof tasks[i]);
    memset(&mores[i], 0, sizeof mores[i]);
    mores[i].priority = priority;
    tasks[i].more = &mores[i];
    return &tasks[i];
}

static void high_goes_before_normal_before_low(void)
{
    static const int priorities[] = { 0, -1, 5, 0, 1, -7 };
    static const size_t order[] = { 2, 4, 0, 3, 1, 5 };
    al_opencl_bands bands = { 0 };
    for (size_t i = 0; i < 6; i++)
        al_opencl_bands_push(&bands, make(i, priorities[i]));
    CHECK(bands.length == 6);
    CHECK(al_opencl_bands_last(&bands) == &tasks[5]);
    for (size_t i = 0; i < 6; i++)
        CHECK(al_opencl_bands_pop(&bands) == &tasks[order[i]]);
    CHECK(al_opencl_bands_pop(&bands) == NULL && al_opencl_bands_last(&bands) == NULL);
}

static void any_of_them_can_be_taken_out_or_put_back(void)
{
    al_opencl_bands bands = { 0 };
    for (size_t i = 0; i < 9; i++)
        al_opencl_bands_push(&bands, make(i, (int)(i % 3) - 1));
    al_opencl_bands_remove(&bands, &tasks[4]);
    al_task *first = al_opencl_bands_pop(&bands);
    CHECK(first == &tasks[2]);
    al_opencl_bands_push_first(&bands, first);
    CHECK(bands.length == 8);
    static const size_t order[] = { 2, 5, 8, 1, 7, 0, 3, 6 };
    for (size_t i = 0; i < 8; i++)
        CHECK(al_opencl_bands_pop(&bands) == &tasks[order[i]]);
}

/* High ones keep coming: how long others wait. */
static size_t wait_of(int priority)
{
    al_opencl_bands bands = { 0 };
    al_task *waiting = make(0, priority), *popped = NULL;
    size_t turns = 0;
    al_opencl_bands_push(&bands, waiting);
    while (popped != waiting && ++turns < TASKS) {
        al_opencl_bands_push(&bands, make(turns, 1));
        popped = al_opencl_bands_pop(&bands);
    }
    return turns;
}

static void nothing_waits_for_ever(void)
{
    CHECK(wait_of(0) == AL_OPENCL_NORMAL_DUE);
    CHECK(wait_of(-1) == AL_OPENCL_LOW_DUE);
}

/* ---- On a device ---- */

enum {
    LAUNCHES = 200,
    LAST = LAUNCHES + 1
};

/* Launches that come in a stream, and behind them one of high priority: it overtakes what has not been handed
 * to the driver. How many these are depends on the moment. */
static void a_device_heeds_it(void)
{
    allot_executor *executor = allot_open(NULL);
    REQUIRE(executor != NULL);
    allot_kernel *kernel = allot_kernel_create(ALLOT_KERNEL(
            .name = "work",
            .opencl_options = has_simulator(executor) || under_valgrind() ? "-DTURNS=500" : "-DTURNS=200000",
            .opencl_source = "kernel void work(void) { for (volatile int i = 0; i < TURNS; i++); }\n"));
    allot_future *futures[LAST];
    REQUIRE(kernel != NULL);
    for (size_t i = 0; i < LAST; i++)
        futures[i] = allot_launch(executor, kernel, allot_range(1), NULL, 0,
                                  ALLOT_HINTS(.place_id = "opencl:0", .priority = i == LAUNCHES ? 1 : 0));
    allot_as_completed *ended = allot_as_completed_create(futures, LAST);
    size_t index, expected = 0, before = 0;
    while (ended && allot_as_completed_next(ended, NULL, &index, 600 * SECOND) == ALLOT_OK) {
        CHECK_STATUS(allot_future_status(futures[index]), ALLOT_OK);
        before = index == LAUNCHES ? expected : before;
        expected += index != LAUNCHES;
    }
    CHECK(expected == LAUNCHES);
    printf("%zu of %d were before it ", before, LAUNCHES);
    allot_as_completed_destroy(ended);
    allot_release_all(futures, LAST);
    allot_kernel_release(kernel);
    allot_close(executor);
}

static const test_fact facts[] = {
    { "high goes before normal before low, in order", high_goes_before_normal_before_low },
    { "any of them can be taken out or put back", any_of_them_can_be_taken_out_or_put_back },
    { "nothing waits for ever", nothing_waits_for_ever },
    { "a launch of high priority overtakes those that wait, and all end", a_device_heeds_it },
    { NULL, NULL },
};

int main(void)
{
    allot_executor *executor = allot_open(NULL);
    bool there = has_place(executor, ALLOT_OPENCL);
    allot_close(executor);
    return there ? test_main("priorities on a device", facts) : test_skip("no OpenCL device");
}
