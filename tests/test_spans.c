/* Things found by the ranges that theirs overlap, against a plain list. */
#include "base/spans.h"
#include "test.h"
#include <stdint.h>
#include <string.h>

typedef struct thing {
    al_span span; /* first */
    bool used, seen;
} thing;

static bool is_unused(const al_span *span)
{
    return !((const thing *)span)->used;
}

static thing *have(al_spans *spans, size_t begin, size_t end)
{
    thing *made = al_spans_have(spans, begin, end, sizeof *made, is_unused);
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    CU_ASSERT_TRUE(made->span.begin == begin && made->span.end == end);
    return made;
}

static bool see(al_span *span, void *of)
{
    thing *self = (thing *)span;
    CU_ASSERT_FALSE(self->used && self->seen); /* once each */
    self->seen = true;
    ++*(size_t *)of;
    return true;
}

static bool refuse(al_span *span, void *of)
{
    (void)span;
    ++*(size_t *)of;
    return false;
}

static void the_same_range_is_the_same_thing(void)
{
    al_spans spans = { 0 };
    thing *one = have(&spans, 10, 20);
    one->used = true;
    CU_ASSERT_PTR_EQUAL(have(&spans, 10, 20), one);
    CU_ASSERT_PTR_NOT_EQUAL(have(&spans, 10, 21), one);
    CU_ASSERT_PTR_NOT_EQUAL(have(&spans, 9, 20), one);
    al_spans_fini(&spans);
    CU_ASSERT_PTR_NULL(spans.levels);
}

static void a_visit_ends_when_it_is_refused(void)
{
    al_spans spans = { 0 };
    size_t visited = 0;
    have(&spans, 0, 10)->used = true;
    have(&spans, 0, 1000)->used = true;
    CU_ASSERT_FALSE(al_spans_visit(&spans, 5, 6, refuse, &visited));
    CU_ASSERT_EQUAL(visited, 1);
    CU_ASSERT_TRUE(al_spans_visit(&spans, 1000, SIZE_MAX, refuse, &visited)); /* behind all of them */
    al_spans_fini(&spans);
}

static void the_ends_of_memory_are_ranges_like_others(void)
{
    al_spans spans = { 0 };
    size_t visited = 0;
    have(&spans, 0, SIZE_MAX)->used = true;
    have(&spans, SIZE_MAX - 1, SIZE_MAX)->used = true;
    have(&spans, 0, 1)->used = true;
    CU_ASSERT_TRUE(al_spans_visit(&spans, SIZE_MAX - 1, SIZE_MAX, see, &visited));
    CU_ASSERT_EQUAL(visited, 2);
    al_spans_fini(&spans);
}

/* A step of xorshift. */
static size_t below(uint64_t *state, size_t limit)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (size_t)(*state % limit);
}

enum {
    THINGS = 400,
    SPACE = 3000
};

/* Those that are used, and only they, must be found; the others may be gone. */
static void finds_what_overlaps(void)
{
    uint64_t state = 88172645463325252u;
    al_spans spans = { 0 };
    struct {
        size_t begin, end;
        thing *thing;
    } used[THINGS];
    for (size_t count = 0; count < THINGS; count++) {
        size_t begin = below(&state, SPACE), end = begin + 1 + below(&state, count % 3 ? 20 : SPACE);
        for (int i = 0; i < 5; i++) { /* nobody needs these */
            size_t other = below(&state, SPACE);
            have(&spans, other, other + 1 + below(&state, 50));
        }
        thing *made = have(&spans, begin, end);
        made->used = true;
        used[count].begin = begin, used[count].end = end, used[count].thing = made;
        size_t from = below(&state, SPACE), to = from + 1 + below(&state, 40), found = 0;
        CU_ASSERT_TRUE(al_spans_visit(&spans, from, to, see, &found));
        for (size_t i = 0; i <= count; i++)
            CU_ASSERT_EQUAL(used[i].thing->seen, used[i].begin < to && from < used[i].end);
        for (size_t i = 0; i <= count; i++)
            used[i].thing->seen = false;
    }
    al_spans_fini(&spans);
}

static const test_fact facts[] = {
    { "the same range is the same thing", the_same_range_is_the_same_thing },
    { "a visit ends when it is refused", a_visit_ends_when_it_is_refused },
    { "the ends of memory are ranges like others", the_ends_of_memory_are_ranges_like_others },
    { "finds what overlaps, and nothing else", finds_what_overlaps },
    { NULL, NULL },
};

int main(void)
{
    return test_main("spans", facts);
}
