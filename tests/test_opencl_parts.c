/* Parts of OpenCL devices as places of their own. */
#include "support.h"
#include <allot/numeric.h>
#include <string.h>

enum {
    N = 100000,
    PLACES_MAX = 16
};

static unsigned units; /* of opencl:0 */

typedef struct fixture {
    allot_executor *executor;
    allot_place_info places[PLACES_MAX]; /* the devices */
    size_t count;
} fixture;

static void begin(fixture *it, const char *parts)
{
    allot_place_info all[PLACES_MAX];
    it->executor = allot_open(ALLOT_OPTIONS(.device_parts = parts));
    REQUIRE(it->executor != NULL);
    for (size_t i = 0; i < PLACES_MAX; i++)
        all[i].size = sizeof all[i];
    size_t count = allot_places(it->executor, all, PLACES_MAX);
    it->count = 0;
    for (size_t i = 0; i < count && i < PLACES_MAX; i++)
        if (all[i].kind == ALLOT_OPENCL)
            it->places[it->count++] = all[i];
}

static bool has(const fixture *it, const char *id)
{
    for (size_t i = 0; i < it->count; i++)
        if (strcmp(it->places[i].id, id) == 0)
            return true;
    return false;
}

static allot_status launch(const fixture *it, const char *place_id, bool isolate, char error[256])
{
    allot_array *x = allot_array_full(it->executor, ALLOT_F32, N, 2),
                *y = allot_array_full(it->executor, ALLOT_F32, N, 1);
    allot_future *future = allot_launch(it->executor, allot_axpy(), allot_range(N),
                                        ALLOT_ARGS(allot_f32(3), allot_in(x), allot_inout(y)),
                                        ALLOT_HINTS(.place_id = place_id, .isolate = isolate));
    CHECK_STATUS(allot_wait(future, ALLOT_FOREVER), ALLOT_OK);
    allot_status status = allot_future_status(future);
    snprintf(error, 256, "%s", allot_future_error(future));
    if (status == ALLOT_OK) {
        CU_ASSERT_STRING_EQUAL(allot_future_place(future), place_id);
        CHECK(all_are(y, N, 7));
    }
    allot_release(future);
    allot_array_release(x);
    allot_array_release(y);
    return status;
}

/* ---- Facts ---- */

static void parts_are_places(void)
{
    fixture it;
    char error[256];
    begin(&it, "2");
    CHECK(!has(&it, "opencl:0"));
    REQUIRE(has(&it, "opencl:0/1") && has(&it, "opencl:0/2"));
    CHECK(strstr(it.places[0].name, " / 1 of 2") != NULL);
    CHECK(strstr(it.places[1].name, " / 2 of 2") != NULL);
    CU_ASSERT_EQUAL(it.places[0].workers + it.places[1].workers, (int)units);
    for (size_t i = 0; i < it.count; i++)
        CHECK_STATUS(launch(&it, it.places[i].id, false, error), ALLOT_OK);
    CHECK_STATUS(launch(&it, "opencl:0/3", false, error), ALLOT_NO_DEVICE);
    CHECK_STATUS(allot_close(it.executor), ALLOT_OK);
}

static void units_can_be_told(void)
{
    fixture it;
    char parts[32];
    snprintf(parts, sizeof parts, "1+%u", units - 1);
    begin(&it, parts);
    REQUIRE(has(&it, "opencl:0/1") && has(&it, "opencl:0/2"));
    CU_ASSERT_EQUAL(it.places[0].workers, 1);
    CU_ASSERT_EQUAL(it.places[1].workers, (int)units - 1);
    CHECK_STATUS(allot_close(it.executor), ALLOT_OK);
}

static void what_cannot_be_split_stays_whole(void)
{
    fixture it;
    char parts[32], error[256];
    snprintf(parts, sizeof parts, "1+%u", units);
    begin(&it, parts);
    CHECK(has(&it, "opencl:0") && !has(&it, "opencl:0/1"));
    CHECK(strstr(allot_devices_message(it.executor), "opencl:0 is not split") != NULL);
    CHECK_STATUS(launch(&it, "opencl:0", false, error), ALLOT_OK);
    CHECK_STATUS(allot_close(it.executor), ALLOT_OK);
}

static void nonsense_is_refused(void)
{
    CHECK(allot_open(ALLOT_OPTIONS(.device_parts = "some")) == NULL);
    CHECK_STATUS(allot_last_status(), ALLOT_INVALID);
    CHECK(strstr(allot_open_error(), "options.device_parts: 'some'") != NULL);
    setenv("ALLOT_OPENCL_PARTS", "1", 1);
    CHECK(allot_open(NULL) == NULL);
    CHECK(strstr(allot_open_error(), "ALLOT_OPENCL_PARTS: '1'") != NULL);
    unsetenv("ALLOT_OPENCL_PARTS");
}

static void environment_is_asked(void)
{
    fixture it;
    setenv("ALLOT_OPENCL_PARTS", "2", 1);
    begin(&it, NULL);
    CHECK(has(&it, "opencl:0/2"));
    CHECK_STATUS(allot_close(it.executor), ALLOT_OK);
    unsetenv("ALLOT_OPENCL_PARTS");
}

static void parts_are_not_isolated(void)
{
    fixture it;
    char error[256];
    begin(&it, "2");
    CHECK_STATUS(launch(&it, "opencl:0/1", true, error), ALLOT_NO_DEVICE);
    CHECK(strstr(error, "opencl:0/1 is no whole device's name") != NULL);
    CHECK_STATUS(allot_close(it.executor), ALLOT_OK);
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "parts of a device are places, with names of their own", parts_are_places },
        { "so many compute units each can be told", units_can_be_told },
        { "a device that cannot be split so stays whole, and it is said why",
          what_cannot_be_split_stays_whole },
        { "what is no way to split is refused when the executor is opened", nonsense_is_refused },
        { "the environment is asked where the options say nothing", environment_is_asked },
        { "a part cannot be isolated, which is said", parts_are_not_isolated },
        { NULL, NULL },
    };
    setenv("POCL_DEVICES", "pthread", 0);
    unsetenv("ALLOT_OPENCL_PARTS");
    fixture it;
    it.executor = allot_open(NULL);
    allot_place_info all[PLACES_MAX];
    for (size_t i = 0; i < PLACES_MAX; i++)
        all[i].size = sizeof all[i];
    size_t count = it.executor ? allot_places(it.executor, all, PLACES_MAX) : 0;
    bool splits = false;
    for (size_t i = 0; i < count && i < PLACES_MAX; i++)
        if (strcmp(all[i].id, "opencl:0") == 0) {
            units = (unsigned)all[i].workers;
            splits = all[i].state != ALLOT_PLACE_ASIDE && strstr(all[i].driver, "Portable") && units > 1;
        }
    allot_close(it.executor);
    if (!splits)
        return test_skip("no OpenCL device that is known to split");
    return watched_main(argc, argv, &(const watched_suite){ "parts of devices", facts, NULL }, 1);
}
