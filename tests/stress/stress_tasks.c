/* Property: whatever many threads do to tasks of all places at once, each task ends exactly once and what it
 * did is there exactly once. Usage: stress_tasks [SECONDS [SEED]]; TEST_SEED sets the seed too. Threads race,
 * so a seed repeats what they do, not when. */
#include "probe_kernels.h"
#include "random.h"
#include "support.h"
#include <signal.h>
#include <unistd.h>

enum {
    THREADS = 6,
    PLACES_MAX = 8,
    BURST = 12
};

static allot_executor *executor;
static allot_place_info places[PLACES_MAX];
static size_t place_count;
static test_gate tallies; /* tally[slot]: how often the tasks of that slot ran */
static allot_array *junk; /* what cancelled launches may spoil */
static int64_t end_ns;

/* How the tasks of a slot ended, by their callbacks. */
typedef struct slot {
    _Atomic uint32_t submitted, ended, succeeded, perhaps; /* perhaps: stopped, may have run */
} slot;
static slot slots[GATE_TALLIES];
static _Atomic uint32_t wrong;

typedef struct worker {
    uint64_t seed;
    uint32_t launched, submitted;
    allot_array *counters; /* one a place; only good launches add to it */
} worker;

static void complain(const char *what, const allot_future *future)
{
    atomic_fetch_add(&wrong, 1);
    printf("%s: %s (%s)\n", what, allot_status_name(allot_future_status(future)), allot_future_error(future));
}

static void on_end(allot_future *future, void *user)
{
    slot *of = user;
    atomic_fetch_add(&of->ended, 1);
    switch ((int)allot_future_status(future)) {
    case ALLOT_OK:
        atomic_fetch_add(&of->succeeded, 1);
        break;
    case ALLOT_STOPPED:
    case ALLOT_DEADLINE:
        atomic_fetch_add(&of->perhaps, 1);
        break;
    case ALLOT_CANCELLED:
    case ALLOT_DEPENDENCY:
        break;
    default:
        complain("a counting task ended with", future);
    }
}

static const char *random_place(random_state *random, bool device_too)
{
    for (;;) {
        const allot_place_info *info = &places[random_next(random) % place_count];
        if (device_too || info->kind != ALLOT_OPENCL)
            return info->id;
    }
}

static allot_future *submit_counting(random_state *random, allot_future *after)
{
    uint64_t index = random_next(random) % GATE_TALLIES;
    tally_input input = { .key = tallies.key, .index = index };
    allot_hints hints;
    allot_hints_init(&hints);
    hints.place_id = random_place(random, false);
    if (random_next(random) % 16 == 0)
        hints.deadline_ns = 1 + (int64_t)(random_next(random) % 1000000);
    if (after && random_next(random) % 4 == 0)
        hints.after = &after, hints.after_count = 1;
    atomic_fetch_add(&slots[index].submitted, 1);
    allot_future *future = allot_submit(executor, task_tally, &input, sizeof input, 0, &hints);
    if (allot_on_done(future, on_end, &slots[index]) != ALLOT_OK)
        complain("on_done refused", future);
    return future;
}

/* Whatever one can do to a future, ended by releasing it. */
static void mistreat(random_state *random, allot_future *future)
{
    switch (random_next(random) % 8) {
    case 0:
        if (allot_cancel(future) && allot_get(future, NULL, 0, 0) != ALLOT_CANCELLED)
            complain("cancelled, but", future);
        break;
    case 1:
        if (allot_stop(future, MILLISECOND) != ALLOT_OK)
            complain("stop refused", future);
        break;
    case 2:
        if (allot_wait(future, (int64_t)(random_next(random) % 100000)) == ALLOT_OK && !allot_done(future))
            complain("waited, but", future);
        break;
    case 3:
        allot_get(future, NULL, 0, ALLOT_FOREVER);
        if (!allot_done(future))
            complain("got, but", future);
        break;
    case 4:
        allot_release(allot_hold(future));
        break;
    default:
        break;
    }
    allot_release(future);
}

static void burst_of_tasks(worker *work, random_state *random)
{
    allot_future *futures[BURST];
    size_t count = 1 + random_next(random) % BURST;
    for (size_t i = 0; i < count; i++)
        futures[i] = submit_counting(random, i ? futures[i - 1] : NULL);
    work->submitted += (uint32_t)count;
    if (random_next(random) % 4 == 0 && allot_wait_all(futures, count, ALLOT_FOREVER) != ALLOT_OK)
        complain("wait_all", futures[0]);
    size_t index = 0;
    if (random_next(random) % 4 == 0 &&
        (allot_wait_any(futures, count, ALLOT_FOREVER, &index) != ALLOT_OK || !allot_done(futures[index])))
        complain("wait_any", futures[0]);
    for (size_t i = 0; i < count; i++)
        mistreat(random, futures[i]);
}

static void one_launch(worker *work, random_state *random)
{
    allot_future *future = allot_launch(
        executor, probe_kernel(PROBE_AFFINE), allot_range_2d(16, 1),
        ALLOT_ARGS(allot_inout_view(allot_view_2d(work->counters, 0, 16, 1, 1)), allot_u32(1), allot_u32(1)),
        ALLOT_HINTS(.place_id = random_place(random, true)));
    work->launched++;
    if (random_next(random) % 8 == 0) {
        const uint32_t *data = allot_array_map(work->counters, ALLOT_READ);
        if (!data || data[0] != work->launched || data[15] != work->launched)
            complain("a map saw another count", future);
        allot_array_unmap(work->counters);
    }
    if (random_next(random) % 8 == 0 && allot_get(future, NULL, 0, ALLOT_FOREVER) != ALLOT_OK)
        complain("a counting launch", future);
    allot_release(future);
}

/* Launches that fail, are cancelled or stopped, on an array that all threads share. */
static void junk_launch(random_state *random)
{
    size_t at = random_next(random) % 50, count = 1 + random_next(random) % 50;
    allot_arg view = allot_inout_view(allot_view_1d(junk, at, count));
    bool fails = random_next(random) % 4 == 0;
    mistreat(random, allot_launch(executor, probe_kernel(PROBE_FAIL), allot_range(count),
                                  ALLOT_ARGS(view, allot_i32(fails ? ALLOT_USER + 1 : ALLOT_OK)),
                                  ALLOT_HINTS(.place_id = random_place(random, false))));
    if (random_next(random) % 8)
        return;
    allot_access access = random_next(random) % 2 ? ALLOT_READ : ALLOT_WRITE;
    float *data = allot_array_map(junk, access);
    if (!data && (access == ALLOT_WRITE || allot_last_status() != ALLOT_DEPENDENCY)) {
        atomic_fetch_add(&wrong, 1);
        printf("mapping junk: %s\n", allot_last_error());
    }
    for (size_t i = 0; data && access == ALLOT_WRITE && i < 100; i++)
        data[i] = 1;
    if (data)
        allot_array_unmap(junk);
}

static void *stress(void *input)
{
    worker *work = input;
    random_state random = random_start(work->seed);
    while (now_ns() < end_ns) {
        burst_of_tasks(work, &random);
        one_launch(work, &random);
        junk_launch(&random);
    }
    return NULL;
}

static void check_slots(uint32_t submitted)
{
    uint32_t total = 0;
    for (size_t i = 0; i < GATE_TALLIES; i++) {
        uint32_t ran = gate_tally(&tallies, i), good = slots[i].succeeded, perhaps = slots[i].perhaps;
        total += slots[i].ended;
        if (slots[i].ended != slots[i].submitted || ran < good || ran > good + perhaps) {
            printf("slot %zu: %u submitted, %u ended, %u succeeded, %u perhaps, %u ran\n", i,
                   slots[i].submitted, slots[i].ended, good, perhaps, ran);
            atomic_fetch_add(&wrong, 1);
        }
    }
    if (total != submitted) {
        printf("%u submitted, %u ended\n", submitted, total);
        atomic_fetch_add(&wrong, 1);
    }
}

static void check_launches(const worker *workers)
{
    for (int i = 0; i < THREADS; i++) {
        const uint32_t *data = allot_array_map(workers[i].counters, ALLOT_READ);
        for (int j = 0; j < 16; j++)
            if (!data || data[j] != workers[i].launched) {
                printf("thread %d: %u launches, %u counted: %s\n", i, workers[i].launched, data ? data[j] : 0,
                       allot_last_error());
                atomic_fetch_add(&wrong, 1);
                break;
            }
        allot_array_unmap(workers[i].counters);
        allot_array_release(workers[i].counters);
    }
}

static void find_places(void)
{
    for (size_t i = 0; i < PLACES_MAX; i++)
        places[i].size = sizeof places[i];
    size_t count = allot_places(executor, places, PLACES_MAX);
    for (size_t i = 0; i < count && i < PLACES_MAX; i++)
        if (places[i].state != ALLOT_PLACE_ASIDE)
            places[place_count++] = places[i];
}

int main(int argc, char **argv)
{
    int64_t seconds = argc > 1 ? atoi(argv[1]) : 5;
    uint64_t seed = random_seed(argc > 2 ? argv[2] : NULL);
    executor = allot_open(ALLOT_OPTIONS(.threads = 3, .processes = 2));
    if (!executor) {
        fprintf(stderr, "allot_open: %s\n", allot_open_error());
        return EXIT_FAILURE;
    }
    find_places();
    tallies = gate_create();
    junk = allot_array_new(executor, ALLOT_F32, 100);
    worker workers[THREADS];
    for (int i = 0; i < THREADS; i++)
        workers[i] =
            (worker){ .seed = seed + (uint64_t)i, .counters = allot_array_new(executor, ALLOT_U32, 16) };
    alarm((unsigned)seconds + 60);
    end_ns = now_ns() + seconds * SECOND;
    run_threads(THREADS, stress, workers, sizeof workers[0]);
    uint32_t submitted = 0, launched = 0;
    for (int i = 0; i < THREADS; i++)
        submitted += workers[i].submitted, launched += workers[i].launched;
    if (allot_close(executor) != ALLOT_OK)
        atomic_fetch_add(&wrong, 1);
    check_slots(submitted);
    check_launches(workers);
    allot_array_release(junk);
    gate_destroy(&tallies);
    probe_kernels_free();
    printf("%u tasks and %u launches over %zu places, %u wrong, seed %llu\n", submitted, launched,
           place_count, wrong, (unsigned long long)seed);
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
