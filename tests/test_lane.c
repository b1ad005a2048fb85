/* Lanes: a number of one's own, given on when a thread ends. */
#include "base/lane.h"
#include "support.h"

enum {
    THREADS = 2 * AL_LANES
};

static pthread_barrier_t all_here;
static _Atomic uint64_t cells[AL_LANES];
static _Atomic uint32_t owners[AL_LANES]; /* how many threads have that number now */
static _Atomic uint32_t clashes, moved;

static void *keep_a_lane(void *of)
{
    (void)of;
    al_lane *lane = al_lane_here();
    if (lane->number < AL_LANE_SHARED && atomic_fetch_add(&owners[lane->number], 1))
        atomic_fetch_add(&clashes, 1);
    pthread_barrier_wait(&all_here); /* now all lanes are taken at once */
    for (int i = 0; i < 1000; i++)
        al_lane_add(lane, &cells[lane->number], 1);
    if (al_lane_here() != lane)
        atomic_fetch_add(&moved, 1);
    if (lane->number < AL_LANE_SHARED)
        atomic_fetch_sub(&owners[lane->number], 1);
    return NULL;
}

static uint64_t sum(void)
{
    uint64_t total = 0;
    for (int i = 0; i < AL_LANES; i++)
        total += atomic_load(&cells[i]);
    return total;
}

static void numbers_below_the_shared_one_have_one_owner(void)
{
    int unused[THREADS];
    uint64_t before = sum();
    pthread_barrier_init(&all_here, NULL, THREADS);
    run_threads(THREADS, keep_a_lane, unused, sizeof unused[0]);
    pthread_barrier_destroy(&all_here);
    CHECK(atomic_load(&clashes) == 0);
    CHECK(atomic_load(&moved) == 0);
    CHECK(sum() - before == THREADS * UINT64_C(1000)); /* and the shared cell lost nothing either */
}

static void *note_lane(void *of)
{
    *(al_lane **)of = al_lane_here();
    return NULL;
}

static void the_next_thread_goes_on_with_the_lane(void)
{
    al_lane *mine = al_lane_here(), *first = NULL, *second = NULL;
    join_thread(start_thread(note_lane, &first));
    join_thread(start_thread(note_lane, &second));
    CHECK(first != NULL && first == second);
    CHECK(first != mine && mine == al_lane_here());
}

/* ---- A destructor that runs after the lane's ---- */

static pthread_key_t late_key;
static al_lane *late_lane;

static void use_a_lane_late(void *of)
{
    static _Thread_local int round;
    if (round++ ==
        0) /* the lane's destructor may come after this one in the first round, not in the second */
        pthread_setspecific(late_key, of);
    else
        late_lane = al_lane_here();
}

static void *end_late(void *of)
{
    *(al_lane **)of = al_lane_here();
    pthread_setspecific(late_key, of);
    return NULL;
}

static void a_thread_on_its_way_out_still_gets_one(void)
{
    al_lane *lane = NULL, *next = NULL;
    REQUIRE(pthread_key_create(&late_key, use_a_lane_late) == 0);
    join_thread(start_thread(end_late, &lane));
    CHECK(late_lane != NULL);
    join_thread(start_thread(note_lane, &next));
    CHECK(next == late_lane); /* and it was given back again */
    pthread_key_delete(late_key);
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "numbers below the shared one have one owner", numbers_below_the_shared_one_have_one_owner },
        { "the next thread goes on with the lane of one that ended", the_next_thread_goes_on_with_the_lane },
        { "a thread on its way out still gets one", a_thread_on_its_way_out_still_gets_one },
        { NULL, NULL },
    };
    const watched_suite suite = { "lane", facts, NULL };
    setenv("TEST_WATCHDOG_S", "120", 0);
    return watched_main(argc, argv, &suite, 1);
}
