/* Sets of ranges, against a bitmap. */
#include "base/ranges.h"
#include "test.h"
#include <stdint.h>
#include <string.h>
#include <time.h>

enum {
    SPACE = 200,
    STEPS = 4000,
    SETS = 25
};

static void add(al_ranges *ranges, size_t begin, size_t end)
{
    CU_ASSERT_TRUE_FATAL(al_ranges_reserve(ranges));
    al_ranges_add(ranges, begin, end);
}

static void take_away(al_ranges *ranges, size_t begin, size_t end)
{
    CU_ASSERT_TRUE_FATAL(al_ranges_reserve(ranges));
    al_ranges_remove(ranges, begin, end);
}

static void starts_empty(void)
{
    al_ranges ranges = { 0 };
    al_range found = { 7, 7 };
    CU_ASSERT_FALSE(al_ranges_has(&ranges, 0, 1));
    CU_ASSERT_FALSE(al_ranges_touches(&ranges, 0, SIZE_MAX));
    CU_ASSERT_FALSE(al_ranges_part(&ranges, 0, SIZE_MAX, &found));
    CU_ASSERT_TRUE(al_ranges_gap(&ranges, 3, 9, &found));
    CU_ASSERT_TRUE(found.begin == 3 && found.end == 9);
    take_away(&ranges, 0, 10);
    CU_ASSERT_EQUAL(ranges.count, 0);
    al_ranges_fini(&ranges);
    al_ranges_fini(&ranges);
}

static void an_empty_range_changes_nothing(void)
{
    al_ranges ranges = { 0 };
    al_range found;
    add(&ranges, 5, 5);
    CU_ASSERT_EQUAL(ranges.count, 0);
    add(&ranges, 4, 8);
    take_away(&ranges, 6, 6);
    CU_ASSERT_TRUE(al_ranges_has(&ranges, 4, 8));
    CU_ASSERT_TRUE(al_ranges_has(&ranges, 100, 100));
    CU_ASSERT_FALSE(al_ranges_touches(&ranges, 6, 6));
    CU_ASSERT_FALSE(al_ranges_gap(&ranges, 2, 2, &found));
    CU_ASSERT_FALSE(al_ranges_part(&ranges, 6, 6, &found));
    al_ranges_fini(&ranges);
}

static void merges_what_touches(void)
{
    al_ranges ranges = { 0 };
    add(&ranges, 0, 4);
    add(&ranges, 8, 12);
    CU_ASSERT_EQUAL(ranges.count, 2);
    add(&ranges, 4, 8);
    CU_ASSERT_EQUAL(ranges.count, 1);
    CU_ASSERT_TRUE(al_ranges_has(&ranges, 0, 12));
    al_ranges_fini(&ranges);
}

static void splits_where_a_hole_is_cut(void)
{
    al_ranges ranges = { 0 };
    al_range gap, part;
    add(&ranges, 10, 20);
    take_away(&ranges, 13, 15);
    CU_ASSERT_EQUAL(ranges.count, 2);
    CU_ASSERT_TRUE(al_ranges_gap(&ranges, 10, 20, &gap));
    CU_ASSERT_TRUE(gap.begin == 13 && gap.end == 15);
    CU_ASSERT_TRUE(al_ranges_part(&ranges, 13, 18, &part));
    CU_ASSERT_TRUE(part.begin == 15 && part.end == 18);
    al_ranges_fini(&ranges);
}

static void reaches_to_the_end_of_all_sizes(void)
{
    al_ranges ranges = { 0 };
    add(&ranges, SIZE_MAX - 4, SIZE_MAX);
    add(&ranges, 0, SIZE_MAX - 8);
    CU_ASSERT_EQUAL(ranges.count, 2);
    add(&ranges, 0, SIZE_MAX);
    CU_ASSERT_EQUAL(ranges.count, 1);
    take_away(&ranges, 1, SIZE_MAX);
    CU_ASSERT_TRUE(ranges.count == 1 && ranges.items[0].begin == 0 && ranges.items[0].end == 1);
    al_ranges_fini(&ranges);
}

/* ---- Any sequence of changes, against one flag a byte ---- */

static uint64_t random_state;

static size_t random_below(size_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % limit);
}

/* True unless the ranges are empty, out of order or touch. */
static bool well_formed(const al_ranges *ranges)
{
    for (size_t i = 0; i < ranges->count; i++) {
        if (ranges->items[i].begin >= ranges->items[i].end)
            return false;
        if (i && ranges->items[i - 1].end >= ranges->items[i].begin)
            return false;
    }
    return true;
}

static bool same_members(const al_ranges *ranges, const bool *members)
{
    bool listed[SPACE] = { false };
    for (size_t i = 0; i < ranges->count; i++)
        memset(listed + ranges->items[i].begin, true, ranges->items[i].end - ranges->items[i].begin);
    return memcmp(listed, members, sizeof listed) == 0;
}

/* The first stretch in [begin, end) of members that are `wanted`. */
static bool stretch(const bool *members, size_t begin, size_t end, bool wanted, al_range *found)
{
    while (begin < end && members[begin] != wanted)
        begin++;
    found->begin = begin;
    while (begin < end && members[begin] == wanted)
        begin++;
    found->end = begin;
    return found->begin < found->end;
}

static bool same_answers(const al_ranges *ranges, const bool *members, size_t begin, size_t end)
{
    al_range gap, part, found;
    bool has_gap = stretch(members, begin, end, false, &gap),
         has_part = stretch(members, begin, end, true, &part);
    if (al_ranges_has(ranges, begin, end) == has_gap || al_ranges_touches(ranges, begin, end) != has_part)
        return false;
    if (al_ranges_gap(ranges, begin, end, &found) != has_gap)
        return false;
    if (has_gap && (found.begin != gap.begin || found.end != gap.end))
        return false;
    if (al_ranges_part(ranges, begin, end, &found) != has_part)
        return false;
    return !has_part || (found.begin == part.begin && found.end == part.end);
}

/* One set through many changes; the number of the first step that is wrong, or STEPS. */
static size_t first_wrong_step(size_t longest)
{
    al_ranges ranges = { 0 };
    bool members[SPACE] = { false };
    size_t step = 0;
    for (; step < STEPS; step++) {
        size_t begin = random_below(SPACE + 1), end = begin + random_below(longest);
        end = end > SPACE ? SPACE : end;
        bool adds = random_below(2);
        (adds ? add : take_away)(&ranges, begin, end);
        memset(members + begin, adds, end - begin);
        size_t from = random_below(SPACE + 1), to = from + random_below(SPACE + 1 - from);
        if (!well_formed(&ranges) || !same_members(&ranges, members) ||
            !same_answers(&ranges, members, from, to))
            break;
    }
    al_ranges_fini(&ranges);
    return step;
}

static void behaves_like_a_bitmap(void)
{
    const char *text = getenv("TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    printf("TEST_SEED=%llu ", (unsigned long long)seed);
    random_state = seed * 2 + 1;
    for (size_t i = 0; i < SETS; i++)
        CU_ASSERT_EQUAL(first_wrong_step(2 + i * i / 4), STEPS);
}

int main(void)
{
    static const test_fact facts[] = {
        { "starts empty", starts_empty },
        { "an empty range changes nothing", an_empty_range_changes_nothing },
        { "merges what touches", merges_what_touches },
        { "splits where a hole is cut", splits_where_a_hole_is_cut },
        { "reaches to the end of all sizes", reaches_to_the_end_of_all_sizes },
        { "behaves like a bitmap", behaves_like_a_bitmap },
        { NULL, NULL },
    };
    return test_main("ranges", facts);
}
