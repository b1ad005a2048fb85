/* OpenCL devices by type, name and driver, as hints.place_id takes them beside ids. */
#include "support.h"
#include <allot/numeric.h>
#include <ctype.h>
#include <string.h>

enum {
    N = 1000,
    PLACES_MAX = 32,
    TEXT_MAX = 256
};

typedef struct fixture {
    allot_executor *executor;
    allot_place_info places[PLACES_MAX];
    size_t count;
} fixture;

static void list(fixture *it)
{
    for (size_t i = 0; i < PLACES_MAX; i++)
        it->places[i] = (allot_place_info){ .size = sizeof it->places[i] };
    it->count = allot_places(it->executor, it->places, PLACES_MAX);
    REQUIRE(it->count <= PLACES_MAX);
}

static void begin(fixture *it)
{
    it->executor = allot_open(ALLOT_OPTIONS(.threads = 1, .processes = 1));
    REQUIRE(it->executor != NULL);
    list(it);
}

static void end(fixture *it)
{
    CHECK_STATUS(allot_close(it->executor), ALLOT_OK);
}

/* y = 3 * 2 + 1, there. */
static allot_future *launch(const fixture *it, const allot_hints *hints)
{
    allot_array *x = allot_array_full(it->executor, ALLOT_F32, N, 2),
                *y = allot_array_full(it->executor, ALLOT_F32, N, 1);
    allot_future *future = allot_launch(it->executor, allot_axpy(), allot_range(N),
                                        ALLOT_ARGS(allot_f32(3), allot_in(x), allot_inout(y)), hints);
    CHECK_STATUS(allot_wait(future, 90 * SECOND), ALLOT_OK);
    if (allot_future_status(future) == ALLOT_OK)
        CHECK(all_are(y, N, 7));
    allot_array_release(x);
    allot_array_release(y);
    return future;
}

static bool ends(const fixture *it, const allot_hints *hints, allot_status status, const char *part)
{
    allot_future *future = launch(it, hints);
    bool right = allot_future_status(future) == status && strstr(allot_future_error(future), part);
    if (!right)
        printf("\n    %s: %s", allot_status_text(allot_future_status(future)), allot_future_error(future));
    allot_release(future);
    return right;
}

static const allot_place_info *place_called(const fixture *it, const char *id)
{
    for (size_t i = 0; i < it->count; i++)
        if (strcmp(it->places[i].id, id) == 0)
            return &it->places[i];
    return NULL;
}

/* The candidates are all that are meant, and it ran on one of them. */
static bool goes_to(const fixture *it, const char *place_id, bool deterministic)
{
    size_t meant = 0;
    for (size_t i = 0; i < it->count; i++)
        meant += allot_place_is(&it->places[i], place_id);
    allot_future *future = launch(it, ALLOT_HINTS(.place_id = place_id, .deterministic = deterministic));
    const allot_decision *decision = allot_future_decision(future);
    bool right = meant && decision && allot_future_status(future) == ALLOT_OK &&
                 decision->candidate_count == meant && decision->left_out == it->count - meant &&
                 strncmp(decision->left_out_why, "the hints ask for ", 18) == 0 &&
                 allot_place_is(place_called(it, allot_future_place(future)), place_id);
    for (size_t i = 0; right && i < decision->candidate_count; i++)
        right = allot_place_is(place_called(it, decision->candidates[i].place), place_id);
    if (!right)
        printf("\n    '%s' means %zu: %s", place_id, meant, allot_future_error(future));
    allot_release(future);
    return right;
}

static const char *changed(const char *before, const char *text, int (*letter)(int))
{
    static char changed[TEXT_MAX];
    int used = snprintf(changed, sizeof changed, "%s%s", before, text);
    for (int i = (int)strlen(before); i < used; i++)
        changed[i] = (char)letter((unsigned char)changed[i]);
    return changed;
}

/* ---- Facts ---- */

/* Devices that are not here. */
static void words_mean_types_names_and_drivers(void)
{
    allot_place_info thread = {
        .size = sizeof thread, .id = "thread", .kind = ALLOT_THREAD, .name = "thread pool"
    };
    allot_place_info gpu = { .size = sizeof gpu,
                             .id = "opencl:0",
                             .kind = ALLOT_OPENCL,
                             .name = "NVIDIA H100 80GB HBM3",
                             .driver = "NVIDIA CUDA 570.1",
                             .device_types = ALLOT_DEVICE_GPU };
    allot_place_info all = { .size = sizeof all,
                             .id = "opencl:1",
                             .kind = ALLOT_OPENCL,
                             .name = "Oclgrind Simulator",
                             .driver = "Oclgrind 21.10",
                             .device_types = ALLOT_DEVICE_CPU | ALLOT_DEVICE_GPU | ALLOT_DEVICE_ACCELERATOR };
    allot_place_info odd = { .size = sizeof odd,
                             .id = "opencl:2",
                             .kind = ALLOT_OPENCL,
                             .name = "gpu-like cpu",
                             .driver = "",
                             .device_types = ALLOT_DEVICE_CUSTOM };
    allot_place_info simulated = {
        .size = sizeof simulated, .id = "gpu:3", .kind = ALLOT_OPENCL, .name = "simulated gpu of laptop"
    };
    const struct {
        const char *word;
        bool means[5];
    } cases[] = {
        { "thread", { true } },
        { "opencl:0", { false, true } },
        { "gpu:3", { false, false, false, false, true } },
        { "opencl", { false, true, true, true } },
        { "gpu", { false, true, true } }, /* not one that is called so */
        { "opencl:GPU", { false, true, true } },
        { "cpu", { false, false, true } },
        { "Accelerator", { false, false, true } },
        { "custom", { false, false, false, true } },
        { "h100", { false, true } },
        { "opencl:80GB hbm3", { false, true } },
        { "opencl:cuda", { false, true } },
        { "oclgrind", { false, false, true } },
        { "21.10", { false, false, true } },
        { "gpu-like", { false, false, false, true } },
        { "laptop", { false } },
        { "pool", { false } },
        { "opencl:", { false } },
        { "", { false } },
        { "80", { false } }, /* a number is an index */
        { "opencl:3", { false } },
        { "opencl:0/1", { false } },
        { "simulator", { false, false, true } },
    };
    const allot_place_info *places[] = { &thread, &gpu, &all, &odd, &simulated };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t p = 0; p < 5; p++)
            if (allot_place_is(places[p], cases[i].word) != cases[i].means[p]) {
                printf("\n    '%s' and %s", cases[i].word, places[p]->id);
                CU_FAIL("a word means another place");
            }
    CHECK(!allot_place_is(NULL, "gpu") && !allot_place_is(&gpu, NULL));
    gpu.size = offsetof(allot_place_info, device_types); /* of an older header */
    CHECK(!allot_place_is(&gpu, "gpu") && allot_place_is(&gpu, "opencl:0"));
    CU_ASSERT_STRING_EQUAL(allot_device_types_text(0), "");
    CU_ASSERT_STRING_EQUAL(allot_device_types_text(gpu.device_types), "gpu");
    CU_ASSERT_STRING_EQUAL(allot_device_types_text(all.device_types), "cpu+gpu+accelerator");
    CU_ASSERT_STRING_EQUAL(allot_device_types_text(odd.device_types), "custom");
}

static void devices_are_reached_by_what_they_are_called(void)
{
    fixture it;
    begin(&it);
    CHECK(goes_to(&it, "opencl", false));
    for (size_t i = 0; i < it.count; i++) {
        const allot_place_info *place = &it.places[i];
        if (place->kind != ALLOT_OPENCL) {
            CU_ASSERT_EQUAL(place->device_types, 0);
            continue;
        }
        CHECK(place->device_types != 0);
        CHECK(goes_to(&it, place->id, false));
        CHECK(goes_to(&it, place->name, false));
        CHECK(goes_to(&it, place->driver, false));
        CHECK(goes_to(&it, changed("", place->name, toupper), false));
        CHECK(goes_to(&it, changed("opencl:", place->name, tolower), true));
        for (uint32_t type = ALLOT_DEVICE_CPU; type <= ALLOT_DEVICE_CUSTOM; type *= 2)
            if (place->device_types & type)
                CHECK(goes_to(&it, changed("opencl:", allot_device_types_text(type), toupper), true));
    }
    end(&it);
}

/* By the first launch of all, which waits for the search. */
static void a_word_waits_for_the_search(void)
{
    fixture it, there;
    begin(&there);
    const char *word = NULL;
    for (size_t i = 0; i < there.count && !word; i++)
        if (there.places[i].kind == ALLOT_OPENCL)
            word = there.places[i].name;
    it.executor = allot_open(ALLOT_OPTIONS(.threads = 1));
    REQUIRE(it.executor != NULL);
    allot_future *future = launch(&it, ALLOT_HINTS(.place_id = word));
    CHECK_STATUS(allot_future_status(future), ALLOT_OK);
    CHECK(strncmp(allot_future_place(future), "opencl:", 7) == 0);
    allot_release(future);
    end(&it);
    end(&there);
}

static void what_means_nothing_is_answered_with_what_is_there(void)
{
    fixture it;
    begin(&it);
    const char *const words[] = { "opencl:cloud", "opencl:", "opencl:97", "opencl:0/97", "cloud", "proces" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        allot_status status = i < 4 ? ALLOT_NO_DEVICE : ALLOT_NOT_FOUND;
        char device[TEXT_MAX] = "";
        for (size_t p = 0; p < it.count; p++)
            if (strcmp(it.places[p].id, "opencl:0") == 0)
                snprintf(device, sizeof device, "thread, process, inline, opencl:0 (%s, %s)",
                         allot_device_types_text(it.places[p].device_types), it.places[p].name);
        CHECK(ends(&it, ALLOT_HINTS(.place_id = words[i]), status, words[i]));
        CHECK(ends(&it, ALLOT_HINTS(.place_id = words[i]), status, device));
    }
    const char *type = NULL;
    for (size_t p = 0; p < it.count; p++)
        if (it.places[p].kind == ALLOT_OPENCL)
            type = it.places[p].name;
    CHECK(ends(&it, ALLOT_HINTS(.place = ALLOT_THREAD, .place_id = type), ALLOT_NO_PLACE, "contradict"));
    CHECK(
        ends(&it, ALLOT_HINTS(.place_id = type, .forbid = ALLOT_KIND_BIT(ALLOT_OPENCL)), ALLOT_NO_PLACE, ""));
    allot_future *plain = allot_submit(it.executor, task_nothing, NULL, 0, 0, ALLOT_HINTS(.place_id = type));
    CHECK_STATUS(allot_get(plain, NULL, 0, ALLOT_FOREVER), ALLOT_NO_PLACE);
    CHECK(strstr(allot_future_error(plain), "an OpenCL device runs kernels") != NULL);
    allot_release(plain);
    end(&it);
}

/* PoCL's device has the name of the CPU, of which Valgrind shows another than a worker sees. */
static const char *word_in_a_worker(const allot_place_info *place)
{
    return under_valgrind() ? allot_device_types_text(place->device_types) : place->name;
}

/* Which device a worker took is seen where it lacks double precision. */
static void a_word_goes_for_isolated_launches(void)
{
    fixture it;
    begin(&it);
    for (size_t i = 0; i < it.count; i++) {
        const allot_place_info *place = &it.places[i];
        if (place->kind != ALLOT_OPENCL || strchr(place->id, '/'))
            continue;
        allot_array *x = allot_array_full(it.executor, ALLOT_F64, N, 2),
                    *y = allot_array_full(it.executor, ALLOT_F64, N, 1);
        allot_future *future = allot_launch(
            it.executor, allot_axpy(), allot_range(N), ALLOT_ARGS(allot_f64(3), allot_in(x), allot_inout(y)),
            ALLOT_HINTS(.isolate = true, .place_id = word_in_a_worker(place)));
        CHECK_STATUS(allot_wait(future, 90 * SECOND), ALLOT_OK);
        CHECK_STATUS(allot_future_status(future), place->has_f64 ? ALLOT_OK : ALLOT_UNSUPPORTED);
        if (!place->has_f64)
            CHECK(strstr(allot_future_error(future), place->name) != NULL);
        CU_ASSERT_STRING_EQUAL(allot_future_place(future), "process");
        allot_release(future);
        allot_array_release(x);
        allot_array_release(y);
    }
    CHECK(ends(&it, ALLOT_HINTS(.isolate = true, .place_id = "cloud"), ALLOT_NO_DEVICE,
               "cloud: no such device in a worker process (devices: opencl:0 ("));
    end(&it);
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "a word means devices of a type, or by a part of their name or driver",
          words_mean_types_names_and_drivers },
        { "every device is reached by its id, name, driver and type, and placement chooses among those meant",
          devices_are_reached_by_what_they_are_called },
        { "the first launch that names a device by a word waits for the search",
          a_word_waits_for_the_search },
        { "a word that means nothing is an error that lists the places, with types and names",
          what_means_nothing_is_answered_with_what_is_there },
        { "an isolated launch takes the first device that is meant", a_word_goes_for_isolated_launches },
        { NULL, NULL },
    };
    fixture it;
    it.executor = allot_open(NULL);
    size_t devices = 0;
    if (it.executor) {
        for (size_t i = 0; i < PLACES_MAX; i++)
            it.places[i] = (allot_place_info){ .size = sizeof it.places[i] };
        it.count = allot_places(it.executor, it.places, PLACES_MAX);
        for (size_t i = 0; i < it.count && i < PLACES_MAX; i++)
            devices += it.places[i].kind == ALLOT_OPENCL && it.places[i].state != ALLOT_PLACE_ASIDE;
    }
    allot_close(it.executor);
    if (!devices)
        return test_skip("no OpenCL device");
    return watched_main(argc, argv, &(const watched_suite){ "devices by what they are called", facts, NULL },
                        1);
}
