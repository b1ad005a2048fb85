/* The slab: no block is two threads' at once, whoever gives it back and whichever threads end meanwhile.
 * TEST_SEED repeats what the threads do, not when. */
#include "base/slab.h"
#include "stress/random.h"
#include "support.h"
#include <sched.h>
#include <stdint.h>
#include <string.h>

enum {
    WORDS = AL_SLAB_BLOCK / 8,
    MANY = 5000,
    THREADS = 4,
    SLOTS = 2000,
    SWAPS = 100000,
    GENERATIONS = 10,
    PASSED_ON = 300000,
    RING = 1024
};

static uint64_t seed;

/* ---- What a block holds while somebody has it ---- */

static uint64_t *mark(void *block, uint64_t with)
{
    uint64_t *words = block;
    for (int i = 0; words && i < WORDS; i++)
        words[i] = with ^ (uintptr_t)block ^ (uint64_t)i;
    return words;
}

/* It holds what one mark() left there. */
static bool is_marked(const uint64_t *words)
{
    for (int i = 1; i < WORDS; i++)
        if ((words[i] ^ (uint64_t)i) != words[0])
            return false;
    return true;
}

static void spoil_and_give(uint64_t *words)
{
    for (int i = 0; i < WORDS; i++)
        words[i] = (uint64_t)i * UINT64_C(0x5555555555555555);
    al_slab_give(words);
}

/* ---- One thread ---- */

static void blocks_are_aligned_and_apart(void)
{
    static uint64_t *blocks[MANY];
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < MANY; i++) {
            blocks[i] = mark(al_slab_take(), i << 48);
            REQUIRE(blocks[i] != NULL && (uintptr_t)blocks[i] % AL_SLAB_BLOCK == 0);
        }
        for (uint64_t i = 0; i < MANY; i++)
            CHECK(is_marked(blocks[i]) && blocks[i][0] == (i << 48 ^ (uintptr_t)blocks[i]));
        for (size_t i = 0; i < MANY; i++) /* in another order than they were taken */
            spoil_and_give(blocks[i * 7 % MANY]);
    }
}

/* Whichever those are: no more than AL_SLAB_SPARES are kept at hand, and none is lost. */
static void what_was_given_last_is_taken_first(void)
{
    static uint64_t *blocks[2 * AL_SLAB_SPARES];
    for (uint64_t i = 0; i < 2 * AL_SLAB_SPARES; i++)
        blocks[i] = mark(al_slab_take(), i << 48);
    for (size_t i = 0; i < AL_SLAB_SPARES / 2; i++)
        spoil_and_give(blocks[i]);
    bool at_hand = al_lane_mine && al_lane_mine->slab; /* else they are malloc's */
    for (size_t i = AL_SLAB_SPARES / 2; i-- > 0;) {
        uint64_t *again = mark(al_slab_take(), i << 48);
        CHECK(!at_hand || again == blocks[i]);
        blocks[i] = again;
    }
    for (size_t i = 0; i < 2 * AL_SLAB_SPARES; i++)
        spoil_and_give(blocks[i]);
    CHECK(!at_hand || al_lane_mine->spares == AL_SLAB_SPARES);
    al_slab_trim();
    CHECK(!at_hand || (al_lane_mine->spares == 0 && !al_lane_mine->spare));
}

/* The slab that only passes on to malloc keeps nothing. */
static bool keeps_nothing(void)
{
    void *block = al_slab_take();
    al_slab_give(block);
    return al_slab_trim() == 0;
}

static void trim_gives_back_what_is_unused(void)
{
    enum {
        LARGE = 400000
    }; /* 50 MB */
    if (keeps_nothing() || TEST_SANITIZED)
        return; /* the race detector's own memory covers what it is about */
    static uint64_t *blocks[LARGE];
    uint64_t *held = mark(al_slab_take(), 1);
    memset(blocks, 1, sizeof blocks); /* so that its own pages count before */
    size_t before = resident_bytes();
    for (int i = 0; i < LARGE; i++)
        blocks[i] = mark(al_slab_take(), 2);
    CHECK(resident_bytes() - before >= (size_t)LARGE * AL_SLAB_BLOCK * 9 / 10);
    for (int i = 0; i < LARGE; i++)
        spoil_and_give(blocks[i]);
    CHECK(al_slab_trim() >= (size_t)LARGE * AL_SLAB_BLOCK * 8 / 10);
    CHECK(resident_bytes() < before + (4u << 20));
    CHECK(is_marked(held));
    spoil_and_give(held);
    CHECK(al_slab_trim() <= AL_SLAB_CHUNK);
}

/* ---- One gives what another takes ---- */

typedef struct belt {
    _Atomic(uint64_t *) ring[RING];
    uint32_t count;
    _Atomic uint32_t wrong;
} belt;

static void *give_what_comes(void *of)
{
    belt *in = *(belt **)of;
    for (uint32_t i = 0; i < in->count; i++) {
        uint64_t *block;
        while (!(block = atomic_exchange(&in->ring[i % RING], NULL)))
            sched_yield();
        if (!is_marked(block))
            atomic_fetch_add(&in->wrong, 1);
        spoil_and_give(block);
    }
    return NULL;
}

static void put_on(belt *on, uint32_t i)
{
    uint64_t *block = mark(al_slab_take(), i), *free_slot = NULL;
    REQUIRE(block != NULL);
    while (!atomic_compare_exchange_strong(&on->ring[i % RING], &free_slot, block)) {
        free_slot = NULL;
        sched_yield();
    }
}

static void what_others_give_comes_back(void)
{
    static belt on;
    belt *pointer = &on;
    on.count = ROUNDS(PASSED_ON);
    size_t before = resident_bytes();
    pthread_t giver = start_thread(give_what_comes, &pointer);
    for (uint32_t i = 0; i < on.count; i++)
        put_on(&on, i);
    join_thread(giver);
    CHECK(on.wrong == 0);
    if (!TEST_SANITIZED) /* a thousand under way at most, of 38 MB in all */
        CHECK(resident_bytes() < before + (8u << 20));
}

/* ---- All do everything, and end ---- */

static _Atomic(uint64_t *) slots[SLOTS];
static _Atomic uint32_t wrong;

static void swap(random_state *random, uint64_t *block)
{
    uint64_t *other = atomic_exchange(&slots[random_next(random) % SLOTS], block);
    if (!other)
        return;
    if (!is_marked(other))
        atomic_fetch_add(&wrong, 1);
    spoil_and_give(other);
}

static void *swap_blocks(void *of)
{
    uint64_t own = *(uint64_t *)of;
    random_state random = random_start(own);
    for (int i = 0; i < ROUNDS(SWAPS); i++) {
        swap(&random, random_next(&random) % 8 ? mark(al_slab_take(), own) : NULL);
        if (random_next(&random) % 4096 == 0)
            al_slab_trim();
    }
    return NULL;
}

static void threads_come_and_go_and_their_blocks_stay(void)
{
    for (uint64_t generation = 0; generation < GENERATIONS; generation++) {
        uint64_t seeds[THREADS];
        for (uint64_t i = 0; i < THREADS; i++)
            seeds[i] = seed + generation * THREADS + i;
        run_threads(THREADS, swap_blocks, seeds, sizeof seeds[0]);
    }
    for (int i = 0; i < SLOTS; i++) {
        uint64_t *block = atomic_exchange(&slots[i], NULL);
        CHECK(!block || is_marked(block));
        if (block)
            spoil_and_give(block);
    }
    CHECK(atomic_load(&wrong) == 0);
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "blocks are aligned and apart", blocks_are_aligned_and_apart },
        { "what was given last is taken first", what_was_given_last_is_taken_first },
        { "trim gives back what is unused, and nothing else", trim_gives_back_what_is_unused },
        { "what others give comes back to its owner", what_others_give_comes_back },
        { "threads come and go, and their blocks stay whole", threads_come_and_go_and_their_blocks_stay },
        { NULL, NULL },
    };
    const watched_suite suite = { "slab", facts, NULL };
    seed = random_seed(NULL);
    setenv("TEST_WATCHDOG_S", "120", 0);
    return watched_main(argc, argv, &suite, 1);
}
