/* Blocks for launches: whole, disjoint, used again, bounded. */
#include "base/blocks.h"
#include "support.h"
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define COUNT 3000

static void are_as_large_as_asked(void)
{
    static const size_t sizes[] = { 0, 1, 495, 496, 497, 1008, 1009, 2032, 4080, 4081, 16368, 16369, 100000 };
    unsigned char *blocks[sizeof sizes / sizeof sizes[0]];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        blocks[i] = al_blocks_take(sizes[i]);
        REQUIRE(blocks[i] != NULL);
        CHECK((uintptr_t)blocks[i] % 16 == 0);
        memset(blocks[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            if (blocks[i][k] != i + 1)
                CHECK(blocks[i][k] == i + 1);
        al_blocks_give(blocks[i]);
    }
    CHECK(al_blocks_take(PTRDIFF_MAX) == NULL);
    al_blocks_give(NULL);
}

/* False in builds where every block comes from malloc. */
static bool keeps_any(void)
{
    al_blocks_trim();
    al_blocks_give(al_blocks_take(600));
    return al_blocks_trim() > 0;
}

static void are_used_again(void)
{
    static const size_t sizes[] = { 600, 12500 }; /* the latter is what a decision among 64 places takes */
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *first = al_blocks_take(sizes[i]);
        al_blocks_give(first);
        void *second = al_blocks_take(sizes[i] + 300);
        CHECK(!keeps_any() || first == second);
        al_blocks_give(second);
    }
}

static void a_thread_keeps_so_many_and_no_more(void)
{
    static void *blocks[COUNT];
    al_blocks_trim();
    for (size_t i = 0; i < COUNT; i++)
        REQUIRE((blocks[i] = al_blocks_take(2000)) != NULL);
    for (size_t i = 0; i < COUNT; i++)
        al_blocks_give(blocks[i]);
    size_t kept = al_blocks_trim();
    CHECK(kept <= AL_BLOCKS_KEPT);
    CHECK(!keeps_any() || kept > AL_BLOCKS_KEPT / 2);
    CHECK(al_blocks_trim() == 0);
}

static void *give_all(void *user)
{
    void **blocks = user;
    for (size_t i = 0; i < COUNT; i++)
        al_blocks_give(blocks[i]);
    return NULL;
}

static void may_be_given_by_another_thread(void)
{
    static void *blocks[COUNT];
    pthread_t other;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++)
            REQUIRE((blocks[i] = al_blocks_take(i % 5000)) != NULL);
        REQUIRE(pthread_create(&other, NULL, give_all, blocks) == 0);
        pthread_join(other, NULL);
    }
}

static const test_fact facts[] = {
    { "are as large as asked, and disjoint", are_as_large_as_asked },
    { "are used again", are_used_again },
    { "a thread keeps so many, and no more", a_thread_keeps_so_many_and_no_more },
    { "may be given by another thread", may_be_given_by_another_thread },
    { NULL, NULL },
};

int main(void)
{
    return test_main("blocks", facts);
}
