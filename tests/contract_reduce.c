/* Reductions in the kernel descriptor: ALLOT_REDUCED parameters on every kind of place. */
#include "place_contract.h"
#include <string.h>

/* in x (u32), u32 n, out buckets (u32, 3): how many x there are of each remainder, out least, most, product
 * (u32): of all x, x and x | 1. */
enum {
    X,
    N,
    BUCKETS,
    LEAST,
    MOST,
    PRODUCT,
    PARAMS
};

typedef struct outcome {
    uint32_t buckets[3], least, most, product;
} outcome;

static void contribute(outcome *to, uint32_t x)
{
    to->buckets[x % 3]++;
    to->least = x < to->least ? x : to->least;
    to->most = x > to->most ? x : to->most;
    to->product *= x | 1;
}

static allot_status survey_part(allot_call *call, const allot_part *part)
{
    const uint32_t *x = part->args[X].data;
    uint32_t *to[PARAMS];
    for (int i = BUCKETS; i < PARAMS; i++)
        to[i] = part->args[i].data;
    outcome so_far = {
        { to[BUCKETS][0], to[BUCKETS][1], to[BUCKETS][2] }, *to[LEAST], *to[MOST], *to[PRODUCT]
    };
    for (size_t i = part->begin; i < part->end; i++)
        if (x[i] == UINT32_MAX)
            return allot_fail(call, ALLOT_FAILED, "element %zu cannot be surveyed", i);
        else
            contribute(&so_far, x[i]);
    memcpy(to[BUCKETS], so_far.buckets, sizeof so_far.buckets);
    *to[LEAST] = so_far.least, *to[MOST] = so_far.most, *to[PRODUCT] = so_far.product;
    return ALLOT_OK;
}

static const char survey_text[] =
    "kernel void survey(global const uint *x, uint n, global uint *buckets, global uint *least, global uint "
    "*most,\n"
    "                   global uint *product)\n"
    "{ size_t g = get_group_id(0), begin = g * get_local_size(0);\n"
    "  uint b[3] = { 0, 0, 0 }, lo = UINT_MAX, hi = 0, p = 1;\n"
    "  if (get_local_id(0) != 0) return;\n"
    "  for (size_t i = begin; i < begin + get_local_size(0) && i < n; i++) {\n"
    "    b[x[i] % 3]++; lo = min(lo, x[i]); hi = max(hi, x[i]); p *= x[i] | 1; }\n"
    "  for (int j = 0; j < 3; j++) buckets[g * 3 + j] = b[j];\n"
    "  least[g] = lo; most[g] = hi; product[g] = p; }\n";

static const allot_kernel *survey(void)
{
    static const allot_param params[] = {
        [X] = { .name = "x", .type = ALLOT_U32, .access = ALLOT_READ, .distribution = ALLOT_SLICED },
        [N] = { .name = "n", .type = ALLOT_U32 },
#define OUT(text, op)                                                                                        \
    { .name = text, .type = ALLOT_U32, .access = ALLOT_WRITE, .distribution = ALLOT_REDUCED, .reduce = op }
        [BUCKETS] = OUT("buckets", ALLOT_SUM),
        [LEAST] = OUT("least", ALLOT_MIN),
        [MOST] = OUT("most", ALLOT_MAX),
        [PRODUCT] = OUT("product", ALLOT_PRODUCT),
    };
    static allot_kernel *made;
    if (!made)
        made = allot_kernel_create(ALLOT_KERNEL(.name = "survey", .params = params, .param_count = PARAMS,
                                                .cpu = survey_part, .grain = 4, .opencl_source = survey_text,
                                                .tile = { 1 }, .local = { 16 }));
    REQUIRE(made != NULL);
    return made;
}

/* Results lie in the middle of one array, so that a place that writes beside them is seen. */
enum {
    ROOM = 12,
    FIRST = 3,
    UNTOUCHED = 77
};

static allot_future *launch_survey(allot_executor *executor, allot_array *x, size_t n, allot_array *out,
                                   const allot_hints *hints)
{
    return allot_launch(executor, survey(), allot_range(n),
                        ALLOT_ARGS(allot_in(x), allot_u32((uint32_t)n),
                                   allot_out_view(allot_view_1d(out, FIRST, 3)),
                                   allot_out_view(allot_view_1d(out, FIRST + 3, 1)),
                                   allot_out_view(allot_view_1d(out, FIRST + 4, 1)),
                                   allot_out_view(allot_view_1d(out, FIRST + 5, 1))),
                        hints);
}

static void check_outcome(allot_array *out, const outcome *expected)
{
    uint32_t want[ROOM];
    for (size_t i = 0; i < ROOM; i++)
        want[i] = UNTOUCHED;
    memcpy(want + FIRST, expected, sizeof *expected);
    const uint32_t *got = allot_array_map(out, ALLOT_READ);
    REQUIRE(got != NULL);
    for (size_t i = 0; i < ROOM; i++)
        CU_ASSERT_EQUAL(got[i], want[i]);
    allot_array_unmap(out);
}

static void check_size(allot_executor *executor, size_t n, bool deterministic)
{
    outcome expected = { { 0 }, UINT32_MAX, 0, 1 };
    uint32_t *values = malloc((n + 1) * sizeof *values);
    REQUIRE(values != NULL);
    for (size_t i = 0; i < n; i++) {
        values[i] = (uint32_t)(i * 2654435761u) >> 3;
        contribute(&expected, values[i]);
    }
    allot_array *x = allot_array_from(executor, ALLOT_U32, n, values);
    allot_array *out = allot_array_full(executor, ALLOT_U32, ROOM, UNTOUCHED);
    REQUIRE(x && out);
    allot_hints hints = contract_here();
    hints.deterministic = deterministic;
    CHECK_STATUS(finish(launch_survey(executor, x, n, out, &hints)), ALLOT_OK);
    check_outcome(out, &expected);
    allot_array_release(x), allot_array_release(out);
    free(values);
}

static void every_index_contributes_once(void)
{
    static const size_t sizes[] = { 1, 2, 3, 15, 16, 17, 63, 64, 65, 997, 20011 };
    allot_executor *executor = contract_open();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int deterministic = 0; deterministic < 2; deterministic++)
            check_size(executor, sizes[i], deterministic);
    allot_close(executor);
}

static void an_empty_range_gives_the_identity(void)
{
    allot_executor *executor = contract_open();
    check_size(executor, 0, false);
    check_size(executor, 0, true);
    allot_close(executor);
}

/* The result of one launch is the input of the next, the other way round too, in flight together. */
static void reductions_are_ordered_with_others(void)
{
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    allot_array *y = allot_array_full(executor, ALLOT_U32, 100, 1);
    allot_array *out = allot_array_full(executor, ALLOT_U32, ROOM, UNTOUCHED);
    allot_future *futures[20];
    for (int i = 0; i < 20; i += 2) {
        futures[i] = allot_launch(executor, probe_kernel(PROBE_FILL), allot_range(100),
                                  ALLOT_ARGS(allot_out(y), allot_u32((uint32_t)i)), &here);
        futures[i + 1] = launch_survey(executor, y, 100, out, &here);
    }
    CHECK_STATUS(allot_wait_all(futures, 20, ALLOT_FOREVER), ALLOT_OK);
    for (int i = 0; i < 20; i++)
        CHECK_STATUS(allot_future_status(futures[i]), ALLOT_OK);
    allot_release_all(futures, 20);
    outcome expected = { { 0 }, UINT32_MAX, 0, 1 };
    for (uint32_t i = 0; i < 100; i++)
        contribute(&expected, 18 + i);
    check_outcome(out, &expected);
    allot_array_release(y), allot_array_release(out);
    allot_close(executor);
}

/* A part that fails leaves the result unusable, until it is reduced into again. */
static void a_failed_reduction_is_not_read(void)
{
    if (contract_rig.device) /* its variant cannot fail */
        return;
    allot_executor *executor = contract_open();
    allot_hints here = contract_here();
    allot_array *x = allot_array_full(executor, ALLOT_U32, 1000, 5);
    allot_array *out = allot_array_full(executor, ALLOT_U32, ROOM, UNTOUCHED);
    ((uint32_t *)allot_array_map(x, ALLOT_READ_WRITE))[700] = UINT32_MAX;
    allot_array_unmap(x);
    allot_future *future = launch_survey(executor, x, 1000, out, &here);
    CHECK_STATUS(allot_get(future, NULL, 0, ALLOT_FOREVER), ALLOT_FAILED);
    CHECK(strstr(allot_future_error(future), "element 700") != NULL);
    allot_release(future);
    CU_ASSERT_PTR_NULL(allot_array_map(out, ALLOT_READ));
    CHECK_STATUS(allot_last_status(), ALLOT_DEPENDENCY);
    CHECK_STATUS(finish(launch_survey(executor, x, 700, out, &here)), ALLOT_OK);
    outcome expected = { { 0 }, UINT32_MAX, 0, 1 };
    for (int i = 0; i < 700; i++)
        contribute(&expected, 5);
    check_outcome(out, &expected);
    allot_array_release(x), allot_array_release(out);
    allot_close(executor);
}

static void many_reductions_leave_nothing_behind(void)
{
    allot_executor *executor = contract_open();
    check_size(executor, 997, false); /* opens what stays open */
    int before = count_fds();
    for (int i = 0; i < contract_rounds(100); i++)
        check_size(executor, 997, i % 2);
    CHECK(falls_to(count_fds, before));
    allot_close(executor);
}

const test_fact contract_reduce_facts[] = {
    { "every index of the range contributes to what is reduced, once", every_index_contributes_once },
    { "a reduction over an empty range gives the identity", an_empty_range_gives_the_identity },
    { "reductions take their turn with launches on the same arrays", reductions_are_ordered_with_others },
    { "what a failed reduction should have written cannot be read", a_failed_reduction_is_not_read },
    { "many reductions leave no descriptor behind", many_reductions_leave_nothing_behind },
    { NULL, NULL },
};
